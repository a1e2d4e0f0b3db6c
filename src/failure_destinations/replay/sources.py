"""The sources of failed events for a run: a queue or a backup."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from failure_destinations.deployed.queues import Queue
from failure_destinations.progress import NO_PROGRESS, Progress
from failure_destinations.runtime.copies import lacks_payload

from .copies import Copies
from .held_messages import BATCH_SIZE, HeldMessages, change_visibility
from .peek import hidden_from_us, hidden_seconds
from .received_message import ReceivedMessage
from .receiving import LANES, in_flight_warning, receive, receive_batches

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_HIDDEN_SECONDS = 120
_HEARTBEAT_SECONDS = 30
_MISSED_HEARTBEATS = 3


class Source(Protocol):
    """Hands out messages in batches; each message is then deleted, kept or given back."""

    @property
    def total(self) -> int | None:
        """The approximate number of messages; None if it is not known."""

    @property
    def max_receives(self) -> int | None:
        """The number of receives after which SQS moves a message away; None if it never does."""

    @property
    def ended_early(self) -> str | None:
        """Why the source may have more messages than it yielded; None if it has no more."""

    @property
    def hidden(self) -> int:
        """About how many messages it could not yield, once it has yielded all others.

        Other consumers have them, or they are delayed.
        """

    def batches(self) -> Iterator[list[ReceivedMessage]]:
        """Yield batches of up to ten messages until none are left."""

    def delete(self, message: ReceivedMessage) -> None:
        """Remove a message whose handler succeeded; may be called from several threads."""

    def holds(self, message: ReceivedMessage) -> bool:
        """Return whether the source still holds a message exclusively; thread-safe."""

    def keep(self, messages: Sequence[ReceivedMessage], *, may_run_seconds: int = 0) -> None:
        """Leave up to ten messages in the source, and do not yield them again in this run.

        Args:
            messages: The messages.
            may_run_seconds: How long their handlers may still run, so that they stay hidden even
                after the run; 0 if their handlers do not run.
        """

    def close(self, progress: Progress = NO_PROGRESS) -> None:
        """Give back all messages that were not deleted."""


class QueueSource:
    """The messages of a queue.

    Messages in flight, and those that are kept, are hidden from other consumers for two minutes,
    which a heartbeat extends until the end, so that the run does not receive them again. If there
    are more than 48,000, kept messages are hidden for up to five minutes at a time.

    Args:
        sqs: A boto3 client.
        queue: The queue.
        lanes: The most requests that receive at once, 1 to 16. With one, nothing is received before
            it is asked for.
    """

    def __init__(self, sqs: SQSClient, queue: Queue, lanes: int = 1) -> None:
        self.total: int | None = queue.visible
        self.max_receives = queue.max_receives
        self.ended_early: str | None = None
        self.hidden = 0
        self._received = 0
        self._may_run = 0
        self._sqs = sqs
        self._queue = queue
        self._url = queue.url
        self._lanes = lanes
        self._pool = ThreadPoolExecutor(LANES)
        held_seconds = max(_HIDDEN_SECONDS, hidden_seconds(queue.visible))
        self._held = HeldMessages(sqs, queue.url, held_seconds)
        self._hidden_before = queue.hidden
        self._in_flight: dict[str, ReceivedMessage] = {}
        self._hidden_until: dict[str, float] = {}
        self._missed_heartbeats = 0
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._heart = threading.Thread(target=self._beat, daemon=True)
        self._heart.start()

    def batches(self) -> Iterator[list[ReceivedMessage]]:
        """Yield received messages until the queue is empty."""
        for batch in receive_batches(
            self._pool,
            self._receive,
            max(0, self._queue.visible - self._received),
            lanes=self._lanes,
        ):
            self._received += len(batch)
            if batch:
                yield batch
        with self._lock:
            ours = self._held.count + len(self._in_flight) + self._may_run
        self.ended_early = in_flight_warning(ours + self._hidden_before)
        self.hidden = hidden_from_us(self._sqs, self._queue, self._received, ours)

    def holds(self, message: ReceivedMessage) -> bool:
        """Return whether a message is still hidden, and the heartbeat works."""
        with self._lock:
            until = self._hidden_until.get(message.receipt_handle, 0.0)
            return time.time() < until and self._missed_heartbeats < _MISSED_HEARTBEATS

    def delete(self, message: ReceivedMessage) -> None:
        """Delete a message from the queue."""
        # Settled first, so that a message that cannot be deleted is not given back.
        self._settle([message])
        self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message.receipt_handle)

    def keep(self, messages: Sequence[ReceivedMessage], *, may_run_seconds: int = 0) -> None:
        """Keep messages hidden until the run ends, or while their handlers may run."""
        if not may_run_seconds:
            self._hold(messages)
            return
        self._settle(messages)
        self._may_run += len(messages)
        receipts = [message.receipt_handle for message in messages]
        change_visibility(self._sqs, self._url, receipts, may_run_seconds)

    def close(self, progress: Progress = NO_PROGRESS) -> None:
        """Make all messages visible that were not deleted, unless other consumers may have them."""
        if self._closed.is_set():
            return
        # What running requests receive must be given back too.
        self._pool.shutdown(cancel_futures=True)
        self._closed.set()
        self._heart.join()
        in_flight = iter(list(self._in_flight.values()))
        while batch := list(islice(in_flight, BATCH_SIZE)):
            self._hold(batch)
        self._held.give_back(progress)

    def extend_hiding(self) -> None:
        """Hide all messages in flight for two minutes from now; the heartbeat calls this."""
        with self._lock:
            in_flight = iter(list(self._in_flight.items()))
        missed = False
        while chunk := list(islice(in_flight, BATCH_SIZE)):
            until = _hidden_until()
            receipts = [message.receipt_handle for _, message in chunk]
            try:
                hidden = change_visibility(self._sqs, self._url, receipts, _HIDDEN_SECONDS)
            except Exception:
                # The next heartbeat is still in time. The run ends after three missed ones.
                missed = True
                continue
            with self._lock:
                for index in hidden:
                    key = chunk[index][0]
                    if key in self._hidden_until:
                        self._hidden_until[key] = until
        self._missed_heartbeats = self._missed_heartbeats + 1 if missed else 0

    def _receive(self, count: int) -> list[ReceivedMessage]:
        until = _hidden_until()
        batch = receive(self._sqs, self._queue, _HIDDEN_SECONDS, count)
        with self._lock:
            self._in_flight.update((message.receipt_handle, message) for message in batch)
            self._hidden_until.update((message.receipt_handle, until) for message in batch)
        return batch

    def _hold(self, messages: Sequence[ReceivedMessage]) -> None:
        """Hold messages until the end, from the time on at which they are hidden last."""
        self._held.add(messages, self._settle(messages))

    def _settle(self, messages: Sequence[ReceivedMessage]) -> float:
        """Take messages out of those in flight, and return when the first is visible again."""
        with self._lock:
            for message in messages:
                self._in_flight.pop(message.receipt_handle, None)
            return min(
                (self._hidden_until.pop(one.receipt_handle, 0.0) for one in messages), default=0.0
            )

    def _beat(self) -> None:
        while not self._closed.wait(_HEARTBEAT_SECONDS):
            self.extend_hiding()


class WrappedSource:
    """A source that hands out another one's messages. Its subclasses say what they do differently.

    Args:
        source: The other source.
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    @property
    def total(self) -> int | None:
        """The approximate number of messages; None if it is not known."""
        return self._source.total

    @property
    def max_receives(self) -> int | None:
        """The number of receives after which SQS moves a message away; None if it never does."""
        return self._source.max_receives

    @property
    def ended_early(self) -> str | None:
        """Why the source may have more messages than it yielded; None if it has no more."""
        return self._source.ended_early

    @property
    def hidden(self) -> int:
        """About how many messages it could not yield, once it has yielded all others."""
        return self._source.hidden

    def batches(self) -> Iterator[list[ReceivedMessage]]:
        """Yield batches of messages until none are left."""
        return self._source.batches()

    def delete(self, message: ReceivedMessage) -> None:
        """Remove a message whose handler succeeded."""
        self._source.delete(message)

    def holds(self, message: ReceivedMessage) -> bool:
        """Return whether the source still holds a message exclusively."""
        return self._source.holds(message)

    def keep(self, messages: Sequence[ReceivedMessage], *, may_run_seconds: int = 0) -> None:
        """Leave messages in the source."""
        self._source.keep(messages, may_run_seconds=may_run_seconds)

    def close(self, progress: Progress = NO_PROGRESS) -> None:
        """Give back all messages that were not deleted."""
        self._source.close(progress)


