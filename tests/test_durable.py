"""Durable functions: Lambda sends their failures to their dead-letter queue only.

https://docs.aws.amazon.com/lambda/latest/dg/durable-invoking.html
"""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_scheduler import ScheduleExpression

from failure_destinations import (
    FailureChannel,
    FailureMonitoring,
    FailureNotifiedFunction,
    FailureReplayer,
)
from failure_destinations.check import find_uncovered_functions

from .conftest import define_handler
from .templates import (
    assert_does_not_warn,
    assert_warns,
    is_reference,
    listed,
    logical_id,
    resources_of,
    template_of,
)

HOUR = cdk.Duration.hours(1)


def define_durable(scope: cdk.Stack, id: str = "Durable", **properties: Any) -> lambda_.Function:
    """Define a durable function."""
    timeout = properties.pop("execution_timeout", HOUR)
    config = lambda_.DurableConfig(execution_timeout=timeout)
    return define_handler(scope, id, durable_config=config, **properties)


def attached(handler: lambda_.IFunction, **settings: Any) -> FailureChannel:
    """Attach a handler to a channel of its stack."""
    channel = FailureChannel(handler.stack, "Channel")
    channel.notify_failures_of(handler, **settings)
    return channel


def resource(stack: cdk.Stack, construct: Any) -> Any:
    """Return the properties of a construct's resource."""
    return resources_of(stack)[logical_id(stack, construct)]["Properties"]


def forwarder_of(function: lambda_.Function) -> Any:
    """Return the properties of the function that forwards a durable function's failures."""
    forwarder = function.node.find_child("DurableFailures").node.find_child("Forwarder")
    return resource(function.stack, forwarder)


def statements_of(stack: cdk.Stack, role: iam.IRole) -> list[dict[str, Any]]:
    """Return the statements of all policies of a role."""
    id = logical_id(stack, role)
    return [
        statement
        for policy in resources_of(stack, "AWS::IAM::Policy").values()
        if {"Ref": id} in policy["Properties"]["Roles"]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]


@pytest.mark.parametrize("keep_copies", [True, False])
def test_gets_a_dead_letter_queue_and_no_destination(stack: cdk.Stack, keep_copies: bool) -> None:
    """Whether or not copies are kept: nothing else gets its failures."""
    function = define_durable(stack)
    channel = FailureChannel(stack, "Channel", keep_copies=keep_copies)
    channel.notify_failures_of(function.add_alias("live"))
    target = resource(stack, function)["DeadLetterConfig"]["TargetArn"]
    queue = resources_of(stack)[target["Fn::GetAtt"][0]]
    assert queue["Type"] == "AWS::SQS::Queue"
    assert queue["DeletionPolicy"] == "Retain"
    assert queue["Properties"]["MessageRetentionPeriod"] == 14 * 24 * 60 * 60
    assert queue["Properties"]["RedrivePolicy"]["deadLetterTargetArn"] == {
        "Fn::GetAtt": [logical_id(stack, channel.dead_letter_queue), "Arn"]
    }
    assert resources_of(stack, "AWS::Lambda::EventInvokeConfig") == {}
    assert_does_not_warn(stack)


def test_lets_the_functions_role_send_to_its_queue_only(stack: cdk.Stack) -> None:
    """Lambda rejects a dead-letter queue that the role may not send to."""
    function = define_durable(stack)
    attached(function.add_alias("live"))
    assert function.role is not None
    queue = resource(stack, function)["DeadLetterConfig"]["TargetArn"]
    assert statements_of(stack, function.role) == [
        {"Action": "sqs:SendMessage", "Effect": "Allow", "Resource": queue}
    ]


