"""Step Functions: tasks that call a function and go on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from ..model import Waits
from ..reader import Resource
from ..values import items, mapping

# https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html
_TASK = re.compile(r":states:[^:]*:[^:]*:(lambda|aws-sdk:lambda):invoke(Async)?(\.|$)", re.I)

_PLACEHOLDER = re.compile(r"\$\{([^${}]*)\}")


def read_state_machine(resource: Resource) -> None:
    """Read a state machine's tasks: they wait, unless the invocation type is `Event`."""
    for definition in items(resource.properties.get("DefinitionString")):
        for text in resource.known_texts(definition):
            if "invoke" not in text:
                continue
            try:
                parsed = json.loads(_substituted(resource, text))
            except (ValueError, RecursionError):
                resource.leaves_open("It may call functions: its definition cannot be read")
                continue
            _read(resource, parsed, _as_is)
    _read(resource, resource.properties.get("Definition"), resource.known_texts)


def _substituted(resource: Resource, text: str) -> str:
    values = mapping(resource.properties.get("DefinitionSubstitutions"))

    def substitute(placeholder: re.Match[str]) -> str:
        texts = resource.known_texts(values.get(placeholder.group(1)))
        return json.dumps(texts[0])[1:-1] if texts else placeholder.group()

    return _PLACEHOLDER.sub(substitute, text) if values else text


def _as_is(value: Any) -> list[str]:
    """Return what was resolved before it was parsed."""
    return [value] if isinstance(value, str) else []


def _read(resource: Resource, definition: Any, texts: Callable[[Any], list[str]]) -> None:
    for state in resource.walk(definition):
        for task in texts(state.get("Resource")):
            if _TASK.search(task):
                _read_task(resource, state, task, texts)


def _read_task(
    resource: Resource, state: Mapping[str, Any], task: str, texts: Callable[[Any], list[str]]
) -> None:
    for name in ("Parameters", "Arguments"):
        arguments = mapping(state.get(name))
        type = texts(arguments.get("InvocationType"))
        if not task.lower().endswith("async") and "Event" not in type:
            continue
        waits = Waits.FOR_CALLBACK if "waitForTaskToken" in task else Waits.NO
        qualifier = next(iter(texts(arguments.get("Qualifier"))), "")
        for function in texts(arguments.get("FunctionName")):
            resource.calls_text(function, "states", waits=waits, qualifier=qualifier)


CALLERS = {"AWS::StepFunctions::StateMachine": read_state_machine}
