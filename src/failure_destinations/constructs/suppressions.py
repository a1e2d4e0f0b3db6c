"""Findings of policy checkers about this library's resources that we accept, with reasons.

cdk-nag reads a construct's acknowledgements; checkov and cfn-lint read a resource's metadata. The
library writes both, so that apps need not; docs/policy-checkers.md lists them. A channel's are
written at synthesis rather than at definition: they take more calls to Node than its queues do, and
only templates need them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NamedTuple, cast

from aws_cdk import Acknowledgment, CfnResource, Stack, Validations
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
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
_QUEUES = (
    "the queues of a channel, the parked queue of its replayer, and the dead-letter queue of its "
    "notifier"
)
_REPLAYER = (
    "the functions of a replayer and a notifier, and the forwarders of durable functions and of "
    "failed batches"
)
_FUNCTIONS = "the functions of a replayer, a notifier and a watchdog, and the forwarders"
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
    "the mailboxes of a monitoring's alarm topic, and of a watchdog's topic",
    "The dead-letter queue of the channel is for events that can be replayed. An e-mail about an "
    "alarm cannot be replayed, and the alarm's state stays in CloudWatch.",
    "https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html",
)
DATA_KEYS = Suppression(
    "cdk-nag",
    "AwsSolutions-IAM5[Action::kms:GenerateDataKey*]",
    "the roles of a handler, a schedule, a replayer and a watchdog whose channel has an "
    "`encryption_key`, or an encrypted topic",
    "SNS asks a publisher for this action by this name, and the statement names the one key.",
    "https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html",
)
QUEUE_HAS_NO_KEY = Suppression(
    "checkov",
    "CKV_AWS_27",
    "the queues of a channel without an `encryption_key`, its replayer's parked queue, and the "
    "queues of its notifier and forwarders",
    "The queue is encrypted with a key that SQS manages, but the rule accepts only KMS keys. Pass "
    "encryption_key to use your own key.",
    "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/"
    "sqs-configure-sqs-sse-queue.html",
)
TOPIC_HAS_NO_KEY = Suppression(
    "checkov",
    "CKV_AWS_26",
    "the topic of a channel without an `encryption_key`, its monitoring's alarm topic, and "
    "its notifier's and watchdog's topics",
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
    _FUNCTIONS,
    "The permission to write traces cannot be limited to one function. Its log has a line for "
    "each event.",
    "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html",
)
SOURCE_HAS_NO_DESTINATION = Suppression(
    "cdk-nag",
    "Serverless-LambdaEventSourceMappingDestination",
    "the event sources of a replayer and a notifier, and those of the forwarders",
    "Such a destination is for streams. For a queue, the replayer parks events that fail, and a "
    "notifier's queues have a dead-letter queue.",
    "https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html",
)
REPLAYER_WAITS_FOR_ITS_ROLE = Suppression(
    "cfn-lint",
    "W3005",
    _FUNCTIONS,
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
    _FUNCTIONS,
    "It calls only AWS and webhooks, nothing in a VPC.",
    "https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html",
)
REPLAYER_HAS_NO_SECRETS = Suppression(
    "checkov",
    "CKV_AWS_173",
    _FUNCTIONS,
    "Its variables are names, queue URLs and numbers, and Lambda encrypts them with its own key.",
    "https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars-encryption.html",
)
LOG_HAS_NO_KEY = Suppression(
    "checkov",
    "CKV_AWS_158",
    "the log groups of a replayer, a notifier, a watchdog and a forwarder whose channel has no "
    "`encryption_key`",
    "CloudWatch Logs encrypts it with its own key, but the rule accepts only KMS keys. Pass the "
    "channel an encryption_key to use your own key.",
    "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html",
)

_STATE = "the tables of a notifier and a watchdog"
STATE_HAS_NO_BACKUP = Suppression(
    "cdk-nag",
    "AwsSolutions-DDB3",
    _STATE,
    "Its only item says what people were notified of. If it is lost, they are notified once more.",
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Point-in-time-recovery.html",
)
STATE_IS_NOT_RECOVERED = Suppression(
    "checkov", "CKV_AWS_28", _STATE, STATE_HAS_NO_BACKUP.reason, STATE_HAS_NO_BACKUP.link
)
STATE_HAS_NO_KEY = Suppression(
    "checkov",
    "CKV_AWS_119",
    "the tables of a notifier and a watchdog whose channel has no `encryption_key`",
    "DynamoDB encrypts it with its own key, but the rule accepts only KMS keys. Pass the channel "
    "an encryption_key to use your own key.",
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/EncryptionAtRest.html",
)
WATCHDOG_READS_EVERYWHERE = Suppression(
    "cdk-nag",
    "AwsSolutions-IAM5[Resource::*]",
    "the role of a watchdog",
    "Handlers, keys and subscriptions may be anywhere in the account, and these actions only read.",
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html",
)
WATCHDOG_RESERVES_NOTHING = Suppression(
    "checkov",
    "CKV_AWS_115",
    "the function of a watchdog",
    "A schedule starts it once in a while, and reserved concurrency would be taken from the "
    "account's other functions.",
    "https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html",
)

_BUCKET = "the bucket with the failed batches of a channel"
_BUCKET_LOG = (
    "Access logs would need another bucket, and would name only Lambda and the batch forwarder. "
    "CloudTrail's data events say who else reads."
)
_BUCKET_LOG_LINK = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/logging-with-S3.html"
BUCKET_HAS_NO_ACCESS_LOG = Suppression(
    "cdk-nag", "AwsSolutions-S1", _BUCKET, _BUCKET_LOG, _BUCKET_LOG_LINK
)
BUCKET_LOGS_NO_ACCESS = Suppression("checkov", "CKV_AWS_18", _BUCKET, _BUCKET_LOG, _BUCKET_LOG_LINK)
ANY_BATCH = Suppression(
    "cdk-nag",
    "AwsSolutions-IAM5[Resource::<Batches.Arn>/aws/lambda/*]",
    "the roles of the batch forwarder, of a replayer, and of functions whose event source has the "
    "channel as its failure destination",
    "The role needs whatever Lambda writes below this prefix, and Lambda chooses the names.",
    "https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html",
)
ANY_MAPPING = Suppression(
    "cdk-nag",
    "AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:lambda:<AWS::Region>:<AWS::AccountId>:"
    "event-source-mapping:*]",
    "the role of a replayer whose channel has event sources",
    "The replayer reads which alias the mapping of a failed batch invokes, and no more. Mappings "
    "may be in other stacks, which refer to the replayer's.",
    "https://docs.aws.amazon.com/lambda/latest/api/API_GetEventSourceMapping.html",
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
    STATE_HAS_NO_BACKUP,
    STATE_IS_NOT_RECOVERED,
    STATE_HAS_NO_KEY,
    WATCHDOG_READS_EVERYWHERE,
    WATCHDOG_RESERVES_NOTHING,
    BUCKET_HAS_NO_ACCESS_LOG,
    BUCKET_LOGS_NO_ACCESS,
    ANY_BATCH,
    ANY_MAPPING,
)


def acknowledge(construct: Any, *suppressions: Suppression) -> None:
    """Acknowledge cdk-nag's rules for a construct and everything in it, with the reasons."""
    validations = Validations.of(construct)
    plain = [each for each in suppressions if each.rule.count("::") <= 1]
    if plain:
        validations.acknowledge(*map(_acknowledgment, plain))
    for each in suppressions:
        if each not in plain:
            # CDK 2.263 rejects an id with several "::"; cdk-nag then reports the finding.
            with suppress(RuntimeError):
                validations.acknowledge(_acknowledgment(each))


