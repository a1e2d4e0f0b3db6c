"""Selects the messages to replay, for a run and for its plan."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Literal

from failure_destinations.deployed.aws_errors import is_access_denied
from failure_destinations.deployed.function_names import bare_name, without_latest
from failure_destinations.deployed.mappings import Mappings
from failure_destinations.runtime import FailedEvent

from .authority import Authority
from .batches import lacks_records
from .contents import Contents
from .filters import Filter
from .invoked_functions import UNKNOWN, InvokedFunctions
from .received_message import ReceivedMessage
from .rule_inputs import AS_THEY_ARE, RuleInputs

Verdict = Literal[
    "replay",
    "not-an-event",
    "not-chosen",
    "without-function",
    "other-function",
    "other-sender",
    "foreign",
    "not-a-handler",
    "too-long",
    "without-tenant",
    "without-destination",
    "transformed",
    "rule-unknown",
    "batch-not-awaited",
]
"""`replay`, or why a message stays in the queue. `batch-not-awaited`: only the handler's answer
says which records of a batch it has handled."""

ANSWERED = ("event-source", "queue-dlq")
"""The sources of events whose handler may answer that it has not handled all of their records."""


@dataclass(frozen=True)
class Selection:
    """Decides which messages are replayed.

    Attributes:
        authority: Decides which functions a message may have invoked.
        filter: The operator's filter.
        default_function: The function of events that do not name theirs; None if not given.
        any_sender: Whether that function also gets events from other senders.
        to: ARN of the function that gets every chosen event, whatever the messages say; None to
            send each event to the function that failed.
        functions: The settings of the functions. Default: not known.
        rules: What rules pass to their functions. Default: every event as it is.
        contents: Counts the messages that the filter does not choose.
        mappings: The event source mappings, which say which qualifier gets the batches of a
            mapping. Default: that of their records.
    """

    authority: Authority
    filter: Filter = field(default_factory=Filter)
    default_function: str | None = None
    any_sender: bool = False
    to: str | None = None
    functions: InvokedFunctions = field(default_factory=lambda: InvokedFunctions(lambda _: UNKNOWN))
    rules: RuleInputs = AS_THEY_ARE
    contents: Contents = field(default_factory=Contents)
    mappings: Mappings | None = None

    def wants_records(self, message: ReceivedMessage) -> bool:
        """Return whether the records of a failed batch are needed, as it may be replayed."""
        event = message.event
        if event is None or not lacks_records(event):
            return False
        location = self.authority.location if self.filter.functions else None
        return (
            self.filter.without_payloads.matches(
                message, location=location, default_function=self.default_function
            )
            and self._verdict_by_function(event) == "replay"
        )

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
            self.contents.add(message)
            return "not-chosen"
        verdict = self._verdict_by_function(event)
        if verdict == "replay":
            if event.source in ANSWERED and self.functions.asynchronous:
                return "batch-not-awaited"
            function = self.destination(event)
            refusal = self.rules.refusal(event) if self.to is None else None
            return refusal or (function and self.functions.refusal(function)) or "replay"
        return verdict

    def may_run_seconds(self, message: ReceivedMessage) -> int:
        """Return how long a message's handler may still run after its answer was lost."""
        event = message.event
        return self.functions.may_run_seconds(None if event is None else self.destination(event))

    def destination(self, event: FailedEvent) -> str | None:
        """Return the ARN of the function that an event goes to; None if there is none."""
        return self.to or self._mapped(event) or event.function_arn or self._default

    def target(self, event: FailedEvent) -> str:
        """Return the name of the function that an event goes to; `?` if there is none."""
        if self.to is not None:
            return self.to.partition(":function:")[2]
        mapped = self._mapped(event)
        if mapped is not None and self.authority.location.contains(mapped):
            return mapped.partition(":function:")[2]
        return self.authority.shown(event) or self.default_function or "?"

    def named(self, event: FailedEvent) -> str | None:
        """Return the function that a message names if its event goes to another; else None."""
        named = without_latest(event.function_arn or "")
        return None if self.to in (None, named) else self.authority.shown(event)

    @functools.cached_property
    def _default(self) -> str | None:
        if self.default_function is None:
            return None
        return self.authority.resolve(self.default_function, "--function-name")

    def _mapped(self, event: FailedEvent) -> str | None:
        """Return the function that a batch's mapping invokes; None if that is not known.

        The message names the mapping, and is not trusted: it counts only for its own function.
        """
        from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up time

        if self.mappings is None or event.batch is None or event.qualifier is not None:
            return None
        try:
            found = self.mappings.find(event.batch.mapping, event.function)
        except ClientError as error:
            if not is_access_denied(error):
                raise
            return None
        return None if found is None else without_latest(found.function_arn)

    def _verdict_by_function(self, event: FailedEvent) -> Verdict:
        if self.to is not None:
            # The operator named the function, so it does not matter which one the message names.
            return "replay"
        if event.function is not None:
            if self._default not in (None, without_latest(event.function_arn or "")):
                return "other-function"
            return self.authority.refusal(event) or "replay"
        if self.default_function is None:
            return "without-function"
        return "other-sender" if self._is_from_another(event) else "replay"

    def _is_from_another(self, event: FailedEvent) -> bool:
        # One queue has the copies of all functions of a channel. Lambda sends them in a session of
        # the function's role, so an IAM user that sends one is not the function.
        if self.any_sender or event.sender_id is None:
            return False
        if event.sender is not None:
            return bare_name(self.default_function or "") != event.sender
        # The account's root user, which emulators use for everything, may do anything anyway.
        return event.sender_id != self.authority.location.account
