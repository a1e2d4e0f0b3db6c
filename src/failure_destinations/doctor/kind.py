"""What a kind of finding is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Severity = Literal["ok", "info", "warning", "error", "unknown"]
"""By increasing severity. `unknown`: AWS could not be read, or only AWS can judge."""

SEVERITIES: tuple[Severity, ...] = get_args(Severity)


@dataclass(frozen=True)
class Kind:
    """A kind of finding.

    Attributes:
        id: Its name in JSON and in docs/doctor.md. It stays the same.
        severity: `error` if failed events are lost or nobody is notified, `warning` if that may
            happen soon or something needs a person, `info` if it is intended, `ok` if all is well.
        title: What it means, in a few words.
        page: The URL of the AWS documentation.
        fix: The fix, in a few words; empty if there is nothing to fix.
        otherwise: Another severity that a finding of the kind may have, and when.
    """

    id: str
    severity: Severity
    title: str
    page: str
    fix: str = ""
    otherwise: tuple[Severity, str] | None = None

    @property
    def severities(self) -> frozenset[Severity]:
        """The severities that a finding of the kind may have."""
        other = () if self.otherwise is None else (self.otherwise[0],)
        return frozenset((self.severity, "unknown", *other))


DOCS = "https://docs.aws.amazon.com"
"""Where the pages of kinds are."""
