"""The operator's filter of failed events."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from fnmatch import fnmatchcase

from failure_destinations.deployed.function_names import without_latest
from failure_destinations.deployed.location import Location
from failure_destinations.errors import CommandError
from failure_destinations.runtime import FailedEvent
from failure_destinations.runtime.fingerprint import ID_CHARACTERS

from .received_message import ReceivedMessage
from .search import contains
from .where import where

# Of the ids that SQS and Lambda make.
_UUID_CHARACTERS = 36


@dataclass(frozen=True)
class Filter:
    """The failed events that the operator chooses.

    Attributes:
        functions: Names, names with qualifier, or ARNs, with `*` as a wildcard; empty means all.
        error_types: Error types in upper or lower case, with `*` as a wildcard; empty means all.
        since: The earliest time of the failure.
        until: The latest time of the failure.
        ids: Prefixes of message or request ids; empty means all.
        groups: Prefixes of the ids of groups; empty means all.
        search: A text in the payload or record, in upper or lower case. Default: any.
        where: An expression in JMESPath over the fields that `--json` prints. Default: any.
        expiring: The longest time until SQS deletes the message. Default: any.

    Raises:
        CommandError: `since` is after `until`, or `where` is not JMESPath.
    """

    functions: tuple[str, ...] = ()
    error_types: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    ids: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    search: str | None = None
    where: str | None = None
    expiring: timedelta | None = None

    def __post_init__(self) -> None:
        if self.since is not None and self.until is not None and self.since > self.until:
            raise CommandError(
                f"--since must be before --until, got {_utc(self.since)} and {_utc(self.until)}: "
                "nothing can have failed between them"
            )
        if self.where is not None:
            where(self.where)

    @property
    def reads_payloads(self) -> bool:
        """Whether it looks into payloads, so that the records of failed batches are needed."""
        return self.search is not None or self.where is not None

    @functools.cached_property
    def without_payloads(self) -> Filter:
        """The same filter without what looks into payloads."""
        return dataclasses.replace(self, search=None, where=None)

    @property
    def excludes_any(self) -> bool:
        """Whether it excludes anything."""
        return self != _ALL

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
        return (
            self._matches_function(event, location, default_function)
            and _any_matches(
                [*map(str.casefold, self.error_types)], [(event.error_type or "").casefold()]
            )
            and self._matches_time(message)
            and (not self.ids or bool(self.ids_of(message)))
            and (not self.groups or (message.group or "").startswith(self.groups))
            and (self.search is None or contains(message, self.search))
            and (self.where is None or where(self.where).matches(message.queried()))
        )

    def ids_of(self, message: ReceivedMessage) -> set[str]:
        """Return those of `ids` that are the beginning of a message's or its request's id."""
        request = "" if message.event is None else message.event.request_id or ""
        # Whole ids are looked up, because a page may choose thousands of them.
        found = {message.id, request} & self._whole_ids
        return found | {start for start in self._beginnings if message.matches_id(start)}

    @functools.cached_property
    def _whole_ids(self) -> frozenset[str]:
        return frozenset(self.ids)

    @functools.cached_property
    def _beginnings(self) -> tuple[str, ...]:
        return tuple(id for id in self.ids if len(id) < _UUID_CHARACTERS)

    def check_groups(self, groups: Iterable[str | None]) -> None:
        """Raise CommandError if the beginning of a group's id stands for several groups.

        Args:
            groups: The groups of the messages that matched.
        """
        found = sorted({group for group in groups if group is not None})
        for start in self.groups:
            ids = [group for group in found if group.startswith(start)]
            if len(ids) > 1:
                raise CommandError(
                    f"--group {start} stands for {len(ids)} groups: write one of {', '.join(ids)}"
                )

    def with_whole_groups(self, groups: Iterable[str | None]) -> Filter:
        """Return the same filter with the whole ids of its groups.

        Args:
            groups: The groups of all messages.

        Raises:
            CommandError: The beginning of an id stands for several of them.
        """
        found = {group for group in groups if group is not None}
        self.check_groups(found)
        whole = (
            next((group for group in found if group.startswith(start)), start)
            for start in self.groups
        )
        return dataclasses.replace(self, groups=tuple(whole))

    @property
    def has_short_group(self) -> bool:
        """Whether it names a group by the beginning of its id, which may stand for several."""
        return any(len(start) < ID_CHARACTERS for start in self.groups)

    def _matches_time(self, message: ReceivedMessage) -> bool:
        time, expires = message.time, message.expires
        return (
            (self.since is None or (time is not None and time >= self.since))
            and (self.until is None or (time is not None and time <= self.until))
            and (
                self.expiring is None
                or (expires is not None and expires <= datetime.now(timezone.utc) + self.expiring)
            )
        )

    def _matches_function(
        self, event: FailedEvent, location: Location | None, default_function: str | None
    ) -> bool:
        if event.function is None:
            return _any_matches(self.functions, [event.sender or default_function])
        # A durable function's record says `$LATEST`, which is the function itself.
        arns = [event.function_arn, without_latest(event.function_arn or "")]
        if location is not None and not location.contains(event.function):
            patterns = [pattern for pattern in self.functions if pattern.startswith("arn:")]
            return not self.functions or (bool(patterns) and _any_matches(patterns, arns))
        names = [event.function_name, event.called, *arns]
        return _any_matches(self.functions, names)


_ALL = Filter()


def _utc(time: datetime) -> str:
    return time.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _any_matches(patterns: Sequence[str], values: Sequence[str | None]) -> bool:
    return not patterns or any(
        value is not None and fnmatchcase(value, pattern)
        for pattern in patterns
        for value in values
    )
