"""A finding: one thing that `doctor` says about a channel, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .facts import Unknown
from .fixes import Fix
from .kinds import KINDS, Kind, Severity

Noun = Literal[
    "channel",
    "handler",
    "topic",
    "alarm topic",
    "subscription",
    "queue",
    "dead-letter queue",
    "copy queue",
    "parked queue",
    "replayer",
    "monitoring",
    "alarm",
]


@dataclass(frozen=True)
class Subject:
    """What a finding is about.

    Attributes:
        noun: What it is.
        name: Its name, address or construct path.
    """

    noun: Noun
    name: str


@dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes:
        kind: Its kind, one of `kinds.KINDS`.
        subject: What it is about.
        facts: What `render.py` makes the sentence of.
        fix: What fixes it.
        given_severity: Its severity, where it is not that of the kind.
        unknown: What could not be read, where that is the finding.

    Raises:
        ValueError: The kind is not registered, or never has the severity.
    """

    kind: Kind
    subject: Subject
    facts: Mapping[str, Any] = field(default_factory=dict)
    fix: Fix = ()
    given_severity: Severity | None = None
    unknown: Unknown | None = None

    def __post_init__(self) -> None:
        """Refuse what docs/doctor.md does not list."""
        if KINDS.get(self.kind.id) is not self.kind:
            raise ValueError(f"kind must be one of kinds.KINDS, got {self.kind!r}")
        if self.severity not in self.kind.severities:
            raise ValueError(
                f"severity of {self.kind.id} must be one of "
                f"{', '.join(sorted(self.kind.severities))}, got {self.severity!r}"
            )

    @property
    def severity(self) -> Severity:
        """How grave it is."""
        return self.given_severity or self.kind.severity

    @property
    def action(self) -> str | None:
        """The IAM action without which it could not be read."""
        return None if self.unknown is None else self.unknown.action


def unreadable(kind: Kind, subject: Subject, unknown: Unknown) -> Finding:
    """Return the finding that AWS did not answer.

    Args:
        kind: The kind that could not be judged.
        subject: What it would have been about.
        unknown: What could not be read.
    """
    return Finding(kind, subject, given_severity="unknown", unknown=unknown)
