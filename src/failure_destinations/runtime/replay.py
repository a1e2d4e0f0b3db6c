"""Replays one failed event: invokes the same function and qualifier with the same payload."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from .failed_event import FailedEvent

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import InvocationRequestTypeDef

Status = Literal["succeeded", "failed", "not-started", "unknown"]
"""`unknown`: the response was lost, so the handler may have run or may still be running."""

Reason = Literal["throttled", "unavailable", "gone", "denied", "refused"]
"""Why a handler was not started. Retry if it is `throttled` or `unavailable`."""

# A synchronous invocation may take 30 minutes.
# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
SYNCHRONOUS_SECONDS = 1800
READ_TIMEOUT_SECONDS = SYNCHRONOUS_SECONDS + 30
_CONNECT_TIMEOUT_SECONDS = 10

# Errors that Lambda returns before it starts the function. It may return 500 at any time.
# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors
_REASONS: dict[int, Reason] = {
    401: "denied",
    403: "denied",
    404: "gone",
    408: "unavailable",
    409: "unavailable",
    429: "throttled",
    502: "unavailable",
}
_AMBIGUOUS_STATUSES = (410, 500, 503, 504)
_BAD_GATEWAY = 502
_NO_CONNECTION = ("EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError")


@dataclass(frozen=True)
class Outcome:
    """The outcome of one replay.

    Attributes:
        status: `succeeded`, `failed` (the handler ran and raised, timed out or crashed),
            `not-started` (it did not run) or `unknown` (no response: it may have run).
        reason: Why it was not started; None otherwise.
        error_type: The class of the handler's error, or Lambda's error code; None if it succeeded.
        error_message: The error's text; None if it succeeded.
    """

    status: Status
    reason: Reason | None = None
    error_type: str | None = None
    error_message: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the handler succeeded, so that the message may be deleted."""
        return self.status == "succeeded"

    @property
    def may_try_again(self) -> bool:
        """Whether the handler did not run and the reason is temporary."""
        return self.reason in ("throttled", "unavailable")


def replay(
    event: FailedEvent,
    client: LambdaClient,
    function: str | None = None,
    *,
    tenant_id: str | None = None,
) -> Outcome:
    """Invoke the handler again with the same payload, and wait for it to finish.

    The invocation is synchronous: a second failure is returned here and does not go through the
    failure destination again.

    Args:
        event: The failed event.
        client: A boto3 client from `lambda_client`.
        function: Name or ARN of the function to invoke instead. Needed for an event from a
            function's dead-letter queue, which does not name it. Default: the function and
            qualifier that failed.
        tenant_id: The tenant to invoke it for, if the function isolates tenants. The event does
            not name it. Default: none.

    Returns:
        The outcome. Lambda and network errors are returned as outcomes, never raised.

    https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
    https://docs.aws.amazon.com/lambda/latest/dg/tenant-isolation-invoke.html
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    if event.obstacle is not None:
        return Outcome("not-started", "refused", "NotReplayable", event.obstacle)
    target = function or event.function
    if target is None:
        return Outcome(
            "not-started", "refused", "NotReplayable", "its message does not name the function"
        )
    request: InvocationRequestTypeDef = {
        "FunctionName": target,
        "InvocationType": "RequestResponse",
        "Payload": event.payload_bytes,
    }
    if function is None and event.qualifier is not None:
        request["Qualifier"] = event.qualifier
    if tenant_id is not None:
        request["TenantId"] = tenant_id
    try:
        answer = client.invoke(**request)
        response = answer["Payload"].read()
    except ClientError as error:
        return _refusal(error.response)
    except BotoCoreError as error:
        return _no_answer(error)
    if "FunctionError" not in answer:
        return Outcome("succeeded")
    kind, text = _error(response)
    return Outcome("failed", None, kind or answer["FunctionError"], text)


def lambda_client(
    session: boto3.Session | None = None,
    *,
    connections: int = 10,
    read_timeout: float = READ_TIMEOUT_SECONDS,
    **arguments: Any,
) -> LambdaClient:
    """Return a Lambda client that never starts a handler twice for one call.

    It never retries a request, because the handler may still be running after a lost response.

    Args:
        session: A `boto3.Session`. Default: a new one.
        connections: The number of threads that use it at once. Default: 10.
        read_timeout: The number of seconds to wait for a response. Default: 1,830, longer than
            any synchronous invocation takes.
        **arguments: For `boto3.Session.client`, such as `endpoint_url`; not `config`.
    """
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    config = Config(
        connect_timeout=_CONNECT_TIMEOUT_SECONDS,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": 1},
        tcp_keepalive=True,
        max_pool_connections=connections,
    )
    return (session or boto3.Session()).client("lambda", config=config, **arguments)


def _refusal(response: Mapping[str, Any]) -> Outcome:
    error = response.get("Error", {})
    code = str(error.get("Code", "Unknown"))
    message = str(error.get("Message", "")) or None
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    # A proxy's 502 does not have one of Lambda's error codes.
    if status in _AMBIGUOUS_STATUSES or (status == _BAD_GATEWAY and not code.endswith("Exception")):
        return Outcome("unknown", None, code, message)
    return Outcome("not-started", _REASONS.get(status, "refused"), code, message)


def _no_answer(error: Exception) -> Outcome:
    from botocore import exceptions  # noqa: PLC0415

    kind = type(error).__name__
    text = " ".join(str(error).split())
    if kind in _NO_CONNECTION:
        return Outcome("not-started", "unavailable", kind, text)
    if isinstance(
        error,
        (exceptions.ConnectionError, exceptions.HTTPClientError, exceptions.IncompleteReadError),
    ):
        return Outcome("unknown", None, kind, text)
    # These are raised before anything is sent.
    credentials = any(word in kind for word in ("Credential", "Token", "SSO"))
    return Outcome("not-started", "denied" if credentials else "refused", kind, text)


def _error(response: bytes) -> tuple[str | None, str | None]:
    """Return the type and message of the error in a runtime's response."""
    try:
        error = json.loads(response)
    except (ValueError, RecursionError):
        error = None
    if not isinstance(error, dict):
        return None, response.decode(errors="replace") or None
    kind, text = error.get("errorType"), error.get("errorMessage")
    return (None if kind is None else str(kind)), (None if text is None else str(text))
