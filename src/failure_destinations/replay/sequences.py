"""Decides which messages may run next: one at a time of each shard, partition or message group."""

from __future__ import annotations

import heapq
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from failure_destinations.runtime import FailedBatch

from .received_message import ReceivedMessage

# SQS writes 20 digits, Kinesis up to 128.
_NUMBER = re.compile(r"[0-9]{1,128}")


@dataclass(frozen=True)
class Place:
    """Where a message stands in the sequences that it belongs to.

    Attributes:
        numbers: For each sequence, a number that is higher for a later message of it. Only a batch
            of Kafka may belong to several: one for each partition.
        stops: Whether a message that stays stops those behind it, as in a FIFO queue. A stream goes
            on: its mapping discarded the failed batch, and went on with the next.
    """

    numbers: Mapping[str, int]
    stops: bool = False


def place_of(message: ReceivedMessage) -> Place | None:
    """Return where a message stands; None if it may run at any time.

    A message of a FIFO queue belongs to its message group. A failed batch belongs to a shard or to
    partitions, as one function reads them: two functions that read one shard do not wait for each
    other.

    Args:
        message: The message.
    """
    event = message.event
    noted = message.message.get("Attributes") or {}
    # Messages of standard queues may have a group, but no sequence number.
    if "SequenceNumber" in noted and "MessageGroupId" in noted:
        queue = "" if event is None else event.queue or ""
        group = json.dumps([queue, str(noted["MessageGroupId"])])
        return Place({group: _number(str(noted["SequenceNumber"]))}, stops=True)
    if event is None or event.batch is None:
        return None
    numbers = {
        json.dumps([event.function_arn, event.batch.source, part]): _number(first)
        for part, first in _parts(event.batch)
    }
    return Place(numbers) if numbers else None


def _parts(batch: FailedBatch) -> Iterable[tuple[str, str | None]]:
    """Yield each shard or partition of a batch, with the number of its first record there."""
    if batch.shard is not None:
        yield batch.shard, batch.first
    for one in batch.offsets:
        yield f"{one.topic}-{one.partition}", one.first


def _number(text: str | None) -> int:
    return int(text) if text is not None and _NUMBER.fullmatch(text) else 0


@dataclass(eq=False)
class _Waiting:
    """A message that waits; `arrived` orders those of one number."""

    message: ReceivedMessage
    place: Place
    arrived: int
    gone: bool = field(default=False)


class Sequences:
    """The messages that wait, by sequence, and the sequences of which a message runs.

    A message starts once nothing of its sequences runs, and nothing older of them waits. Whoever
    uses it from several threads must lock it.

    Attributes:
        waiting: The number of messages that wait.
        bytes_waiting: The length of their bodies.
    """

    def __init__(self) -> None:
        self.waiting = 0
        self.bytes_waiting = 0
        self._arrived = 0
        self._busy: set[str] = set()
        # By number; a message that is gone is removed when it comes first.
        self._heaps: dict[str, list[tuple[int, int, _Waiting]]] = {}

    def add(self, message: ReceivedMessage, place: Place) -> None:
        """Add a message that waits until `started` returns it.

        Args:
            message: The message.
            place: Where it stands.
        """
        self._arrived += 1
        one = _Waiting(message, place, self._arrived)
        for name, number in place.numbers.items():
            heapq.heappush(self._heaps.setdefault(name, []), (number, one.arrived, one))
        self.waiting += 1
        self.bytes_waiting += len(message.body)

    def started(self, names: Iterable[str]) -> list[tuple[ReceivedMessage, Place]]:
        """Return the messages that start now, each with its place.

        Args:
            names: The sequences in which something was added or has ended.
        """
        found = []
        for name in names:
            one = self._first(name)
            if one is not None and all(self._is_free_for(one, each) for each in one.place.numbers):
                found.append(self._start(one))
        return found

    def started_anyhow(self) -> list[tuple[ReceivedMessage, Place]]:
        """Return the message that waits longest if nothing runs: two may each wait for the other.

        Batches are in the same order in each of their partitions, unless their messages lie.
        """
        if self._busy or not self.waiting:
            return []
        firsts = filter(None, [self._first(name) for name in list(self._heaps)])
        return [self._start(min(firsts, key=lambda one: one.arrived))]

    def end(self, place: Place) -> None:
        """Mark the sequences of a place as no longer running."""
        self._busy -= place.numbers.keys()

    def drop(self, place: Place) -> list[ReceivedMessage]:
        """Remove the messages that wait in a place's sequences, and return them in order."""
        dropped = []
        for name in place.numbers:
            while (one := self._first(name)) is not None:
                self._remove(one)
                dropped.append(one.message)
        return dropped

    def _is_free_for(self, one: _Waiting, name: str) -> bool:
        return name not in self._busy and self._first(name) is one

    def _first(self, name: str) -> _Waiting | None:
        heap = self._heaps.get(name)
        while heap and heap[0][2].gone:
            heapq.heappop(heap)
        if not heap:
            self._heaps.pop(name, None)
            return None
        return heap[0][2]

    def _start(self, one: _Waiting) -> tuple[ReceivedMessage, Place]:
        self._remove(one)
        self._busy |= one.place.numbers.keys()
        return one.message, one.place

    def _remove(self, one: _Waiting) -> None:
        one.gone = True
        self.waiting -= 1
        self.bytes_waiting -= len(one.message.body)
