"""Writes the steps of a fix as commands: as argument lists, and as shell commands."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from typing import Any

from failure_destinations.text import printable

from .fixes import AddStatements, OwnCommand, Step

_WORD = re.compile(r"(.)([A-Z][a-z]+)")
_LAST_WORD = re.compile(r"([a-z0-9])([A-Z])")
# The AWS CLI uses another name for this service.
_RENAMED = {("sns", "Subscribe", "Endpoint"): "notification-endpoint"}
# The AWS CLI has boto3's `s3` under this name.
# https://docs.aws.amazon.com/cli/latest/reference/s3api/
_SERVICES = {"s3": "s3api"}

_FIRST_NOT_ASCII = 0x80
_LAST_OF_FOUR_DIGITS = 0xFFFF


def words(step: Step, place: Sequence[str]) -> list[str]:
    """Return a step as an argument list.

    Args:
        step: The step.
        place: The profile and Region options, which the AWS CLI and this program share.
    """
    return [*_words(step), *place]


def in_shell(command: Sequence[str]) -> str:
    """Return a command quoted for a shell, always as one printable line."""
    return " ".join(map(_quoted, command))


def _words(step: Step) -> list[str]:
    if isinstance(step, OwnCommand):
        options = [_option(name, value) for name, value in step.options]
        return ["failure-destinations", step.name, *(word for words in options for word in words)]
    call = step.call() if isinstance(step, AddStatements) else step
    words = ["aws", _SERVICES.get(call.service, call.service), _kebab(call.operation)]
    if call.operation == "PutMetricAlarm":
        return [*words, "--cli-input-json", json.dumps(call.parameters)]
    for name, value in call.parameters.items():
        option = _RENAMED.get((call.service, call.operation, name), _kebab(name))
        words += _option(option, _value(value))
    return words


def _value(value: Any) -> str | None:
    """Return a parameter as the AWS CLI expects it; None for a flag."""
    if value is True:
        return None
    return value if isinstance(value, str) else json.dumps(value)


def _option(name: str, value: str | None) -> list[str]:
    if value is None:
        return [f"--{name}"]
    # A value that begins with a dash would be taken for an option.
    return [f"--{name}={value}"] if value.startswith("-") else [f"--{name}", value]


def _kebab(name: str) -> str:
    """Return a parameter's name in the AWS CLI's style: `queue-url` for `QueueUrl`."""
    return _LAST_WORD.sub(r"\1-\2", _WORD.sub(r"\1-\2", name)).lower()


def _quoted(word: str) -> str:
    if printable(word) == word:
        return shlex.quote(word)
    # bash, zsh and ksh understand escapes in this form.
    return f"$'{''.join(map(_escaped, word))}'"


def _escaped(char: str) -> str:
    if char in "\\'":
        return f"\\{char}"
    if printable(char) == char:
        return char
    code = ord(char)
    if code < _FIRST_NOT_ASCII:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= _LAST_OF_FOUR_DIGITS else f"\\U{code:08x}"
