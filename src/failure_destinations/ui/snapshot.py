"""What was in the queues when the page last looked: a row for each message, without its payload."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from failure_destinations.deployed.queues import Queue
from failure_destinations.replay.batches import lacks_records
from failure_destinations.replay.received_message import ReceivedMessage

from .places import Place
from .spool import Slot, Spool

NOT_AN_EVENT = "not a failed event"
_MAX_TEXT = 300


@dataclass(frozen=True)
class Row:
    """One message.

    Its texts come from the message and may be hostile.

    Attributes:
        key: Its message id, unique in a snapshot.
        request: Lambda's id of the invocation; empty if unknown. A copy has that of its record.
        place: The queue that it is in.
        group: The id of its group; empty if it is not a failed event.
        function: The function's name with its qualifier; the sender's name for a copy; empty if
            neither is known.
        error_type: The error's class; what the message is instead, if it is not a failed event.
        error_message: The beginning of the error's text.
        pattern: The error's text as its group has it.
        time: When it failed; None if unknown.
        expires: When SQS deletes it; None if unknown.
        attempts: How often the handler ran; None if unknown.
        receives: How often the message was received, the last look included.
        parked: Whether a replayer has replayed and parked it.
        size: The payload's size in bytes.
        names_function: Whether the message says which function failed.
        obstacle: Why it cannot be replayed with any function; None if it can.
        slot: Where the spool has the message; None if it does not.
    """

    key: str
    request: str
    place: Place
    group: str
    function: str
    error_type: str
    error_message: str
    pattern: str
    time: datetime | None
    expires: datetime | None
    attempts: int | None
    receives: int
    parked: bool
    size: int
    names_function: bool
    obstacle: str | None
    slot: Slot | None

    @classmethod
    def of(cls, message: ReceivedMessage, place: Place, spool: Spool) -> Row:
        """Return the row of a message, and keep the message in the spool."""
        event, print_ = message.event, message.fingerprint
        kind, text = NOT_AN_EVENT, message.reason or ""
        if event is not None:
            summary = "" if event.batch is None else event.batch.summary
            kind, text = event.error_type or "?", event.error_message or summary
        if message.parked is not None:
            text = f"{text} (parked because {message.parked.because})"
        return cls(
            key=message.id,
            request="" if event is None else event.request_id or "",
            place=place,
            group=sys.intern(message.group or ""),
            function="" if event is None else sys.intern(event.called or event.sender or ""),
            error_type=sys.intern(kind[:_MAX_TEXT]),
            error_message=text[:_MAX_TEXT],
            pattern="" if print_ is None else sys.intern(print_.message[:_MAX_TEXT]),
            time=message.time,
            expires=message.expires,
            attempts=None if event is None else event.attempts,
            receives=message.receives,
            parked=message.parked is not None,
            size=message.size,
            names_function=event is not None and event.function is not None,
            # A look does not fetch the records of failed batches.
            obstacle=None if event is None or lacks_records(event) else event.obstacle,
            slot=spool.add(message),
        )


@dataclass(frozen=True)
class LookedAt:
    """A queue after a look.

    Attributes:
        place: The queue.
        queue: What SQS said of it; None if it could not be read.
        warnings: Why the rows may lack some of its messages.
        hidden: About how many could not be received.
    """

    place: Place
    queue: Queue | None
    warnings: tuple[str, ...] = ()
    hidden: int = 0


class Group(NamedTuple):
    """The failed events of one fingerprint.

    Attributes:
        id: The fingerprint's id; empty for messages that are not failed events.
        rows: Its rows, oldest first.
    """

    id: str
    rows: tuple[Row, ...]

    @property
    def sample(self) -> Row:
        """The row that stands for the group: the newest."""
        return self.rows[-1]

    @property
    def first(self) -> datetime | None:
        """When the first one failed."""
        return self.rows[0].time

    @property
    def last(self) -> datetime | None:
        """When the last one failed."""
        return self.rows[-1].time


@dataclass(frozen=True)
class Snapshot:
    """All that was seen in one look.

    Attributes:
        rows: The messages of all queues, oldest first.
        looked_at: The queues.
        taken: When the look ended; None before the first one.
    """

    rows: tuple[Row, ...] = ()
    looked_at: tuple[LookedAt, ...] = ()
    taken: datetime | None = None
    spool: Spool | None = field(default=None, compare=False)

    def in_places(self, places: Iterable[Place]) -> Snapshot:
        """Return the part of the snapshot that is about some queues."""
        wanted = set(places)
        return Snapshot(
            tuple(row for row in self.rows if row.place in wanted),
            tuple(one for one in self.looked_at if one.place in wanted),
            self.taken,
            self.spool,
        )

    def count(self, state: str) -> int:
        """Return the number of messages in queues of a state."""
        return sum(row.place.state == state for row in self.rows)

    def groups(self, state: str | None = None) -> list[Group]:
        """Return the groups of the rows, the largest first.

        Args:
            state: Only rows in queues of this state. Default: all.
        """
        by_id: dict[str, list[Row]] = defaultdict(list)
        for row in self.rows:
            if state in (None, row.place.state):
                by_id[row.group].append(row)
        groups = [Group(id, tuple(rows)) for id, rows in by_id.items()]
        return sorted(groups, key=lambda group: (-len(group.rows), group.id))

    def rows_of(self, group: str, state: str | None = None) -> tuple[Row, ...]:
        """Return the rows of a group, oldest first."""
        return tuple(
            row for row in self.rows if row.group == group and state in (None, row.place.state)
        )

    def row(self, key: str) -> Row | None:
        """Return the row of a message; None if it is not there."""
        return next((row for row in self.rows if row.key == key), None)

    def message(self, row: Row) -> ReceivedMessage | None:
        """Return the whole message of a row; None if it was not kept."""
        return None if row.slot is None or self.spool is None else self.spool.read(row.slot)

    def oldest(self, state: str) -> Row | None:
        """Return the row in queues of a state that SQS deletes first; None if there is none."""
        expiring = [(row.expires, row.key, row) for row in self.rows if row.expires is not None]
        return min((one for one in expiring if one[2].place.state == state), default=(0, 0, None))[
            2
        ]

    def only_copies(self) -> int:
        """Return the number of copies whose record is in none of the queues."""
        kept = {row.request for row in self.rows if row.place.state != "copies"}
        return sum(row.place.state == "copies" and row.request not in kept for row in self.rows)


_MINUTES = (1 / 12, 1 / 2, 1, 5, 15, 30, 60, 3 * 60, 6 * 60, 12 * 60, 24 * 60)
_STEPS = tuple(timedelta(minutes=minutes) for minutes in _MINUTES)


class Series(NamedTuple):
    """Failures over time.

    Attributes:
        starts: The start of each interval.
        counts: The number of failures in each interval, by group id; `""` has all other groups.
    """

    starts: list[datetime]
    counts: dict[str, list[int]]


def series(rows: Sequence[Row], shown: Sequence[str], intervals: int = 48) -> Series:
    """Count failures by interval and group.

    Args:
        rows: The rows.
        shown: The groups that get counts of their own.
        intervals: The most intervals to make.
    """
    times = [row.time for row in rows if row.time is not None]
    if not times:
        return Series([], {})
    first, last = min(times), max(times)
    span = last - first
    # A message may name any year.
    step = next((each for each in _STEPS if span / each < intervals), None)
    start = first
    if step is None:
        step = span / (intervals - 1)
    else:
        start -= timedelta(seconds=first.timestamp() % step.total_seconds())
    length = min(intervals, int((last - start) / step) + 1)
    counted: Counter[tuple[str, int]] = Counter()
    own = set(shown)
    for row in rows:
        if row.time is not None:
            index = min(length - 1, int((row.time - start) / step))
            counted[row.group if row.group in own else "", index] += 1
    names = [*shown, ""]
    return Series(
        [start + index * step for index in range(length)],
        {
            name: [counted[name, index] for index in range(length)]
            for name in names
            if any(key == name for key, _ in counted)
        },
    )