def test_forwards_its_failures_to_the_topic(stack: cdk.Stack) -> None:
    """With what the records say, and from that queue."""
    function = define_durable(stack)
    alias = function.add_alias("live")
    channel = attached(alias)
    forwarder = forwarder_of(function)
    assert forwarder["Handler"] == "runtime.forwarder.handler"
    assert function.role is not None
    assert forwarder["Environment"]["Variables"] == {
        "TOPIC_ARN": {"Ref": logical_id(stack, channel.topic)},
        "QUEUE_URL": {"Ref": logical_id(stack, channel.queue)},
        "FUNCTION_ARN": stack.resolve(alias.function_arn),
        "ROLE_ID": {"Fn::GetAtt": [logical_id(stack, function.role), "RoleId"]},
    }
    (source,) = resources_of(stack, "AWS::Lambda::EventSourceMapping").values()
    queue = resource(stack, function)["DeadLetterConfig"]["TargetArn"]
    assert source["Properties"]["EventSourceArn"] == queue
    assert source["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    # SNS loses a record that arrives before the queue is subscribed.
    assert logical_id(stack, channel.queue_subscription) in listed(source["DependsOn"])


def test_the_forwarder_may_do_no_more(stack: cdk.Stack) -> None:
    """Receive, publish, and send what is too large for the topic."""
    function = define_durable(stack)
    channel = attached(function.add_alias("live"))
    role: Any = function.node.find_child("DurableFailures").node.find_child("Role")
    allowed = {
        (action, str(statement["Resource"]))
        for statement in statements_of(stack, role)
        for action in listed(statement["Action"])
        if not action.startswith("logs:")
    }
    own = str(resource(stack, function)["DeadLetterConfig"]["TargetArn"])
    queue = str({"Fn::GetAtt": [logical_id(stack, channel.queue), "Arn"]})
    assert allowed == {
        ("sqs:DeleteMessage", own),
        ("sqs:GetQueueAttributes", own),
        ("sqs:ReceiveMessage", own),
        ("sqs:SendMessage", queue),
        ("sns:Publish", str({"Ref": logical_id(stack, channel.topic)})),
    }


def test_uses_the_channels_key(stack: cdk.Stack) -> None:
    """For the queue; the function's and the forwarder's roles may use it."""
    key = kms.Key(stack, "Key")
    function = define_durable(stack)
    channel = FailureChannel(stack, "Channel", encryption_key=key)
    channel.notify_failures_of(function.add_alias("live"))
    arn = {"Fn::GetAtt": [logical_id(stack, key), "Arn"]}
    target = resource(stack, function)["DeadLetterConfig"]["TargetArn"]
    queue = resources_of(stack)[target["Fn::GetAtt"][0]]["Properties"]
    assert queue["KmsMasterKeyId"] == arn
    forwarder: Any = function.node.find_child("DurableFailures").node.find_child("Role")
    roles: list[Any] = [function.role, forwarder]
    for role in roles:
        uses = [one for one in statements_of(stack, role) if one["Resource"] == arn]
        assert uses, role
        assert "kms:Decrypt" in uses[0]["Action"]


def test_latest_stays_latest(stack: cdk.Stack) -> None:
    """Lambda invokes a durable function with a qualifier only, of which `$LATEST` is one."""
    function = define_durable(stack)
    channel = attached(function)
    replayer = FailureReplayer(stack, "Replayer", channel=FailureChannel(stack, "Other"))
    assert replayer.function
    arn = stack.resolve(function.function_arn)
    variables = forwarder_of(function)["Environment"]["Variables"]
    assert variables["FUNCTION_ARN"] == {"Fn::Join": ["", [arn, ":$LATEST"]]}
    assert channel.queue


def test_the_replayer_may_invoke_latest(stack: cdk.Stack) -> None:
    """IAM names a qualified function as it is called."""
    function = define_durable(stack, execution_timeout=cdk.Duration.minutes(10))
    channel = attached(function)
    replayer = FailureReplayer(stack, "Replayer", channel=channel)
    (invoke,) = [
        statement
        for policy in resources_of(stack, "AWS::IAM::Policy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Action"] == "lambda:InvokeFunction"
    ]
    arn = stack.resolve(function.function_arn)
    assert invoke["Resource"] == {"Fn::Join": ["", [arn, ":$LATEST"]]}
    # It waits for the whole execution, not for one invocation of it.
    assert resource(stack, replayer.function)["Timeout"] == 630


def test_rejects_a_replayer_for_long_executions(stack: cdk.Stack) -> None:
    """A synchronous execution ends after 15 minutes."""
    channel = attached(define_durable(stack).add_alias("live"))
    FailureReplayer(stack, "Replayer", channel=channel)
    with pytest.raises(RuntimeError, match=r"execution timeout of Stack/Durable.*at most 900"):
        template_of(stack)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("retries", 1),
        ("retries", 2),
        ("max_event_age", HOUR),
        ("on_success", "queue"),
    ],
)
def test_rejects_settings_that_lambda_does_not_apply(
    stack: cdk.Stack, name: str, value: Any
) -> None:
    """Also the number that is the default for other functions."""
    if name == "on_success":
        value = destinations.SqsDestination(sqs.Queue(stack, "Queue"))
    function = define_durable(stack)
    channel = FailureChannel(stack, "Channel")
    with pytest.raises(ValueError, match=rf"{name} must be left out for a durable function"):
        channel.notify_failures_of(function.add_alias("live"), **{name: value})
    with pytest.raises(ValueError, match=rf"{name} must be left out for a durable function"):
        FailureNotifiedFunction(
            stack, "Notified", handler=function, channel=channel, **{name: value}
        )
    assert "DeadLetterConfig" not in resource(stack, function)


