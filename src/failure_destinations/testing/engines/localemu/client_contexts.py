"""A patch that makes localemu's Lambda hand the client context of an invocation to the handler.

Lambda does so for synchronous invocations. localemu 1.3.2 accepts the context and drops it.
https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

# localemu is installed where this module runs, not where it is type-checked.
# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import base64
import functools
from typing import Any

from localemu.services.lambda_.invocation.execution_environment import ExecutionEnvironment


def apply() -> None:
    """Patch localemu."""
    ExecutionEnvironment.invoke = _with_client_context(ExecutionEnvironment.invoke)


def _with_client_context(operation: Any) -> Any:
    @functools.wraps(operation)
    def invoke(environment: Any, invocation: Any) -> Any:
        # An environment runs one invocation at a time.
        environment.runtime_executor.client_context = _decoded(invocation)
        return operation(environment, invocation)

    return invoke


def _decoded(invocation: Any) -> str:
    if invocation.invocation_type != "RequestResponse" or not invocation.client_context:
        return ""
    try:
        return base64.b64decode(invocation.client_context, validate=True).decode()
    except ValueError:
        # localemu itself passes JSON for function URLs.
        return str(invocation.client_context)
