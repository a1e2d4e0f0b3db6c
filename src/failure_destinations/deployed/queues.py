"""The queue that the operator names, and the facts needed before receiving from it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from failure_destinations.errors import CommandError
from failure_destinations.text import plural

from .aws_errors import is_not_found
from .channels import Channel, choose_channel, find_channels
from .session import Aws
from .stacks import DeployedStack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeFilterType, QueueAttributeNameType

Part = Literal["main", "dead-letter", "copies", "parked", "source-queues"]
"""A queue of a channel: `main` is the channel's own, `copies` the copy queue, `parked` the queue of
its replayer, `source-queues` all dead-letter queues of SQS queues that are event sources."""

_HIDDEN: Sequence[QueueAttributeFilterType] = [
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
]
_ATTRIBUTES: Sequence[QueueAttributeFilterType] = [
    "QueueArn",
    "ApproximateNumberOfMessages",
    *_HIDDEN,
    "MessageRetentionPeriod",
    "RedrivePolicy",
]
_WHICH = (
    "which queue? name it with --stack NAME or --queue NAME; `failure-destinations list` shows all"
)
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
        attached: The names of the functions that drain it or are only switched off.
        retention: How long after it was sent SQS deletes a message; None if it is not known.
        parts: For several queues that are looked at together, each of them; then the ARN ends in
            all their names, and the numbers are sums. Empty for one queue.
    """

    url: str
    arn: str
    visible: int
    hidden: int
    max_receives: int | None
    consumers: tuple[str, ...]
    retention: timedelta | None = None
    attached: tuple[str, ...] = ()
    parts: tuple[Queue, ...] = ()

    @property
    def has_fifo(self) -> bool:
        """Whether it is a FIFO queue, or one of several is."""
        return any(one.arn.endswith(".fifo") for one in self.parts or (self,))

    @property
    def name(self) -> str:
        """Its name."""
        return self.arn.rpartition(":")[2]

    def missing(self, received: int) -> int:
        """Return about how many of its messages were not received.

        Args:
            received: The number of messages that were received from it since its facts were read.
        """
        return max(0, self.visible + self.hidden - received)


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

    @property
    def names_nothing(self) -> bool:
        """Whether the operator gave no option that names a queue."""
        return not self.given and self.channel is None and self.part == "main"

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
            raise CommandError(_WHICH)
        return joined([describe_queue(aws, url) for url in self._urls_in(aws, channel)])

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
                raise CommandError(_WHICH)
        elif self.stack is not None or self.channel is not None:
            raise CommandError("--queue names the queue: leave out --stack and --channel")
        elif self.part not in ("main", "source-queues"):
            raise CommandError("--from chooses a queue of a channel: leave it out with --queue")

    def _urls_in(self, aws: Aws, channel: Channel) -> list[str]:
        queues: Mapping[Part, Sequence[str | None]] = {
            "main": [channel.queue],
            "dead-letter": [channel.dead_letter_queue],
            "copies": [channel.copy_queue],
            "parked": [channel.parked_queue],
            "source-queues": channel.source_dead_letter_queues,
        }
        sqs = aws.client("sqs")
        urls = [queue_url(sqs, queue) for queue in queues[self.part] if queue is not None]
        if urls:
            return urls
        if self.part == "main":
            raise CommandError(
                f"another stack defines the queue of channel {channel.path!r}: name it with "
                "--queue, or allow sns:GetSubscriptionAttributes"
            )
        if self.part == "source-queues":
            raise CommandError(
                f"channel {channel.path!r} of stack {self.stack!r} has no dead-letter queue of an "
                "event source: define one with channel.dead_letter_queue_for(queue), or name any "
                "other with --queue"
            )
        raise CommandError(
            f"channel {channel.path!r} of stack {self.stack!r} has no such queue: "
            f"--from {self.part}"
        )


def joined(queues: Sequence[Queue]) -> Queue:
    """Return several queues of one account and Region as one, whose numbers are sums.

    Args:
        queues: The queues, at least one. A single one is returned as it is.
    """
    if len(queues) == 1:
        return queues[0]
    place = queues[0].arn.rpartition(":")[0]
    limits = [queue.max_receives for queue in queues if queue.max_receives is not None]
    return Queue(
        url="",
        arn=f"{place}:{', '.join(queue.name for queue in queues)}",
        visible=sum(queue.visible for queue in queues),
        hidden=sum(queue.hidden for queue in queues),
        max_receives=min(limits, default=None),
        consumers=tuple(dict.fromkeys(name for queue in queues for name in queue.consumers)),
        attached=tuple(dict.fromkeys(name for queue in queues for name in queue.attached)),
        parts=tuple(queues),
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
    retention = known.get("MessageRetentionPeriod")
    states = _event_sources(aws, known["QueueArn"])
    return Queue(
        url=url,
        arn=known["QueueArn"],
        visible=int(known.get("ApproximateNumberOfMessages", 0)),
        hidden=_hidden(known),
        max_receives=None if limit is None else int(limit),
        consumers=tuple(name for name, state in states if state in _DRAINING_STATES),
        retention=None if retention is None else timedelta(seconds=int(retention)),
        attached=tuple(name for name, state in states if state != "Deleting"),
    )


def count_hidden(sqs: SQSClient, url: str) -> int:
    """Return about how many messages of a queue cannot be received now.

    Args:
        sqs: A boto3 client.
        url: The queue's URL.
    """
    return _hidden(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=_HIDDEN)["Attributes"])


def count_messages(sqs: SQSClient, url: str) -> int:
    """Return about how many messages a queue has, those included that cannot be received now.

    Args:
        sqs: A boto3 client.
        url: The queue's URL.
    """
    answer = sqs.get_queue_attributes(
        QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages", *_HIDDEN]
    )
    known = answer["Attributes"]
    return int(known.get("ApproximateNumberOfMessages", 0)) + _hidden(known)


def _hidden(attributes: Mapping[QueueAttributeNameType, str]) -> int:
    delayed = attributes.get("ApproximateNumberOfMessagesDelayed", 0)
    return int(delayed) + int(attributes.get("ApproximateNumberOfMessagesNotVisible", 0))


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


def _event_sources(aws: Aws, arn: str) -> list[tuple[str, str]]:
    """Return name and state of each function to which Lambda sends a queue's messages."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up time

    client = aws.client("lambda")
    try:
        pages = client.get_paginator("list_event_source_mappings").paginate(EventSourceArn=arn)
        mappings = [mapping for page in pages for mapping in page["EventSourceMappings"]]
    except ClientError:
        # The names are only for a warning, and the operator may lack this permission.
        return []
    return [
        (mapping.get("FunctionArn", "").partition(":function:")[2], mapping.get("State", "Enabled"))
        for mapping in mappings
    ]
