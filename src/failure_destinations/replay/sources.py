"""The sources of failed events for a run: a queue or a backup."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from failure_destinations.deployed.queues import Queue
from failure_destinations.progress import NO_PROGRESS, Progress

from .backup import read_backup
from .peek import (
    BATCH_SIZE,
    EmptyQueueDetector,
    HeldMessages,
    change_visibility,
    in_flight_warning,
    receive,
)
from .received_message import ReceivedMessage

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_HIDDEN_SECONDS = 120
_HEARTBEAT_SECONDS = 30
_MISSED_HEARTBEATS = 3
_MIN_HELD_SECONDS = 300
# SQS hides a message for at most 12 hours.
_MAX_HELD_SECONDS = 11 * 3600


class Source(Protocol):
    """Hands out messages in batches; each message is then deleted, kept or given back."""

    total: int | None
    """The approximate number of messages; None if it is not known."""

    max_receives: int | None
    """The number of receives after which SQS moves a message away; None if it never does."""

    ended_early: str | None
    """Why the source may have more messages than it yielded; None if it has no more."""

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

    Messages in flight are hidden from other consumers for two minutes, which a heartbeat extends.
    Kept messages stay hidden until the end, so that the run does not receive them again.

    Args:
        sqs: A boto3 client.
        queue: The queue.
    """

    def __init__(self, sqs: SQSClient, queue: Queue) -> None:
        self.total: int | None = queue.visible
        self.max_receives = queue.max_receives
        self.ended_early: str | None = None
        self._sqs = sqs
        self._url = queue.url
        self._detector = EmptyQueueDetector(queue.visible)
        self._held = HeldMessages(sqs, queue.url)
        self._hidden_before = queue.hidden
        self._in_flight: dict[int, ReceivedMessage] = {}
        self._hidden_until: dict[int, float] = {}
        self._missed_heartbeats = 0
        self._lock = threading.Lock()
        self._started = time.monotonic()
        self._settled = 0
        self._closed = threading.Event()
        self._heart = threading.Thread(target=self._beat, daemon=True)
        self._heart.start()

    def batches(self) -> Iterator[list[ReceivedMessage]]:
        """Yield received messages until the queue is empty."""
        while True:
            until = _hidden_until()
            batch = receive(self._sqs, self._url, _HIDDEN_SECONDS)
            with self._lock:
                self._in_flight.update((id(message), message) for message in batch)
                self._hidden_until.update((id(message), until) for message in batch)
                in_flight = self._held.count + len(self._in_flight) + self._hidden_before
            if batch:
                yield batch
            if self._detector.is_empty(len(batch)):
                self.ended_early = in_flight_warning(in_flight)
                return

    def holds(self, message: ReceivedMessage) -> bool:
        """Return whether a message is still hidden, and the heartbeat works."""
        with self._lock:
            until = self._hidden_until.get(id(message), 0.0)
            return time.time() < until and self._missed_heartbeats < _MISSED_HEARTBEATS

    def delete(self, message: ReceivedMessage) -> None:
        """Delete a message from the queue."""
        # Settled first, so that a message that cannot be deleted is not given back.
        self._settle([message])
        self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message.receipt_handle)

    def keep(self, messages: Sequence[ReceivedMessage], *, may_run_seconds: int = 0) -> None:
        """Hide messages until the run is expected to end."""
        self._settle(messages)
        if not may_run_seconds:
            with self._lock:
                self._held.add(messages)
        receipts = [message.receipt_handle for message in messages]
        seconds = may_run_seconds or self._held_seconds()
        change_visibility(self._sqs, self._url, receipts, seconds)

    def close(self, progress: Progress = NO_PROGRESS) -> None:
        """Make all messages visible that were not deleted, unless other consumers may have them."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._heart.join()
        now = time.time()
        with self._lock:
            ours = [one for key, one in self._in_flight.items() if now < self._hidden_until[key]]
            self._held.add(ours)
            self._in_flight.clear()
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

    def _settle(self, messages: Sequence[ReceivedMessage]) -> None:
        with self._lock:
            for message in messages:
                self._in_flight.pop(id(message), None)
                self._hidden_until.pop(id(message), None)
            self._settled += len(messages)

    def _held_seconds(self) -> int:
        elapsed = time.monotonic() - self._started
        left = max(0, (self.total or 0) - self._settled)
        expected = 2 * elapsed / max(1, self._settled) * left
        return int(min(_MAX_HELD_SECONDS, max(_MIN_HELD_SECONDS, expected)))

    def _beat(self) -> None:
        while not self._closed.wait(_HEARTBEAT_SECONDS):
            self.extend_hiding()


def _hidden_until() -> float:
    # The monotonic clock may stop while the machine is asleep.
    return time.time() + _HIDDEN_SECONDS


class FileSource:
    """The messages of a backup; their original queue is not touched.

    Args:
        path: The file.
        broken: Gets the numbers of lines without a message.
    """

    def __init__(self, path: Path, broken: list[int]) -> None:
        self.total: int | None = None
        self.max_receives: int | None = None
        self.ended_early: str | None = None
        self._path = path
        self._broken = broken

    def batches(self) -> Iterator[list[ReceivedMessage]]:
        """Yield the messages in the file."""
        messages = read_backup(self._path, self._broken)
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
