"""Whether the operator chose a message to save or to discard; nothing is invoked for either."""

from __future__ import annotations

from failure_destinations.deployed.location import Location

from .batches import Wanted, lacks_records
from .filters import Filter
from .received_message import ReceivedMessage


def is_chosen(message: ReceivedMessage, chosen: Filter, location: Location) -> bool:
    """Return whether a filter chooses a message, which may be something else than a failed event.

    Such a message has nothing but its id to be chosen by.

    Args:
        message: The message.
        chosen: The operator's filter.
        location: The queue's location.
    """
    if message.event is None and chosen.ids_of(message):
        return True
    return chosen.matches(message, location=location)


def records_of_chosen(chosen: Filter, location: Location) -> Wanted:
    """Return whose records to fetch: those of failed batches that a filter may choose.

    Args:
        chosen: The operator's filter.
        location: The queue's location.
    """
    may_be = chosen.without_payloads
    return lambda message: lacks_records(message.event) and is_chosen(message, may_be, location)
