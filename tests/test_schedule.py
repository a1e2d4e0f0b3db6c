"""The schedule of a FailureNotifiedFunction: EventBridge Scheduler, its role and its payload."""

from __future__ import annotations

import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk.aws_scheduler import ContextAttribute, ScheduleExpression
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from failure_destinations import FailureChannel, FailureNotifiedFunction

from .conftest import define_handler
from .templates import (
    assert_does_not_warn,
    assert_warns,
    logical_id,
    only,
    resources_of,
)

EVERY_MINUTE = ScheduleExpression.rate(cdk.Duration.minutes(1))
ARTICLE_PAYLOAD = {"veryImportantData": "this should not be lost !!!"}


def scheduled(stack: cdk.Stack, handler: lambda_.IFunction, **settings: Any) -> Any:
    """Define a scheduled function and return its schedule's properties."""
    FailureNotifiedFunction(stack, "Notified", handler=handler, schedule=EVERY_MINUTE, **settings)
    return only(stack, "AWS::Scheduler::Schedule")[1]


def test_starts_the_handler_on_schedule(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """EventBridge Scheduler starts the handler with the payload, in UTC, on the minute."""
    schedule = scheduled(stack, handler, payload=ARTICLE_PAYLOAD)
    assert schedule["ScheduleExpression"] == "rate(1 minute)"
    assert schedule["State"] == "ENABLED"
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert schedule["Target"]["Arn"] == {"Fn::GetAtt": [logical_id(stack, handler), "Arn"]}
    assert json.loads(schedule["Target"]["Input"]) == ARTICLE_PAYLOAD


def test_refuses_a_schedule_for_a_function_that_isolates_tenants(stack: cdk.Stack) -> None:
    """Scheduler cannot name a tenant; without a schedule, other callers can."""
    handler = define_handler(stack, tenancy_config=lambda_.TenancyConfig.PER_TENANT)
    with pytest.raises(ValueError, match=r"schedule must be left out .* cannot name a tenant"):
        scheduled(stack, handler.add_alias("live"))
    assert FailureNotifiedFunction(stack, "Other", handler=handler).schedule is None


def test_refuses_a_schedule_for_a_durable_function_itself(stack: cdk.Stack) -> None:
    """Lambda starts it through a version or alias only."""
    config = lambda_.DurableConfig(execution_timeout=cdk.Duration.hours(1))
    handler = define_handler(stack, durable_config=config)
    with pytest.raises(ValueError, match=r"schedule needs a version or alias"):
        scheduled(stack, handler)
    alias = handler.add_alias("live")
    assert scheduled(stack, alias)["Target"]["Arn"] == stack.resolve(alias.function_arn)


def test_defines_no_schedule_unless_asked(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """Without a schedule others invoke the handler."""
    notified = FailureNotifiedFunction(stack, "Notified", handler=handler)
    assert notified.schedule is None
    assert resources_of(stack, "AWS::Scheduler::Schedule") == {}


def test_keeps_what_cannot_be_started(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """An event that Scheduler cannot deliver to Lambda goes to the dead-letter queue."""
    channel = FailureChannel(stack, "Channel")
    schedule = scheduled(stack, handler, channel=channel)
    arn = {"Fn::GetAtt": [logical_id(stack, channel.dead_letter_queue), "Arn"]}
    assert schedule["Target"]["DeadLetterConfig"] == {"Arn": arn}


def test_separates_delivery_retries(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """Scheduler's retry policy has its own parameters."""
    schedule = scheduled(
        stack, handler, retries=0, delivery_retries=5, max_delivery_age=cdk.Duration.hours(2)
    )
    assert schedule["Target"]["RetryPolicy"] == {
        "MaximumEventAgeInSeconds": 7200,
        "MaximumRetryAttempts": 5,
    }


def test_tries_a_day_to_deliver_by_default(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """Scheduler retries 185 times within 24 hours, which is its own default."""
    assert scheduled(stack, handler, retries=0)["Target"]["RetryPolicy"] == {
        "MaximumEventAgeInSeconds": 86400,
        "MaximumRetryAttempts": 185,
    }


def test_starts_the_alias_that_is_called(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """Schedule, role and configuration all name the alias, not the function."""
    alias = handler.add_alias("live")
    schedule = scheduled(stack, alias)
    reference = {"Ref": logical_id(stack, alias)}
    assert schedule["Target"]["Arn"] == reference
    assert role_statements(stack)[0]["Resource"] == reference


def role_statements(stack: cdk.Stack) -> list[dict[str, Any]]:
    """Return what the schedule's role may do."""
    (role,) = (
        resource["Properties"]
        for resource in resources_of(stack, "AWS::IAM::Role").values()
        if "Policies" in resource["Properties"]
    )
    (policy,) = role["Policies"]
    return list(policy["PolicyDocument"]["Statement"])


def test_lets_the_schedule_start_this_handler_only(
    stack: cdk.Stack, handler: lambda_.Function
) -> None:
    """The role may invoke the handler and send to the dead-letter queue, nothing else."""
    channel = FailureChannel(stack, "Channel")
    scheduled(stack, handler, channel=channel)
    queue = logical_id(stack, channel.dead_letter_queue)
    assert role_statements(stack) == [
        {
            "Action": "lambda:InvokeFunction",
            "Effect": "Allow",
            "Resource": {"Fn::GetAtt": [logical_id(stack, handler), "Arn"]},
        },
        {
            "Action": "sqs:SendMessage",
            "Effect": "Allow",
            "Resource": {"Fn::GetAtt": [queue, "Arn"]},
        },
    ]


def test_lets_the_schedule_encrypt(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """With a key, the role may encrypt for the dead-letter queue."""
    key = kms.Key(stack, "Key")
    scheduled(stack, handler, channel=FailureChannel(stack, "Channel", encryption_key=key))
    assert role_statements(stack)[2] == {
        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
        "Effect": "Allow",
        "Resource": {"Fn::GetAtt": [logical_id(stack, key), "Arn"]},
    }


def test_is_not_a_confused_deputy(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """Scheduler may assume the role for this account's default schedule group only."""
    scheduled(stack, handler)
    (trust,) = (
        resource["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]
        for resource in resources_of(stack, "AWS::IAM::Role").values()
        if "Policies" in resource["Properties"]
    )
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    condition = trust["Condition"]["StringEquals"]
    assert condition["aws:SourceAccount"] == {"Ref": "AWS::AccountId"}
    assert condition["aws:SourceArn"]["Fn::Join"][1][-1] == ":schedule-group/default"


def test_starts_only_once_failures_are_caught(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """The first run comes after Lambda knows where failures go."""
    scheduled(stack, handler)
    (config,) = resources_of(stack, "AWS::Lambda::EventInvokeConfig")
    (schedule,) = resources_of(stack, "AWS::Scheduler::Schedule").values()
    assert schedule["DependsOn"] == [config]


def test_keeps_a_schedules_time_zone(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """Everything in a ScheduleExpression reaches the schedule."""
    expression = ScheduleExpression.cron(minute="0", hour="3", time_zone=cdk.TimeZone.EUROPE_BERLIN)
    FailureNotifiedFunction(stack, "Notified", handler=handler, schedule=expression)
    _, schedule = only(stack, "AWS::Scheduler::Schedule")
    assert schedule["ScheduleExpression"] == "cron(0 3 * * ? *)"
    assert schedule["ScheduleExpressionTimezone"] == "Europe/Berlin"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda values: (
        st.lists(values) | st.dictionaries(st.text(st.characters(codec="utf-8")), values)
    ),
    max_leaves=12,
).filter(lambda value: value is not None)


@given(payload=json_values)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_passes_any_json_unchanged(payload: Any) -> None:
    """Any JSON arrives unchanged: digits, order, characters."""
    stack = cdk.Stack()
    schedule = scheduled(stack, define_handler(stack), payload=payload)
    arrived = json.loads(schedule["Target"]["Input"])
    assert repr(arrived) == repr(payload)


def test_sends_payloads_as_ascii(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """The payload has no character that CloudFormation could replace."""
    text = scheduled(stack, handler, payload={"città": "Zürich 🎉"})["Target"]["Input"]
    assert text.isascii()
    assert json.loads(text) == {"città": "Zürich 🎉"}


def test_resolves_tokens_in_a_payload(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """A payload may hold values known at deployment, and Scheduler's own attributes."""
    parameter = cdk.CfnParameter(stack, "Bucket")
    count = cdk.CfnParameter(stack, "Count", type="Number")
    schedule = scheduled(
        stack,
        handler,
        payload={
            "bucket": parameter.value_as_string,
            "count": count.value_as_number,
            "at": ContextAttribute.scheduled_time,
        },
    )
    assert schedule["Target"]["Input"] == {
        "Fn::Join": [
            "",
            [
                '{"bucket":"',
                {"Ref": "Bucket"},
                '","count":',
                {"Ref": "Count"},
                ',"at":"<aws.scheduler.scheduled-time>"}',
            ],
        ]
    }


def test_passes_the_rest_of_a_payload_with_tokens_unchanged(
    stack: cdk.Stack, handler: lambda_.Function
) -> None:
    """Nulls, digits, floats and tuples beside a token stay as they are."""
    values = [None, 2**60 + 1, 1.0, "é", (1, None), {"n": None}]
    schedule = scheduled(stack, handler, payload={"values": values, "region": cdk.Aws.REGION})
    head, region, tail = schedule["Target"]["Input"]["Fn::Join"][1]
    assert json.loads(head + "eu-west-1" + tail) == {
        "values": [None, 2**60 + 1, 1.0, "é", [1, None], {"n": None}],
        "region": "eu-west-1",
    }
    assert region == {"Ref": "AWS::Region"}
    assert '"values":[null,1152921504606846977,1.0,"\\u00e9"' in head


def test_resolves_lists_in_a_payload(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """A list known at deployment stays a list: a custom resource of CDK writes it as JSON."""
    subnets = cdk.CfnParameter(stack, "Subnets", type="CommaDelimitedList").value_as_list
    text = json.dumps(scheduled(stack, handler, payload={"subnets": subnets})["Target"]["Input"])
    assert "CdkJsonStringify" in text


def test_accepts_delivery_settings_known_at_deployment(
    stack: cdk.Stack, handler: lambda_.Function
) -> None:
    """Parameters can be the delivery retries and the age."""
    retries = cdk.CfnParameter(stack, "Retries", type="Number").value_as_number
    age = cdk.CfnParameter(stack, "Age", type="Number").value_as_number
    schedule = scheduled(
        stack, handler, delivery_retries=retries, max_delivery_age=cdk.Duration.seconds(age)
    )
    assert schedule["Target"]["RetryPolicy"] == {
        "MaximumEventAgeInSeconds": {"Ref": "Age"},
        "MaximumRetryAttempts": {"Ref": "Retries"},
    }


def test_warns_of_a_payload_that_sns_cannot_hold(
    stack: cdk.Stack, handler: lambda_.Function
) -> None:
    """A record over 256 KB would lack its payload, so a warning says so."""
    scheduled(stack, handler, payload="x" * 250_000)
    assert_warns(stack, "over 256 KiB to SNS with its payload")


def test_does_not_warn_of_an_ordinary_payload(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """A payload of 200 KB goes through."""
    scheduled(stack, handler, payload="x" * 200_000)
    assert_does_not_warn(stack)