def _acknowledgment(suppression: Suppression) -> Acknowledgment:
    return Acknowledgment(id=suppression.rule, reason=suppression.text)


def skip(construct: Any, *suppressions: Suppression) -> None:
    """Skip checkov's rules for the resource of an L2 construct, with the reasons."""
    skipped = [{"id": each.rule, "comment": each.text} for each in suppressions]
    _resource(construct).add_metadata("checkov", {"skip": skipped})


def ignore(construct: Any, *suppressions: Suppression) -> None:
    """Ignore cfn-lint's rules, which take no reasons, for the resource of an L2 construct."""
    rules = [each.rule for each in suppressions]
    _resource(construct).add_metadata("cfn-lint", {"config": {"ignore_checks": rules}})


def _suppress_for_queue_function(function: lambda_.Function) -> None:
    """Write the suppressions for a function that a queue feeds."""
    acknowledge(function, REPLAYER_HAS_NO_DLQ, REPLAYER_HAS_NO_TRACES)
    ignore(function, REPLAYER_WAITS_FOR_ITS_ROLE)
    skip(
        function,
        REPLAYER_RESERVES_NOTHING,
        REPLAYER_HAS_NO_DEAD_LETTERS,
        REPLAYER_IS_IN_NO_VPC,
        REPLAYER_HAS_NO_SECRETS,
    )


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
    acknowledge(event_source, SOURCE_HAS_NO_DESTINATION)
    _suppress_for_queue_function(function)
    if not encrypted:
        skip(parked_queue, QUEUE_HAS_NO_KEY)
        skip(log_group, LOG_HAS_NO_KEY)


def suppress_for_forwarder(
    function: lambda_.Function,
    event_source: lambda_.EventSourceMapping,
    queue: sqs.Queue,
    log_group: logs.LogGroup,
    *,
    encrypted: bool,
) -> None:
    """Write the suppressions for the resources of a durable function's forwarder."""
    acknowledge(event_source, SOURCE_HAS_NO_DESTINATION)
    _suppress_for_queue_function(function)
    skip(log_group, LOG_HAS_NO_KEY)
    if not encrypted:
        skip(queue, QUEUE_HAS_NO_KEY)


def suppress_for_notifier_function(
    function: lambda_.Function, log_group: logs.LogGroup, *, encrypted: bool
) -> None:
    """Write the suppressions for a function of a notifier."""
    _suppress_for_queue_function(function)
    if not encrypted:
        skip(log_group, LOG_HAS_NO_KEY)


