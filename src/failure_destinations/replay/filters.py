"""The options that choose among failed events."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from typing import Any

import click

from failure_destinations.cli.parameters import FUNCTION, IdType, NameType, TimeType
from failure_destinations.errors import CommandError
from failure_destinations.runtime import FailedEvent

from .received_message import Waiting


@dataclass(frozen=True)
class Filter:
    """Which failed events are meant.

    Attributes:
        functions: Names, names with qualifier, or ARNs, with `*` for anything; none means all.
        error_types: Types of error, with `*` for anything; none means all.
        since: Not before.
        until: Not after.
        ids: Beginnings of message or request ids; none means all.
        default_function: The function of events that do not name theirs.
        any_sender: Whether that is so for events that another function sent, too.
    """

    functions: tuple[str, ...] = ()
    error_types: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    ids: tuple[str, ...] = ()
    default_function: str | None = None
    any_sender: bool = False

    @property
    def any(self) -> bool:
        """Whether it excludes anything."""
        return any((self.functions, self.error_types, self.since, self.until, self.ids))

    def matches(self, waiting: Waiting) -> bool:
        """Tell whether a failed event is meant; anything else is only without a filter."""
        event = waiting.event
        if event is None:
            return not self.any
        names = [event.function_name, event.called, event.function_arn]
        if event.function is None:
            names = [event.sender or self.default_function]
        time = waiting.time
        return (
            _one_of(self.functions, names)
            and _one_of(self.error_types, [event.error_type])
            and (self.since is None or (time is not None and time >= self.since))
            and (self.until is None or (time is not None and time <= self.until))
            and (not self.ids or any(waiting.matches_id(id) for id in self.ids))
        )

    def is_of_another(self, event: FailedEvent) -> bool:
        """Tell whether an event that does not name its function was sent by another than ours.

        The copies of all functions of a channel are in one queue.
        """
        if event.function is not None or event.sender is None or self.any_sender:
            return False
        name = FUNCTION.fullmatch(self.default_function or "")
        return name is not None and name["name"] != event.sender


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that choose failed events, and pass it them as `chosen`."""

    @click.option(
        "--function",
        "functions",
        multiple=True,
        type=NameType(),
        metavar="NAME",
        help="Only of this function: name, NAME:ALIAS or ARN; * stands for anything. Repeatable.",
    )
    @click.option(
        "--error-type",
        "error_types",
        multiple=True,
        type=NameType(),
        metavar="TYPE",
        help="Only with this type of error; * stands for anything. Repeatable.",
    )
    @click.option(
        "--since",
        type=TimeType(),
        metavar="TIME",
        help="Only failed since: 2026-11-02T03:00 (UTC), or 90m, 12h, 3d ago.",
    )
    @click.option("--until", type=TimeType(), metavar="TIME", help="Only failed until then.")
    @click.option(
        "--id",
        "ids",
        multiple=True,
        type=IdType(),
        metavar="ID",
        help="Only this one: its message's or request's id, or the first 8 characters. Repeatable.",
    )
    @functools.wraps(command)
    def with_filter(
        *,
        functions: tuple[str, ...],
        error_types: tuple[str, ...],
        since: datetime | None,
        until: datetime | None,
        ids: tuple[str, ...],
        **options: Any,
    ) -> Any:
        if since is not None and until is not None and since > until:
            raise CommandError(
                f"--since must be before --until, got {_utc(since)} and {_utc(until)}: "
                "nothing can have failed between them"
            )
        chosen = Filter(functions, error_types, since, until, ids)
        return command(chosen=chosen, **options)

    return with_filter


def _utc(time: datetime) -> str:
    return time.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _one_of(patterns: tuple[str, ...], values: list[str | None]) -> bool:
    return not patterns or any(
        value is not None and fnmatchcase(value, pattern)
        for pattern in patterns
        for value in values
    )
