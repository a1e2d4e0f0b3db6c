"""Replays a part of a failed batch: single records, the newest of each key, or what is left of it.

Its message stays unless every record of the batch is handled, so that no record is lost.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from failure_destinations.runtime import FailedEvent, Outcome
from failure_destinations.runtime.event_records import Record, records_of, with_records

from .newest_records import NewestRecords
from .received_message import ReceivedMessage


@dataclass(frozen=True)
class PartOutcome(Outcome):
    """The outcome of one batch.

    Attributes:
        handled: The positions of the records that are handled, from 0: in this run, or in the one
            that it goes on with.
        total: The number of records in the batch.
        ran: The number of records that were handled now.
        older: The number of records that were left out, because there is a newer one of their key.
    """

    handled: frozenset[int] = frozenset()
    total: int = 0
    ran: int = 0
    older: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether every record of the batch is handled."""
        return len(self.handled) == self.total


@dataclass(frozen=True)
class Part:
    """The records of a batch that a run passes to its function.

    Attributes:
        records: All records of the batch.
        chosen: The positions of those to run.
        handled: The positions of those that an earlier part of the run handled.
        older: The number of records that are left out, because there is a newer one of their key.
        missing: Names of records that the operator chose and the batch does not have.
    """

    records: Sequence[Record]
    chosen: frozenset[int]
    handled: frozenset[int] = frozenset()
    older: int = 0
    missing: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole batch."""
        return len(self.chosen) == len(self.records)


@dataclass(frozen=True)
class BatchChoice:
    """Chooses the records of a batch to run.

    Attributes:
        records: The identifiers of single records. Default: all.
        newest: Knows the newest record of each key, if older ones are left out. Default: none is.
        handled: What the run to go on with has handled: positions by the key of the message.
    """

    records: tuple[str, ...] = ()
    newest: NewestRecords | None = None
    handled: Mapping[bytes, frozenset[int]] = dataclasses.field(default_factory=dict)

    def part(self, message: ReceivedMessage) -> Part | None:
        """Return which records of a message's batch are to run; None if they cannot be told apart.

        Args:
            message: The message.
        """
        event = message.event
        records = () if event is None or event.batch is None else records_of(event.payload)
        if not records:
            return None
        chosen = set(range(len(records)))
        missing: tuple[str, ...] = ()
        if self.records:
            names = {record.identifier for record in records}
            missing = tuple(name for name in self.records if name not in names)
            chosen = {at for at in chosen if records[at].identifier in self.records}
        older = set()
        if self.newest is not None and event is not None:
            older = {at for at in chosen if self.newest.is_older(records[at], event)}
        handled = self.handled.get(message.key, frozenset()) if self.handled else frozenset()
        handled &= frozenset(range(len(records)))
        return Part(records, frozenset(chosen - older - handled), handled, len(older), missing)


class BatchInvoker:
    """Invokes the handler of one message's event, of a batch with the chosen records.

    Args:
        invoke: Invokes the handler of an event.
        choice: Chooses the records.
    """

    def __init__(self, invoke: Callable[[FailedEvent], Outcome], choice: BatchChoice) -> None:
        self._invoke = invoke
        self._choice = choice

    def __call__(self, message: ReceivedMessage) -> Outcome:
        """Invoke the handler, and return what became of the batch."""
        event = message.event
        if event is None:
            return Outcome("not-started", "refused", "NotReplayable", "it is not a failed event")
        part = self._choice.part(message)
        if part is None:
            if self._choice.records and event.obstacle is None:
                return _refused("it has no records to choose from: leave out --record")
            return self._invoke(event)
        if part.missing:
            return _refused(f"its batch has no record {part.missing[0]}")
        if not part.chosen:
            return PartOutcome(
                "succeeded", handled=part.handled, total=len(part.records), older=part.older
            )
        names = {part.records[at].identifier for at in part.chosen}
        payload = event.payload if part.is_whole else with_records(event.payload, names)
        outcome = self._invoke(dataclasses.replace(event, payload=payload))
        ran = _handled(part, outcome)
        return PartOutcome(
            outcome.status,
            outcome.reason,
            outcome.error_type,
            outcome.error_message,
            outcome.batch,
            handled=part.handled | ran,
            total=len(part.records),
            ran=len(ran),
            older=part.older,
        )


def _handled(part: Part, outcome: Outcome) -> frozenset[int]:
    """Return the positions of the records that the handler handled now."""
    if outcome.succeeded:
        return part.chosen
    if outcome.batch is None:
        return frozenset()
    left = set(outcome.batch.left)
    return frozenset(at for at in part.chosen if part.records[at].identifier not in left)


def _refused(why: str) -> Outcome:
    return Outcome("not-started", "refused", "NotReplayable", why)
