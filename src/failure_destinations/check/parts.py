"""The parts of a finding as data: what it is about, its cause and its fix."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from .causes import Cause
from .model import Source, Tool


class Remedy(enum.Enum):
    """A kind of fix."""

    ATTACH_DESTINATION = enum.auto()
    REPLACE_FAILURE_DESTINATION = enum.auto()
    REPLACE_SUCCESS_DESTINATION = enum.auto()
    REPLACE_DEAD_LETTER_QUEUE = enum.auto()
    ADD_DEAD_LETTER_QUEUE = enum.auto()
    CALL_ALIAS = enum.auto()
    READ_FOR_ALIAS = enum.auto()
    PASS_TENANT = enum.auto()
    KEEP_UNDELIVERED_MESSAGES = enum.auto()
    KEEP_UNDELIVERED_SCHEDULES = enum.auto()
    KEEP_UNDELIVERED_EVENTS = enum.auto()
    LET_SENDER_SEND = enum.auto()
    LET_SENDER_USE_KEY = enum.auto()
    REPLACE_KEY = enum.auto()
    SUBSCRIBE = enum.auto()
    SET_RETRIES = enum.auto()
    KEEP_BATCHES = enum.auto()
    LIMIT_AND_KEEP_BATCHES = enum.auto()
    LIMIT_RETRIES = enum.auto()
    KEEP_RECORDS = enum.auto()
    LET_ROLE_SEND = enum.auto()
    REMOVE_DESTINATION = enum.auto()
    REDRIVE_INSTEAD = enum.auto()
    REDRIVE = enum.auto()
    KEEP_DEAD_LETTERS = enum.auto()
    RAISE_VISIBILITY = enum.auto()
    WATCH = enum.auto()
    # The same where an asynchronous configuration exists.
    ADD_DESTINATION = enum.auto()
    ADD_RETRIES = enum.auto()


class Naming(enum.Enum):
    """How a fix can refer to the function."""

    # By its logical id, with Ref.
    IN_TEMPLATE = enum.auto()
    # By its name or ARN: another template defines it.
    ELSEWHERE = enum.auto()
    # By its name: the variable in the user's code is not known.
    IN_ACCOUNT = enum.auto()


@dataclass(frozen=True)
class Fix:
    """The fix of a finding.

    Attributes:
        remedy: What to do.
        function: The function to change.
        naming: How to refer to the function.
        qualifier: The qualifier that is called; begins with `?` where it is not known.
        retries: The number of Lambda's retries to set; empty if the fix sets none.
        receiver: The logical id of the queue, key or topic to change; empty for none.
        queue: The queue to change, or None.
        is_fifo: Whether that is a FIFO queue, whose dead-letter queue must be FIFO too.
        seconds: The time to set, in seconds; empty if the fix sets none.
        sender: The principal of the service to let in, or the action to allow; empty for none.
        config: The existing asynchronous configuration to change, or None.
        caller: The caller to change, or None.
        has_role_of_sam: Whether SAM generates the function's role.
        tool: What the resource to change is written in.
    """

    remedy: Remedy
    function: Source
    naming: Naming
    qualifier: str
    retries: str = ""
    receiver: str = ""
    queue: Source | None = None
    is_fifo: bool = False
    seconds: str = ""
    sender: str = ""
    config: Source | None = None
    caller: Source | None = None
    has_role_of_sam: bool = False
    tool: Tool = Tool.ANY


@dataclass(frozen=True)
class FindingParts:
    """The parts of a finding.

    Attributes:
        kind: The kind's id, one of `KINDS`.
        cause: Why it is reported.
        resource: Where it is reported: the function, the resource that refers to a function outside
            the template, or the resource that does not reveal something.
        function: The function's displayed name: its construct path, logical id, name or ARN; empty
            if the finding is not about a function.
        qualifier: The called qualifier: `$LATEST`, an alias's name, or a version's number or
            logical id; empty if it is not known.
        callers: The resources that call the function.
        remedy: The kind of fix, or None.
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
        """Whether the finding is reported at a resource other than the function."""
        return bool(self.function) and self.function != self.resource.shown
