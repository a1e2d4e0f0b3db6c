"""The queue that the operator names, and the facts needed before receiving from it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from failure_destinations.errors import CommandError
from failure_destinations.text import plural

from .aws_errors import is_not_found
from .channels import Channel, choose_channel, find_channels
from .session import Aws
from .stacks import DeployedStack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeFilterType

Part = Literal["main", "dead-letter", "copies"]
"""A queue of a channel: `main` is the channel's own, `copies` the copy queue."""

_ATTRIBUTES: Sequence[QueueAttributeFilterType] = [
    "QueueArn",
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "RedrivePolicy",
]
# arn:aws:sqs:region:account:name
_ARN_PARTS = 6
_DRAINING_STATES = ("Creating", "Enabling", "Enabled", "Updating")


@dataclass(frozen=True)
class Queue:
    """A queue to receive from.

    Attributes:
        url: Its URL.
        arn: Its ARN.
        visible: The approximate number of messages that can be received now.
        hidden: The approximate number of those that cannot: in flight, or delayed.
        max_receives: The number of receives after which SQS moves a message to the queue's own
            dead-letter queue; None if there is none.
        consumers: The names of the functions that drain it.
    """

    url: str
    arn: str
    visible: int
    hidden: int
    max_receives: int | None
    consumers: tuple[str, ...]

    @property
    def name(self) -> str:
        """Its name."""
        return self.arn.rpartition(":")[2]


@dataclass(frozen=True)
class QueueChoice:
    """The options that name a queue.

    Attributes:
        stack: Name of the channel's stack.
        channel: Path of the channel below the stack.
        queue: Name, URL or ARN of the queue, instead of a stack.
        part: Which queue of the channel.
        spend_receives: Whether to receive from a queue that counts receives.
    """

    stack: str | None
    channel: str | None
    queue: str | None
    part: Part = "main"
    spend_receives: bool = False

    @property
    def given(self) -> bool:
        """Whether the operator named a queue."""
        return self.stack is not None or self.queue is not None

    def find_channel(self, aws: Aws) -> Channel | None:
        """Return the channel that the options name; None if they name only a queue.

        Raises:
            CommandError: The options contradict each other, or the channel does not exist.
        """
        self._check()
        if self.stack is None:
            return None
        channels = find_channels(aws, DeployedStack(aws, self.stack))
        return choose_channel(channels, self.stack, self.channel)

    def find(self, aws: Aws, channel: Channel | None = None) -> Queue:
        """Return the queue.

        Args:
            aws: The account and Region to work in.
            channel: The result of `find_channel`, if it was called before.

        Raises:
                CommandError: No queue is named, or it does not exist.
        """
        self._check()
        if self.queue is not None:
            return describe_queue(aws, _url_of(aws.client("sqs"), self.queue))
        channel = channel or self.find_channel(aws)
        if channel is None:
            raise CommandError("which queue? name it with --stack NAME or --queue NAME")
        return describe_queue(aws, self._url_in(aws, channel))

    def find_to_peek(self, aws: Aws, channel: Channel | None = None) -> Queue:
        """Return the queue, unless it counts receives and the operator did not allow spending them.

        SQS only shows how many receives a message has left on another receive, which may be one
        too many.

        Args:
            aws: The account and Region to work in.
            channel: The result of `find_channel`, if it was called before.

        Raises:
            CommandError: No queue is named, it does not exist, or it counts receives.
        """
        queue = self.find(aws, channel)
        if queue.max_receives is not None and not self.spend_receives:
            raise CommandError(
                f"{queue.name} moves a message to its dead-letter queue after "
                f"{plural(queue.max_receives, 'receive')}, and showing a message is one: to do it "
                "all the same, pass --spend-receives"
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

    def _url_in(self, aws: Aws, channel: Channel) -> str:
        queue = {
            "main": channel.queue,
            "dead-letter": channel.dead_letter_queue,
            "copies": channel.copy_queue,
        }[self.part]
        if queue is not None:
            return queue_url(aws.client("sqs"), queue)
        if self.part == "main":
            raise CommandError(
                f"another stack defines the queue of channel {channel.path!r}: name it with "
                "--queue, or allow sns:GetSubscriptionAttributes"
            )
        raise CommandError(
            f"channel {channel.path!r} of stack {self.stack!r} has no such queue: "
            f"--from {self.part}"
        )


def queue_url(sqs: SQSClient, queue: str) -> str:
    """Return the URL of a queue.

    Args:
        sqs: A boto3 client.
        queue: Its URL or ARN.
    """
    if not queue.startswith("arn:"):
        return queue
    account, name = queue.split(":")[4:6]
    return sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]


def describe_queue(aws: Aws, url: str) -> Queue:
    """Return the facts about a queue that are needed before receiving from it.

    Args:
        aws: The account and Region of the queue.
        url: The queue's URL.

    Raises:
        CommandError: The queue does not exist.
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up time

    sqs = aws.client("sqs")
    try:
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=_ATTRIBUTES)
    except ClientError as error:
        if not is_not_found(error):
            raise
        raise _unknown_queue(sqs, url) from None
    known = answer["Attributes"]
    limit = json.loads(known.get("RedrivePolicy") or "{}").get("maxReceiveCount")
    return Queue(
        url=url,
        arn=known["QueueArn"],
        visible=int(known.get("ApproximateNumberOfMessages", 0)),
        hidden=int(known.get("ApproximateNumberOfMessagesNotVisible", 0))
        + int(known.get("ApproximateNumberOfMessagesDelayed", 0)),
        max_receives=None if limit is None else int(limit),
        consumers=_consumers(aws, known["QueueArn"]),
    )


def _url_of(sqs: SQSClient, queue: str) -> str:
    """Return the URL of a queue that the operator named by its name, URL or ARN."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up time

    if queue.startswith(("https://", "http://")):
        return queue
    if queue.startswith("arn:"):
        _check_arn(sqs, queue)
    try:
        if queue.startswith("arn:"):
            return queue_url(sqs, queue)
        return sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    except ClientError as error:
        if not is_not_found(error):
            raise
        raise _unknown_queue(sqs, queue) from None


def _check_arn(sqs: SQSClient, arn: str) -> None:
    """Raise CommandError unless an ARN names a queue in the client's Region.

    In another Region, a queue of the same name may be somebody else's.
    """
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


def _unknown_queue(sqs: SQSClient, queue: str) -> CommandError:
    return CommandError(
        f"queue {queue!r} does not exist in {sqs.meta.region_name}: "
        "look at --queue, --region and --profile"
    )


def _consumers(aws: Aws, arn: str) -> tuple[str, ...]:
    from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up time

    client = aws.client("lambda")
    try:
        pages = client.get_paginator("list_event_source_mappings").paginate(EventSourceArn=arn)
        mappings = [mapping for page in pages for mapping in page["EventSourceMappings"]]
    except ClientError:
        # The names are only for a warning, and the operator may lack this permission.
        return ()
    return tuple(
        mapping.get("FunctionArn", "").partition(":function:")[2]
        for mapping in mappings
        if mapping.get("State", "Enabled") in _DRAINING_STATES
    )
