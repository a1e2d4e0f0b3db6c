"""Hands out the messages of a shard, a partition or a FIFO message group one after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

from failure_destinations.text import plural

from .received_message import ReceivedMessage
from .sequences import Place, Sequences, place_of
from .sources import Source, WrappedSource

MAX_WAITING = 2_000
MAX_WAITING_BYTES = 64 * 1024 * 1024
_WAIT_SECONDS = 0.1


class InOrder(WrappedSource):
    """A source that yields the next message of a sequence only after the last one is settled.

    A sequence is a message group of a FIFO queue, or what one function reads of a shard or
    partition. Among the messages of one that wait here, the oldest is next. What is still in the
    queue is not known: SQS hands out the messages of a standard queue in any order. Of a message
    group it hands out up to ten at once, and more only when those are deleted.

    A message of a FIFO queue that is kept stops its group: the later ones stay, as in the queue. A
    failed batch that is kept does not stop the others.

    Messages that are not to be run are yielded at once, and stop nothing: the operator chose others
    of their group. So are messages that belong to no sequence.

    Args:
        source: The messages.
        will_run: Returns whether a message is to be run.
        at_once: With so many sequences in hand, nothing is received: enough that no handler waits.
        may_wait: With so many messages that wait, or 64 MiB, nothing is received.
        is_queue: Whether the source has more of a message group once messages of it are deleted; a
            file has not.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html
    """

    def __init__(
        self,
        source: Source,
        will_run: Callable[[ReceivedMessage], bool],
        at_once: int,
        *,
        may_wait: int = MAX_WAITING,
        is_queue: bool = True,
    ) -> None:
        super().__init__(source)
        self.left = 0
        self._is_queue = is_queue
        self._will_run = will_run
        self._at_once = at_once
        self._may_wait = may_wait
        self._sequences = Sequences()
        # The places of messages that were started, by the object: a file has no receipt handles.
        self._running: dict[int, Place] = {}
        self._stopped: set[str] = set()
        self._ready: list[ReceivedMessage] = []
        self._deleted = False
        self._changed = threading.Event()
        self._lock = threading.Lock()

    @property
    def ended_early(self) -> str | None:
        """Why the source may have more messages than it yielded; None if it has no more."""
        left = None
        if self.left:
            groups = plural(len(self._stopped), "message group")
            left = (
                f"{plural(self.left, 'message')} of {groups} of a FIFO queue stay, since an "
                "earlier one of their group does"
            )
        return "; ".join(filter(None, (left, super().ended_early))) or None

    def batches(self) -> Iterator[list[ReceivedMessage]]:
        """Yield batches until none are left; an empty one while all wait for handlers."""
        received: Iterator[list[ReceivedMessage]] | None = self._source.batches()
        while True:
            if ready := self._take_ready():
                yield ready
            elif received is not None and self._may_receive():
                batch = next(received, None)
                if batch is None:
                    # What is left of a group in hand cannot be received yet.
                    received = None
                else:
                    yield self._admit(batch)
            elif self._holds_any():
                if not self._start_anyhow():
                    self._changed.wait(_WAIT_SECONDS)
                    self._changed.clear()
                    yield []
            elif received is None and self._deleted:
                self._deleted = False
                received = self._source.batches()
            elif received is None:
                return

    def delete(self, message: ReceivedMessage) -> None:
        """Remove a message whose handler succeeded, and yield the next one of its sequences."""
        self._source.delete(message)
        with self._lock:
            place = self._running.pop(id(message), None)
            if place is not None:
                self._deleted = self._deleted or (self._is_queue and place.stops)
                self._end(place)
        self._changed.set()

    def keep(self, messages: Sequence[ReceivedMessage], *, may_run_seconds: int = 0) -> None:
        """Leave messages in the source, and those behind them in their message groups."""
        behind: list[ReceivedMessage] = []
        with self._lock:
            for message in messages:
                place = self._running.pop(id(message), None)
                if place is None:
                    continue
                if place.stops:
                    behind += self._sequences.drop(place)
                    self._stopped |= place.numbers.keys()
                self._end(place)
            self.left += len(behind)
        self._changed.set()
        self._source.keep(messages, may_run_seconds=may_run_seconds)
        for one in behind:
            self._source.keep([one])

    def _admit(self, batch: list[ReceivedMessage]) -> list[ReceivedMessage]:
        """Return those of a batch that need not wait; others wait, or are left."""
        passed, left = [], []
        names: list[str] = []
        for message in batch:
            place = place_of(message)
            if place is None or not self._will_run(message):
                passed.append(message)
            elif place.stops and not self._stopped.isdisjoint(place.numbers):
                left.append(message)
            else:
                with self._lock:
                    self._sequences.add(message, place)
                names += place.numbers
        with self._lock:
            self.left += len(left)
            # Only now, so that the oldest of the batch is the first.
            self._start(self._sequences.started(names))
        for one in left:
            self._source.keep([one])
        return passed + self._take_ready()

    def _end(self, place: Place) -> None:
        self._sequences.end(place)
        self._start(self._sequences.started(place.numbers))

    def _start_anyhow(self) -> bool:
        with self._lock:
            started = self._sequences.started_anyhow()
            self._start(started)
        return bool(started)

    def _start(self, started: list[tuple[ReceivedMessage, Place]]) -> None:
        for message, place in started:
            self._running[id(message)] = place
            self._ready.append(message)

    def _take_ready(self) -> list[ReceivedMessage]:
        with self._lock:
            ready, self._ready = self._ready, []
            return ready

    def _may_receive(self) -> bool:
        with self._lock:
            return (
                len(self._running) < self._at_once
                and self._sequences.waiting < self._may_wait
                and self._sequences.bytes_waiting < MAX_WAITING_BYTES
            )

    def _holds_any(self) -> bool:
        with self._lock:
            return bool(self._running or self._ready or self._sequences.waiting)