def suppress_for_notifier(
    *,
    event_source: lambda_.EventSourceMapping,
    queues: Iterable[sqs.Queue],
    dead_letter_queues: Iterable[sqs.Queue] = (),
    topic: sns.Topic | None = None,
    table: dynamodb.Table | None = None,
    encrypted: bool,
) -> None:
    """Write the suppressions for a notifier's other resources, or those of one of its webhooks."""
    acknowledge(event_source, SOURCE_HAS_NO_DESTINATION)
    for queue in dead_letter_queues:
        acknowledge(queue, QUEUE_HAS_NO_DLQ, QUEUE_HAS_NO_REDRIVE)
    if not encrypted:
        for queue in queues:
            skip(queue, QUEUE_HAS_NO_KEY)
        if topic is not None:
            skip(topic, TOPIC_HAS_NO_KEY)
    if table is not None:
        acknowledge(table, STATE_HAS_NO_BACKUP)
        skip(table, STATE_IS_NOT_RECOVERED, *(() if encrypted else (STATE_HAS_NO_KEY,)))


def suppress_for_watchdog(
    function: lambda_.Function,
    role: iam.Role,
    state: dynamodb.Table,
    log_group: logs.LogGroup,
    *,
    stacks: Iterable[str],
    encrypted: bool,
) -> None:
    """Write the suppressions for a watchdog's resources.

    Args:
        function: Its function.
        role: The function's role.
        state: Its table.
        log_group: The function's log group.
        stacks: The patterns of stacks that its role may read; none if it is its own stack alone.
        encrypted: Whether the channel has a key.
    """
    acknowledge(function, REPLAYER_HAS_NO_TRACES)
    acknowledge(state, STATE_HAS_NO_BACKUP)
    acknowledge(role, WATCHDOG_READS_EVERYWHERE, DATA_KEYS)
    arn = "arn:<AWS::Partition>:cloudformation:<AWS::Region>:<AWS::AccountId>:stack"
    for pattern in stacks:
        rule = f"AwsSolutions-IAM5[Resource::{arn}/{pattern}]"
        acknowledge(role, WATCHDOG_READS_EVERYWHERE._replace(rule=rule))
    ignore(function, REPLAYER_WAITS_FOR_ITS_ROLE)
    skip(
        function,
        WATCHDOG_RESERVES_NOTHING,
        REPLAYER_IS_IN_NO_VPC,
        REPLAYER_HAS_NO_SECRETS,
    )
    skip(state, STATE_IS_NOT_RECOVERED, *(() if encrypted else (STATE_HAS_NO_KEY,)))
    if not encrypted:
        skip(log_group, LOG_HAS_NO_KEY)


def suppress_for_batches(
    *,
    bucket: s3.Bucket,
    queue: sqs.Queue,
    function: lambda_.Function,
    event_source: lambda_.EventSourceMapping,
    log_group: logs.LogGroup,
    encrypted: bool,
) -> None:
    """Write the suppressions for what keeps the failed batches of a channel."""
    acknowledge(event_source, SOURCE_HAS_NO_DESTINATION)
    acknowledge(bucket, BUCKET_HAS_NO_ACCESS_LOG)
    skip(bucket, BUCKET_LOGS_NO_ACCESS)
    _suppress_for_queue_function(function)
    if not encrypted:
        skip(queue, QUEUE_HAS_NO_KEY)
        skip(log_group, LOG_HAS_NO_KEY)


def acknowledge_batches(construct: Any, batches_arn: str) -> None:
    """Acknowledge that a role or policy is for all objects that Lambda writes to a bucket.

    Args:
        construct: The role or policy.
        batches_arn: The ARN of the objects, whose references to other stacks are known by now.
    """
    resource = _as_reported(Stack.of(construct).resolve(batches_arn))
    acknowledge(construct, ANY_BATCH._replace(rule=f"AwsSolutions-IAM5[Resource::{resource}]"))


def acknowledge_mappings(role: Any, mappings_arn: str) -> None:
    """Acknowledge that a role may read every event source mapping.

    Args:
        role: The role.
        mappings_arn: The ARN of the mappings.
    """
    resource = _as_reported(Stack.of(role).resolve(mappings_arn))
    acknowledge(role, ANY_MAPPING._replace(rule=f"AwsSolutions-IAM5[Resource::{resource}]"))


def _as_reported(value: Any) -> str:
    """Return a resolved value as cdk-nag writes it in the id of a finding."""
    if isinstance(value, str):
        return value
    if "Fn::Join" in value:
        delimiter, parts = value["Fn::Join"]
        return str(delimiter).join(map(_as_reported, parts))
    if "Fn::GetAtt" in value:
        return f"<{'.'.join(value['Fn::GetAtt'])}>"
    if "Ref" in value:
        return f"<{value['Ref']}>"
    if "Fn::ImportValue" in value:
        return _as_reported(value["Fn::ImportValue"])
    return json.dumps(value, separators=(",", ":"))


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
