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
        topic_arn: Its topic.
        queue_url: Its queue.
        dead_letter_queue_url: Where SNS puts what it cannot deliver to the queue; None if nowhere.
        copy_queue_url: The queue that keeps a copy; None if there is none.
    """

    path: str
    topic_arn: str
    queue_url: str
    dead_letter_queue_url: str | None = None
    copy_queue_url: str | None = None


def find_channels(aws: Aws, stack: str) -> list[Channel]:
    """Return the failure channels that a stack defines.

    Each has a subscription of its queue under a name of its own; SNS knows the rest.

    Args:
        aws: Where the stack is.
        stack: Its name or id.

    Raises:
        CommandError: There is no such stack.
    """
    client = aws.client("cloudformation")
    resources = _resources(client, stack)
    paths = _paths(client, stack)
    found = [
        (paths.get(id) or _HASH.sub("", id), resource)
        for id, resource in resources.items()
        if resource["ResourceType"] in ("AWS::SNS::Subscription", "AWS::SQS::Queue")
    ]
    copies = {
        _above(path, _COPY_QUEUE): resource["PhysicalResourceId"]
        for path, resource in found
        if resource["ResourceType"] == "AWS::SQS::Queue" and path.endswith(_COPY_QUEUE)
    }
    return [
        _channel(aws, _above(path, _SUBSCRIPTION), resource["PhysicalResourceId"], copies)
        for path, resource in sorted(found, key=lambda pair: pair[0])
        if resource["ResourceType"] == "AWS::SNS::Subscription" and path.endswith(_SUBSCRIPTION)
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


def _channel(aws: Aws, path: str, subscription: str, copies: Mapping[str, str]) -> Channel:
    attributes = aws.client("sns").get_subscription_attributes(SubscriptionArn=subscription)
    known = attributes["Attributes"]
    sqs = aws.client("sqs")
    redrive = json.loads(known.get("RedrivePolicy") or "{}")
    dead_letters = redrive.get("deadLetterTargetArn")
    return Channel(
        path=path,
        topic_arn=known["TopicArn"],
        queue_url=queue_url(sqs, known["Endpoint"]),
        dead_letter_queue_url=queue_url(sqs, dead_letters) if dead_letters else None,
        copy_queue_url=copies.get(path),
    )


def _resources(client: Any, stack: str) -> dict[str, Mapping[str, str]]:
    from botocore.exceptions import ClientError  # noqa: PLC0415

    try:
        pages = list(client.get_paginator("list_stack_resources").paginate(StackName=stack))
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            region = client.meta.region_name
            raise CommandError(
                f"there is no stack {stack!r} in {region}: look at --stack, --region and --profile"
            ) from None
        raise
    return {
        resource["LogicalResourceId"]: resource
        for page in pages
        for resource in page["StackResourceSummaries"]
        if resource.get("PhysicalResourceId")
    }


def _paths(client: Any, stack: str) -> dict[str, str]:
    """Return the paths below the stack that the CDK CLI noted, by logical id."""
    template = client.get_template(StackName=stack)["TemplateBody"]
    if isinstance(template, str):
        try:
            template = json.loads(template)
        except ValueError:
            # YAML, so not of the CDK; its logical ids have to do.
            return {}
    name = stack.rpartition(":stack/")[2].partition("/")[0]
    noted = {
        id: str(resource.get("Metadata", {}).get("aws:cdk:path", ""))
        for id, resource in template.get("Resources", {}).items()
    }
    return {id: _below(path, name) for id, path in noted.items() if path}


def _below(path: str, stack: str) -> str:
    """Return a path without that of the stack, which may itself be in a stage."""
    parts = path.split("/")
    above = next((i for i in range(1, len(parts)) if "-".join(parts[:i]) == stack), 1)
    return "/".join(parts[above:]).removesuffix("/Resource")


def _above(path: str, name: str) -> str:
    return path.removesuffix(name).removesuffix("/")
