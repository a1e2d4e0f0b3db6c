"""Findings of policy checkers about this library's resources that we accept, with reasons.

cdk-nag reads a construct's acknowledgements; checkov and cfn-lint read a resource's metadata. The
library writes both, so that apps need not; docs/policy-checkers.md lists them. A channel's are
written at synthesis rather than at definition: they take more calls to Node than its queues do, and
only templates need them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, cast

from aws_cdk import Acknowledgment, CfnResource, Validations
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct


class Suppression(NamedTuple):
    """One rule of a checker that does not apply to one kind of resource."""

    checker: str
    rule: str
    resource: str
    reason: str
    link: str

    @property
    def text(self) -> str:
        """The reason and its AWS documentation, as checkers report it."""
        return f"{self.reason} {self.link}"


_RECEIVES = (
    "Events stay here until they are replayed or their retention ends. A redrive policy would move "
    "those that an operator has viewed a few times, since each view is a receive."
)
_RECEIVES_LINK = (
    "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/"
    "sqs-dead-letter-queues.html"
)
_QUEUES = "the queues of a channel, and the parked queue of its replayer"
_REPLAYER = "the function of a replayer"
_SQS_WAITS = (
    "Its event source waits for its answer, and failed messages stay in the queue: dead-letter "
    "queues of functions are for asynchronous events."
)
_SQS_WAITS_LINK = "https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html"

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
    "The dead-letter queue of the channel is for events that can be replayed. An e-mail about an "
    "alarm cannot be replayed, and the alarm's state stays in CloudWatch.",
    "https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html",
)
DATA_KEYS = Suppression(
    "cdk-nag",
    "AwsSolutions-IAM5[Action::kms:GenerateDataKey*]",
    "the roles of a handler, a schedule and a replayer whose channel has an `encryption_key`, or "
    "an encrypted topic",
    "SNS asks a publisher for this action by this name, and the statement names the one key.",
    "https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html",
)
QUEUE_HAS_NO_KEY = Suppression(
    "checkov",
    "CKV_AWS_27",
    "the queues of a channel without an `encryption_key`, and its replayer's parked queue",
    "The queue is encrypted with a key that SQS manages, but the rule accepts only KMS keys. Pass "
    "encryption_key to use your own key.",
    "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/"
    "sqs-configure-sqs-sse-queue.html",
)
TOPIC_HAS_NO_KEY = Suppression(
    "checkov",
    "CKV_AWS_26",
    "the topic of a channel without an `encryption_key`, and its monitoring's alarm topic",
    "SNS keeps a message only until it is delivered. Services such as CloudWatch cannot publish "
    "with the AWS managed key. Pass encryption_key to use your own key.",
    "https://docs.aws.amazon.com/sns/latest/dg/sns-server-side-encryption.html",
)
REPLAYER_HAS_NO_DLQ = Suppression(
    "cdk-nag", "Serverless-LambdaDLQ", _REPLAYER, _SQS_WAITS, _SQS_WAITS_LINK
)
REPLAYER_HAS_NO_TRACES = Suppression(
    "cdk-nag",
    "Serverless-LambdaTracing",
    _REPLAYER,
    "The permission to write traces cannot be limited to one function. Its log has a line for "
    "each event.",
    "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html",
)
SOURCE_HAS_NO_DESTINATION = Suppression(
    "cdk-nag",
    "Serverless-LambdaEventSourceMappingDestination",
    "the event source of a replayer",
    "Such a destination is for streams. For a queue, the replayer parks events that fail.",
    "https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html",
)
REPLAYER_WAITS_FOR_ITS_ROLE = Suppression(
    "cfn-lint",
    "W3005",
    _REPLAYER,
    "CDK writes this dependency for every function, because the role's policy needs it.",
    "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-dependson.html",
)
REPLAYER_RESERVES_NOTHING = Suppression(
    "checkov",
    "CKV_AWS_115",
    _REPLAYER,
    "Its event source limits how many run at once, and reserved concurrency would be taken from "
    "the account's other functions.",
    "https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html",
)
REPLAYER_HAS_NO_DEAD_LETTERS = Suppression(
    "checkov", "CKV_AWS_116", _REPLAYER, _SQS_WAITS, _SQS_WAITS_LINK
)
REPLAYER_IS_IN_NO_VPC = Suppression(
    "checkov",
    "CKV_AWS_117",
    _REPLAYER,
    "It calls only SQS and Lambda, nothing in a VPC.",
    "https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html",
)
REPLAYER_HAS_NO_SECRETS = Suppression(
    "checkov",
    "CKV_AWS_173",
    _REPLAYER,
    "Its variables are queue URLs and numbers, and Lambda encrypts them with its own key.",
    "https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars-encryption.html",
)
LOG_HAS_NO_KEY = Suppression(
    "checkov",
    "CKV_AWS_158",
    "the log group of a replayer whose channel has no `encryption_key`",
    "CloudWatch Logs encrypts it with its own key, but the rule accepts only KMS keys. Pass the "
    "channel an encryption_key to use your own key.",
    "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html",
)

SUPPRESSIONS = (
    QUEUE_HAS_NO_DLQ,
    QUEUE_HAS_NO_REDRIVE,
    ALARM_MAIL_HAS_NO_DLQ,
    DATA_KEYS,
    QUEUE_HAS_NO_KEY,
    TOPIC_HAS_NO_KEY,
    REPLAYER_HAS_NO_DLQ,
    REPLAYER_HAS_NO_TRACES,
    SOURCE_HAS_NO_DESTINATION,
    REPLAYER_WAITS_FOR_ITS_ROLE,
    REPLAYER_RESERVES_NOTHING,
    REPLAYER_HAS_NO_DEAD_LETTERS,
    REPLAYER_IS_IN_NO_VPC,
    REPLAYER_HAS_NO_SECRETS,
    LOG_HAS_NO_KEY,
)


def acknowledge(construct: Any, *suppressions: Suppression) -> None:
    """Acknowledge cdk-nag's rules for a construct and everything in it, with the reasons."""
    Validations.of(construct).acknowledge(
        *(Acknowledgment(id=each.rule, reason=each.text) for each in suppressions)
    )


