"""The JSON that a schedule passes to its handler."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from aws_cdk import Stack
from aws_cdk.aws_scheduler import ScheduleTargetInput
from constructs import Construct

from failure_destinations.text import printable

from .refusals import is_token, shown

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_BYTES = 1024 * 1024

# Python reads and writes at most 4,300 digits.
_MAX_BITS = 14_000


class Payload:
    """A payload that JSON can represent exactly, of at most 1 MiB (1,048,576 bytes).

    Its text is ASCII, so that CloudFormation cannot change any character.
    """

    def __init__(self, value: Any) -> None:
        """Check that the handler will get exactly this payload.

        Raises:
            ValueError: JSON cannot represent the payload exactly, or it is too large.
        """
        try:
            self._has_tokens = False
            for path, leaf in _leaves(value, "payload"):
                if is_token(leaf):
                    self._has_tokens = True
                else:
                    _check_leaf(path, leaf)
            text = json.dumps(value, allow_nan=False, separators=(",", ":"), default=str)
        except RecursionError:
            raise ValueError(
                "payload must be something JSON can hold, got a value nested too deeply: "
                "it may contain itself"
            ) from None
        if len(text) > MAX_BYTES:
            raise ValueError(
                f"payload must be at most {MAX_BYTES:,} bytes of JSON, got {len(text):,}: "
                "keep it in S3 and pass its key"
            )
        self._value = value
        self._text = text

    @property
    def size(self) -> int:
        """Its size in bytes; approximate if it has tokens."""
        return len(self._text)

    def target_input(self, scope: Construct) -> ScheduleTargetInput:
        """Return the payload as EventBridge Scheduler's input.

        The text is passed unchanged, and CDK only fills in tokens: on the way through Node, numbers
        would lose digits and nulls would be lost.
        """
        text = _written(self._value, Stack.of(scope)) if self._has_tokens else self._text
        return ScheduleTargetInput.from_text(text)


def _written(value: Any, stack: Stack) -> str:
    if is_token(value):
        return stack.to_json_string(value)
    if isinstance(value, dict):
        items = (f"{_written(key, stack)}:{_written(item, stack)}" for key, item in value.items())
        return f"{{{','.join(items)}}}"
    if isinstance(value, (list, tuple)):
        return f"[{','.join(_written(item, stack) for item in value)}]"
    return json.dumps(value)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield every leaf value and every key, each with its path."""
    if is_token(value):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise _not_json(path, key, "keys must be strings")
            yield path, key
            yield from _leaves(item, f"{path}[{shown(key)}]")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}[{index}]")
    else:
        yield path, value


def _check_leaf(path: str, value: Any) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise _not_json(path, value, "JSON has no such number")
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _not_json(path, value, "it has half of a surrogate pair") from None
    elif isinstance(value, int) and value.bit_length() > _MAX_BITS:
        raise _not_json(path, value, "no JSON reader takes such a number; pass it as text")
    elif value is not None and not isinstance(value, (bool, int, float)):
        raise _not_json(path, value, f"convert the {type(value).__name__} first")


def _not_json(path: str, value: Any, way_out: str) -> ValueError:
    return ValueError(
        f"payload must be something JSON can hold, got {shown(value)} at {printable(path[:80])}: "
        f"{way_out}"
    )
