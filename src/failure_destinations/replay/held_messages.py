"""Received messages that stay hidden from other consumers until they are given back."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from failure_destinations.errors import aws_message
from failure_destinations.progress import NO_PROGRESS, Progress

from .received_message import ReceivedMessage

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibilityBatch.html
BATCH_SIZE = 10
# How many requests hide messages, or give them back, at once.
THREADS = 8
# How many messages are given back before an error is looked at.
_WINDOW = 8 * THREADS


@dataclass
class _Receipts:
    """The receipt handles of up to ten messages: where they are in the file, or themselves.

    Attributes:
        count: Their number.
        until: When SQS makes the messages visible again, in seconds since the epoch.
        place: Offset and length of their lines in the file.
        lines: Their lines, if they could not be written to the file.
    """

    count: int
    until: float
    place: tuple[int, int]
    lines: bytes | None


class HeldMessages:
    """Received messages, hidden from other consumers until they are given back.

    A heartbeat hides them again when half of their time is left. So a process that is killed hides
    them for `hidden_seconds` at most. A message whose time has ended may belong to another
    consumer: it is neither hidden again nor given back.

    The receipt handles are kept in a temporary file, so that memory does not grow with them, or in
    memory if that file cannot be written. May be used from several threads.

    Args:
        sqs: A boto3 client for `THREADS` connections more than the caller needs.
        url: The queue's URL.
        hidden_seconds: For how long each heartbeat hides the messages.
    """

    def __init__(self, sqs: SQSClient, url: str, hidden_seconds: int) -> None:
        self._sqs = sqs
        self._url = url
        self._hidden_seconds = hidden_seconds
        # It has no name and disappears with the process. Unbuffered, so that a failed write is
        # final.
        self._file = tempfile.TemporaryFile("w+b", buffering=0)  # noqa: SIM115
        self._file_size = 0
        self._held: list[_Receipts] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._heart: threading.Thread | None = None
        self.count = 0

    def add(self, messages: Sequence[ReceivedMessage], until: float) -> None:
        """Hold messages, to give them back later.

        Args:
            messages: Up to ten messages.
            until: When SQS makes them visible again, in seconds since the epoch.
        """
        if not messages:
            return
        lines = "".join(f"{message.receipt_handle}\n" for message in messages).encode()
        with self._lock:
            place = self._write(lines)
            kept = None if place else lines
            self._held.append(_Receipts(len(messages), until, place or (0, 0), kept))
            self.count += len(messages)
            if self._heart is None:
                self._heart = threading.Thread(target=self._beat, daemon=True)
                self._heart.start()

    def renew(self) -> None:
        """Hide the messages again that have less than half of their time left.

        Those that cannot be hidden now are tried again by the next heartbeat.
        """
        now = time.time()
        with self._lock:
            held = list(self._held)
        due = [one for one in held if now < one.until < now + self._hidden_seconds / 2]
        if due:
            with ThreadPoolExecutor(THREADS) as pool:
                list(pool.map(self._hide, due))

    def give_back(self, progress: Progress = NO_PROGRESS) -> None:
        """Make all the messages visible again.

        Messages that SQS does not release now become visible when their time ends.

        Args:
            progress: Gets the number of messages that are visible again.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - start-up time

        self._closed.set()
        if self._heart is not None:
            self._heart.join()
        progress.start("giving back", self.count)
        held = iter(self._held)
        with self._file, ThreadPoolExecutor(THREADS) as pool:
            try:
                while window := list(islice(held, _WINDOW)):
                    for count in pool.map(self._release, window):
                        progress.advance(count)
            except (BotoCoreError, ClientError) as error:
                progress.say(
                    f"warning: messages stay hidden for up to {self._hidden_seconds} seconds: "
                    f"{aws_message(error)}"
                )

    def _beat(self) -> None:
        # Often enough that a failed heartbeat is repeated before the messages' time ends.
        while not self._closed.wait(self._hidden_seconds / 12):
            self.renew()

    def _hide(self, held: _Receipts) -> None:
        if self._closed.is_set():
            return
        until = time.time() + self._hidden_seconds
        # Whatever goes wrong, the next heartbeat tries again.
        with suppress(Exception):
            change_visibility(self._sqs, self._url, self._receipts(held), self._hidden_seconds)
            held.until = until

    def _release(self, held: _Receipts) -> int:
        if time.time() < held.until:
            change_visibility(self._sqs, self._url, self._receipts(held), 0)
        return held.count

    def _write(self, lines: bytes) -> tuple[int, int] | None:
        """Append lines to the file, and return their place; None if they cannot be written."""
        start = self._file_size
        try:
            self._file.seek(start)
            if self._file.write(lines) != len(lines):
                return None
        except OSError:
            return None
        self._file_size += len(lines)
        return start, len(lines)

    def _receipts(self, held: _Receipts) -> list[str]:
        lines = held.lines
        if lines is None:
            start, length = held.place
            with self._lock:
                self._file.seek(start)
                lines = self._file.read(length)
        return lines.decode().splitlines()


def change_visibility(sqs: SQSClient, url: str, receipts: Sequence[str], seconds: int) -> set[int]:
    """Hide up to ten messages or make them visible; messages that are gone are ignored.

    Returns the positions of the messages whose visibility was changed.

    Args:
        sqs: A boto3 client.
        url: The queue's URL.
        receipts: The messages' receipt handles.
        seconds: How long to hide them from now on, 0 to 43,200.
    """
    answer = sqs.change_message_visibility_batch(
        QueueUrl=url,
        Entries=[
            {"Id": str(index), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
            for index, receipt in enumerate(receipts)
        ],
    )
    return {int(done["Id"]) for done in answer.get("Successful", ())}
