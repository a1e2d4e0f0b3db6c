"""Where failed events are taken from to be replayed: a queue, or a backup."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from .backup import read_backup
from .looking import BATCH, Emptiness, Held, change_visibility, receive
from .queues import Queue
from .waiting import Waiting

_HIDDEN_SECONDS = 120
_HEARTBEAT_SECONDS = 30
_MIN_HELD_SECONDS = 300
# SQS hides a message for 12 hours at most.
_MAX_HELD_SECONDS = 11 * 3600


class Source(Protocol):
    """Hands out messages in batches, each of which is then deleted, kept or handed back."""

    total: int | None
    """About how many there are; None if nobody knows."""

    limit: int | None
    """How often SQS hands a message out before it moves it away; None if it never does."""

    def batches(self) -> Iterator[list[Waiting]]:
        """Yield batches of up to ten messages, as long as there are any."""

    def delete(self, waiting: Waiting) -> None:
        """Take out what succeeded; may be called from several threads."""

    def keep(self, messages: Sequence[Waiting]) -> None:
        """Leave up to ten messages where they are, but hand them out no more in this run."""

    def close(self) -> None:
        """Give back all that is kept or still in hand."""


class QueueSource:
    """Messages of a queue.

    Those in hand are hidden from others for two minutes, and as long as it takes by a heartbeat.
    Kept ones stay hidden until the end, so that the run does not meet them again.

    Args:
        sqs: A boto3 client.
        queue: The queue.
    """

    def __init__(self, sqs: Any, queue: Queue) -> None:
        self.total: int | None = queue.waiting
        self.limit = queue.max_receives
        self._sqs = sqs
        self._url = queue.url
        self._emptiness = Emptiness(queue.waiting)
        self._held = Held(sqs, queue.url)
        self._in_hand: dict[int, Waiting] = {}
        self._lock = threading.Lock()
        self._started = time.monotonic()
        self._settled = 0
        self._closed = threading.Event()
        self._heart = threading.Thread(target=self._beat, daemon=True)
        self._heart.start()

    def batches(self) -> Iterator[list[Waiting]]:
        """Yield what can be received, until the queue is empty."""
        while True:
            batch = receive(self._sqs, self._url, _HIDDEN_SECONDS)
            with self._lock:
                self._in_hand.update((id(waiting), waiting) for waiting in batch)
            if batch:
                yield batch
            if self._emptiness.after(len(batch)):
                return

    def delete(self, waiting: Waiting) -> None:
        """Delete it from the queue."""
        # First, so that it is not given back at once if it cannot be deleted.
        self._settle([waiting])
        self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=waiting.receipt)

    def keep(self, messages: Sequence[Waiting]) -> None:
        """Hide them until the end of the run, as far as that can be foretold."""
        self._settle(messages)
        with self._lock:
            self._held.add(messages)
        receipts = [waiting.receipt for waiting in messages]
        change_visibility(self._sqs, self._url, receipts, self._held_seconds())

    def close(self) -> None:
        """Make all visible again that was not deleted."""
        self._closed.set()
        self._heart.join()
        with self._lock:
            self._held.add(list(self._in_hand.values()))
            self._in_hand.clear()
        self._held.give_back()

    def _settle(self, messages: Sequence[Waiting]) -> None:
        with self._lock:
            for waiting in messages:
                self._in_hand.pop(id(waiting), None)
            self._settled += len(messages)

    def _held_seconds(self) -> int:
        elapsed = time.monotonic() - self._started
        left = max(0, (self.total or 0) - self._settled)
        expected = 2 * elapsed / max(1, self._settled) * left
        return int(min(_MAX_HELD_SECONDS, max(_MIN_HELD_SECONDS, expected)))

    def _beat(self) -> None:
        while not self._closed.wait(_HEARTBEAT_SECONDS):
            with self._lock:
                receipts = iter([waiting.receipt for waiting in self._in_hand.values()])
            while chunk := list(islice(receipts, BATCH)):
                try:
                    change_visibility(self._sqs, self._url, chunk, _HIDDEN_SECONDS)
                except Exception:  # noqa: S112
                    # The next beat comes in time, and what else is wrong shows elsewhere.
                    continue


class FileSource:
    """Messages of a backup; nothing happens to the queue they came from.

    Args:
        path: The file.

    Attributes:
        broken: Numbers of the lines that hold no message.
    """

    def __init__(self, path: Path) -> None:
        self.total: int | None = None
        self.limit: int | None = None
        self.broken: list[int] = []
        self._path = path

    def batches(self) -> Iterator[list[Waiting]]:
        """Yield what is in the file."""
        messages = read_backup(self._path, self.broken)
        while batch := list(islice(messages, BATCH)):
            yield batch

    def delete(self, waiting: Waiting) -> None:
        """Leave the file as it is; what is done is noted beside it."""

    def keep(self, messages: Sequence[Waiting]) -> None:
        """Leave the file as it is."""

    def close(self) -> None:
        """Nothing is in hand."""
