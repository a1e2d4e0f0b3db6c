"""Selects the messages to replay, for a run and for its plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from failure_destinations.deployed.function_names import bare_name
from failure_destinations.runtime import FailedEvent

from .authority import Authority
from .filters import Filter
from .received_message import ReceivedMessage

Verdict = Literal[
    "replay",
    "not-an-event",
    "not-chosen",
    "without-function",
    "other-sender",
    "foreign",
    "not-a-handler",
]
"""`replay`, or why a message stays in the queue."""


@dataclass(frozen=True)
class Selection:
    """Decides which messages are replayed.

    Attributes:
        authority: Decides which functions a message may have invoked.
        filter: The operator's filter.
        default_function: The function of events that do not name theirs; None if not given.
        any_sender: Whether that function also gets events from other senders.
    """

    authority: Authority
    filter: Filter = field(default_factory=Filter)
    default_function: str | None = None
    any_sender: bool = False

    def verdict(self, message: ReceivedMessage) -> Verdict:
        """Return `replay` if a message is to be replayed, or else why it is not."""
        event = message.event
        if event is None:
            return "not-an-event"
        # A filter that excludes nothing does not need the functions' location.
        location = self.authority.location if self.filter.functions else None
        if not self.filter.matches(
            message, location=location, default_function=self.default_function
        ):
            return "not-chosen"
        if event.function is not None:
            return self.authority.refusal(event) or "replay"
        if self.default_function is None:
            return "without-function"
        return "other-sender" if self._is_from_another(event) else "replay"

    def target(self, event: FailedEvent) -> str:
        """Return the name of the function that an event goes to; `?` if there is none."""
        return self.authority.shown(event) or self.default_function or "?"

    def target_arn(self, event: FailedEvent) -> str:
        """Return the ARN of the function that an event goes to, or what the operator typed."""
        return event.function_arn or self.default_function or "?"

    def _is_from_another(self, event: FailedEvent) -> bool:
        # One queue has the copies of all functions of a channel. Lambda sends them in a session of
        # the function's role, so an IAM user that sends one is not the function.
        if self.any_sender or event.sender_id is None:
            return False
        if event.sender is not None:
            return bare_name(self.default_function or "") != event.sender
        # The account's root user, which emulators use for everything, may do anything anyway.
        return event.sender_id != self.authority.location.account
