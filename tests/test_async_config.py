"""The EventInvokeConfig of a handler: retries, maximum event age and destinations."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_lambda_nodejs as nodejs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_events_targets import LambdaFunction

from failure_destinations import FailureChannel, FailureNotifiedFunction

from .conftest import define_handler
from .templates import (
    assert_does_not_warn,
    assert_warns,
    logical_id,
    only,
    resources_of,
)

CONFIG = "AWS::Lambda::EventInvokeConfig"
ROLE_ARN = "arn:aws:iam::111122223333:role/nightly-report"
FUNCTION_ARN = "arn:aws:lambda:eu-west-1:111122223333:function:nightly-report"


def imported_handler(stack: cdk.Stack) -> lambda_.IFunction:
    """Import a function with its role."""
    return lambda_.Function.from_function_attributes(
        stack,
        "Imported",
        function_arn=FUNCTION_ARN,
        role=iam.Role.from_role_arn(stack, "ImportedRole", ROLE_ARN),
        same_environment=True,
    )


def test_sends_failures_to_the_topic(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """Lambda sends the function's failed events to the channel's topic after its retries."""
    channel = FailureChannel(stack, "Channel")
    channel.notify_failures_of(handler)
    _, config = only(stack, CONFIG)
    assert config == {
        "DestinationConfig": {
            "OnFailure": {"Destination": {"Ref": logical_id(stack, channel.topic)}}
        },
        "FunctionName": {"Ref": logical_id(stack, handler)},
        "MaximumRetryAttempts": 2,
        "Qualifier": "$LATEST",
    }


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_sets_lambdas_own_retries(
    stack: cdk.Stack, handler: lambda_.Function, retries: int
) -> None:
    """Retries are Lambda's, not the schedule's."""
    FailureNotifiedFunction(stack, "Notified", handler=handler, retries=retries)
    _, config = only(stack, CONFIG)
    assert config["MaximumRetryAttempts"] == retries


@pytest.mark.parametrize(
    ("age", "seconds"),
    [
        (cdk.Duration.seconds(60), 60),
        (cdk.Duration.minutes(90), 5400),
        (cdk.Duration.hours(6), 21600),
    ],
)
def test_limits_the_age_of_events(
    stack: cdk.Stack, handler: lambda_.Function, age: cdk.Duration, seconds: int
) -> None:
    """max_event_age is set on the function, from 60 seconds to 6 hours."""
    FailureNotifiedFunction(stack, "Notified", handler=handler, max_event_age=age)
    _, config = only(stack, CONFIG)
    assert config["MaximumEventAgeInSeconds"] == seconds


def test_accepts_retries_known_at_deployment(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """A parameter's value can be the number of retries."""
    retries = cdk.CfnParameter(stack, "Retries", type="Number")
    FailureNotifiedFunction(
        stack,
        "Notified",
        handler=handler,
        retries=retries.value_as_number,  # type: ignore[arg-type]
    )
    _, config = only(stack, CONFIG)
    assert config["MaximumRetryAttempts"] == {"Ref": "Retries"}


