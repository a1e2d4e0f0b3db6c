"""The tally of a run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from failure_destinations.runtime import fingerprint

from .received_message import ReceivedMessage
from .selection import Verdict

_LEFT: dict[Verdict, str] = {
    "not-an-event": "no_events",
    "not-chosen": "not_meant",
    "without-function": "without_function",
    "other-function": "other_function",
    "other-sender": "of_others",
    "foreign": "foreign",
    "not-a-handler": "not_handlers",
    "too-long": "too_long",
    "without-tenant": "without_tenant",
    "without-destination": "without_destination",
    "transformed": "transformed",
    "rule-unknown": "rule_unknown",
    "batch-not-awaited": "not_awaited",
}


@dataclass
class LeftGroup:
    """A group of events that is left because its first ones failed again.

    Attributes:
        id: The group's id.
        function: The name of the function that was invoked.
        because: Why it is left, with the error.
        count: The number of its events that were not run.
    """

    id: str
    function: str
    because: str
    count: int = 0


@dataclass
class Tally:
    """The outcomes of a run's messages.

    Attributes:
        succeeded: Events whose handler succeeded.
        failed: Events whose handler failed, was not started or did not respond; they stay.
        errors: The failed events by function and error.
        left: Events that were not run because their group is left; they stay.
        left_groups: The groups that are left, by id.
        duplicates: Further deliveries of an event, which were not run.
        not_deleted: Ids of messages that succeeded but are still in the queue, with the reason.
        no_events: Messages that are not failed events; they stay.
        without_function: Events that do not name their function; they stay.
        other_function: Events that name another function than --function-name; they stay.
        not_meant: Events that the filters exclude; they stay.
        of_others: Events sent by a function other than the one they would go to; they stay.
        foreign: Events whose function is not in the queue's account and Region; they stay.
        not_handlers: Events whose function is not a handler of the channel; they stay.
        too_long: Events whose function may run longer than a synchronous invocation; they stay.
        without_tenant: Events whose function isolates tenants, without a tenant; they stay.
        without_destination: Events whose function would lose them if it failed again; they stay.
        transformed: Events from rules that transform them for their functions; they stay.
        rule_unknown: Events from rules that could not be read; they stay.
        not_awaited: Failed batches that a run would not wait for; they stay.
        partial: Failed batches of which the chosen records were handled, and others were not
            chosen; they stay.
        records_handled: Records of failed batches that were handled.
        records_older: Records of failed batches that were left out, because a newer one of their
            key was chosen; they stay with their batch.
        handed_over: Events that Lambda accepted for an asynchronous invocation.
        running: Events whose durable execution had not ended; they stay.
        returned: Events that this run handed over and that failed again; they stay.
        done_before: Events that succeeded in an earlier run, according to the backup's `.done`
            file.
        at_limit: Messages that stay but that SQS moves away on the next receive.
        hidden: Messages that could not be received, because other consumers have them or they are
            delayed; about so many.
        unread: About how many messages were not received, since each chosen request was found
            before. SNS may have delivered one twice, so they may hold it a second time.
        interrupted: Whether the user stopped the run.
        stopped: Why the run stopped by itself before the end; None if it did not.
    """

    succeeded: int = 0
    failed: int = 0
    errors: Counter[tuple[str, str]] = field(default_factory=Counter)
    left: int = 0
    left_groups: dict[str, LeftGroup] = field(default_factory=dict)
    duplicates: int = 0
    not_deleted: list[str] = field(default_factory=list)
    no_events: int = 0
    without_function: int = 0
    other_function: int = 0
    not_meant: int = 0
    of_others: int = 0
    foreign: int = 0
    not_handlers: int = 0
    too_long: int = 0
    without_tenant: int = 0
    without_destination: int = 0
    transformed: int = 0
    rule_unknown: int = 0
    not_awaited: int = 0
    partial: int = 0
    records_handled: int = 0
    records_older: int = 0
    handed_over: int = 0
    running: int = 0
    returned: int = 0
    done_before: int = 0
    at_limit: int = 0
    hidden: int = 0
    unread: int = 0
    interrupted: bool = False
    stopped: str | None = None

    def count_left(self, verdict: Verdict) -> None:
        """Count a message that stays.

        Args:
            verdict: Why it stays.
        """
        name = _LEFT[verdict]
        setattr(self, name, getattr(self, name) + 1)

    def leave_group(self, message: ReceivedMessage, function: str, because: str) -> None:
        """Record that the group of a message is left.

        Args:
            message: One of its events.
            function: The name of the function that was invoked.
            because: Why.
        """
        group = self._left_group(message)
        group.function, group.because = function, because

    def count_in_left_group(self, message: ReceivedMessage) -> LeftGroup:
        """Count an event that is not run because its group is left, and return the group."""
        self.left += 1
        group = self._left_group(message)
        group.count += 1
        return group

    def _left_group(self, message: ReceivedMessage) -> LeftGroup:
        id = "" if message.event is None else fingerprint(message.event).id
        # One thread may count an event before another has recorded why its group is left.
        return self.left_groups.setdefault(id, LeftGroup(id, "?", "?"))

    @property
    def all_succeeded(self) -> bool:
        """Whether every event to replay was received, succeeded and was deleted from the queue."""
        refused = (
            self.without_function
            or self.other_function
            or self.foreign
            or self.not_handlers
            or self.too_long
            or self.without_tenant
            or self.without_destination
            or self.transformed
            or self.rule_unknown
            or self.not_awaited
        )
        stays = (
            self.failed or self.left or refused or self.running or self.returned or self.not_deleted
        )
        return not (stays or self.hidden or self.interrupted or self.stopped)

    @property
    def started_any(self) -> bool:
        """Whether any handler was invoked."""
        return bool(self.succeeded + self.partial + self.failed + self.handed_over + self.running)

    @property
    def did_nothing(self) -> bool:
        """Whether there were messages, but none to replay."""
        handled = self.started_any or self.duplicates + self.done_before
        return bool(self.no_events + self.not_meant + self.of_others) and not handled
