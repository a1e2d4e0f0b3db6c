"""The role of a function that forwards what a queue gets to a channel's topic."""

from __future__ import annotations

from collections.abc import Iterable

from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from .. import keys
from ..suppressions import DATA_KEYS, acknowledge
from .wiring import Wiring


def define_forwarder_role(
    scope: Construct,
    wiring: Wiring,
    queue: sqs.IQueue,
    log_group: logs.ILogGroup,
    *,
    reads: Iterable[tuple[list[str], str]] = (),
) -> iam.Role:
    """Define a role that may read a queue, publish to the topic and send to the channel's queue.

    Args:
        scope: The construct that gets the role.
        wiring: The channel's wiring.
        queue: The queue that the function reads.
        log_group: The function's log group.
        reads: What else the function reads: actions, and the ARN of their resource. Default:
            nothing.
    """
    role = iam.Role(scope, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    for actions, resource in (
        (["logs:CreateLogStream", "logs:PutLogEvents"], log_group.log_group_arn),
        (
            ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
            queue.queue_arn,
        ),
        *reads,
        (["sqs:SendMessage"], wiring.queue.queue_arn),
    ):
        role.add_to_policy(iam.PolicyStatement(actions=actions, resources=[resource]))
    wiring.topic.grant_publish(role)
    queue_key = wiring.queue.encryption_master_key
    for key in {id(key): key for key in (wiring.key, queue_key) if key is not None}.values():
        role.add_to_policy(keys.statement(keys.SEND, key))
    if wiring.publishers_use_key or wiring.key is not None or queue_key is not None:
        acknowledge(role, DATA_KEYS)
    return role
