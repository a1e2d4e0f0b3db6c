"""The groups that the beginnings of ids stand for, known before anything is run or deleted."""

from __future__ import annotations

from failure_destinations.progress import NO_PROGRESS, Progress

from .filters import Filter
from .origins import Origin


def with_whole_groups(origin: Origin, chosen: Filter, progress: Progress = NO_PROGRESS) -> Filter:
    """Return a filter with the whole ids of its groups, after a look through all messages.

    A filter that names its groups by their whole ids, or none, is returned as it is.

    Args:
        origin: Where the messages are.
        chosen: The filter.
        progress: Gets the number of messages that were received and given back.

    Raises:
        CommandError: The beginning of an id stands for several groups.
    """
    if not chosen.has_short_group:
        return chosen
    with origin.peek([], progress) as messages:
        return chosen.with_whole_groups(message.group for message in messages)
