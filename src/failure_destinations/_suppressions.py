"""What policy checkers hold against this library's resources and is right as it is, with reasons.

cdk-nag reads what a construct acknowledges, checkov the metadata of a resource. Both are written
here, so that nobody has to in an app; docs/policy-checkers.md lists them all. For a channel they
are written when the app is synthesised, and not when the channel is defined: they take more calls
to Node than its queues do, and templates alone need them.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, cast

import jsii
from aws_cdk import Acknowledgment, Aspects, CfnResource, IAspect, Stack, Validations
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct, IConstruct


class Suppression(NamedTuple):
    """One rule of a checker that does not hold for one kind of resource."""

    checker: str
    rule: str
    resource: str
    reason: str
    link: str

    @property
    def text(self) -> str:
        """The reason, and where AWS says so, as checkers report it."""
        return f"{self.reason} {self.link}"


_RECEIVES = (
    "Events stay here until they are replayed or their retention ends. A redrive policy would move "
    "those that an operator has looked at a few times, since each look is a receive."
)
_RECEIVES_LINK = (
    "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/"
    "sqs-dead-letter-queues.html"
)
_QUEUES = "the queues of a channel"

QUEUE_HAS_NO_DLQ = Suppression(
    "cdk-nag", "AwsSolutions-SQS3", _QUEUES, _RECEIVES, _RECEIVES_LINK
)  # fmt: skip
QUEUE_HAS_NO_REDRIVE = Suppression(
    "cdk-nag", "Serverless-SQSRedrivePolicy", _QUEUES, _RECEIVES, _RECEIVES_LINK
)
ALARM_MAIL_HAS_NO_DLQ = Suppression(
    "cdk-nag",
    "Serverless-SNSRedrivePolicy",
    "the mailboxes of a monitoring's alarm topic",
    "The dead-letter queue of the channel is for events that can be replayed. A mail about an "
    "alarm is none, and the alarm's state stays in CloudWatch.",
    "https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html",
)
DATA_KEYS = Suppression(
    "cdk-nag",
    "AwsSolutions-IAM5[Action::kms:GenerateDataKey*]",
    "the role of a handler whose channel has an `encryption_key`, or an encrypted topic",
    "SNS asks a publisher for this action by this name, and the statement names the one key.",
    "https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html",
)
QUEUE_HAS_NO_KEY = Suppression(
    "checkov",
    "CKV_AWS_27",
    "the queues of a channel without an `encryption_key`",
    "The queue is encrypted, with a key that SQS manages; the rule knows KMS keys only. "
    "Pass encryption_key for one of your own.",
    "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/"
    "sqs-configure-sqs-sse-queue.html",
)
TOPIC_HAS_NO_KEY = Suppression(
    "checkov",
    "CKV_AWS_26",
    "the topic of a channel without an `encryption_key`, and its monitoring's alarm topic",
    "SNS keeps a message only until it is delivered. Services such as CloudWatch cannot publish "
    "with the key that AWS manages; pass encryption_key for one of your own.",
    "https://docs.aws.amazon.com/sns/latest/dg/sns-server-side-encryption.html",
)

SUPPRESSIONS = (
    QUEUE_HAS_NO_DLQ,
    QUEUE_HAS_NO_REDRIVE,
    ALARM_MAIL_HAS_NO_DLQ,
    DATA_KEYS,
    QUEUE_HAS_NO_KEY,
    TOPIC_HAS_NO_KEY,
)


def acknowledge(construct: Any, *suppressions: Suppression) -> None:
    """Tell cdk-nag why a construct, with everything in it, is right as it is."""
    Validations.of(construct).acknowledge(
        *(Acknowledgment(id=each.rule, reason=each.text) for each in suppressions)
    )


def skip(construct: Any, suppression: Suppression) -> None:
    """Tell checkov why the resource of an L2 construct is right as it is."""
    resource = cast(CfnResource, construct.node.default_child)
    resource.add_metadata(
        "checkov", {"skip": [{"id": suppression.rule, "comment": suppression.text}]}
    )


def suppress_for_channel(
    channel: Construct,
    stack: Stack,
    *,
    queues: Iterable[sqs.IQueue],
    topic: sns.ITopic | None,
    encrypted: bool,
) -> None:
    """Write at synthesis what a channel's resources are to be excused for.

    Args:
        channel: The channel: no queue but its own is in it.
        stack: The stack that it is in.
        queues: The queues that it defines.
        topic: The topic that it defines, if it does.
        encrypted: Whether they have a KMS key.
    """
    pending = _PENDING.get(stack)
    if pending is None:
        pending = _PENDING[stack] = _AtSynthesis()
        # An aspect is called back for each construct below: here is none.
        Aspects.of(Construct(channel, "Suppressions")).add(cast(IAspect, pending))
    unencrypted = _Unencrypted((), None) if encrypted else _Unencrypted(tuple(queues), topic)
    pending.channels.append((channel, unencrypted))


class _Unencrypted(NamedTuple):
    """What a channel without a key defines."""

    queues: Sequence[sqs.IQueue]
    topic: sns.ITopic | None


@jsii.implements(IAspect)
class _AtSynthesis:
    """Writes the suppressions of all channels of a stack, once."""

    def __init__(self) -> None:
        self.channels: list[tuple[Construct, _Unencrypted]] = []

    def visit(self, node: IConstruct) -> None:  # noqa: ARG002 - the interface of an aspect
        while self.channels:
            channel, unencrypted = self.channels.pop()
            acknowledge(channel, QUEUE_HAS_NO_DLQ, QUEUE_HAS_NO_REDRIVE)
            for queue in unencrypted.queues:
                skip(queue, QUEUE_HAS_NO_KEY)
            if unencrypted.topic is not None:
                skip(unencrypted.topic, TOPIC_HAS_NO_KEY)


_PENDING: weakref.WeakKeyDictionary[Stack, _AtSynthesis] = weakref.WeakKeyDictionary()
