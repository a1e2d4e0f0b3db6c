"""Step Functions: tasks that do not wait for a function. Transfer Family: workflows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..causes import Open
from ..marks import Mark
from ..model import Waits
from ..resource import Resource
from ..values import items, mapping, members

# https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html
_TASK = re.compile(r":states:[^:]*:[^:]*:(lambda|aws-sdk:lambda):invoke(Async)?(\.|$)", re.I)

# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-ToJsonString.html
_TO_JSON = "Fn::ToJsonString"
_PLACEHOLDER = re.compile(r"\$\{([^${}]*)\}")
# https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
_JSONATA = re.compile(r"\s*\{%(.*)%\}\s*", re.S)
_JSONATA_TEXT = re.compile(r"""\s*(?:'([^'\\]*)'|"([^"\\]*)")\s*""")


def read_state_machine(resource: Resource) -> None:
    """Read a state machine's tasks, which wait unless the invocation type is `Event`."""
    properties = resource.properties
    for definition in items(properties.get("DefinitionString")):
        if isinstance(definition, Mapping) and _TO_JSON in definition:
            _read(resource, definition[_TO_JSON], _resolved(resource))
            continue
        for text in resource.known_texts(definition):
            _read_text(resource, text)
    _read(resource, properties.get("Definition"), _resolved(resource))
    for place in items(properties.get("DefinitionS3Location")):
        if _is_file(place):
            resource.leaves_open(Open.DEFINITION_FILE_MISSING, resource.marks.clean(place))
        else:
            resource.leaves_open(Open.DEFINITION_IN_S3)


def _is_file(place: Any) -> bool:
    return isinstance(place, str) and "://" not in place


def _read_text(resource: Resource, text: str) -> None:
    mark = resource.marks.only(text)
    if mark is not None:
        resource.leaves_open(Open.DEFINITION_NOT_KNOWN, text)
    if "invoke" not in text:
        return
    for substituted in _substituted(resource, text):
        parsed = resource.parse_json(substituted)
        if parsed is None:
            resource.leaves_open(Open.DEFINITION_NOT_READABLE)
        _read(resource, parsed, _as_is)


def _resolved(resource: Resource) -> Callable[[Any], list[str]]:
    """Return a function that reads the non-text values of a definition."""

    def texts(value: Any) -> list[str]:
        return [
            substituted
            for text in resource.known_texts(value)
            for substituted in _substituted(resource, text, in_json=False)
        ]

    return texts


def _substituted(resource: Resource, text: str, *, in_json: bool = True) -> Iterator[str]:
    """Yield a definition with its substitutions filled in, until each text has been used once."""
    if "${" not in text:
        yield text
        return
    substitutions = mapping(resource.properties.get("DefinitionSubstitutions"))
    texts = {name: resource.known_texts(value) for name, value in substitutions.items()}
    for i in range(max(map(len, texts.values()), default=0) or 1):

        def substitute(placeholder: re.Match[str], i: int = i) -> str:
            found = texts.get(placeholder.group(1))
            if not found:
                return placeholder.group()
            one = found[i % len(found)]
            # A mark must not be escaped.
            return json.dumps(one, ensure_ascii=False)[1:-1] if in_json else one

        yield _PLACEHOLDER.sub(substitute, text) if texts else text


def _as_is(value: Any) -> list[str]:
    """Return a value that was resolved before it was parsed."""
    return [value] if isinstance(value, str) else []


def _read(resource: Resource, definition: Any, texts: Callable[[Any], list[str]]) -> None:
    for state in resource.walk(definition):
        for task in texts(state.get("Resource")):
            if _TASK.search(task):
                _read_task(resource, state, task, texts)


def _read_task(
    resource: Resource, state: Mapping[str, Any], task: str, texts: Callable[[Any], list[str]]
) -> None:
    found = [one for name in ("Parameters", "Arguments") for one in members(state, name)]
    # Without arguments, Lambda gets the state's input.
    for arguments in found or [None]:
        type = _argument(resource, arguments, "InvocationType", texts)
        is_async = task.lower().endswith("async")
        waits = Waits.NO if is_async else resource.waits(type, "event")
        if waits is Waits.YES:
            continue
        if "waitForTaskToken" in task:
            waits = Waits.FOR_CALLBACK
        qualifier = next(iter(_argument(resource, arguments, "Qualifier", texts)), "")
        for function in _argument(resource, arguments, "FunctionName", texts):
            resource.calls_text(function, "states", waits=waits, qualifier=qualifier)


def _argument(
    resource: Resource, arguments: Any, name: str, texts: Callable[[Any], list[str]]
) -> list[str]:
    """Return the possible values of an argument; a mark stands for one only an execution knows."""
    at_run_time = resource.marks.text(Mark("unknown", resource.scope, f"the {name} of a task"))
    if not isinstance(arguments, Mapping) or f"{name}.$" in arguments:
        return [at_run_time]
    found = []
    for text in texts(arguments.get(name)):
        jsonata = _JSONATA.fullmatch(text)
        literal = _JSONATA_TEXT.fullmatch(jsonata.group(1)) if jsonata else None
        if literal is not None:
            found.append(literal.group(1) or literal.group(2) or "")
        else:
            found.append(at_run_time if jsonata else text)
    return found


def read_transfer_workflow(resource: Resource) -> None:
    """Read a workflow's custom steps: the workflow waits for a callback until a timeout.

    https://docs.aws.amazon.com/transfer/latest/userguide/API_SendWorkflowStepState.html
    """
    for steps in ("Steps", "OnExceptionSteps"):
        for function in members(resource.properties, steps, "CustomStepDetails", "Target"):
            resource.calls(function, "transfer", waits=Waits.FOR_CALLBACK, only_arns=True)


CALLERS = {
    "AWS::StepFunctions::StateMachine": read_state_machine,
    "AWS::Transfer::Workflow": read_transfer_workflow,
}