def skip(construct: Any, *suppressions: Suppression) -> None:
    """Skip checkov's rules for the resource of an L2 construct, with the reasons."""
    skipped = [{"id": each.rule, "comment": each.text} for each in suppressions]
    _resource(construct).add_metadata("checkov", {"skip": skipped})


def ignore(construct: Any, *suppressions: Suppression) -> None:
    """Ignore cfn-lint's rules, which take no reasons, for the resource of an L2 construct."""
    rules = [each.rule for each in suppressions]
    _resource(construct).add_metadata("cfn-lint", {"config": {"ignore_checks": rules}})


def suppress_for_replayer(
    function: lambda_.Function,
    event_source: lambda_.EventSourceMapping,
    parked_queue: sqs.Queue,
    log_group: logs.LogGroup,
    *,
    encrypted: bool,
) -> None:
    """Write the suppressions for a replayer's resources."""
    acknowledge(parked_queue, QUEUE_HAS_NO_DLQ, QUEUE_HAS_NO_REDRIVE)
    acknowledge(function, REPLAYER_HAS_NO_DLQ, REPLAYER_HAS_NO_TRACES)
    acknowledge(event_source, SOURCE_HAS_NO_DESTINATION)
    ignore(function, REPLAYER_WAITS_FOR_ITS_ROLE)
    skip(
        function,
        REPLAYER_RESERVES_NOTHING,
        REPLAYER_HAS_NO_DEAD_LETTERS,
        REPLAYER_IS_IN_NO_VPC,
        REPLAYER_HAS_NO_SECRETS,
    )
    if not encrypted:
        skip(parked_queue, QUEUE_HAS_NO_KEY)
        skip(log_group, LOG_HAS_NO_KEY)


def suppress_for_channel(
    channel: Construct,
    *,
    unencrypted_queues: Iterable[sqs.IQueue],
    unencrypted_topic: sns.ITopic | None,
) -> None:
    """Write the suppressions for a channel's resources.

    Args:
        channel: The channel; the only queues in it are its own.
        unencrypted_queues: The queues that it defines, if they have no KMS key.
        unencrypted_topic: The topic that it defines, if that has no KMS key.
    """
    acknowledge(channel, QUEUE_HAS_NO_DLQ, QUEUE_HAS_NO_REDRIVE)
    for queue in unencrypted_queues:
        skip(queue, QUEUE_HAS_NO_KEY)
    if unencrypted_topic is not None:
        skip(unencrypted_topic, TOPIC_HAS_NO_KEY)


def _resource(construct: Any) -> CfnResource:
    return cast(CfnResource, construct.node.default_child)
