"""Where failed events are taken from to be replayed: a queue, or a backup."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from failure_destinations.deployed.queues import Queue

from .backup import read_backup
from .peek import BATCH, Emptiness, Held, change_visibility, may_hide_more, receive
from .received_message import Waiting

_HIDDEN_SECONDS = 120
_HEARTBEAT_SECONDS = 30
_MISSED_BEATS = 3
# Lambda runs a handler for 15 minutes at most.
_MAY_RUN_SECONDS = 910
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

    ended_early: str | None
    """Why there may be more than it handed out; None if that was all."""

    def holds(self, waiting: Waiting) -> bool:
        """Tell whether nobody else can have it by now; may be called from several threads."""

    def keep(self, messages: Sequence[Waiting], *, may_run: bool = False) -> None:
        """Leave up to ten messages where they are, but hand them out no more in this run.

        Those whose handler may still run are not given back at the end, but when it cannot.
        """

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
        self._hidden_before = queue.hidden
        self.ended_early: str | None = None
        self._in_hand: dict[int, Waiting] = {}
        self._hidden_until: dict[int, float] = {}
        self._missed_beats = 0
        self._lock = threading.Lock()
        self._started = time.monotonic()
        self._settled = 0
        self._closed = threading.Event()
        self._heart = threading.Thread(target=self._beat, daemon=True)
        self._heart.start()

    def batches(self) -> Iterator[list[Waiting]]:
        """Yield what can be received, until the queue is empty."""
        while True:
            until = _hidden_until()
            batch = receive(self._sqs, self._url, _HIDDEN_SECONDS)
            with self._lock:
                self._in_hand.update((id(waiting), waiting) for waiting in batch)
                self._hidden_until.update((id(waiting), until) for waiting in batch)
                in_flight = self._held.count + len(self._in_hand) + self._hidden_before
            if batch:
                yield batch
            if self._emptiness.after(len(batch)):
                self.ended_early = may_hide_more(in_flight)
                return

    def holds(self, waiting: Waiting) -> bool:
        """Tell whether it is hidden still, and the heartbeat works."""
        with self._lock:
            until = self._hidden_until.get(id(waiting), 0.0)
            return time.time() < until and self._missed_beats < _MISSED_BEATS

    def delete(self, waiting: Waiting) -> None:
        """Delete it from the queue."""
        # First, so that it is not given back at once if it cannot be deleted.
        self._settle([waiting])
        self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=waiting.receipt)

    def keep(self, messages: Sequence[Waiting], *, may_run: bool = False) -> None:
        """Hide them until the end of the run, as far as that can be foretold."""
        self._settle(messages)
        if not may_run:
            with self._lock:
                self._held.add(messages)
        receipts = [waiting.receipt for waiting in messages]
        seconds = _MAY_RUN_SECONDS if may_run else self._held_seconds()
        change_visibility(self._sqs, self._url, receipts, seconds)

    def close(self) -> None:
        """Make all visible again that was not deleted, unless others may have it by now."""
        self._closed.set()
        self._heart.join()
        now = time.time()
        with self._lock:
            ours = [one for key, one in self._in_hand.items() if now < self._hidden_until[key]]
            self._held.add(ours)
            self._in_hand.clear()
        self._held.give_back()

    def _settle(self, messages: Sequence[Waiting]) -> None:
        with self._lock:
            for waiting in messages:
                self._in_hand.pop(id(waiting), None)
                self._hidden_until.pop(id(waiting), None)
            self._settled += len(messages)

    def _held_seconds(self) -> int:
        elapsed = time.monotonic() - self._started
        left = max(0, (self.total or 0) - self._settled)
        expected = 2 * elapsed / max(1, self._settled) * left
        return int(min(_MAX_HELD_SECONDS, max(_MIN_HELD_SECONDS, expected)))

    def _beat(self) -> None:
        while not self._closed.wait(_HEARTBEAT_SECONDS):
            self._hide_in_hand()

    def _hide_in_hand(self) -> None:
        with self._lock:
            in_hand = iter(list(self._in_hand.items()))
        missed = False
        while chunk := list(islice(in_hand, BATCH)):
            until = _hidden_until()
            receipts = [waiting.receipt for _, waiting in chunk]
            try:
                hidden = change_visibility(self._sqs, self._url, receipts, _HIDDEN_SECONDS)
            except Exception:
                # The next beat comes in time; after some of them the run ends.
                missed = True
                continue
            with self._lock:
                for index in hidden:
                    key = chunk[index][0]
                    if key in self._hidden_until:
                        self._hidden_until[key] = until
        self._missed_beats = self._missed_beats + 1 if missed else 0


def _hidden_until() -> float:
    # Not of the monotonic clock, which stands still while the machine is asleep.
    return time.time() + _HIDDEN_SECONDS


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
        self.ended_early: str | None = None
        self.broken: list[int] = []
        self._path = path

    def batches(self) -> Iterator[list[Waiting]]:
        """Yield what is in the file."""
        messages = read_backup(self._path, self.broken)
        while batch := list(islice(messages, BATCH)):
            yield batch

    def delete(self, waiting: Waiting) -> None:
        """Leave the file as it is; what is done is noted beside it."""

    def holds(self, waiting: Waiting) -> bool:  # noqa: ARG002
        """Tell that nobody else has it."""
        return True

    def keep(self, messages: Sequence[Waiting], *, may_run: bool = False) -> None:
        """Leave the file as it is."""

    def close(self) -> None:
        """Nothing is in hand."""
