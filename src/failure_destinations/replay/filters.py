"""The operator's filter of failed events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from fnmatch import fnmatchcase

from failure_destinations.deployed.location import Location
from failure_destinations.errors import CommandError
from failure_destinations.runtime import FailedEvent

from .received_message import ReceivedMessage


@dataclass(frozen=True)
class Filter:
    """The failed events that the operator chooses.

    Attributes:
        functions: Names, names with qualifier, or ARNs, with `*` as a wildcard; empty means all.
        error_types: Error types, with `*` as a wildcard; empty means all.
        since: The earliest time of the failure.
        until: The latest time of the failure.
        ids: Prefixes of message or request ids; empty means all.

    Raises:
        CommandError: `since` is after `until`.
    """

    functions: tuple[str, ...] = ()
    error_types: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    ids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.since is not None and self.until is not None and self.since > self.until:
            raise CommandError(
                f"--since must be before --until, got {_utc(self.since)} and {_utc(self.until)}: "
                "nothing can have failed between them"
            )

    @property
    def excludes_any(self) -> bool:
        """Whether it excludes anything."""
        return any((self.functions, self.error_types, self.since, self.until, self.ids))

    def matches(
        self,
        message: ReceivedMessage,
        *,
        location: Location | None = None,
        default_function: str | None = None,
    ) -> bool:
        """Return whether the filter matches a message.

        Only an empty filter matches a message that is not a failed event. Only an ARN matches a
        function in another account, Region or partition: `orders` is not somebody else's `orders`.

        Args:
            message: The message.
            location: The queue's location. Default: functions match by name in every location.
            default_function: The function of an event that names neither its function nor its
                sender.
        """
        event = message.event
        if event is None:
            return not self.excludes_any
        time = message.time
        return (
            self._matches_function(event, location, default_function)
            and _any_matches(self.error_types, [event.error_type])
            and (self.since is None or (time is not None and time >= self.since))
            and (self.until is None or (time is not None and time <= self.until))
            and (not self.ids or any(message.matches_id(id) for id in self.ids))
        )

    def _matches_function(
        self, event: FailedEvent, location: Location | None, default_function: str | None
    ) -> bool:
        if event.function is None:
            return _any_matches(self.functions, [event.sender or default_function])
        if location is not None and not location.contains(event.function):
            arns = [pattern for pattern in self.functions if pattern.startswith("arn:")]
            return not self.functions or (bool(arns) and _any_matches(arns, [event.function_arn]))
        names = [event.function_name, event.called, event.function_arn]
        return _any_matches(self.functions, names)


def _utc(time: datetime) -> str:
    return time.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _any_matches(patterns: Sequence[str], values: Sequence[str | None]) -> bool:
    return not patterns or any(
        value is not None and fnmatchcase(value, pattern)
        for pattern in patterns
        for value in values
    )
