"""Copies of failed events, and their comparison with records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Copy:
    """A copy of a failed event, sent to the function's own dead-letter queue.

    SQS vouches for `sender_role` and `session` only; the sender chooses everything else.

    Attributes:
        request_id: Lambda's id of the invocation.
        size: The event's size in bytes.
        time: When it was sent.
        sender_role: The unique id of the role that sent it, such as `AROAEXAMPLEID`; None if the
            sender is not a role.
        session: The name of the role's session, which is the function's name if Lambda sent it;
            None if the sender is not a role.
    """

    request_id: str
    size: int
    time: datetime | None
    sender_role: str | None
    session: str | None


@dataclass(frozen=True)
class Copies:
    """The comparison of copies and records.

    Attributes:
        copies: The copies whose record is in none of the channel's other queues.
        compared: How many copies were compared.
        gap: Why not all messages of the queues were seen; None if all were.
        drained_by: The function that drains the queue, in which case nothing is received from it.
    """

    copies: Sequence[Copy]
    compared: int
    gap: str | None = None
    drained_by: str | None = None

    @property
    def complete(self) -> bool:
        """Whether all messages were seen: a record that was not seen is in none of the queues."""
        return self.gap is None and self.drained_by is None
