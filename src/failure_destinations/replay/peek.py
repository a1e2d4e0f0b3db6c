"""Receives a queue's messages and gives them back."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

from failure_destinations.deployed.queues import Queue
from failure_destinations.errors import aws_message
from failure_destinations.progress import NO_PROGRESS, Progress

from .received_message import ReceivedMessage

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
BATCH_SIZE = 10
_WAIT_SECONDS = 1
_EMPTY_ANSWERS = 3
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
_MAX_HIDDEN_SECONDS = 12 * 3600 - 600
_MIN_HIDDEN_SECONDS = 60
_SLOWEST_PER_SECOND = 50
_RELEASE_THREADS = 8
# SQS allows about 120,000 messages in flight; beyond that, the queue looks empty.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html
_MANY_IN_FLIGHT = 110_000


class HeldMessages:
    """Received messages, hidden from other consumers until they are given back.

    Their receipt handles are kept in a temporary file, so that memory does not grow with them, or
    in memory if that file cannot be written.

    Args:
        sqs: A boto3 client.
        url: The queue's URL.
    """

    def __init__(self, sqs: SQSClient, url: str) -> None:
        self._sqs = sqs
        self._url = url
        # It has no name and disappears with the process. Unbuffered, so that a failed write is
        # final.
        self._file = tempfile.TemporaryFile("w+b", buffering=0)  # noqa: SIM115
        self._file_size = 0
        self._in_memory: list[str] = []
        self.count = 0

    def add(self, messages: Sequence[ReceivedMessage]) -> None:
        """Remember messages, to give them back later."""
        receipts = [message.receipt_handle for message in messages]
        self.count += len(receipts)
        written = "".join(f"{receipt}\n" for receipt in receipts).encode()
        try:
            complete = self._file.write(written) == len(written)
        except OSError:
            complete = False
        if complete:
            self._file_size += len(written)
        else:
            self._in_memory += receipts
            self._file.truncate(self._file_size)
            self._file.seek(self._file_size)

    def give_back(self, progress: Progress = NO_PROGRESS) -> None:
        """Make all the messages visible again.

        Messages that SQS does not release now become visible when their timeout ends.

        Args:
            progress: Gets the number of messages that are visible again.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - start-up time

        progress.start("giving back", self.count)
        with self._file, ThreadPoolExecutor(_RELEASE_THREADS) as pool:
            receipts = self._receipts()
            try:
                while chunks := list(islice(_chunks(receipts), _RELEASE_THREADS)):
                    for count in pool.map(self._release, chunks):
                        progress.advance(count)
            except (BotoCoreError, ClientError) as error:
                progress.say(
                    f"warning: messages stay hidden for some minutes or hours: {aws_message(error)}"
                )

    def _receipts(self) -> Iterator[str]:
        self._file.seek(0)
        for line in io.BufferedReader(self._file):
            yield line.decode().rstrip("\n")
        yield from self._in_memory

    def _release(self, receipts: list[str]) -> int:
        change_visibility(self._sqs, self._url, receipts, 0)
        return len(receipts)


def _chunks(lines: Iterator[str]) -> Iterator[list[str]]:
    while chunk := list(islice(lines, BATCH_SIZE)):
        yield chunk


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


def receive(
    sqs: SQSClient, url: str, hidden_seconds: int, count: int = BATCH_SIZE
) -> list[ReceivedMessage]:
    """Receive messages, waiting up to a second for the first one.

    Args:
        sqs: A boto3 client.
        url: The queue's URL.
        hidden_seconds: How long to hide them from other consumers.
        count: The most messages to receive, 1 to 10.
    """
    answer = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=count,
        WaitTimeSeconds=_WAIT_SECONDS,
        VisibilityTimeout=hidden_seconds,
        MessageSystemAttributeNames=["All"],
        MessageAttributeNames=["All"],
    )
    return [ReceivedMessage.of(message) for message in answer.get("Messages", ())]


