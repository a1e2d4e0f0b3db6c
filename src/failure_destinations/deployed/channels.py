"""The failure channels of a deployed stack, found without tags or outputs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from failure_destinations.errors import CommandError
from failure_destinations.names import COPY_QUEUE, QUEUE_SUBSCRIPTION

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
    """

    path: str
    subscription_id: str
    subscription_arn: str
    topic_arn: str
    queue: str | None
    dead_letter_queue: str | None = None
    copy_queue: str | None = None

    @property
    def copy_queue_arn(self) -> str | None:
        """The ARN of its copy queue; None if there is none."""
        queue = self.copy_queue
        return None if queue is None else Location.of(self.topic_arn).queue_arn(queue)


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
    """Return the failure channels of a stack.

    Queues that another stack defines are read from SNS. `queue` stays None if the caller may not
    read the channel's subscription.

    Args:
        aws: The account and Region of the stack.
        stack: The stack.
    """
    return [
        _with_endpoints(aws.client("sns"), channel) if _lacks_endpoints(stack, channel) else channel
        for channel in declared_channels(stack)
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
    )


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