def test_lets_the_handler_publish(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """The handler's role may publish to the topic and send copies, and gets nothing else."""
    channel = FailureChannel(stack, "Channel")
    channel.notify_failures_of(handler)
    _, policy = only(stack, "AWS::IAM::Policy")
    assert policy["PolicyDocument"]["Statement"] == [
        {
            "Action": "sns:Publish",
            "Effect": "Allow",
            "Resource": {"Ref": logical_id(stack, channel.topic)},
        },
        {
            "Action": "sqs:SendMessage",
            "Effect": "Allow",
            "Resource": {"Fn::GetAtt": [logical_id(stack, channel.copy_queue), "Arn"]},
        },
    ]


def success_destinations(stack: cdk.Stack) -> dict[str, lambda_.IDestination]:
    """Return one success destination of each kind that Lambda has."""
    return {
        "topic": destinations.SnsDestination(sns.Topic(stack, "SuccessTopic")),
        "queue": destinations.SqsDestination(sqs.Queue(stack, "SuccessQueue")),
        "function": destinations.LambdaDestination(define_handler(stack, "Success")),
        "bus": destinations.EventBridgeDestination(),
    }


@pytest.mark.parametrize("kind", ["topic", "queue", "function", "bus"])
def test_sends_records_of_successful_runs(
    stack: cdk.Stack, handler: lambda_.Function, kind: str
) -> None:
    """on_success is set beside the failure destination."""
    on_success = success_destinations(stack)[kind]
    FailureNotifiedFunction(stack, "Notified", handler=handler, on_success=on_success)
    _, config = only(stack, CONFIG)
    assert set(config["DestinationConfig"]) == {"OnFailure", "OnSuccess"}


@pytest.mark.parametrize("kind", ["alias", "version"])
def test_attaches_to_what_is_called(stack: cdk.Stack, handler: lambda_.Function, kind: str) -> None:
    """An alias or version gets the configuration, with its qualifier."""
    called: Any = handler.add_alias("live") if kind == "alias" else handler.current_version
    FailureNotifiedFunction(stack, "Notified", handler=called)
    _, config = only(stack, CONFIG)
    assert config["Qualifier"] == qualifier_of(stack, kind)
    assert config["FunctionName"] == {"Ref": logical_id(stack, handler)}


def qualifier_of(stack: cdk.Stack, kind: str) -> dict[str, Any]:
    """Return the reference with which CDK names the stack's only alias or version."""
    if kind == "version":
        (version,) = resources_of(stack, "AWS::Lambda::Version")
        return {"Fn::GetAtt": [version, "Version"]}
    # The last part of the alias's ARN: the configuration then waits for the alias.
    (alias,) = resources_of(stack, "AWS::Lambda::Alias")
    return {"Fn::Select": [7, {"Fn::Split": [":", {"Ref": alias}]}]}


def test_attaches_to_function_and_alias(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """The function and its alias each have a configuration of their own."""
    channel = FailureChannel(stack, "Channel")
    channel.notify_failures_of(handler, retries=0)
    channel.notify_failures_of(handler.add_alias("live"), retries=1)
    retries = [
        (resource["Properties"]["Qualifier"], resource["Properties"]["MaximumRetryAttempts"])
        for resource in resources_of(stack, CONFIG).values()
    ]
    assert sorted(retries, key=str) == [("$LATEST", 0), (qualifier_of(stack, "alias"), 1)]


def test_attaches_to_a_function_imported_with_its_role(stack: cdk.Stack) -> None:
    """The role gets a policy before Lambda checks that it may publish."""
    channel = FailureChannel(stack, "Channel")
    channel.notify_failures_of(imported_handler(stack))
    policy_id, policy = only(stack, "AWS::IAM::Policy")
    ((_, config),) = resources_of(stack, CONFIG).items()
    assert policy["Roles"] == ["nightly-report"]
    assert config["Properties"]["FunctionName"] == "nightly-report"
    assert policy_id in config["DependsOn"]


def test_attaches_to_an_imported_alias(stack: cdk.Stack) -> None:
    """The alias of an existing function gets the configuration."""
    version = lambda_.Version.from_version_attributes(
        stack, "Version", lambda_=imported_handler(stack), version="7"
    )
    alias = lambda_.Alias.from_alias_attributes(
        stack, "Alias", alias_name="live", alias_version=version
    )
    FailureChannel(stack, "Channel").notify_failures_of(alias)
    _, config = only(stack, CONFIG)
    assert (config["FunctionName"], config["Qualifier"]) == ("nightly-report", "live")


def test_attaches_to_a_container_image(stack: cdk.Stack) -> None:
    """A function built from an image is attached like any other."""
    image = lambda_.DockerImageFunction(
        stack,
        "Image",
        code=lambda_.DockerImageCode.from_ecr(
            cdk.aws_ecr.Repository.from_repository_name(stack, "Repository", "reports")
        ),
    )
    FailureNotifiedFunction(stack, "Notified", handler=image)
    _, config = only(stack, CONFIG)
    assert config["FunctionName"] == {"Ref": logical_id(stack, image)}


def test_attaches_to_a_nodejs_function(stack: cdk.Stack) -> None:
    """A NodejsFunction is attached like any other."""
    function = nodejs.NodejsFunction(
        stack,
        "Node",
        code=lambda_.Code.from_inline("exports.handler = async () => {}"),
        handler="index.handler",
        runtime=lambda_.Runtime.NODEJS_24_X,
    )
    FailureNotifiedFunction(stack, "Notified", handler=function)
    _, config = only(stack, CONFIG)
    assert config["FunctionName"] == {"Ref": logical_id(stack, function)}


def test_waits_for_the_queue(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """Lambda learns the destination only once SNS may deliver to both queues."""
    channel = FailureChannel(stack, "Channel")
    channel.notify_failures_of(handler)
    ((_, config),) = resources_of(stack, CONFIG).items()
    ((subscription_id, subscription),) = resources_of(stack, "AWS::SNS::Subscription").items()
    policies = {
        resource["Properties"]["Queues"][0]["Ref"]: policy_id
        for policy_id, resource in resources_of(stack, "AWS::SQS::QueuePolicy").items()
    }
    assert {subscription_id, policies[logical_id(stack, channel.dead_letter_queue)]} <= set(
        config["DependsOn"]
    )
    assert subscription["DependsOn"] == [policies[logical_id(stack, channel.queue)]]


@pytest.mark.parametrize("owner", ["channel", "function"])
def test_shares_a_channel_of_another_stack(app: cdk.App, owner: str) -> None:
    """Functions of two stacks use a channel of a third, which refers to neither."""
    channels = cdk.Stack(app, "Channels")
    channel = FailureChannel(channels, "Channel")
    users = [cdk.Stack(app, id) for id in ("Orders", "Invoices")]
    for user in users:
        handler = define_handler(user)
        if owner == "channel":
            channel.notify_failures_of(handler)
        else:
            FailureNotifiedFunction(user, "Notified", handler=handler, channel=channel)
    app.synth()
    assert [[d.node.id for d in user.dependencies] for user in users] == [["Channels"]] * 2
    assert channels.dependencies == []
    assert [len(resources_of(user, CONFIG)) for user in users] == [1, 1]


@pytest.mark.parametrize("kind", ["function", "alias", "version"])
def test_serves_a_handler_of_another_stack(app: cdk.App, kind: str) -> None:
    """The construct's stack refers to the handler's stack, which refers to nothing."""
    handlers, stack = cdk.Stack(app, "Handlers"), cdk.Stack(app, "Stack")
    function = define_handler(handlers)
    called: dict[str, lambda_.IFunction] = {
        "function": function,
        "alias": function.add_alias("live"),
        "version": function.current_version,
    }
    FailureNotifiedFunction(
        stack,
        "Notified",
        handler=called[kind],
        max_event_age=cdk.Duration.hours(1),
        on_success=destinations.SqsDestination(sqs.Queue(stack, "Successes")),
        schedule=cdk.aws_scheduler.ScheduleExpression.rate(cdk.Duration.minutes(1)),
    )
    app.synth()
    assert handlers.dependencies == []
    ((_, config),) = resources_of(stack, CONFIG).items()
    granted = {
        policy_id: [s["Action"] for s in policy["Properties"]["PolicyDocument"]["Statement"]]
        for policy_id, policy in resources_of(stack, "AWS::IAM::Policy").items()
    }
    (publishing,) = (
        policy_id for policy_id, actions in granted.items() if "sns:Publish" in actions
    )
    assert publishing in config["DependsOn"]
    assert config["Properties"]["MaximumEventAgeInSeconds"] == 3600
    assert set(config["Properties"]["DestinationConfig"]) == {"OnFailure", "OnSuccess"}
    assert (config["Properties"]["Qualifier"] == "$LATEST") is (kind == "function")


def test_serves_a_handler_whose_role_is_of_another_stack(app: cdk.App) -> None:
    """A role's own stack refers to nothing; the policy is beside the handler."""
    roles, stack = cdk.Stack(app, "Roles"), cdk.Stack(app, "Stack")
    role = iam.Role(roles, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    FailureChannel(stack, "Channel").notify_failures_of(define_handler(stack, role=role))
    app.synth()
    assert roles.dependencies == []
    _, policy = only(stack, "AWS::IAM::Policy")
    actions = [s["Action"] for s in policy["PolicyDocument"]["Statement"]]
    assert actions == ["sns:Publish", "sqs:SendMessage"]


def test_serves_an_imported_alias_of_another_stack(app: cdk.App) -> None:
    """A handler imported in another stack is attached in the construct's stack."""
    handlers, stack = cdk.Stack(app, "Handlers"), cdk.Stack(app, "Stack")
    version = lambda_.Version.from_version_attributes(
        handlers, "Version", lambda_=imported_handler(handlers), version="7"
    )
    alias = lambda_.Alias.from_alias_attributes(
        handlers, "Alias", alias_name="live", alias_version=version
    )
    FailureNotifiedFunction(stack, "Notified", handler=alias)
    _, config = only(stack, CONFIG)
    assert (config["FunctionName"], config["Qualifier"]) == ("nightly-report", "live")


def test_warns_of_a_role_that_cannot_be_changed(stack: cdk.Stack) -> None:
    """CDK silently drops what such a role is granted, so a warning says so."""
    role = iam.Role.from_role_arn(stack, "Fixed", ROLE_ARN, mutable=False)
    FailureChannel(stack, "Channel").notify_failures_of(define_handler(stack, role=role))
    assert_warns(stack, "role cannot be changed")


def test_does_not_warn_of_a_role_that_can_be_changed(stack: cdk.Stack) -> None:
    """An imported role that gets a policy needs no warning."""
    channel = FailureChannel(stack, "Channel", keep_copies=False)
    channel.notify_failures_of(imported_handler(stack))
    assert_does_not_warn(stack)


def test_accepts_any_number_known_at_deployment(
    stack: cdk.Stack, handler: lambda_.Function
) -> None:
    """A condition can choose the number of retries."""
    careful = cdk.CfnCondition(stack, "Careful", expression=cdk.Fn.condition_equals("a", "b"))
    retries: Any = cdk.Fn.condition_if(careful.logical_id, 2, 0)
    FailureNotifiedFunction(stack, "Notified", handler=handler, retries=retries)
    _, config = only(stack, CONFIG)
    assert config["MaximumRetryAttempts"] == {"Fn::If": ["Careful", 2, 0]}


def test_serves_a_handler_of_a_nested_stack(stack: cdk.Stack) -> None:
    """A parent stack can serve a handler of its nested stack, without a cycle."""
    nested = cdk.NestedStack(stack, "Nested")
    FailureNotifiedFunction(stack, "Notified", handler=define_handler(nested))
    assert len(resources_of(stack, CONFIG)) == 1


@pytest.mark.parametrize("what", ["function", "alias", "function of an alias"])
@pytest.mark.parametrize("by", ["notify", "cover"])
def test_follows_the_condition_of_the_handler(
    app: cdk.App, stack: cdk.Stack, what: str, by: str
) -> None:
    """Where the condition is false, nothing refers to the missing function."""
    channel = FailureChannel(stack, "Channel")
    function = define_handler(stack)
    handler: lambda_.IFunction = function if what == "function" else function.add_alias("live")
    if by == "notify":
        channel.notify_failures_of(handler)
    else:
        channel.cover(app)
        targets = [LambdaFunction(handler)]
        schedule = events.Schedule.rate(cdk.Duration.minutes(1))
        events.Rule(stack, "Rule", schedule=schedule, targets=targets)
    wanted = cdk.CfnCondition(stack, "Wanted", expression=cdk.Fn.condition_equals("a", "b"))
    resource = (handler if what == "alias" else function).node.default_child
    assert isinstance(resource, cdk.CfnResource)
    resource.cfn_options.condition = wanted
    (config,) = resources_of(stack, CONFIG).values()
    assert config["Condition"] == "Wanted"


def test_takes_no_condition_of_another_stack(app: cdk.App) -> None:
    """A template knows its own conditions only."""
    handlers, stack = cdk.Stack(app, "Handlers"), cdk.Stack(app, "Stack")
    handler = define_handler(handlers)
    wanted = cdk.CfnCondition(handlers, "Wanted", expression=cdk.Fn.condition_equals("a", "b"))
    resource = handler.node.default_child
    assert isinstance(resource, cdk.CfnResource)
    resource.cfn_options.condition = wanted
    FailureNotifiedFunction(stack, "Notified", handler=handler)
    (config,) = resources_of(stack, CONFIG).values()
    assert "Condition" not in config