def test_accepts_no_retries(stack: cdk.Stack) -> None:
    """That is what Lambda does."""
    function = define_durable(stack)
    attached(function.add_alias("live"), retries=0)
    assert "DeadLetterConfig" in resource(stack, function)


def test_rejects_the_channel_as_its_destination(stack: cdk.Stack) -> None:
    """Lambda would send nothing there."""
    channel = FailureChannel(stack, "Channel")
    with pytest.raises(RuntimeError, match="on_failure must be left out for a durable function"):
        define_durable(stack, on_failure=channel.destination)


def test_rejects_a_function_that_becomes_durable_later(stack: cdk.Stack) -> None:
    """A property that is set after it was attached."""
    function = define_handler(stack)
    attached(function)
    resource: Any = function.node.default_child
    resource.durable_config = lambda_.CfnFunction.DurableConfigProperty(execution_timeout=60)
    with pytest.raises(RuntimeError, match=r"Stack/Handler.*must be durable before"):
        template_of(stack)


def test_rejects_a_durable_function_with_its_own_dead_letter_queue(stack: cdk.Stack) -> None:
    """The channel would get none of its failures."""
    function = define_durable(stack, dead_letter_queue=sqs.Queue(stack, "Queue"))
    with pytest.raises(ValueError, match="handler must have no dead-letter queue"):
        attached(function.add_alias("live"))


def test_rejects_a_durable_function_with_an_asynchronous_configuration(stack: cdk.Stack) -> None:
    """The way out differs from that of other functions."""
    alias = define_durable(stack).add_alias("live")
    alias.configure_async_invoke(retry_attempts=0)
    with pytest.raises(ValueError, match=r"a durable function with one.*configure_async_invoke"):
        attached(alias)


def test_rejects_a_second_alias(stack: cdk.Stack) -> None:
    """A dead letter does not say which was invoked."""
    function = define_durable(stack)
    channel = attached(function.add_alias("live"))
    with pytest.raises(ValueError, match="handler must be attached once"):
        channel.notify_failures_of(function.add_alias("test"))


def test_warns_of_a_role_that_cannot_be_changed(stack: cdk.Stack) -> None:
    """Lambda would reject the dead-letter queue."""
    role = iam.Role.from_role_arn(
        stack, "Role", "arn:aws:iam::111122223333:role/given", mutable=False
    )
    attached(define_durable(stack, role=role).add_alias("live"))
    assert_warns(stack, "durable function's role cannot be changed here.*sqs:SendMessage")


def test_a_channel_in_another_stack(app: cdk.App) -> None:
    """The function's stack refers to the channel's, and never the other way round."""
    channel = FailureChannel(cdk.Stack(app, "Channels"), "Channel")
    stack = cdk.Stack(app, "Stack")
    function = define_durable(stack)
    channel.notify_failures_of(function.add_alias("live"))
    variables = forwarder_of(function)["Environment"]["Variables"]
    assert is_reference(variables["TOPIC_ARN"])
    assert not any(
        is_reference(value) for value in template_of(channel.topic.stack)["Resources"].values()
    )