def in_flight_warning(in_flight: int) -> str | None:
    """Return why an empty response does not mean that the queue is empty; None if it does.

    Args:
        in_flight: The approximate number of messages that any consumer has in flight.
    """
    if in_flight < _MANY_IN_FLIGHT:
        return None
    return (
        f"about {in_flight:,} messages are in flight, and SQS hands out no more than about 120,000 "
        "at once: there may be more"
    )


class EmptyQueueDetector:
    """Decides when a queue is empty, since a single empty response is not reliable.

    Args:
        expected: The approximate number of messages in the queue.
    """

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._received = 0
        self._empty_answers = 0

    def is_empty(self, received: int) -> bool:
        """Return whether the queue is empty.

        Args:
            received: The number of messages in the latest response.
        """
        self._received += received
        self._empty_answers = 0 if received else self._empty_answers + 1
        return self._empty_answers >= (1 if self._received >= self._expected else _EMPTY_ANSWERS)


@contextmanager
def peek(
    sqs: SQSClient,
    queue: Queue,
    warnings: list[str],
    *,
    at_most: int | None = None,
    progress: Progress = NO_PROGRESS,
) -> Iterator[Iterator[ReceivedMessage]]:
    """Yield each message of a queue once, and always give them all back at the end.

    Each message's receive count goes up by one. If SQS moves messages away after a number of
    receives, this stops once a message has one receive left; SQS does not show how many the other
    messages have left.

    Args:
        sqs: A boto3 client.
        queue: The queue.
        warnings: Gets a line if this stops before the end.
        at_most: The most messages to receive. Default: all.
        progress: Gets the number of messages that were received and given back.
    """
    held = HeldMessages(sqs, queue.url)
    progress.start("receiving", queue.visible if at_most is None else at_most)
    try:
        # In a thread, so that an interrupt does not lose messages that SQS has already delivered.
        with ThreadPoolExecutor(1) as pool:

            def receive_held(hidden_seconds: int, count: int) -> list[ReceivedMessage]:
                future = pool.submit(receive, sqs, queue.url, hidden_seconds, count)
                try:
                    return future.result()
                finally:
                    held.add(future.result())

            yield _receive_all(
                receive_held, queue, held, warnings, at_most=at_most, progress=progress
            )
    finally:
        held.give_back(progress)


def _receive_all(
    receive_held: Callable[[int, int], list[ReceivedMessage]],
    queue: Queue,
    held: HeldMessages,
    warnings: list[str],
    *,
    at_most: int | None,
    progress: Progress,
) -> Iterator[ReceivedMessage]:
    limit = queue.max_receives
    if limit == 1:
        warnings.append(
            f"{queue.name} moves a message away after one receive: nothing was received"
        )
        return
    hidden = _MIN_HIDDEN_SECONDS + 2 * queue.visible // _SLOWEST_PER_SECOND
    hidden = min(hidden, _MAX_HIDDEN_SECONDS)
    detector = EmptyQueueDetector(queue.visible)
    seen: set[bytes] = set()
    received = 0
    ends = False
    while not ends and (at_most is None or received < at_most):
        count = BATCH_SIZE if at_most is None else min(BATCH_SIZE, at_most - received)
        # SQS only shows receive counts on another receive, so begin with a single message.
        batch = receive_held(hidden, 1 if limit and not received else count)
        received += len(batch)
        progress.advance(len(batch))
        most = max((message.receives for message in batch), default=0)
        ends = detector.is_empty(len(batch))
        if ends and (warning := in_flight_warning(held.count + queue.hidden)):
            warnings.append(warning)
        if limit is not None and most >= limit - 1:
            ends = True
            warnings.append(
                f"stopped early: a message was received {most} of {limit} times, after which "
                f"{queue.name} moves it away"
            )
        for message in batch:
            identity = message.id.encode(errors="replace")
            if identity not in seen:
                seen.add(identity)
                yield message
