"""Finds one message in a queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from failure_destinations.deployed.queues import Queue
from failure_destinations.errors import CommandError
from failure_destinations.progress import NO_PROGRESS, Progress
from failure_destinations.text import plural

from .peek import peek
from .received_message import ReceivedMessage

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


def find_message(
    sqs: SQSClient,
    queue: Queue,
    id: str,
    warnings: list[str],
    *,
    progress: Progress = NO_PROGRESS,
) -> ReceivedMessage:
    """Return the message whose message or request id begins with a prefix.

    All received messages are given back.

    Args:
        sqs: A boto3 client.
        queue: The queue.
        id: The prefix of the id.
        warnings: Gets a line if not all messages were received.
        progress: Gets the number of messages that were received and given back.

    Raises:
        CommandError: The queue does not hold such a message.
    """
    with peek(sqs, queue, warnings, progress=progress) as messages:
        found = next((message for message in messages if message.matches_id(id)), None)
    if found is not None:
        return found
    hidden = f"; {plural(queue.hidden, 'message')} cannot be received now" if queue.hidden else ""
    raise CommandError(
        "; ".join([f"{queue.name} does not hold a message {id!r}{hidden}", *warnings])
    )
