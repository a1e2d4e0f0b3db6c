"""Every failure channel of an account and Region, with the numbers of messages in its queues."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from failure_destinations.names import QUEUE_SUBSCRIPTION
from failure_destinations.progress import NO_PROGRESS, Progress

from .aws_errors import NO_SUCH_STACK, error_code, is_access_denied, is_not_found
from .channels import Channel, find_channels
from .queues import queue_url
from .session import Aws
from .stacks import DeployedStack

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.literals import StackStatusType
    from mypy_boto3_sqs import SQSClient

# CloudFormation throttles more.
_THREADS = 4
_GONE = ("DELETE_COMPLETE", "CREATE_IN_PROGRESS", "REVIEW_IN_PROGRESS", "CREATE_FAILED")


@dataclass(frozen=True)
class Counts:
    """The approximate numbers of messages in a queue.

    Attributes:
        visible: Those that can be received now.
        hidden: Those that other consumers have, or that are delayed.
    """

    visible: int
    hidden: int


@dataclass(frozen=True)
class CountedChannel:
    """A failure channel, and the numbers of messages in its queues.

    Attributes:
        stack: The stack's name.
        channel: The channel.
        main: Its queue; None if its messages cannot be counted.
        dead_letter: Its dead-letter queue; None if it has none, or they cannot be counted.
        copies: Its copy queue; the same.
        parked: The parked queue of its replayer; the same.
        source_queues: All its dead-letter queues of SQS event sources; the same.
    """

    stack: str
    channel: Channel
    main: Counts | None
    dead_letter: Counts | None
    copies: Counts | None
    parked: Counts | None
    source_queues: Counts | None = None


def count_channels(aws: Aws, progress: Progress = NO_PROGRESS) -> list[CountedChannel]:
    """Return every channel of the account and Region, in the order of stack and path.

    Args:
        aws: The account and Region.
        progress: Gets the number of stacks that were looked at.
    """
    client = aws.client("cloudformation", connections=_THREADS)
    roots = _roots(client)
    progress.start("looking at stacks", len(roots))
    found = set()
    with ThreadPoolExecutor(_THREADS) as pool:
        answers = pool.map(lambda name: _may_have_channel(client, name), roots)
        for root, has in zip(roots.values(), answers, strict=True):
            progress.advance()
            if has:
                found.add(root)
    sqs = aws.client("sqs")
    return [counted for name in sorted(found) for counted in _counted(aws, sqs, name)]


def _roots(client: CloudFormationClient) -> dict[str, str]:
    """Return the name of each stack's root stack, by its own name."""
    # Every state but those in which a stack has nothing.
    shape: Any = client.meta.service_model.shape_for("StackStatus")
    states: list[StackStatusType] = [state for state in shape.enum if state not in _GONE]
    pages = client.get_paginator("list_stacks").paginate(StackStatusFilter=states)
    return {
        stack["StackName"]: _name(stack["RootId"]) if stack.get("RootId") else stack["StackName"]
        for page in pages
        for stack in page["StackSummaries"]
    }


def _name(stack_id: str) -> str:
    # arn:aws:cloudformation:region:account:stack/name/uuid
    return stack_id.split("/")[1]


def _may_have_channel(client: CloudFormationClient, stack: str) -> bool:
    """Return whether a stack has a resource whose logical id is like a channel's subscription's."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up time

    try:
        pages = client.get_paginator("list_stack_resources").paginate(StackName=stack)
        return any(
            resource["ResourceType"] == "AWS::SNS::Subscription"
            and QUEUE_SUBSCRIPTION in resource["LogicalResourceId"]
            for page in pages
            for resource in page["StackResourceSummaries"]
        )
    except ClientError as error:
        if error_code(error) != NO_SUCH_STACK:
            raise
        # Somebody has deleted it meanwhile.
        return False


def _counted(aws: Aws, sqs: SQSClient, name: str) -> Iterator[CountedChannel]:
    stack = DeployedStack(aws, name)
    for channel in find_channels(aws, stack):
        yield CountedChannel(
            stack=name,
            channel=channel,
            main=_count(sqs, channel.queue),
            dead_letter=_count(sqs, channel.dead_letter_queue),
            copies=_count(sqs, channel.copy_queue),
            parked=_count(sqs, channel.parked_queue),
            source_queues=count_source_queues(sqs, channel),
        )


def count_source_queues(sqs: SQSClient, channel: Channel) -> Counts | None:
    """Return the numbers of messages in a channel's dead-letter queues of SQS event sources.

    Args:
        sqs: A boto3 client.
        channel: The channel.

    Returns:
        The sums; None if it has no such queue, or one of them cannot be counted.
    """
    counted = [_count(sqs, queue) for queue in channel.source_dead_letter_queues]
    known = [counts for counts in counted if counts is not None]
    if not known or len(known) < len(counted):
        return None
    return Counts(sum(one.visible for one in known), sum(one.hidden for one in known))


def _count(sqs: SQSClient, queue: str | None) -> Counts | None:
    from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up time

    if queue is None:
        return None
    try:
        answer = sqs.get_queue_attributes(
            QueueUrl=queue_url(sqs, queue),
            AttributeNames=[
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesDelayed",
                "ApproximateNumberOfMessagesNotVisible",
            ],
        )
    except ClientError as error:
        if is_not_found(error) or is_access_denied(error):
            return None
        raise
    known = answer["Attributes"]
    return Counts(
        visible=int(known.get("ApproximateNumberOfMessages", 0)),
        hidden=int(known.get("ApproximateNumberOfMessagesNotVisible", 0))
        + int(known.get("ApproximateNumberOfMessagesDelayed", 0)),
    )
