"""A finding of `doctor` about a channel, as data."""

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
    "notifier's topic",
    "subscription",
    "queue",
    "dead-letter queue",
    "copy queue",
    "parked queue",
    "notifier's queue",
    "notifier's dead-letter queue",
    "replayer",
    "notifier",
    "webhook",
    "monitoring",
    "alarm",
    "event source",
    "bucket",
    "announcement rule",
    "announcement queue",
    "batch forwarder",
    "source queue",
    "source dead-letter queue",
]


@dataclass(frozen=True)
class Subject:
    """The subject of a finding.

    Attributes:
        noun: What kind of thing it is.
        name: Its name, address or construct path.
    """

    noun: Noun
    name: str


@dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes:
        kind: Its kind, one of `kinds.KINDS`.
        subject: Its subject.
        facts: The data for its sentence in `render.py`.
        fix: The steps that fix it.
        given_severity: Its severity, if it differs from the kind's.
        unknown: The fact that could not be read, if that is the finding.

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
        """Raise ValueError for kinds and severities that docs/doctor.md does not list."""
        if KINDS.get(self.kind.id) is not self.kind:
            raise ValueError(f"kind must be one of kinds.KINDS, got {self.kind!r}")
        if self.severity not in self.kind.severities:
            raise ValueError(
                f"severity of {self.kind.id} must be one of "
                f"{', '.join(sorted(self.kind.severities))}, got {self.severity!r}"
            )

    @property
    def severity(self) -> Severity:
        """Its severity."""
        return self.given_severity or self.kind.severity

    @property
    def action(self) -> str | None:
        """The IAM action that was missing to read it; None if it could be read."""
        return None if self.unknown is None else self.unknown.action


def unreadable(kind: Kind, subject: Subject, unknown: Unknown) -> Finding:
    """Return the finding that a fact could not be read.

    Args:
        kind: The kind that could not be judged.
        subject: The subject that could not be judged.
        unknown: The fact that could not be read.
    """
    return Finding(kind, subject, given_severity="unknown", unknown=unknown)
