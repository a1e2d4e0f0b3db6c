"""The options that several commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import datetime
from typing import Any

import click

from failure_destinations.deployed.queues import Part, QueueChoice
from failure_destinations.deployed.session import Aws
from failure_destinations.replay.filters import Filter

from .completion import handler_names
from .parameters import IdType, NameType, TimeType


def aws_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --profile, --region and --endpoint-url, passed to it as `aws`."""

    @click.option("--profile", metavar="NAME", help="Profile of the AWS configuration.")
    @click.option("--region", metavar="NAME", help="AWS Region.")
    @click.option("--endpoint-url", metavar="URL", help="Address of AWS, if it is elsewhere.")
    @functools.wraps(command)
    def with_aws(
        *, profile: str | None, region: str | None, endpoint_url: str | None, **options: Any
    ) -> Any:
        return command(aws=Aws(profile, region, endpoint_url), **options)

    return with_aws


def queue_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that name a queue, passed to it as `choice`."""

    @click.option("--stack", type=NameType(), metavar="NAME", help="Stack of the failure channel.")
    @click.option(
        "--channel",
        type=NameType(),
        metavar="PATH",
        help="The channel's construct path below the stack, if it has several.",
    )
    @click.option(
        "--queue",
        type=NameType(),
        metavar="QUEUE",
        help="Name, URL or ARN of a queue, without a stack.",
    )
    @click.option(
        "--from",
        "part",
        type=click.Choice(["main", "dead-letter", "copies"]),
        default="main",
        show_default=True,
        help="Which queue of the channel.",
    )
    @click.option(
        "--spend-receives",
        is_flag=True,
        help="Receive also where the queue moves a message away after a number of receives.",
    )
    @functools.wraps(command)
    def with_choice(
        *,
        stack: str | None,
        channel: str | None,
        queue: str | None,
        part: Part,
        spend_receives: bool,
        **options: Any,
    ) -> Any:
        choice = QueueChoice(stack, channel, queue, part, spend_receives)
        return command(choice=choice, **options)

    return with_choice


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that filter failed events, passed to it as `chosen`."""

    @click.option(
        "--function",
        "functions",
        multiple=True,
        type=NameType(),
        shell_complete=handler_names,
        metavar="NAME",
        help="Only this function's events: name, NAME:ALIAS or ARN; * stands for anything. "
        "Repeatable.",
    )
    @click.option(
        "--error-type",
        "error_types",
        multiple=True,
        type=NameType(),
        metavar="TYPE",
        help="Only events with this type of error; * stands for anything. Repeatable.",
    )
    @click.option(
        "--since",
        type=TimeType(),
        metavar="TIME",
        help="Only events that failed since: 2026-11-02T03:00 (UTC), or 90m, 12h, 3d ago.",
    )
    @click.option(
        "--until", type=TimeType(), metavar="TIME", help="Only events that failed until then."
    )
    @click.option(
        "--id",
        "ids",
        multiple=True,
        type=IdType(),
        metavar="ID",
        help="Only this event: its message's or request's id, or the first 8 characters. "
        "Repeatable.",
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
        return command(chosen=Filter(functions, error_types, since, until, ids), **options)

    return with_filter
