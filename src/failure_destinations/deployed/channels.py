"""Finds the failure channels of a deployed stack, without tags or outputs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from failure_destinations.errors import CommandError

from .session import Aws
from .stacks import DeployedStack

_SUBSCRIPTION = "QueueSubscription"
_COPY_QUEUE = "CopyQueue"


@dataclass(frozen=True)
class Channel:
    """A deployed `FailureChannel`.

    Attributes:
        path: The construct's path below its stack, such as `Failures`.
        subscription_arn: The subscription of its queue.
        topic_arn: Its topic.
        queue_url: Its queue.
        dead_letter_queue_url: Where SNS puts what it cannot deliver to the queue; None if nowhere.
        copy_queue_url: The queue that keeps a copy; None if there is none.
    """

    path: str
    subscription_arn: str
    topic_arn: str
    queue_url: str
    dead_letter_queue_url: str | None = None
    copy_queue_url: str | None = None


def find_channels(aws: Aws, stack: str) -> list[Channel]:
    """Return the failure channels that a stack defines.

    Each has a subscription of its queue under a name of its own. The template says of what; where
    that is in another stack, SNS does.

    Args:
        aws: Where the stack is.
        stack: Its name or id.

    Raises:
        CommandError: There is no such stack.
    """
    deployed = DeployedStack(aws, stack)
    paths = {id: deployed.path(id) for id in deployed.physical_ids}
    copies = {
        _above(path, _COPY_QUEUE): deployed.physical_ids[id]
        for id, path in paths.items()
        if deployed.types[id] == "AWS::SQS::Queue" and path.endswith(_COPY_QUEUE)
    }
    return [
        _channel(aws, deployed, id, _above(path, _SUBSCRIPTION), copies)
        for id, path in sorted(paths.items(), key=lambda item: item[1])
        if deployed.types[id] == "AWS::SNS::Subscription" and path.endswith(_SUBSCRIPTION)
    ]


def choose_channel(channels: Sequence[Channel], stack: str, path: str | None) -> Channel:
    """Return the one channel that is meant.

    Args:
        channels: Those of the stack.
        stack: The stack's name, for the error.
        path: The construct's path below the stack. Default: the only one.

    Raises:
        CommandError: There is none, or no such, or more than one to choose from.
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
        # Without the CLI's metadata, paths are known by their logical ids.
        if channel.path in (path, path.replace("/", "")):
            return channel
    raise CommandError(f"stack {stack!r} has no channel {path!r}: it has {names}")


def queue_url(sqs: Any, arn: str) -> str:
    """Return the URL of the queue with an ARN.

    Args:
        sqs: A boto3 client.
        arn: The ARN.
    """
    account, name = arn.split(":")[4:6]
    answer = sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)
    return str(answer["QueueUrl"])


def _channel(
    aws: Aws, stack: DeployedStack, id: str, path: str, copies: Mapping[str, str]
) -> Channel:
    subscription = stack.physical_ids[id]
    properties = stack.properties(id)
    topic = stack.resolve(properties.get("TopicArn"))
    queue = stack.resolve(properties.get("Endpoint"))
    redrive = properties.get("RedrivePolicy") or {}
    dead_letters = stack.resolve(redrive.get("deadLetterTargetArn"))
    if topic is None or queue is None or (redrive and dead_letters is None):
        topic, queue, dead_letters = _told_by_sns(aws.client("sns"), subscription)
    return Channel(
        path=path,
        subscription_arn=subscription,
        topic_arn=topic,
        queue_url=_url(aws, queue),
        dead_letter_queue_url=_url(aws, dead_letters) if dead_letters else None,
        copy_queue_url=copies.get(path),
    )


def _told_by_sns(sns: Any, subscription: str) -> tuple[str, str, str | None]:
    """Return the ARNs of a subscription's topic, queue and dead-letter queue."""
    topic = subscription.rpartition(":")[0]
    attributes = sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]
    endpoint = attributes.get("Endpoint")
    if endpoint is None:
        # Not every emulator tells.
        pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
        endpoint = next(
            known["Endpoint"]
            for page in pages
            for known in page["Subscriptions"]
            if known["SubscriptionArn"] == subscription
        )
    redrive = json.loads(attributes.get("RedrivePolicy") or "{}")
    return topic, endpoint, redrive.get("deadLetterTargetArn")


def _url(aws: Aws, queue: str) -> str:
    """Return a queue's URL, which is also its physical id in CloudFormation."""
    return queue_url(aws.client("sqs"), queue) if queue.startswith("arn:") else queue


def _above(path: str, name: str) -> str:
    return path.removesuffix(name).removesuffix("/")
