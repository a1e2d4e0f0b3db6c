"""Finds one message in a queue."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from failure_destinations.deployed.location import Location
from failure_destinations.deployed.queues import Queue
from failure_destinations.errors import CommandError
from failure_destinations.progress import NO_PROGRESS, Progress
from failure_destinations.text import plural

from .choosing import is_chosen
from .contents import Contents
from .filters import Filter
from .peek import peek
from .received_message import ReceivedMessage

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


def find_message(
    sqs: SQSClient,
    queue: Queue,
    chosen: Filter,
    warnings: list[str],
    *,
    read: Callable[[ReceivedMessage], ReceivedMessage] = lambda message: message,
    progress: Progress = NO_PROGRESS,
) -> ReceivedMessage:
    """Return the first message that a filter chooses, and receive nothing more.

    All received messages are given back.

    Args:
        sqs: A boto3 client for `peek.CONNECTIONS` connections.
        queue: The queue.
        chosen: The filter.
        warnings: Gets a line if not all messages were received.
        read: Returns a message read as what it is in this queue. Default: as it was parsed.
        progress: Gets the number of messages that were received and given back.

    Raises:
        CommandError: The queue does not hold such a message; says how many were looked at, and
            what is in the queue instead.
    """
    location = Location.of(queue.arn)
    contents = Contents()
    sought = wanted(chosen)
    with peek(
        sqs, queue, warnings, progress=progress, what=f"looking for {sought} in {queue.name}"
    ) as messages:
        for message in map(read, messages):
            if is_chosen(message, chosen, location):
                return message
            contents.add(message)
    hidden = messages.end.hidden
    parts = [
        f"{queue.name} does not hold {sought}: looked at {plural(messages.count, 'message')}",
        *([f"{hidden:,} more cannot be received now"] if hidden else []),
        *warnings,
    ]
    # Who writes an id that is not there is not helped by the names of all others.
    listed = "" if chosen.ids else contents.sentence()
    raise CommandError("; ".join(filter(None, [*parts, listed])))


def wanted(chosen: Filter) -> str:
    """Return a phrase for the message that a filter chooses."""
    return f"a message {' or '.join(map(repr, chosen.ids))}" if chosen.ids else "such an event"
