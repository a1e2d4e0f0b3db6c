"""What the doctor finds: one thing, how bad it is, and the command that mends it."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any, Literal

from .facts import Unknown

Severity = Literal["ok", "info", "warning", "error", "unknown"]
"""In the order of how bad it is, but for `unknown`: a look that was not possible."""


@dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes:
        severity: `error` if failed events are lost or people are not told, `warning` if that is
            near or something waits to be done, `info` if it is as somebody wanted it.
        check: What was looked at: a name that stays the same, for programs.
        resource: The resource: its name, address or construct path.
        text: What was found, in one line.
        mend: The command that mends it; None if there is none.
        action: The IAM action without which it could not be looked at.
    """

    severity: Severity
    check: str
    resource: str
    text: str
    mend: str | None = None
    action: str | None = None


def not_known(check: str, resource: str, unknown: Unknown) -> Finding:
    """Return the finding that a look was not possible."""
    return Finding("unknown", check, resource, unknown.why, action=unknown.action)


def aws_command(service: str, operation: str, **options: Any) -> str:
    """Return a command of the AWS CLI.

    Args:
        service: Such as `sqs`.
        operation: Such as `set-queue-attributes`.
        options: By name with underscores; what is no text is written as JSON.
    """
    words = ["aws", service, operation]
    for name, value in options.items():
        text = value if isinstance(value, str) else json.dumps(value)
        words += [f"--{name.replace('_', '-')}", text]
    return shlex.join(words)


def own_command(*words: str) -> str:
    """Return a command of this program."""
    return shlex.join(["failure-destinations", *words])
