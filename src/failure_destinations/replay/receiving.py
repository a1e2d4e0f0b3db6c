"""Receives a queue's messages with several requests at once, until it is empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from failure_destinations.deployed.queues import Queue

from .held_messages import BATCH_SIZE
from .received_message import ReceivedMessage

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# How many receives run at once.
LANES = 16
_WAIT_SECONDS = 1
_EMPTY_ANSWERS = 3
# SQS allows about 120,000 messages in flight; beyond that, the queue looks empty.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html
_MANY_IN_FLIGHT = 110_000


def receive(
    sqs: SQSClient, queue: Queue, hidden_seconds: int, count: int = BATCH_SIZE
) -> list[ReceivedMessage]:
    """Receive messages, waiting up to a second for the first one.

    Args:
        sqs: A boto3 client.
        queue: The queue.
        hidden_seconds: How long to hide them from other consumers.
        count: The most messages to receive, 1 to 10.
    """
    answer = sqs.receive_message(
        QueueUrl=queue.url,
        MaxNumberOfMessages=count,
        WaitTimeSeconds=_WAIT_SECONDS,
        VisibilityTimeout=hidden_seconds,
        MessageSystemAttributeNames=["All"],
        MessageAttributeNames=["All"],
    )
    return [ReceivedMessage.of(one, queue.retention) for one in answer.get("Messages", ())]


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

    Requests may run at once. Until as many messages were received as were expected, an empty
    response counts only if its request was sent after the last response that counted: otherwise
    several requests would be empty for one and the same reason.

    Args:
        expected: The approximate number of messages in the queue.

    Attributes:
        round: The number of responses that counted; pass it to `is_empty` as it was when the
            request was sent.
    """

    def __init__(self, expected: int) -> None:
        self.round = 0
        self._expected = expected
        self._received = 0
        self._empty_answers = 0

    def is_empty(self, received: int, sent_in: int | None = None) -> bool:
        """Return whether the queue is empty.

        Args:
            received: The number of messages in the latest response.
            sent_in: `round` when its request was sent. Default: now, if one runs after the other.
        """
        self._received += received
        if received:
            self._empty_answers = 0
            self.round += 1
            return False
        if self.has_all:
            return True
        if sent_in in (None, self.round):
            self._empty_answers += 1
            self.round += 1
        return self._empty_answers >= _EMPTY_ANSWERS

    @property
    def has_all(self) -> bool:
        """Whether as many messages were received as were expected."""
        return self._received >= self._expected


def receive_batches(
    pool: ThreadPoolExecutor,
    receive: Callable[[int], list[ReceivedMessage]],
    expected: int,
    *,
    lanes: int = LANES,
    at_most: int | None = None,
    first: int = BATCH_SIZE,
) -> Iterator[list[ReceivedMessage]]:
    """Yield the messages of each response until the queue is empty.

    Nothing is sent before a batch is asked for. Requests that still run when the caller asks for no
    more batches end in the pool, so `receive` must itself remember what it received.

    Args:
        pool: Has at least `lanes` threads.
        receive: Receives up to so many messages.
        expected: The approximate number of messages in the queue.
        lanes: The most requests to run at once.
        at_most: The most messages to receive. Default: all.
        first: The most messages of the requests until one brings any.
    """
    detector = EmptyQueueDetector(expected)
    width = min(lanes, 1 + expected // BATCH_SIZE)
    # What each running request asked for, and the detector's round in which it was sent.
    asked: dict[Future[list[ReceivedMessage]], tuple[int, int]] = {}
    received = 0
    ends = False
    while True:
        while not ends and len(asked) < width:
            count = BATCH_SIZE if received else first
            if at_most is not None:
                count = min(count, at_most - received - sum(n for n, _ in asked.values()))
            if count <= 0:
                break
            asked[pool.submit(receive, count)] = count, detector.round
        if not asked:
            return
        for future in wait(asked, return_when=FIRST_COMPLETED).done:
            _, sent_in = asked.pop(future)
            batch = future.result()
            received += len(batch)
            # Requests that still run when one was empty may bring more.
            ends = detector.is_empty(len(batch), sent_in) or (ends and not batch)
            if width < lanes and len(batch) == BATCH_SIZE and detector.has_all:
                # The count of messages was too low.
                width += 1
            yield batch
