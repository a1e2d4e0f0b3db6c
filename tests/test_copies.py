"""Copies: each failed event is kept a second time, by the function's dead-letter queue."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs

from failure_destinations import FailureChannel, FailureNotifiedFunction

from .conftest import define_handler
from .templates import (
    Resource,
    assert_does_not_warn,
    assert_warns,
    logical_id,
    resources_of,
    template_of,
)

ROLE_ARN = "arn:aws:iam::111122223333:role/nightly-report"


def function(stack: cdk.Stack) -> Resource:
    """Return the one function of a stack."""
    (resource,) = resources_of(stack, "AWS::Lambda::Function").values()
    return resource


def dead_letter_target(stack: cdk.Stack) -> Any:
    """Return the dead-letter queue that the one function of a stack has."""
    return function(stack)["Properties"].get("DeadLetterConfig", {}).get("TargetArn")


def arn(stack: cdk.Stack, queue: Any) -> Any:
    """Return the reference to a queue's ARN."""
    return {"Fn::GetAtt": [logical_id(stack, queue), "Arn"]}


def test_keeps_a_copy_of_each_failed_event(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """The channel's copy queue becomes the function's own dead-letter queue."""
    channel = FailureChannel(stack, "Channel")
    channel.notify_failures_of(handler)
    assert dead_letter_target(stack) == arn(stack, channel.copy_queue)


def test_keeps_copies_of_a_function_called_by_its_alias(
    stack: cdk.Stack, handler: lambda_.Function
) -> None:
    """The alias's function gets the dead-letter queue; its next version has it."""
    channel = FailureChannel(stack, "Channel")
    channel.notify_failures_of(handler.add_alias("live"))
    assert dead_letter_target(stack) == arn(stack, channel.copy_queue)
    assert_does_not_warn(stack)


def test_function_waits_until_it_may_send_copies(
    stack: cdk.Stack, handler: lambda_.Function
) -> None:
    """Lambda refuses a dead-letter queue that the role may not send to."""
    FailureChannel(stack, "Channel").notify_failures_of(handler)
    (policy,) = resources_of(stack, "AWS::IAM::Policy")
    assert policy in function(stack)["DependsOn"]


def test_function_waits_for_the_policy_of_a_role_of_another_stack(app: cdk.App) -> None:
    """The function also waits for a policy that is defined beside it."""
    roles, stack = cdk.Stack(app, "Roles"), cdk.Stack(app, "Stack")
    role = iam.Role(roles, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    channel = FailureChannel(stack, "Channel")
    channel.notify_failures_of(define_handler(stack, role=role))
    app.synth()
    (policy,) = resources_of(stack, "AWS::IAM::Policy")
    assert policy in function(stack)["DependsOn"]
    assert dead_letter_target(stack) == arn(stack, channel.copy_queue)


def test_keeps_copies_for_a_channel_of_another_stack(app: cdk.App) -> None:
    """The function's stack refers to the channel's, never the other way round."""
    channels, stack = cdk.Stack(app, "Channels"), cdk.Stack(app, "Stack")
    FailureChannel(channels, "Channel").notify_failures_of(define_handler(stack))
    app.synth()
    assert channels.dependencies == []
    assert "ChannelCopyQueue" in str(dead_letter_target(stack))


def test_keeps_copies_beside_a_channel_of_the_functions_stack(app: cdk.App) -> None:
    """A construct in a third stack leaves both where they are."""
    stack, third = cdk.Stack(app, "Stack"), cdk.Stack(app, "Third")
    channel = FailureChannel(stack, "Channel")
    FailureNotifiedFunction(third, "Notified", handler=define_handler(stack), channel=channel)
    app.synth()
    assert stack.dependencies == []
    assert dead_letter_target(stack) == arn(stack, channel.copy_queue)


def test_leaves_a_functions_own_dead_letter_queue(stack: cdk.Stack) -> None:
    """A dead-letter queue that somebody chose stays as it is."""
    own = sqs.Queue(stack, "Own")
    handler = define_handler(stack, dead_letter_queue=own)
    FailureChannel(stack, "Channel").notify_failures_of(handler)
    assert dead_letter_target(stack) == arn(stack, own)
    assert_does_not_warn(stack)


def test_keeps_no_copies_when_asked(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """Without copies there is no copy queue, and no dead-letter queue of the function."""
    channel = FailureChannel(stack, "Channel", keep_copies=False)
    channel.notify_failures_of(handler)
    assert channel.copy_queue is None
    assert dead_letter_target(stack) is None
    assert len(resources_of(stack, "AWS::SQS::Queue")) == 2


def test_warns_of_no_copies_of_an_imported_function(stack: cdk.Stack) -> None:
    """A stack cannot give an imported function a dead-letter queue."""
    handler = lambda_.Function.from_function_attributes(
        stack,
        "Imported",
        function_arn="arn:aws:lambda:eu-west-1:111122223333:function:nightly-report",
        role=iam.Role.from_role_arn(stack, "Role", ROLE_ARN),
        same_environment=True,
    )
    FailureChannel(stack, "Channel").notify_failures_of(handler)
    assert_warns(stack, "no copies of its failed events are kept")


def test_warns_of_no_copies_of_a_function_of_another_stack(app: cdk.App) -> None:
    """A function whose stack would have to refer back gets no dead-letter queue."""
    handlers, stack = cdk.Stack(app, "Handlers"), cdk.Stack(app, "Stack")
    FailureNotifiedFunction(stack, "Notified", handler=define_handler(handlers))
    app.synth()
    assert dead_letter_target(handlers) is None
    assert_warns(stack, "is in another stack")


def test_warns_of_no_copies_with_a_role_that_would_refer_back(app: cdk.App) -> None:
    """No policy can let a role send to a queue whose stack refers to the role's stack."""
    roles, stack, third = (cdk.Stack(app, name) for name in ("Roles", "Stack", "Third"))
    role = iam.Role(roles, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    channel = FailureChannel(stack, "Channel")
    handler = define_handler(stack, role=role)
    FailureNotifiedFunction(third, "Notified", handler=handler, channel=channel)
    app.synth()
    assert roles.dependencies == []
    assert dead_letter_target(stack) is None
    assert_warns(third, "or its role is in another stack")


@pytest.mark.parametrize("alias", [False, True])
def test_warns_of_no_copies_with_a_role_that_cannot_be_changed(
    stack: cdk.Stack, alias: bool
) -> None:
    """Lambda would refuse the queue, and the deployment would fail."""
    role = iam.Role.from_role_arn(stack, "Fixed", ROLE_ARN, mutable=False)
    handler = define_handler(stack, role=role)
    called = handler.add_alias("live") if alias else handler
    FailureChannel(stack, "Channel").notify_failures_of(called)
    assert dead_letter_target(stack) is None
    assert_warns(stack, "has a role that cannot be changed here: no copies")


def test_lets_an_imported_role_send_copies(stack: cdk.Stack) -> None:
    """An imported role that can get policies gets one, and the function waits for it."""
    role = iam.Role.from_role_arn(stack, "Imported", ROLE_ARN)
    channel = FailureChannel(stack, "Channel")
    channel.notify_failures_of(define_handler(stack, role=role))
    (policy,) = resources_of(stack, "AWS::IAM::Policy")
    assert dead_letter_target(stack) == arn(stack, channel.copy_queue)
    assert policy in function(stack)["DependsOn"]


def test_lets_nobody_else_send_copies(stack: cdk.Stack) -> None:
    """The copy queue's policy allows nothing: a function sends with its own role."""
    channel = FailureChannel(stack, "Channel")
    channel.notify_failures_of(define_handler(stack))
    effects = [
        statement["Effect"]
        for resource in template_of(stack)["Resources"].values()
        if resource["Type"] == "AWS::SQS::QueuePolicy"
        and resource["Properties"]["Queues"] == [{"Ref": logical_id(stack, channel.copy_queue)}]
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]
    ]
    assert effects == ["Deny"]


def test_rejects_keep_copies_that_is_not_a_bool(stack: cdk.Stack) -> None:
    """keep_copies takes True or False, not a queue."""
    with pytest.raises(ValueError, match="keep_copies must be True or False"):
        FailureChannel(stack, "Channel", keep_copies=sqs.Queue(stack, "Q"))  # type: ignore[arg-type]