class CompletedSource(WrappedSource):
    """A queue's messages, read as what they are in it; records get the payloads of their copies.

    Records without their payload come last, after one look through the copy queue, whose messages
    stay hidden until the end.

    Args:
        source: The queue.
        read: Reads a message as what it is in this queue.
        look: Looks for the copies of records without their payload; None if there are none.
    """

    def __init__(
        self,
        source: QueueSource,
        read: Callable[[ReceivedMessage], ReceivedMessage],
        look: Callable[[Sequence[ReceivedMessage]], AbstractContextManager[Copies]] | None,
    ) -> None:
        super().__init__(source)
        self._read = read
        self._look = look
        self._copies: Copies | None = None
        self._completed: set[str] = set()
        self._exits = ExitStack()

    def batches(self) -> Iterator[list[ReceivedMessage]]:
        """Yield received messages until the queue is empty, then those without their payload."""
        lacking: list[ReceivedMessage] = []
        for received in self._source.batches():
            batch = [self._read(message) for message in received]
            if self._look is not None:
                lacking += [message for message in batch if lacks_payload(message.event)]
                batch = [message for message in batch if not lacks_payload(message.event)]
            yield batch
        if not lacking or self._look is None:
            return
        copies = self._exits.enter_context(self._look(lacking))
        self._copies = copies
        for start in range(0, len(lacking), BATCH_SIZE):
            batch = [copies.complete(message) for message in lacking[start : start + BATCH_SIZE]]
            self._completed |= {
                one.receipt_handle for one in batch if one.event and one.event.payload
            }
            yield batch

    def delete(self, message: ReceivedMessage) -> None:
        """Delete a message from the queue, and the copy that gave its payload."""
        self._source.delete(message)
        if self._copies is not None and message.receipt_handle in self._completed:
            self._copies.delete(None if message.event is None else message.event.request_id)

    def close(self, progress: Progress = NO_PROGRESS) -> None:
        """Make all messages visible that were not deleted, and the copies."""
        try:
            self._source.close(progress)
        finally:
            self._exits.close()


def _hidden_until() -> float:
    # The monotonic clock may stop while the machine is asleep.
    return time.time() + _HIDDEN_SECONDS


class FileSource:
    """The messages of files, which stay as they are; their original queue is not touched.

    Args:
        read: Yields the messages in the files.
    """

    def __init__(self, read: Callable[[], Iterator[ReceivedMessage]]) -> None:
        self.total: int | None = None
        self.max_receives: int | None = None
        self.ended_early: str | None = None
        self.hidden = 0
        self._read = read

    def batches(self) -> Iterator[list[ReceivedMessage]]:
        """Yield the messages in the files."""
        messages = self._read()
        while batch := list(islice(messages, BATCH_SIZE)):
            yield batch

    def delete(self, message: ReceivedMessage) -> None:
        """Do nothing: the file stays as it is, and the `.done` file records successes."""

    def holds(self, message: ReceivedMessage) -> bool:  # noqa: ARG002
        """Return True: a file has no other consumers."""
        return True

    def keep(self, messages: Sequence[ReceivedMessage], *, may_run_seconds: int = 0) -> None:
        """Do nothing: the file stays as it is."""

    def close(self, progress: Progress = NO_PROGRESS) -> None:
        """Do nothing: a file holds no leases."""
