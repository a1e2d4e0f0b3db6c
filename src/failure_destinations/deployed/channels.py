"""The failure channels of a deployed stack, found without tags or outputs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from failure_destinations.errors import CommandError
from failure_destinations.names import (
    BATCH_BUCKET,
    COPY_QUEUE,
    EVENT_SOURCE,
    EVENT_SOURCE_FAILURES,
    PARKED_QUEUE,
    QUEUE_SUBSCRIPTION,
    SOURCE_DEAD_LETTER_PREFIX,
)

from .aws_errors import is_access_denied
from .location import Location
from .session import Aws
from .stacks import DeployedStack

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


@dataclass(frozen=True)
class Channel:
    """A deployed `FailureChannel`.

    A queue is given by its URL if the stack defines it, by its ARN if another stack does.

    Attributes:
        path: The construct's path below its stack, such as `Failures`.
        subscription_id: The logical id of its queue's subscription.
        subscription_arn: The ARN of that subscription.
        topic_arn: The ARN of its topic.
        queue: Its queue; None if another stack defines it and SNS does not say which one it is.
        dead_letter_queue: The queue for messages that SNS cannot deliver; None if there is none.
        copy_queue: The queue that keeps a copy of each event; None if there is none.
        parked_queue: The queue with the events that its replayer gave up on; None if the stack
            defines no replayer of the channel.
        source_dead_letter_queues: The dead-letter queues that it defines for SQS queues that are
            event sources, in the order of their paths.
        batch_bucket: The name of the bucket that keeps failed batches of event sources with their
            records; None if there is none.
    """

    path: str
    subscription_id: str
    subscription_arn: str
    topic_arn: str
    queue: str | None
    dead_letter_queue: str | None = None
    copy_queue: str | None = None
    parked_queue: str | None = None
    source_dead_letter_queues: tuple[str, ...] = ()
    batch_bucket: str | None = None

    @property
    def copy_queue_arn(self) -> str | None:
        """The ARN of its copy queue; None if there is none."""
        return self._arn(self.copy_queue)

    @property
    def failure_destinations(self) -> frozenset[str]:
        """The ARNs that an event source mapping of the channel has as its failure destination.

        https://docs.aws.amazon.com/lambda/latest/api/API_OnFailure.html
        """
        partition = Location.of(self.topic_arn).partition
        bucket = self.batch_bucket and f"arn:{partition}:s3:::{self.batch_bucket}"
        return frozenset(filter(None, (bucket, self.topic_arn, self._arn(self.queue))))

    @property
    def dead_letter_queue_arn(self) -> str | None:
        """The ARN of its dead-letter queue; None if there is none."""
        return self._arn(self.dead_letter_queue)

    def is_queue(self, queue: str) -> bool:
        """Return whether a URL or an ARN is that of its queue."""
        return self.queue is not None and self._arn(queue) == self._arn(self.queue)

    def _arn(self, queue: str | None) -> str | None:
        if queue is None or queue.startswith("arn:"):
            return queue
        return Location.of(self.topic_arn).queue_arn(queue)


def declared_channels(stack: DeployedStack) -> list[Channel]:
    """Return the failure channels of a stack, as far as its template shows them.

    Each channel's queue subscription has a fixed construct id.

    Args:
        stack: The stack.
    """
    return [
        _declared(stack, id)
        for id in stack.of_type("AWS::SNS::Subscription")
        if stack.path(id).endswith(QUEUE_SUBSCRIPTION)
    ]


def find_channels(aws: Aws, stack: DeployedStack) -> list[Channel]:
    """Return the failure channels of a stack, and of the stacks nested in it.

    Queues that another stack defines are read from SNS. `queue` stays None if the caller may not
    read the channel's subscription.

    Args:
        aws: The account and Region of the stack.
        stack: The stack.
    """
    stacks = list(stack.with_nested())
    found = [
        _with_endpoints(aws.client("sns"), channel) if _lacks_endpoints(each, channel) else channel
        for each in stacks
        for channel in declared_channels(each)
    ]
    return [
        dataclasses.replace(channel, parked_queue=_parked_queue(stacks, channel))
        for channel in found
    ]


def choose_channel(channels: Sequence[Channel], stack: str, path: str | None) -> Channel:
    """Return the channel that the operator names.

    Args:
        channels: The channels of the stack.
        stack: The stack's name, for the error.
        path: The construct's path below the stack. Default: the only channel.

    Raises:
        CommandError: The stack has no channel, lacks this one, or has several to choose from.
    """
    if not channels:
        raise CommandError(
            f"stack {stack!r} has no failure channel: name another with --stack, or the queue "
            "with --queue"
        )
    names = ", ".join(channel.path for channel in channels)
    if path is None:
        if len(channels) > 1:
            raise CommandError(
                f"stack {stack!r} has several channels: choose one with --channel: {names}"
            )
        return channels[0]
    for channel in channels:
        if is_path_of(channel, path):
            return channel
    raise CommandError(f"stack {stack!r} has no channel {path!r}: it has {names}")


def is_path_of(channel: Channel, path: str) -> bool:
    """Return whether the operator's construct path names a channel.

    Args:
        channel: The channel.
        path: The construct's path below the stack, with slashes.
    """
    # Without the CDK CLI's metadata, the channel's own path has no slashes.
    return channel.path in (path, path.replace("/", ""))


def _declared(stack: DeployedStack, id: str) -> Channel:
    path = stack.path(id).removesuffix(QUEUE_SUBSCRIPTION).removesuffix("/")
    subscription = stack.physical_ids[id]
    properties = stack.properties(id)
    redrive = properties.get("RedrivePolicy") or {}
    return Channel(
        path=path,
        subscription_id=id,
        subscription_arn=subscription,
        # A subscription's ARN begins with its topic's ARN.
        topic_arn=stack.resolve(properties.get("TopicArn")) or subscription.rpartition(":")[0],
        queue=stack.resolve(properties.get("Endpoint")),
        dead_letter_queue=stack.resolve(redrive.get("deadLetterTargetArn")),
        copy_queue=stack.sibling(path, COPY_QUEUE, "AWS::SQS::Queue"),
        source_dead_letter_queues=_source_dead_letter_queues(stack, path),
        batch_bucket=_batch_bucket(stack, path),
    )


def _source_dead_letter_queues(stack: DeployedStack, channel: str) -> tuple[str, ...]:
    # Without the CDK CLI's metadata, a path is made of logical ids, which have no dashes.
    begins = (
        f"{channel}/{SOURCE_DEAD_LETTER_PREFIX}",
        f"{channel}{SOURCE_DEAD_LETTER_PREFIX.replace('-', '')}",
    )
    return tuple(
        stack.physical_ids[id]
        for id in stack.of_type("AWS::SQS::Queue")
        if stack.path(id).startswith(begins)
    )


def _batch_bucket(stack: DeployedStack, path: str) -> str | None:
    # Without the CDK CLI's metadata, paths have no slashes.
    around = (f"{path}/{EVENT_SOURCE_FAILURES}", f"{path}{EVENT_SOURCE_FAILURES}")
    found = (stack.sibling(each, BATCH_BUCKET, "AWS::S3::Bucket") for each in around)
    return next(filter(None, found), None)


def _parked_queue(stacks: Sequence[DeployedStack], channel: Channel) -> str | None:
    """Return the parked queue of the replayer that drains a channel's queue; None if not here."""
    for stack in stacks:
        for id in stack.of_type("AWS::Lambda::EventSourceMapping"):
            replayer = stack.path(id).removesuffix(EVENT_SOURCE).removesuffix("/")
            parked = stack.sibling(replayer, PARKED_QUEUE, "AWS::SQS::Queue")
            source = stack.resolve(stack.properties(id).get("EventSourceArn"))
            if parked is not None and source is not None and channel.is_queue(source):
                return parked
    return None


