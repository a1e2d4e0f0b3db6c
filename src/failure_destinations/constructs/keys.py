"""The KMS actions that the constructs grant, and the statements of key policies and roles.

A service that sends is let in by the key's policy, and a role by its own. CDK's own grants are not
used on the key as it was given: they would make the stack of the key refer back.
"""

from __future__ import annotations

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms

# What a receiver from an encrypted queue needs, and a sender to a queue or topic.
# https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
RECEIVE = ("kms:Decrypt",)
SEND = ("kms:Decrypt", "kms:GenerateDataKey*")
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
STORE = (
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey*",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)
# The services that send to a queue in their own name: its policy and its key must let them in.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html#compatibility-with-aws-services
QUEUE_SENDERS = ("sns.amazonaws.com", "events.amazonaws.com")
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
WRITE_LOGS = (
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey*",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)


def let_service_send(key: kms.IKey, service: iam.ServicePrincipal) -> bool:
    """Let an AWS service, acting for this account, send to the queues and topics of a key.

    Returns:
        Whether the key's policy could be changed; an imported key's cannot.
    """
    added = key.add_to_resource_policy(
        iam.PolicyStatement(
            actions=list(SEND),
            principals=[service],
            resources=["*"],
            conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
        )
    )
    return added.statement_added


def let_logs_write(key: kms.IKey) -> bool:
    """Let CloudWatch Logs encrypt log groups of this account and Region with a key.

    Returns:
        Whether the key's policy could be changed; an imported key's cannot.
    """
    groups = f"arn:{Aws.PARTITION}:logs:{Aws.REGION}:{Aws.ACCOUNT_ID}:log-group:*"
    added = key.add_to_resource_policy(
        iam.PolicyStatement(
            actions=list(WRITE_LOGS),
            principals=[iam.ServicePrincipal(f"logs.{Aws.REGION}.amazonaws.com")],
            resources=["*"],
            conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
        )
    )
    return added.statement_added


def statement(actions: tuple[str, ...], key: kms.IKey) -> iam.PolicyStatement:
    """Return the statement that lets a role use a key: `SEND`, `RECEIVE` or `STORE`."""
    return iam.PolicyStatement(actions=list(actions), resources=[key.key_arn])


def in_words(actions: tuple[str, ...]) -> str:
    """Return actions as a phrase for messages: `kms:Decrypt and kms:GenerateDataKey*`."""
    *others, last = actions
    return f"{', '.join(others)} and {last}" if others else last
