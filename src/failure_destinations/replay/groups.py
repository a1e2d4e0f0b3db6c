"""The groups of a queue's failed events, each with how many there are and since when."""

from __future__ import annotations

from array import array
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone

from failure_destinations.runtime import Fingerprint

from .received_message import ReceivedMessage


@dataclass
class FailureGroup:
    """The failed events of one group.

    Attributes:
        fingerprint: What they have in common.
        count: Their number.
        records: The number of records in those that are failed batches, as far as it is known.
        replayed: Those that are known to have been replayed.
        received_before: Those whose messages were received before: for a replay, by a replayer, or
            only to be looked at.
        latest: The id of the message of the latest one.
        times: The times at which they failed, in seconds since the epoch, as far as they are known.
    """

    fingerprint: Fingerprint
    count: int = 0
    records: int = 0
    replayed: int = 0
    received_before: int = 0
    latest: str = ""
    times: array[float] = field(default_factory=lambda: array("d"))
    _last: float = field(default=float("-inf"), repr=False)

    def add(self, message: ReceivedMessage, *, replayed: bool) -> None:
        """Count an event."""
        self.count += 1
        if message.event is not None and message.event.batch is not None:
            self.records += message.event.batch.count or 0
        self.replayed += replayed
        self.received_before += message.receives > 1
        if message.time is not None:
            time = message.time.timestamp()
            self.times.append(time)
            if time >= self._last:
                self._last, self.latest = time, message.id
        self.latest = self.latest or message.id

    @property
    def first(self) -> datetime | None:
        """When the first one failed; None if it is not known."""
        return _utc(min(self.times)) if self.times else None

    @property
    def last(self) -> datetime | None:
        """When the last one failed; None if it is not known."""
        return _utc(max(self.times)) if self.times else None

    @property
    def error(self) -> str:
        """Type and text of their error, with where it was raised; `?` if nothing is known."""
        print_ = self.fingerprint
        error = ": ".join(filter(None, (print_.error_type, print_.message))) or "?"
        return error if print_.frame is None else f"{error} (in {print_.frame})"


class FailureGroups:
    """Puts failed events into groups.

    Args:
        replayed: The ids of messages that are known to have been replayed; parked ones are too.

    Attributes:
        others: The number of messages that are not failed events.
    """

    def __init__(self, replayed: Container[str] = ()) -> None:
        self.others = 0
        self._replayed = replayed
        self._groups: dict[str, FailureGroup] = {}

    def add(self, message: ReceivedMessage) -> None:
        """Count a message."""
        print_ = message.fingerprint
        if print_ is None:
            self.others += 1
            return
        replayed = message.parked is not None or message.id in self._replayed
        self._groups.setdefault(print_.id, FailureGroup(print_)).add(message, replayed=replayed)

    @property
    def largest_first(self) -> list[FailureGroup]:
        """The groups, those with most events first."""
        return sorted(self._groups.values(), key=lambda one: (-one.count, one.fingerprint.id))

    @property
    def span(self) -> tuple[float, float] | None:
        """The times of the first and last failure, in seconds since the epoch; None if unknown."""
        times = [time for group in self._groups.values() for time in group.times]
        return (min(times), max(times)) if times else None


def over_time(times: Sequence[float], span: tuple[float, float], parts: int) -> list[int]:
    """Return how many of some times are in each part of a span.

    Args:
        times: In seconds since the epoch, all of them within the span.
        span: Its beginning and end.
        parts: The number of parts, all of the same length.
    """
    start, end = span
    counts = [0] * parts
    for time in times:
        part = 0 if end == start else int((time - start) / (end - start) * parts)
        counts[min(part, parts - 1)] += 1
    return counts


def _utc(time: float) -> datetime:
    return datetime.fromtimestamp(time, timezone.utc)
