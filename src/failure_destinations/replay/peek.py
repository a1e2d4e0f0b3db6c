"""Receives a queue's messages and gives them back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from failure_destinations.deployed.queues import Queue, count_hidden, count_messages
from failure_destinations.progress import NO_PROGRESS, Progress

from .held_messages import BATCH_SIZE, THREADS, HeldMessages
from .received_message import ReceivedMessage
from .receiving import LANES, in_flight_warning, receive, receive_batches

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# The connections that a look needs: receives, and a heartbeat beside them.
CONNECTIONS = LANES + THREADS
# A look that is killed hides messages this long. The heartbeat takes a message's half, so with very
# many messages it needs longer: at 400 a second, also from a machine far from the queue's Region.
_MIN_HIDDEN_SECONDS = 60
_MAX_HIDDEN_SECONDS = 300
_HIDDEN_AGAIN_PER_SECOND = 400


@dataclass
class LookEnd:
    """What is known once a look has received all messages.

    Attributes:
        hidden: About how many could not be received, because other consumers have them or they are
            delayed; 0 until the end.
    """

    hidden: int = 0


class Look(Iterator[ReceivedMessage]):
    """The messages of a queue, each of them once, while they are received.

    Args:
        messages: The messages.
        end: Gets what is known at the end.

    Attributes:
        end: The same.
        count: The number of messages so far.
    """

    def __init__(self, messages: Iterator[ReceivedMessage], end: LookEnd) -> None:
        self._messages = messages
        self.end = end
        self.count = 0

    def __next__(self) -> ReceivedMessage:
        message = next(self._messages)
        self.count += 1
        return message


@contextmanager
def peek(
    sqs: SQSClient,
    queue: Queue,
    warnings: list[str],
    *,
    at_most: int | None = None,
    progress: Progress = NO_PROGRESS,
    what: str = "receiving",
) -> Iterator[Look]:
    """Yield each message of a queue once, and always give them all back at the end.

    Several requests receive at once. The messages are hidden from other consumers meanwhile, for a
    minute, which a heartbeat extends; so they are visible again a minute after this process was
    killed, or up to five minutes if there are more than 24,000.

    Each message's receive count goes up by one. If SQS moves messages away after a number of
    receives, one request runs after the other, and this stops once a message has one receive left;
    SQS does not show how many the other messages have left.

    Args:
        sqs: A boto3 client for `CONNECTIONS` connections.
        queue: The queue.
        warnings: Gets a line if this stops before the end.
        at_most: The most messages to receive. Default: all.
        progress: Gets the number of messages that were received and given back.
        what: What the progress is called while messages are received.
    """
    seconds = hidden_seconds(queue.visible)
    held = HeldMessages(sqs, queue.url, seconds)

    def receive_held(count: int) -> list[ReceivedMessage]:
        until = time.time() + seconds
        batch = receive(sqs, queue, seconds, count)
        held.add(batch, until)
        return batch

    progress.start(what, queue.visible if at_most is None else at_most)
    try:
        # In threads, so that an interrupt does not lose messages that SQS has already delivered.
        with ThreadPoolExecutor(LANES) as pool:
            # Where receives are counted, one at a time, the first of a single message, can stop in
            # time: SQS only shows receive counts on another receive.
            limited = queue.max_receives is not None
            batches = receive_batches(
                pool,
                receive_held,
                queue.visible,
                lanes=1 if limited else LANES,
                at_most=at_most,
                first=1 if limited else BATCH_SIZE,
            )
            end = LookEnd()
            messages = _receive_all(batches, queue, held, warnings, progress)
            yield Look(_to_the_end(messages, sqs, queue, held, end), end)
    finally:
        held.give_back(progress)


def hidden_seconds(visible: int) -> int:
    """Return for how long a look hides messages at a time: 60 to 300 seconds.

    Args:
        visible: The approximate number of messages in the queue.
    """
    return min(_MAX_HIDDEN_SECONDS, max(_MIN_HIDDEN_SECONDS, visible // _HIDDEN_AGAIN_PER_SECOND))


def hidden_from_us(sqs: SQSClient, queue: Queue, received: int, ours: int) -> int:
    """Return about how many messages of an empty queue other consumers have, or are delayed.

    Both of SQS's numbers lag behind for some seconds: a message counts as hidden only if it is
    missing too.

    Args:
        sqs: A boto3 client.
        queue: The queue, as it was before the first receive.
        received: The number of messages that were received since.
        ours: The number of those that are hidden by this process.
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up time

    missing = queue.missing(received)
    if not missing:
        return 0
    try:
        # Those after a hidden message of their FIFO group count as visible.
        count = count_messages if queue.has_fifo else count_hidden
        hidden = count(sqs, queue.url) - ours
    except ClientError:
        hidden = queue.hidden
    return min(missing, max(0, hidden))


def _receive_all(
    batches: Iterator[list[ReceivedMessage]],
    queue: Queue,
    held: HeldMessages,
    warnings: list[str],
    progress: Progress,
) -> Iterator[ReceivedMessage]:
    limit = queue.max_receives
    if limit == 1:
        warnings.append(
            f"{queue.name} moves a message away after one receive: nothing was received"
        )
        return
    seen: set[bytes] = set()
    for batch in batches:
        progress.advance(len(batch))
        for message in batch:
            identity = message.id.encode(errors="replace")
            if identity not in seen:
                seen.add(identity)
                yield message
        most = max((message.receives for message in batch), default=0)
        if limit is not None and most >= limit - 1:
            warnings.append(
                f"stopped early: a message was received {most} of {limit} times, after which "
                f"{queue.name} moves it away"
            )
            return
    if warning := in_flight_warning(held.count + queue.hidden):
        warnings.append(warning)


def _to_the_end(
    messages: Iterator[ReceivedMessage],
    sqs: SQSClient,
    queue: Queue,
    held: HeldMessages,
    end: LookEnd,
) -> Iterator[ReceivedMessage]:
    count = 0
    for message in messages:
        count += 1
        yield message
    end.hidden = hidden_from_us(sqs, queue, count, held.count)
