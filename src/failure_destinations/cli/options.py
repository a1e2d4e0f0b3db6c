"""The options that several commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from failure_destinations.deployed.queues import Part, QueueChoice
from failure_destinations.deployed.session import Aws
from failure_destinations.errors import CommandError
from failure_destinations.replay.filters import Filter
from failure_destinations.replay.origins import FileOrigin

from .completion import handler_names
from .parameters import DurationType, GroupType, IdType, NameType, TimeType


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

    @click.option(
        "--stack",
        type=NameType(),
        metavar="NAME",
        help="Stack of the failure channel, or a stack around that.",
    )
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
        type=click.Choice(["main", "dead-letter", "copies", "parked", "source-queues"]),
        default="main",
        show_default=True,
        help="Which queue of the channel; `source-queues` are all dead-letter queues of SQS queues "
        "from which functions get events, or the one that --queue names.",
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


def files_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --from-files, passed to it as `from_files`: an absolute path, or None."""
    return click.option(
        "--from-files",
        type=click.Path(exists=True, path_type=Path, resolve_path=True),
        metavar="PATH",
        help="Records that Lambda wrote to a bucket, as you downloaded them: a file, or a folder "
        "with all below it. Instead of a queue.",
    )(command)


def files_origin(aws: Aws, choice: QueueChoice, path: Path) -> FileOrigin:
    """Return the files that --from-files names.

    Raises:
        CommandError: The other options name a queue too.
    """
    if choice.given or choice.part != "main":
        raise CommandError("--from-files reads files: leave out --stack, --queue and --from")
    return FileOrigin(aws, path, are_records=True)


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
        help="Only events with this type of error, in upper or lower case; * stands for anything. "
        "Repeatable.",
    )
    @click.option(
        "--group",
        "groups",
        multiple=True,
        type=GroupType(),
        metavar="ID",
        help="Only this group's events: its id as `groups` shows it, or the first characters. "
        "Repeatable.",
    )
    @click.option(
        "--search",
        type=NameType(),
        metavar="TEXT",
        help="Only events with this text in payload, error, stack trace, function or ids, in upper "
        "or lower case.",
    )
    @click.option(
        "--where",
        type=NameType(),
        metavar="EXPRESSION",
        help="Only events for which this is true, in JMESPath over the fields that `list --json` "
        "prints, such as 'payload.total > `5`'.",
    )
    @click.option(
        "--expiring",
        type=DurationType(),
        metavar="TIME",
        help="Only events that their queue deletes within 90m, 12h or 2d.",
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
        groups: tuple[str, ...],
        search: str | None,
        where: str | None,
        expiring: timedelta | None,
        **options: Any,
    ) -> Any:
        chosen = Filter(functions, error_types, since, until, ids, groups, search, where, expiring)
        return command(chosen=chosen, **options)

    return with_filter
