"""Looks into a queue without taking anything out of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import Any

from failure_destinations.cli.progress import Progress
from failure_destinations.deployed.queues import Queue
from failure_destinations.errors import aws_message

from .received_message import Waiting

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
BATCH = 10
_WAIT_SECONDS = 1
_EMPTY_ANSWERS = 3
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
_MAX_HIDDEN_SECONDS = 12 * 3600 - 600
_MIN_HIDDEN_SECONDS = 60
_SLOWEST_PER_SECOND = 50
_RELEASERS = 8
# About 120,000 at once, SQS says; then it answers as if the queue were empty.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html
_MANY_IN_FLIGHT = 110_000


class Held:
    """Messages that are hidden from everybody until they are given back.

    Their receipt handles are in a temporary file, so that memory does not grow with them.

    Args:
        sqs: A boto3 client.
        url: The queue.
    """

    def __init__(self, sqs: Any, url: str) -> None:
        self._sqs = sqs
        self._url = url
        # Without a name: it is gone with the process.
        self._file = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        self.count = 0

    def add(self, messages: Sequence[Waiting]) -> None:
        """Remember to give them back."""
        self._file.writelines(f"{waiting.receipt}\n" for waiting in messages)
        self.count += len(messages)

    def give_back(self) -> None:
        """Make all of them visible again; what SQS does not answer to comes back by itself."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        self._file.seek(0)
        lines = (line.rstrip("\n") for line in self._file)
        with (
            self._file,
            Progress("giving back", self.count) as progress,
            ThreadPoolExecutor(_RELEASERS) as pool,
        ):
            try:
                while chunks := list(islice(_chunks(lines), _RELEASERS)):
                    for count in pool.map(self._release, chunks):
                        progress.advance(count)
            except (BotoCoreError, ClientError) as error:
                progress.say(
                    f"warning: messages stay hidden for some minutes or hours: {aws_message(error)}"
                )

    def _release(self, receipts: list[str]) -> int:
        change_visibility(self._sqs, self._url, receipts, 0)
        return len(receipts)


def _chunks(lines: Iterator[str]) -> Iterator[list[str]]:
    while chunk := list(islice(lines, BATCH)):
        yield chunk


def change_visibility(sqs: Any, url: str, receipts: Sequence[str], seconds: int) -> set[int]:
    """Hide up to ten messages for so long; those that are gone are no error.

    Returns the places of those that are hidden now.

    Args:
        sqs: A boto3 client.
        url: The queue.
        receipts: Their receipt handles.
        seconds: How long, from now.
    """
    answer = sqs.change_message_visibility_batch(
        QueueUrl=url,
        Entries=[
            {"Id": str(index), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
            for index, receipt in enumerate(receipts)
        ],
    )
    return {int(done["Id"]) for done in answer.get("Successful", ())}


def receive(sqs: Any, url: str, hidden_seconds: int, count: int = BATCH) -> list[Waiting]:
    """Receive messages, waiting up to a second for the first.

    Args:
        sqs: A boto3 client.
        url: The queue.
        hidden_seconds: How long nobody else gets them.
        count: At most so many, 1 to 10.
    """
    answer = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=count,
        WaitTimeSeconds=_WAIT_SECONDS,
        VisibilityTimeout=hidden_seconds,
        MessageSystemAttributeNames=["All"],
        MessageAttributeNames=["All"],
    )
    return [Waiting.of(message) for message in answer.get("Messages", ())]


def may_hide_more(in_flight: int) -> str | None:
    """Return why an empty answer does not mean an empty queue; None if it does.

    Args:
        in_flight: About how many messages are hidden, by whomever.
    """
    if in_flight < _MANY_IN_FLIGHT:
        return None
    return (
        f"about {in_flight:,} messages are in hand, and SQS hands out no more than about 120,000 "
        "at once: there may be more"
    )


class Emptiness:
    """Tells when a queue is empty: one answer without messages may come too early.

    Args:
        expected: About how many messages there are.
    """

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._received = 0
        self._empty = 0

    def after(self, count: int) -> bool:
        """Tell whether the queue is empty, after so many messages more."""
        self._received += count
        self._empty = 0 if count else self._empty + 1
        return self._empty >= (1 if self._received >= self._expected else _EMPTY_ANSWERS)


@contextmanager
def looking(
    sqs: Any, queue: Queue, warn: list[str], *, at_most: int | None = None
) -> Iterator[Iterator[Waiting]]:
    """See each message of a queue once, and give all back at the end, whatever happens.

    Every look counts as a receive. Where SQS moves a message away after so many, the look ends
    once it meets a message with one left; how many the others have left, SQS does not show.

    Args:
        sqs: A boto3 client.
        queue: The queue.
        warn: Gets a line when the look ends early.
        at_most: Receives no more than so many messages. Default: all.
    """
    held = Held(sqs, queue.url)
    progress = Progress("looking", queue.waiting if at_most is None else at_most)
    seen = _look(sqs, queue, held, warn, at_most=at_most, progress=progress)
    try:
        with progress:
            yield seen
    finally:
        held.give_back()


def _look(
    sqs: Any,
    queue: Queue,
    held: Held,
    warn: list[str],
    *,
    at_most: int | None,
    progress: Progress,
) -> Iterator[Waiting]:
    limit = queue.max_receives
    if limit == 1:
        warn.append(
            f"{queue.name} moves a message away after one receive: looking would be that one"
        )
        return
    hidden = _MIN_HIDDEN_SECONDS + 2 * queue.waiting // _SLOWEST_PER_SECOND
    hidden = min(hidden, _MAX_HIDDEN_SECONDS)
    emptiness = Emptiness(queue.waiting)
    known: set[bytes] = set()
    received = 0
    ends = False
    while not ends and (at_most is None or received < at_most):
        count = BATCH if at_most is None else min(BATCH, at_most - received)
        # How often messages were received shows only by one more receive: so of one at first.
        batch = receive(sqs, queue.url, hidden, 1 if limit and not received else count)
        held.add(batch)
        received += len(batch)
        progress.advance(len(batch))
        most = max((waiting.receives for waiting in batch), default=0)
        ends = emptiness.after(len(batch))
        if ends and (more := may_hide_more(held.count + queue.hidden)):
            warn.append(more)
        if limit is not None and most >= limit - 1:
            ends = True
            warn.append(
                f"stopped looking: a message was received {most} of {limit} times, after which "
                f"{queue.name} moves it away"
            )
        for waiting in batch:
            identity = waiting.id.encode()
            if identity not in known:
                known.add(identity)
                yield waiting
