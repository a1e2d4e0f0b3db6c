"""The parts of a finding: what it is about, why, and what fixes it, before any sentence."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from .causes import Cause
from .model import Source


class Remedy(enum.Enum):
    """What fixes a finding."""

    ATTACH_DESTINATION = enum.auto()
    REPLACE_FAILURE_DESTINATION = enum.auto()
    REPLACE_SUCCESS_DESTINATION = enum.auto()
    REPLACE_DEAD_LETTER_QUEUE = enum.auto()
    KEEP_UNDELIVERED_MESSAGES = enum.auto()
    KEEP_UNDELIVERED_SCHEDULES = enum.auto()
    KEEP_UNDELIVERED_EVENTS = enum.auto()
    SET_RETRIES = enum.auto()


class Naming(enum.Enum):
    """How the function of a fix can be named."""

    # By its logical id, with Ref.
    IN_TEMPLATE = enum.auto()
    # By its name or ARN: another template defines it.
    ELSEWHERE = enum.auto()
    # By its name: what its code calls it is not known.
    IN_ACCOUNT = enum.auto()


@dataclass(frozen=True)
class Fix:
    """What fixes a finding.

    Attributes:
        remedy: What to do.
        function: The function that it is done to.
        naming: How the function can be named.
        qualifier: The qualifier that is called; begins with `?` where it is not known.
        retries: How often Lambda is to run the function again; empty where that is not the fix.
    """

    remedy: Remedy
    function: Source
    naming: Naming
    qualifier: str
    retries: str = ""


@dataclass(frozen=True)
class FindingParts:
    """What a finding consists of.

    Attributes:
        kind: The kind's id, one of `KINDS`.
        cause: Why.
        resource: Where it is reported: the function, or the resource that leaves something open.
            Where the function is not part of the template, the resource that names it.
        function: What people know the function by: its construct path, logical id, name or ARN;
            empty where the finding is about no function.
        qualifier: What is called: `$LATEST`, the name of an alias, or a version's number or
            logical id; empty where it is not known.
        callers: The resources that call the function.
        remedy: What fixes it, or None.
    """

    kind: str
    cause: Cause
    resource: Source
    function: str = ""
    qualifier: str = ""
    callers: tuple[Source, ...] = ()
    remedy: Fix | None = None

    @property
    def is_elsewhere(self) -> bool:
        """Whether the function is not the resource that the finding is reported at."""
        return bool(self.function) and self.function != self.resource.shown
