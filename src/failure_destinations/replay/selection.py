"""The decision which messages are replayed; the run and its plan share it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from failure_destinations.deployed.function_names import bare_name
from failure_destinations.runtime import FailedEvent

from .filters import Filter
from .received_message import ReceivedMessage

Verdict = Literal["replay", "not-an-event", "not-chosen", "without-function", "other-sender"]
"""`replay`, or why a message stays where it is."""


@dataclass(frozen=True)
class Selection:
    """Decides which messages are replayed.

    Attributes:
        filter: What the operator chose.
        default_function: The function of events that do not name theirs; None if not given.
        any_sender: Whether that function also gets events that another function sent.
    """

    filter: Filter = field(default_factory=Filter)
    default_function: str | None = None
    any_sender: bool = False

    def verdict(self, message: ReceivedMessage) -> Verdict:
        """Return `replay` if a message is to be replayed, else why not."""
        event = message.event
        if event is None:
            return "not-an-event"
        if not self.filter.matches(message, self.default_function):
            return "not-chosen"
        if event.function is None:
            if self.default_function is None:
                return "without-function"
            if self._is_from_another(event, self.default_function):
                return "other-sender"
        return "replay"

    def target(self, event: FailedEvent) -> str:
        """Return the name of the function that an event goes to; `?` if there is none."""
        return event.called or self.default_function or "?"

    def _is_from_another(self, event: FailedEvent, function: str) -> bool:
        # The copies of all functions of a channel are in one queue.
        if self.any_sender or event.sender is None:
            return False
        return bare_name(function) != event.sender
