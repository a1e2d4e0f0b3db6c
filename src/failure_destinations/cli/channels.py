"""Finds the failure channels of a deployed stack, without tags or outputs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .aws import Aws
from .errors import CommandError

_SUBSCRIPTION = "QueueSubscription"
_COPY_QUEUE = "CopyQueue"
_HASH = re.compile(r"[0-9A-F]{8}$")


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
    deployed = _Stack(aws, stack)
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


def _channel(aws: Aws, stack: _Stack, id: str, path: str, copies: Mapping[str, str]) -> Channel:
    subscription = stack.physical_ids[id]
    properties = stack.template.get(id, {}).get("Properties", {})
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


class _Stack:
    """A deployed stack: its resources by logical id."""

    def __init__(self, aws: Aws, name: str) -> None:
        from botocore.exceptions import ClientError  # noqa: PLC0415

        client = aws.client("cloudformation")
        try:
            pages = list(client.get_paginator("list_stack_resources").paginate(StackName=name))
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationError":
                raise
            raise CommandError(
                f"there is no stack {name!r} in {client.meta.region_name}: "
                "look at --stack, --region and --profile"
            ) from None
        resources = [
            resource
            for page in pages
            for resource in page["StackResourceSummaries"]
            if resource.get("PhysicalResourceId")
        ]
        self._name = name.rpartition(":stack/")[2].partition("/")[0]
        self.physical_ids = {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in resources}
        self.types = {r["LogicalResourceId"]: r["ResourceType"] for r in resources}
        self.template = _resources(client.get_template(StackName=name)["TemplateBody"])

    def path(self, id: str) -> str:
        """Return the construct's path below the stack; without the CLI's note, about that."""
        noted = str(self.template.get(id, {}).get("Metadata", {}).get("aws:cdk:path", ""))
        return _below(noted, self._name) if noted else _HASH.sub("", id)

    def resolve(self, value: Any) -> str | None:
        """Return the physical id that a property refers to; None if it is not of this stack."""
        if isinstance(value, str):
            return value
        if not isinstance(value, Mapping):
            return None
        id = value.get("Ref") or (value.get("Fn::GetAtt") or [None])[0]
        return self.physical_ids.get(id)


def _resources(template: Any) -> dict[str, Any]:
    if isinstance(template, str):
        try:
            template = json.loads(template)
        except ValueError:
            # YAML, so not of the CDK; logical ids have to do.
            return {}
    resources: dict[str, Any] = template.get("Resources", {})
    return resources


def _below(path: str, stack: str) -> str:
    """Return a path without that of the stack, which may itself be in a stage."""
    parts = path.split("/")
    above = next((i for i in range(1, len(parts)) if "-".join(parts[:i]) == stack), 1)
    return "/".join(parts[above:]).removesuffix("/Resource")


def _above(path: str, name: str) -> str:
    return path.removesuffix(name).removesuffix("/")