def _lacks_endpoints(stack: DeployedStack, channel: Channel) -> bool:
    properties = stack.properties(channel.subscription_id)
    has_dead_letters = bool(properties.get("RedrivePolicy"))
    return channel.queue is None or (has_dead_letters and channel.dead_letter_queue is None)


def _with_endpoints(sns: SNSClient, channel: Channel) -> Channel:
    """Return a channel with the queues that its subscription names filled in."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up time

    arn = channel.subscription_arn
    try:
        attributes = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
        # Not every emulator returns the endpoint here.
        endpoint = attributes.get("Endpoint") or _listed_endpoint(sns, channel)
    except ClientError as error:
        if not is_access_denied(error):
            raise
        return channel
    redrive = json.loads(attributes.get("RedrivePolicy") or "{}")
    return dataclasses.replace(
        channel,
        queue=channel.queue or endpoint,
        dead_letter_queue=channel.dead_letter_queue or redrive.get("deadLetterTargetArn"),
    )


def _listed_endpoint(sns: SNSClient, channel: Channel) -> str | None:
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=channel.topic_arn)
    listed = (
        subscription.get("Endpoint")
        for page in pages
        for subscription in page["Subscriptions"]
        if subscription.get("SubscriptionArn") == channel.subscription_arn
    )
    return next(listed, None)
