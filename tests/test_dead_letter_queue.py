"""The channel's dead-letter queue behind rules, subscriptions and schedules of an app's own."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as scheduler_targets
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions

from failure_destinations import FailureChannel

from .conftest import define_handler
from .templates import resources_of

BY_ACCOUNT = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
WEAK = {"@aws-cdk/core:defaultCrossStackReferences": "weak"}


def define_callers(stack: cdk.Stack, channel: FailureChannel, count: int = 1) -> None:
    """Define rules, subscriptions and schedules with the channel's dead-letter queue."""
    queue = channel.dead_letter_queue
    for i in range(count):
        handler = define_handler(stack, f"Handler{i}")
        events.Rule(
            stack,
            f"Rule{i}",
            schedule=events.Schedule.rate(cdk.Duration.hours(1)),
            targets=[targets.LambdaFunction(handler, dead_letter_queue=queue)],
        )
        sns.Topic(stack, f"Topic{i}").add_subscription(
            subscriptions.LambdaSubscription(handler, dead_letter_queue=queue)
        )
        scheduler.Schedule(
            stack,
            f"Schedule{i}",
            schedule=scheduler.ScheduleExpression.rate(cdk.Duration.hours(1)),
            target=scheduler_targets.LambdaInvoke(handler, dead_letter_queue=queue),
        )


def senders(stack: cdk.Stack, channel: FailureChannel) -> list[tuple[str, Any]]:
    """Return who else than the channel's topic may send to its dead-letter queue, and when."""
    queue = stack.resolve(channel.dead_letter_queue.queue_arn)
    own = {"ArnEquals": {"aws:SourceArn": stack.resolve(channel.topic.topic_arn)}}
    return [
        (statement["Principal"]["Service"], statement["Condition"])
        for policy in resources_of(stack, "AWS::SQS::QueuePolicy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
        and statement["Resource"] == queue
        and statement["Action"] == "sqs:SendMessage"
        and statement["Condition"] != own
    ]


@pytest.mark.parametrize("context", [{}, WEAK])
@pytest.mark.parametrize("encrypted", [False, True])
def test_serves_callers_of_another_stack(context: dict[str, str], encrypted: bool) -> None:
    """The callers' stack refers to the channel's, never back, and the services may send."""
    app = cdk.App(context=context)
    failures, shop = cdk.Stack(app, "Failures"), cdk.Stack(app, "Shop")
    key = kms.Key(failures, "Key") if encrypted else None
    channel = FailureChannel(failures, "Channel", encryption_key=key)
    define_callers(shop, channel, count=2)
    app.synth()
    assert failures.dependencies == []
    assert senders(failures, channel) == [
        ("events.amazonaws.com", BY_ACCOUNT),
        ("sns.amazonaws.com", BY_ACCOUNT),
    ]
    if encrypted:
        (resource,) = resources_of(failures, "AWS::KMS::Key").values()
        let_in = [
            statement["Principal"]["Service"]
            for statement in resource["Properties"]["KeyPolicy"]["Statement"]
            if statement.get("Condition") == BY_ACCOUNT
        ]
        assert let_in == ["sns.amazonaws.com", "events.amazonaws.com"]


@pytest.mark.parametrize("scope", ["the stack", "a nested stack"])
def test_names_callers_of_the_same_stack(stack: cdk.Stack, scope: str) -> None:
    """Only the rule and topic themselves may send where their stack is deployed with the queue."""
    channel = FailureChannel(stack, "Channel")
    define_callers(stack if scope == "the stack" else cdk.NestedStack(stack, "Nested"), channel)
    found = senders(stack, channel)
    assert [service for service, _ in found] == ["events.amazonaws.com", "sns.amazonaws.com"]
    assert [list(condition["ArnEquals"]) for _, condition in found] == [["aws:SourceArn"]] * 2


def test_lets_nobody_in_without_callers(stack: cdk.Stack) -> None:
    """The policy of an unused queue stays as it was."""
    assert senders(stack, FailureChannel(stack, "Channel")) == []


def test_adds_other_statements_as_they_are() -> None:
    """A statement that is not for EventBridge or SNS keeps its condition."""
    app = cdk.App()
    failures, shop = cdk.Stack(app, "Failures"), cdk.Stack(app, "Shop")
    channel = FailureChannel(failures, "Channel")
    topic = sns.Topic(shop, "Topic")
    added = channel.dead_letter_queue.add_to_resource_policy(
        iam.PolicyStatement(
            actions=["sqs:SendMessage"],
            principals=[iam.ServicePrincipal("s3.amazonaws.com")],
            resources=[channel.dead_letter_queue.queue_arn],
            conditions={"ArnEquals": {"aws:SourceArn": topic.topic_arn}},
        )
    )
    assert added.statement_added
    ((service, condition),) = senders(failures, channel)
    assert (service, list(condition)) == ("s3.amazonaws.com", ["ArnEquals"])