def test_a_role_of_another_stack(app: cdk.App) -> None:
    """Its stack cannot refer to the function's, which refers to it."""
    roles = cdk.Stack(app, "Roles")
    role = iam.Role(roles, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    stack = cdk.Stack(app, "Stack")
    function = define_durable(stack, role=role)
    attached(function.add_alias("live"))
    policies = [
        policy["Properties"]
        for policy in resources_of(stack, "AWS::IAM::Policy").values()
        if any(is_reference(role) for role in policy["Properties"]["Roles"])
    ]
    assert [one["PolicyDocument"]["Statement"][0]["Action"] for one in policies] == [
        "sqs:SendMessage"
    ]


def test_rejects_a_channel_that_would_refer_back(app: cdk.App) -> None:
    """The function needs the channel's queue, and the schedule the function."""
    function = define_durable(cdk.Stack(app, "Functions"))
    with pytest.raises(ValueError, match="handler must be in the channel's stack"):
        FailureNotifiedFunction(
            cdk.Stack(app, "Stack"),
            "Notified",
            handler=function.add_alias("live"),
            schedule=ScheduleExpression.rate(HOUR),
        )


def test_starts_only_once_failures_are_caught(stack: cdk.Stack) -> None:
    """Its schedule waits for all that catches failures."""
    function = define_durable(stack)
    FailureNotifiedFunction(
        stack,
        "Notified",
        handler=function.add_alias("live"),
        schedule=ScheduleExpression.rate(HOUR),
    )
    (schedule,) = resources_of(stack, "AWS::Scheduler::Schedule").values()
    (source,) = resources_of(stack, "AWS::Lambda::EventSourceMapping")
    assert source in schedule["DependsOn"]


def test_cover_attaches_durable_functions(stack: cdk.Stack) -> None:
    """Whatever settings it has for the others."""
    function = define_durable(stack)
    rule = events.Rule(stack, "Rule", schedule=events.Schedule.rate(HOUR))
    dead_letters = sqs.Queue(stack, "DeadLetters")
    rule.add_target(
        targets.LambdaFunction(function.add_alias("live"), dead_letter_queue=dead_letters)
    )
    FailureChannel(stack, "Channel").cover(stack, retries=1)
    template = template_of(stack)
    (function_resource,) = [
        one["Properties"]
        for one in template["Resources"].values()
        if "DurableConfig" in one.get("Properties", {})
    ]
    assert "DeadLetterConfig" in function_resource
    assert [one for one in find_uncovered_functions(template) if one.severity == "error"] == []


def test_follows_the_condition_of_its_function(stack: cdk.Stack) -> None:
    """What refers to a function that is not defined would be no valid template."""
    function = define_durable(stack)
    condition = cdk.CfnCondition(stack, "Wanted", expression=cdk.Fn.condition_equals("a", "b"))
    element: Any = function.node.default_child
    element.cfn_options.condition = condition
    attached(function)
    conditions = {
        resource["Type"]: resource.get("Condition")
        for id, resource in resources_of(stack).items()
        if "DurableFailures" in id
    }
    assert conditions["AWS::Lambda::Function"] == "Wanted"
    assert conditions["AWS::Lambda::EventSourceMapping"] == "Wanted"
    assert conditions["AWS::SQS::Queue"] is None


def test_alarms_on_its_dead_letter_queue_only(stack: cdk.Stack) -> None:
    """It has no destination that Lambda could fail to send to."""
    channel = attached(define_durable(stack).add_alias("live"))
    FailureMonitoring(stack, "Monitoring", channel=channel)
    metrics = {
        alarm["Properties"]["MetricName"]
        for alarm in resources_of(stack, "AWS::CloudWatch::Alarm").values()
        if alarm["Properties"]["Namespace"] == "AWS/Lambda"
    }
    assert "DeadLetterErrors" in metrics
    assert "DestinationDeliveryFailures" not in metrics


def test_rejects_a_replayer_that_could_not_be_let_in(app: cdk.App) -> None:
    """Lambda takes no permission for `$LATEST`, which callers of the function itself name."""
    channel = FailureChannel(cdk.Stack(app, "Channels"), "Channel")
    FailureReplayer(channel.topic.stack, "Replayer", channel=channel)
    function = define_durable(cdk.Stack(app, "Stack"), execution_timeout=cdk.Duration.minutes(1))
    with pytest.raises(ValueError, match=r"handler must be a version or alias of 'Stack/Durable'"):
        channel.notify_failures_of(function)


def test_lets_a_replayer_of_another_stack_in(app: cdk.App) -> None:
    """By a permission for the alias."""
    channel = FailureChannel(cdk.Stack(app, "Channels"), "Channel")
    FailureReplayer(channel.topic.stack, "Replayer", channel=channel)
    stack = cdk.Stack(app, "Stack")
    function = define_durable(stack, execution_timeout=cdk.Duration.minutes(1))
    alias = function.add_alias("live")
    channel.notify_failures_of(alias)
    (permission,) = resources_of(stack, "AWS::Lambda::Permission").values()
    assert permission["Properties"]["FunctionName"] == stack.resolve(alias.function_arn)
