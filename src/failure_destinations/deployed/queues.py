"""Finds the queue that an operator means, and what is to be known before looking into it."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from failure_destinations.cli.parameters import NameType
from failure_destinations.errors import CommandError
from failure_destinations.text import plural

from .channels import Channel, choose_channel, find_channels, queue_url
from .session import Aws

_ATTRIBUTES = [
    "QueueArn",
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "RedrivePolicy",
]
# arn:aws:sqs:region:account:name
_ARN_PARTS = 6
_ACTIVE = ("Creating", "Enabling", "Enabled", "Updating")


@dataclass(frozen=True)
class Queue:
    """A queue to look into.

    Attributes:
        url: Its URL.
        arn: Its ARN.
        waiting: About how many messages can be received now.
        hidden: About how many cannot: others have them, or they are delayed.
        max_receives: How often a message is received before SQS moves it to the queue's own
            dead-letter queue; None if there is none.
        consumers: The functions that drain it.
    """

    url: str
    arn: str
    waiting: int
    hidden: int
    max_receives: int | None
    consumers: tuple[str, ...]

    @property
    def name(self) -> str:
        """Its name."""
        return self.arn.rpartition(":")[2]


@dataclass(frozen=True)
class Choice:
    """The options with which an operator names a queue.

    Attributes:
        stack: Name of the channel's stack.
        channel: Path of the channel below the stack.
        queue: Name, URL or ARN of the queue, instead of a stack.
        part: Which queue of the channel: `main`, `dead-letter` or `copies`.
        spend_receives: Whether a queue that counts receives may be looked into.
    """

    stack: str | None
    channel: str | None
    queue: str | None
    part: str
    spend_receives: bool = False

    @property
    def given(self) -> bool:
        """Whether there is any."""
        return self.stack is not None or self.queue is not None

    def find(self, aws: Aws) -> Queue:
        """Return the queue.

        Raises:
            CommandError: It is not named, or not there.
        """
        self._check()
        sqs = aws.client("sqs")
        url = self._of_channel(aws) if self.queue is None else _named(sqs, self.queue)
        return _described(aws, sqs, url)

    def find_to_look(self, aws: Aws) -> Queue:
        """Return the queue, unless it counts receives and nobody said that they may be spent.

        How many a message has left shows only with one more, which may be one too many.

        Raises:
            CommandError: It is not named, not there, or moves messages away.
        """
        queue = self.find(aws)
        if queue.max_receives is not None and not self.spend_receives:
            raise CommandError(
                f"{queue.name} moves a message to its dead-letter queue after "
                f"{plural(queue.max_receives, 'receive')}, and a look is one: to look all the "
                "same, pass --spend-receives"
            )
        return queue

    def _check(self) -> None:
        if self.queue is None:
            if self.stack is None:
                raise CommandError("which queue? name it with --stack NAME or --queue NAME")
        elif self.stack is not None or self.channel is not None:
            raise CommandError("--queue names the queue: leave out --stack and --channel")
        elif self.part != "main":
            raise CommandError("--from chooses a queue of a channel: leave it out with --queue")

    def _of_channel(self, aws: Aws) -> str:
        stack = self.stack or ""
        channel = choose_channel(find_channels(aws, stack), stack, self.channel)
        url = _part_of(channel, self.part)
        if url is None:
            raise CommandError(
                f"channel {channel.path!r} of stack {stack!r} has no such queue: --from {self.part}"
            )
        return url


def queue_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that name a queue, and pass it them as `choice`."""

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
        help="Look also where the queue moves a message away after so many receives.",
    )
    @functools.wraps(command)
    def with_choice(
        *,
        stack: str | None,
        channel: str | None,
        queue: str | None,
        part: str,
        spend_receives: bool,
        **options: Any,
    ) -> Any:
        return command(choice=Choice(stack, channel, queue, part, spend_receives), **options)

    return with_choice


def _part_of(channel: Channel, part: str) -> str | None:
    return {
        "main": channel.queue_url,
        "dead-letter": channel.dead_letter_queue_url,
        "copies": channel.copy_queue_url,
    }[part]


def _named(sqs: Any, queue: str) -> str:
    if queue.startswith(("https://", "http://")):
        return queue
    try:
        if queue.startswith("arn:"):
            _check_arn(sqs, queue)
            return queue_url(sqs, queue)
        return str(sqs.get_queue_url(QueueName=queue)["QueueUrl"])
    except sqs.exceptions.QueueDoesNotExist:
        raise _unknown(sqs, queue) from None


def _check_arn(sqs: Any, arn: str) -> None:
    """Refuse what is no queue, or one of another Region, where the same name may be another's."""
    parts = arn.split(":")
    if len(parts) != _ARN_PARTS or parts[2] != "sqs":
        raise CommandError(
            f"--queue must be a queue, got {arn!r}: write a queue's name, URL or ARN "
            "(arn:aws:sqs:REGION:ACCOUNT:NAME)"
        )
    if parts[3] != sqs.meta.region_name:
        raise CommandError(
            f"--queue is in {parts[3]}, got {arn!r} while looking in {sqs.meta.region_name}: "
            f"pass --region {parts[3]}"
        )


def _unknown(sqs: Any, queue: str) -> CommandError:
    return CommandError(
        f"there is no queue {queue!r} in {sqs.meta.region_name}: "
        "look at --queue, --region and --profile"
    )


def _described(aws: Aws, sqs: Any, url: str) -> Queue:
    try:
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=_ATTRIBUTES)
    except sqs.exceptions.QueueDoesNotExist:
        raise _unknown(sqs, url) from None
    known = answer["Attributes"]
    redrive = json.loads(known.get("RedrivePolicy") or "{}")
    limit = redrive.get("maxReceiveCount")
    return Queue(
        url=url,
        arn=known["QueueArn"],
        waiting=int(known.get("ApproximateNumberOfMessages", 0)),
        hidden=int(known.get("ApproximateNumberOfMessagesNotVisible", 0))
        + int(known.get("ApproximateNumberOfMessagesDelayed", 0)),
        max_receives=None if limit is None else int(limit),
        consumers=_consumers(aws, known["QueueArn"]),
    )


def _consumers(aws: Aws, arn: str) -> tuple[str, ...]:
    from botocore.exceptions import ClientError  # noqa: PLC0415

    client = aws.client("lambda")
    try:
        pages = client.get_paginator("list_event_source_mappings").paginate(EventSourceArn=arn)
        mappings = [mapping for page in pages for mapping in page["EventSourceMappings"]]
    except ClientError:
        # It is only for a warning, and an operator may lack this permission.
        return ()
    return tuple(
        mapping["FunctionArn"].partition(":function:")[2]
        for mapping in mappings
        if mapping.get("State", "Enabled") in _ACTIVE
    )
