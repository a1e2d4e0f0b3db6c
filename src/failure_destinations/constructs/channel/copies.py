"""Keeps a copy of each failed event by a second route: the function's own dead-letter queue.

An SQS message holds 1 MiB, where a record over 256 KB comes without its payload, and a copy also
arrives while the topic, its key or its policy is broken.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from aws_cdk import Annotations, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from .. import keys
from ..called import Called
from ..grants import add_statements

if TYPE_CHECKING:
    from .wiring import Wiring


def keep_copies(
    wiring: Wiring,
    called: Called,
    role: iam.IRole | None,
    *,
    scope: Construct,
    policy: iam.Policy | None,
) -> None:
    """Set the channel's copy queue as the function's dead-letter queue, unless it has one.

    Args:
        wiring: The wiring of a channel that keeps copies.
        called: The function, or an alias or version of it.
        role: The function's role; None if CDK's default role is the handler's child.
        scope: What belongs to the handler is defined here: the handler, or a construct in another
            stack.
        policy: What was defined in the function's stack for the role, which is in another.
    """
    queue = cast(sqs.IQueue, wiring.copy_queue)
    function, resource = called.function, called.resource
    if resource is None:
        _warn(scope, "is not defined here, so it cannot be given a dead-letter queue")
        return
    if resource.dead_letter_config is not None:
        return
    if cast(object, scope) is not function and _refers_back(wiring, called, role, scope, policy):
        _warn(scope, "or its role is in another stack, which would have to refer back to this one")
        return
    if role is None and wiring.key is None:
        queue.grant(function, "sqs:SendMessage")
    elif not _granted(role or cast(iam.IRole, function.role), policy, _statements(wiring)):
        _warn(scope, "has a role that cannot be changed here")
        return
    if policy is not None:
        # Lambda rejects a queue that the role may not send to.
        resource.node.add_dependency(policy)
    resource.dead_letter_config = lambda_.CfnFunction.DeadLetterConfigProperty(
        target_arn=wiring.copy_queue_arn
    )


def _refers_back(
    wiring: Wiring,
    called: Called,
    role: iam.IRole | None,
    scope: Construct,
    policy: iam.Policy | None,
) -> bool:
    stack = called.function.stack
    if policy is None and role is not None and role.stack is not stack:
        return True
    return Stack.of(scope) is not stack and wiring.stack is not stack


def _statements(wiring: Wiring) -> list[iam.PolicyStatement]:
    """Return the statements that let a function's role send to the copy queue."""
    resources = [wiring.copy_queue_arn]
    statements = [iam.PolicyStatement(actions=["sqs:SendMessage"], resources=resources)]
    if wiring.key is not None:
        statements.append(keys.statement(keys.SEND, wiring.key))
    return statements


def _granted(
    role: iam.IRole, policy: iam.Policy | None, statements: Sequence[iam.PolicyStatement]
) -> bool:
    """Add statements to a role's policy; return False if CDK silently dropped them."""
    if policy is not None:
        policy.add_statements(*statements)
        return True
    return add_statements(role, statements)


def _warn(scope: Construct, why: str) -> None:
    Annotations.of(scope).add_warning_v2(
        "failure-destinations:no-copies",
        f"the handler's function {why}: no copies of its failed events are kept. The payload of a "
        "record over 256 KB, and a record that Lambda cannot send to the topic, are lost. Give the "
        "function a dead-letter queue where it is defined, or acknowledge this.",
    )
