"""FailureReplayer that hands events over instead of waiting for their handlers."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_sqs as sqs

from failure_destinations import FailureChannel, FailureReplayer

from .conftest import define_handler
from .templates import assert_does_not_warn, listed, logical_id, only, resources_of, template_of

HOUR = cdk.Duration.hours(1)


def define(stack: cdk.Stack, handler: lambda_.IFunction, **settings: Any) -> FailureReplayer:
    """Define a channel with a handler, and its asynchronous replayer."""
    channel = FailureChannel(stack, "Channel")
    channel.notify_failures_of(handler, **settings)
    return FailureReplayer(stack, "Replayer", channel=channel, asynchronous=True)


def variables(stack: cdk.Stack, replayer: FailureReplayer) -> Any:
    """Return the environment variables of a replayer's function."""
    function = resources_of(stack)[logical_id(stack, replayer.function)]
    return function["Properties"]["Environment"]["Variables"]


def test_counts_in_a_table(stack: cdk.Stack) -> None:
    """Its function may read and write the counts, and do nothing else with the table."""
    replayer = define(stack, define_handler(stack))
    id, table = only(stack, "AWS::DynamoDB::Table")
    assert table["KeySchema"] == [{"AttributeName": "event", "KeyType": "HASH"}]
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
    assert variables(stack, replayer)["COUNTS_TABLE"] == {"Ref": id}
    allowed = [
        statement
        for policy in resources_of(stack, "AWS::IAM::Policy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Resource"] == {"Fn::GetAtt": [id, "Arn"]}
    ]
    assert [listed(each["Action"]) for each in allowed] == [
        ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem"]
    ]


def test_defines_no_table_unless_asked(stack: cdk.Stack) -> None:
    """A replayer that waits counts by SQS's receives."""
    channel = FailureChannel(stack, "Channel")
    replayer = FailureReplayer(stack, "Replayer", channel=channel)
    assert resources_of(stack, "AWS::DynamoDB::Table") == {}
    assert "COUNTS_TABLE" not in variables(stack, replayer)


def test_takes_handlers_that_no_replayer_could_wait_for(stack: cdk.Stack) -> None:
    """Its own function needs a minute, whatever they take."""
    handler = define_handler(stack, timeout=cdk.Duration.minutes(15))
    resource: Any = handler.node.default_child
    resource.timeout = 5400
    replayer = define(stack, handler)
    function = resources_of(stack)[logical_id(stack, replayer.function)]
    assert function["Properties"]["Timeout"] == 60


@pytest.mark.parametrize(
    ("durable", "seconds"), [(None, 43_200), (cdk.Duration.days(30), 43_200 + 30 * 86_400)]
)
def test_counts_hold_until_a_failure_is_back(
    stack: cdk.Stack, durable: cdk.Duration | None, seconds: int
) -> None:
    """A durable execution may fail after a long time."""
    config = None if durable is None else lambda_.DurableConfig(execution_timeout=durable)
    handler = define_handler(stack, durable_config=config)
    replayer = define(stack, handler.add_alias("live"))
    assert variables(stack, replayer)["COUNTS_EXPIRE_SECONDS"] == str(seconds)


def test_does_not_warn_of_success_destinations(stack: cdk.Stack) -> None:
    """Lambda sends records of asynchronous invocations, as these are."""
    queue = sqs.Queue(stack, "Queue")
    define(stack, define_handler(stack), on_success=destinations.SqsDestination(queue))
    assert_does_not_warn(stack)


def test_rejects_a_function_that_isolates_tenants(stack: cdk.Stack) -> None:
    """An event does not say for which tenant it was."""
    define(stack, define_handler(stack, tenancy_config=lambda_.TenancyConfig.PER_TENANT))
    with pytest.raises(RuntimeError, match="must not have tenancy_config"):
        template_of(stack)


@pytest.mark.parametrize("value", ["yes", 1, None])
def test_rejects_another_asynchronous(stack: cdk.Stack, value: Any) -> None:
    """It is a switch."""
    channel = FailureChannel(stack, "Channel")
    with pytest.raises(ValueError, match="asynchronous must be True or False"):
        FailureReplayer(stack, "Replayer", channel=channel, asynchronous=value)


def test_a_replayer_that_waits_names_the_way_out(stack: cdk.Stack) -> None:
    """For a handler that takes too long."""
    handler = define_handler(stack)
    resource: Any = handler.node.default_child
    resource.timeout = 5400
    channel = FailureChannel(stack, "Channel")
    channel.notify_failures_of(handler)
    FailureReplayer(stack, "Replayer", channel=channel)
    with pytest.raises(RuntimeError, match="asynchronous=True"):
        template_of(stack)
