"""The tally of a run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

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
}


@dataclass
class Tally:
    """The outcomes of a run's messages.

    Attributes:
        succeeded: Events whose handler succeeded.
        failed: Events whose handler failed, was not started or did not respond; they stay.
        errors: The failed events by function and error.
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
        done_before: Events that succeeded in an earlier run, according to the backup's `.done`
            file.
        at_limit: Messages that stay but that SQS moves away on the next receive.
        interrupted: Whether the user stopped the run.
        stopped: Why the run stopped by itself before the end; None if it did not.
    """

    succeeded: int = 0
    failed: int = 0
    errors: Counter[tuple[str, str]] = field(default_factory=Counter)
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
    done_before: int = 0
    at_limit: int = 0
    interrupted: bool = False
    stopped: str | None = None

    def count_left(self, verdict: Verdict) -> None:
        """Count a message that stays.

        Args:
            verdict: Why it stays.
        """
        name = _LEFT[verdict]
        setattr(self, name, getattr(self, name) + 1)

    @property
    def all_succeeded(self) -> bool:
        """Whether every event to replay succeeded and was deleted from the queue."""
        refused = (
            self.without_function
            or self.other_function
            or self.foreign
            or self.not_handlers
            or self.too_long
            or self.without_tenant
        )
        stays = self.failed or refused or self.not_deleted
        return not (stays or self.interrupted or self.stopped)

    @property
    def started_any(self) -> bool:
        """Whether any handler was invoked."""
        return bool(self.succeeded + self.failed)

    @property
    def did_nothing(self) -> bool:
        """Whether there were messages, but none to replay."""
        handled = self.succeeded + self.failed + self.duplicates + self.done_before
        return bool(self.no_events + self.not_meant + self.of_others) and not handled
