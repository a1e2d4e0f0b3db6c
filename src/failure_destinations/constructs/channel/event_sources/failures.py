"""Keeps failed batches of event sources with their records, and brings them to the channel."""

from __future__ import annotations

from typing import cast

import jsii
from aws_cdk import Annotations, Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct, IDependable, IValidation

from failure_destinations import names

from ... import keys
from ...log_group import define_log_group
from ...retention import batch_retention
from ...runtime_code import RUNTIME, runtime_code
from ...suppressions import suppress_for_batches
from ..forwarder_role import define_forwarder_role
from ..wiring import Wiring
from .validation import Validation

# Lambda writes every batch below this.
# https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
BATCH_PREFIX = "aws/lambda/"

_TIMEOUT_SECONDS = 60
# Room for the largest object that is read, 40 MiB, as bytes and three times as text, which takes up
# to four bytes a character: a crash would fail the other announcements of the batch too.
_MEMORY_MB = 1024
_BATCH_SIZE = 10
# As AWS recommends for a queue that feeds a function.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
_VISIBILITY_FACTOR = 6
# About half an hour, after which the channel's dead-letter queue keeps the announcement.
_MAX_RECEIVES = 5
# For a batch that somebody deleted or replaced.
_REPLACED_DAYS = 7


class EventSourceFailures(Construct):
    """Keeps the failed batches of a channel's event sources, and announces them to the channel.

    Defines a bucket, to which Lambda writes each failed batch with its records; an EventBridge rule
    that announces each new object in a queue; and a Lambda function that sends the record of each
    announced batch to the channel's topic, without its records but with the object's name. An
    announcement that cannot be delivered or read goes to the channel's dead-letter queue.

    The bucket is encrypted with the channel's key or one of S3, refuses connections without TLS,
    and keeps versions, so that a record always names the object that Lambda wrote.
    """

    def __init__(self, wiring: Wiring) -> None:
        """Define it as a child of the channel.

        Args:
            wiring: The channel's wiring.
        """
        super().__init__(wiring.channel, names.EVENT_SOURCE_FAILURES)
        self._wiring = wiring
        self.bucket = self._define_bucket()
        self.announcements = self._define_queue()
        self.rule = self._announce()
        log_group = define_log_group(self, wiring, "log group of its batch forwarder")
        self.role = define_forwarder_role(
            self, wiring, self.announcements, log_group, reads=self._reading()
        )
        self.forwarder = lambda_.Function(
            self,
            names.BATCH_FORWARDER,
            description=f"Sends failed batches to the channel {wiring.channel.node.path}"[:256],
            runtime=RUNTIME,
            handler="runtime.batch_forwarder.handler",
            code=runtime_code(),
            role=self.role,
            log_group=log_group,
            memory_size=_MEMORY_MB,
            timeout=Duration.seconds(_TIMEOUT_SECONDS),
            environment={
                "BUCKET": self.bucket.bucket_name,
                "TOPIC_ARN": wiring.topic.topic_arn,
                "QUEUE_URL": wiring.queue.queue_url,
            },
        )
        self._event_source = lambda_.EventSourceMapping(
            self,
            names.EVENT_SOURCE,
            target=self.forwarder,
            event_source_arn=self.announcements.queue_arn,
            batch_size=_BATCH_SIZE,
            report_batch_item_failures=True,
        )
        # SNS loses a record that arrives before the topic has its subscription.
        self._event_source.node.add_dependency(wiring.queue_subscription, wiring.dead_letter_queue)
        suppress_for_batches(
            bucket=self.bucket,
            queue=self.announcements,
            function=self.forwarder,
            event_source=self._event_source,
            log_group=log_group,
            encrypted=wiring.key is not None,
        )
        self._readers: list[iam.Role] = [self.role]
        validation = Validation(wiring, self._readers, self.batches_arn)
        self.node.add_validation(cast(IValidation, validation))

    @property
    def batches_arn(self) -> str:
        """The ARN of whatever Lambda writes to the bucket."""
        return self.bucket.arn_for_objects(f"{BATCH_PREFIX}*")

    def let_read(self, role: iam.Role) -> None:
        """Let a role read the batches, whose key it may use already.

        Args:
            role: The role.
        """
        self._readers.append(role)
        for actions, resource in self._reading():
            role.add_to_policy(iam.PolicyStatement(actions=actions, resources=[resource]))

    def grant_read(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow a grantee to read the batches, and to use their key for that."""
        if isinstance(grantee, iam.Role):
            self._readers.append(grantee)
        grants = self._reading()
        if self._wiring.key is not None:
            grants.append((list(keys.RECEIVE), self._wiring.key.key_arn))
        first, *others = (
            iam.Grant.add_to_principal(grantee=grantee, actions=actions, resource_arns=[arn])
            for actions, arn in grants
        )
        for other in others:
            first = first.combine(other)
        return first

    @property
    def ready(self) -> tuple[IDependable, ...]:
        """What must exist before the first batch can fail, or it would not be announced.

        The bucket itself is not here: whoever writes to it refers to it.
        """
        policy = cast(s3.BucketPolicy, self.bucket.policy)
        return (policy, self.rule, self.announcements, self._event_source)

    def statements(self) -> list[iam.PolicyStatement]:
        """Return the statements that a function's role needs, so that Lambda may write a batch.

        https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
        """
        statements = [
            iam.PolicyStatement(actions=["s3:PutObject"], resources=[self.batches_arn]),
            iam.PolicyStatement(actions=["s3:ListBucket"], resources=[self.bucket.bucket_arn]),
        ]
        if self._wiring.key is not None:
            statements.append(keys.statement(keys.SEND, self._wiring.key))
        return statements

    def _reading(self) -> list[tuple[list[str], str]]:
        """Return the actions that read batches, with the resources that they need."""
        return [
            (["s3:GetObject", "s3:GetObjectVersion"], self.batches_arn),
            # Without it, S3 does not say that an object is gone.
            # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
            (["s3:ListBucket"], self.bucket.bucket_arn),
        ]

    def _define_bucket(self) -> s3.Bucket:
        wiring, key = self._wiring, self._wiring.key
        bucket = s3.Bucket(
            self,
            names.BATCH_BUCKET,
            encryption=s3.BucketEncryption.KMS if key else s3.BucketEncryption.S3_MANAGED,
            encryption_key=key,
            # Fewer requests to KMS; no permission changes.
            bucket_key_enabled=None if key is None else True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            versioned=True,
            removal_policy=wiring.removal_policy,
            lifecycle_rules=[
                s3.LifecycleRule(
                    expiration=batch_retention(wiring.batch_retention, wiring.retention),
                    noncurrent_version_expiration=Duration.days(_REPLACED_DAYS),
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                ),
                # S3 does not take this together with the days of an expiration.
                s3.LifecycleRule(expired_object_delete_marker=True),
            ],
        )
        # `event_bridge_enabled` would define a function that sets this.
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-event-notifications-eventbridge.html
        resource = cast(s3.CfnBucket, bucket.node.default_child)
        resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(
                event_bridge_enabled=True
            )
        )
        return bucket

    def _define_queue(self) -> sqs.Queue:
        wiring, key = self._wiring, self._wiring.key
        return sqs.Queue(
            self,
            names.ANNOUNCEMENT_QUEUE,
            retention_period=wiring.retention,
            visibility_timeout=Duration.seconds(_TIMEOUT_SECONDS * _VISIBILITY_FACTOR),
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=wiring.dead_letter_queue, max_receive_count=_MAX_RECEIVES
            ),
            enforce_ssl=True,
            encryption=sqs.QueueEncryption.KMS if key else sqs.QueueEncryption.SQS_MANAGED,
            encryption_master_key=key,
            removal_policy=wiring.removal_policy,
        )

    def _announce(self) -> events.Rule:
        """Define the rule, and let it alone send to the queue.

        What it cannot deliver there goes to the channel's dead-letter queue.
        """
        queue, dead_letters = self.announcements, self._wiring.dead_letter_queue
        service, given = iam.ServicePrincipal("events.amazonaws.com"), self._wiring.given_key
        # The policy leaves out what the channel has written in it already.
        if given is not None and not keys.let_service_send(given, service):
            Annotations.of(self).add_warning_v2(
                "failure-destinations:imported-announcement-key",
                "encryption_key of the channel is imported, so its policy cannot be changed here: "
                f"allow events.amazonaws.com to use {keys.in_words(keys.SEND)} in that policy, or "
                "failed batches stay in the bucket, and nobody is notified of them.",
            )
        rule = events.Rule(
            self,
            names.ANNOUNCEMENT_RULE,
            description=f"Announces failed batches of {self._wiring.channel.node.path}"[:512],
            event_pattern=events.EventPattern(
                source=["aws.s3"],
                detail_type=["Object Created"],
                detail={
                    "bucket": {"name": [self.bucket.bucket_name]},
                    "object": {"key": [{"prefix": BATCH_PREFIX}]},
                },
            ),
            targets=[cast(events.IRuleTarget, _Target(queue, dead_letters))],
        )
        for each in (queue, dead_letters):
            each.add_to_resource_policy(
                iam.PolicyStatement(
                    actions=["sqs:SendMessage"],
                    principals=[service],
                    resources=[each.queue_arn],
                    conditions={"ArnEquals": {"aws:SourceArn": rule.rule_arn}},
                )
            )
        return rule


@jsii.implements(events.IRuleTarget)
class _Target:
    """A queue whose policy CDK leaves as it is.

    CDK's own target would let every rule send to an encrypted queue.
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
    """

    def __init__(self, queue: sqs.IQueue, dead_letter_queue: sqs.IQueue) -> None:
        self._queue = queue
        self._dead_letter_queue = dead_letter_queue

    def bind(self, rule: events.IRule, id: str | None = None) -> events.RuleTargetConfig:  # noqa: ARG002 - CDK passes them by these names
        return events.RuleTargetConfig(
            arn=self._queue.queue_arn,
            dead_letter_config=events.CfnRule.DeadLetterConfigProperty(
                arn=self._dead_letter_queue.queue_arn
            ),
        )


def failures_of(wiring: Wiring) -> EventSourceFailures:
    """Return what keeps the failed batches of a channel; define it the first time."""
    for known in wiring.event_source_failures:
        return known
    failures = EventSourceFailures(wiring)
    wiring.event_source_failures.append(failures)
    return failures
