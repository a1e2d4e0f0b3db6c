"""`channel.destination` attaches as `notify_failures_of` does, whatever takes the `on_failure`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_nodejs as nodejs
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Template
from aws_cdk.aws_lambda_destinations import SqsDestination
from constructs import Construct

from failure_destinations import (
    FailureChannel,
    FailureMonitoring,
    FailureNotifiedFunction,
    FailureReplayer,
    MonitoringThresholds,
)

from .conftest import define_handler
from .templates import assert_does_not_warn, assert_warns, logical_id, resources_of

CODE = "def handler(event, context): raise RuntimeError"
CONFIG = "AWS::Lambda::EventInvokeConfig"

Attach = Callable[[cdk.Stack, FailureChannel], None]


def singleton(stack: cdk.Stack, **settings: Any) -> lambda_.SingletonFunction:
    """Define a function that is defined once in a stack."""
    return lambda_.SingletonFunction(
        stack,
        "Handler",
        uuid="f7d4f730-4ee1-11e8-9c2d-fa7ae01bbebc",
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="index.handler",
        code=lambda_.Code.from_inline(CODE),
        **settings,
    )


class Job(Construct):
    """A construct of somebody else's that passes an `on_failure` on."""

    def __init__(self, scope: Construct, id: str, **settings: Any) -> None:
        super().__init__(scope, id)
        self.function = define_handler(self, "Function", **settings)  # type: ignore[arg-type]


def function_itself(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Attach by the function's own property."""
    define_handler(stack, on_failure=channel.destination)


def function_by_notify(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Attach the same function by the channel's method."""
    channel.notify_failures_of(define_handler(stack))


def configured_function(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Attach by CDK's method."""
    define_handler(stack).configure_async_invoke(on_failure=channel.destination)


def alias(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Attach an alias by its own property."""
    lambda_.Alias(
        stack,
        "Live",
        alias_name="live",
        version=define_handler(stack).current_version,
        on_failure=channel.destination,
    )


def alias_by_notify(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Attach the same alias by the channel's method."""
    version = define_handler(stack).current_version
    channel.notify_failures_of(lambda_.Alias(stack, "Live", alias_name="live", version=version))


def version(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Attach a version by its own property."""
    lambda_.Version(stack, "V1", lambda_=define_handler(stack), on_failure=channel.destination)


def version_by_notify(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Attach the same version by the channel's method."""
    channel.notify_failures_of(lambda_.Version(stack, "V1", lambda_=define_handler(stack)))


def construct_of_others(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Attach what another construct defines."""
    Job(stack, "Job", on_failure=channel.destination)


def construct_by_notify(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Attach the same by the channel's method."""
    channel.notify_failures_of(Job(stack, "Job").function)


def bundled(stack: cdk.Stack, **settings: Any) -> nodejs.NodejsFunction:
    """Define a function that esbuild bundles."""
    folder = Path(__file__).parents[1] / "examples" / "typescript_handler"
    return nodejs.NodejsFunction(
        stack,
        "Handler",
        runtime=lambda_.Runtime.NODEJS_24_X,
        entry=str(folder / "handler" / "index.ts"),
        project_root=str(folder),
        deps_lock_file_path=str(folder / "package-lock.json"),
        # Without a local esbuild, CDK would build an image at once.
        bundling=nodejs.BundlingOptions(docker_image=cdk.DockerImage.from_registry("unused")),
        **settings,
    )


def bundled_itself(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Attach a bundled function by its own property."""
    bundled(stack, on_failure=channel.destination)


def bundled_by_notify(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Attach the same function by the channel's method."""
    channel.notify_failures_of(bundled(stack))


PAIRS: Mapping[str, tuple[Attach, Attach]] = {
    "function": (function_itself, function_by_notify),
    "configure_async_invoke": (configured_function, function_by_notify),
    "alias": (alias, alias_by_notify),
    "version": (version, version_by_notify),
    "construct of others": (construct_of_others, construct_by_notify),
    "NodejsFunction": (bundled_itself, bundled_by_notify),
}


def templates_of(attach: Attach, *, apart: bool, encrypted: bool) -> list[Mapping[str, Any]]:
    """Synthesise a channel with all that belongs to it, and a handler, perhaps of another stack."""
    # Nothing is bundled: esbuild would take long, and the templates do not show it.
    app = cdk.App(context={"aws:cdk:bundling-stacks": []})
    stack = cdk.Stack(app, "Failures")
    key = kms.Key(stack, "Key") if encrypted else None
    channel = FailureChannel(stack, "Channel", encryption_key=key)
    FailureMonitoring(stack, "Monitoring", channel=channel)
    FailureReplayer(stack, "Replayer", channel=channel)
    handlers = cdk.Stack(app, "Handlers") if apart else stack
    attach(handlers, channel)
    return [Template.from_stack(each).to_json() for each in {stack: 0, handlers: 0}]


def with_retries(template: Mapping[str, Any]) -> Mapping[str, Any]:
    """Write the retries that Lambda takes for none, as `notify_failures_of` does."""
    for resource in template["Resources"].values():
        if resource["Type"] == CONFIG:
            resource["Properties"].setdefault("MaximumRetryAttempts", 2)
    return template


@pytest.mark.parametrize(
    ("apart", "encrypted"), [(False, True), (True, False)], ids=["one stack, a key", "two stacks"]
)
@pytest.mark.parametrize("pair", PAIRS)
def test_defines_what_notify_failures_of_defines(pair: str, apart: bool, encrypted: bool) -> None:
    """Permission, order, copy, alarms and replay are the same, and so is each logical id."""
    bound, notified = PAIRS[pair]
    expected = templates_of(notified, apart=apart, encrypted=encrypted)
    actual = templates_of(bound, apart=apart, encrypted=encrypted)
    assert expected == [with_retries(template) for template in actual]


def test_attaches_a_singleton_function(stack: cdk.Stack) -> None:
    """The function that it stands for gets the destination and the copy queue."""
    channel = FailureChannel(stack, "Channel")
    singleton(stack, on_failure=channel.destination)
    (config,) = resources_of(stack, CONFIG).values()
    ((id, function),) = (
        (id, each)
        for id, each in resources_of(stack, "AWS::Lambda::Function").items()
        if id.startswith("Singleton")
    )
    assert config["Properties"]["FunctionName"] == {"Ref": id}
    assert "DeadLetterConfig" in function["Properties"]
    assert_does_not_warn(stack)


def test_attaches_a_singleton_function_that_is_defined_already(stack: cdk.Stack) -> None:
    """`configure_async_invoke` and `notify_failures_of` give it a copy queue as well."""
    channel = FailureChannel(stack, "Channel")
    channel.notify_failures_of(singleton(stack))
    (function,) = resources_of(stack, "AWS::Lambda::Function").values()
    assert "DeadLetterConfig" in function["Properties"]
    assert_does_not_warn(stack)


def test_keeps_what_the_function_says_of_retries_and_age(stack: cdk.Stack) -> None:
    """Retries, maximum event age and success destination are the function's own."""
    channel = FailureChannel(stack, "Channel")
    done = sqs.Queue(stack, "Done")
    define_handler(
        stack,
        on_failure=channel.destination,
        on_success=SqsDestination(done),
        retry_attempts=0,
        max_event_age=cdk.Duration.minutes(5),
    )
    (config,) = resources_of(stack, CONFIG).values()
    properties = config["Properties"]
    assert properties["MaximumRetryAttempts"] == 0
    assert properties["MaximumEventAgeInSeconds"] == 300
    assert set(properties["DestinationConfig"]) == {"OnFailure", "OnSuccess"}


@pytest.mark.parametrize("first", ["handler", "monitoring"])
def test_the_alarm_knows_the_age_at_synthesis(stack: cdk.Stack, first: str) -> None:
    """80 percent of 10 minutes, which CDK has not told yet when the destination is bound."""
    channel = FailureChannel(stack, "Channel")
    if first == "monitoring":
        FailureMonitoring(stack, "Monitoring", channel=channel)
    define_handler(stack, on_failure=channel.destination, max_event_age=cdk.Duration.minutes(10))
    if first == "handler":
        FailureMonitoring(stack, "Monitoring", channel=channel)
    (alarm,) = (
        each["Properties"]
        for each in resources_of(stack, "AWS::CloudWatch::Alarm").values()
        if each["Properties"].get("MetricName") == "AsyncEventAge"
    )
    assert alarm["Threshold"] == 480_000
    assert "after 600 seconds" in str(alarm["AlarmDescription"])


def test_an_age_known_at_deployment_needs_no_alarm(stack: cdk.Stack) -> None:
    """With the alarm switched off, a parameter may set the age."""
    channel = FailureChannel(stack, "Channel")
    thresholds = MonitoringThresholds(async_event_age_percent=None)
    FailureMonitoring(stack, "Monitoring", channel=channel, thresholds=thresholds)
    age = cdk.CfnParameter(stack, "Age", type="Number", default=60)
    define_handler(
        stack,
        on_failure=channel.destination,
        max_event_age=cdk.Duration.seconds(age.value_as_number),
    )
    (config,) = resources_of(stack, CONFIG).values()
    assert config["Properties"]["MaximumEventAgeInSeconds"] == {"Ref": "Age"}


def test_replays_the_qualifier_of_a_configuration_of_its_own(stack: cdk.Stack) -> None:
    """CDK's EventInvokeConfig names a qualifier only once the destination is bound."""
    channel = FailureChannel(stack, "Channel")
    FailureReplayer(stack, "Replayer", channel=channel)
    function = define_handler(stack)
    lambda_.EventInvokeConfig(
        stack, "Config", function=function, qualifier="blue", on_failure=channel.destination
    )
    arn = {"Fn::GetAtt": [logical_id(stack, function), "Arn"]}
    invoked = [
        statement["Resource"]
        for policy in resources_of(stack, "AWS::IAM::Policy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Action"] == "lambda:InvokeFunction"
    ]
    assert invoked == [{"Fn::Join": ["", [arn, ":blue"]]}]


def test_watches_each_configuration_of_its_own(stack: cdk.Stack) -> None:
    """Two qualifiers of one function have alarms each."""
    channel = FailureChannel(stack, "Channel")
    function = define_handler(stack)
    for qualifier in ("blue", "green"):
        lambda_.EventInvokeConfig(
            stack,
            qualifier.title(),
            function=function,
            qualifier=qualifier,
            on_failure=channel.destination,
        )
    FailureMonitoring(stack, "Monitoring", channel=channel)
    alarms = resources_of(stack, "AWS::CloudWatch::Alarm")
    assert len([id for id in alarms if id.startswith(("Blue", "Green"))]) == 6


def test_lets_a_role_of_another_stack_publish(app: cdk.App) -> None:
    """The policy is beside the configuration, so that the role's stack refers to nothing."""
    roles, stack = cdk.Stack(app, "Roles"), cdk.Stack(app, "Stack")
    role = iam.Role(roles, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    channel = FailureChannel(stack, "Channel")
    define_handler(stack, role=role, on_failure=channel.destination)
    ((id, policy),) = resources_of(stack, "AWS::IAM::Policy").items()
    (config,) = resources_of(stack, CONFIG).values()
    actions = [each["Action"] for each in policy["Properties"]["PolicyDocument"]["Statement"]]
    assert actions == ["sns:Publish", "sqs:SendMessage"]
    assert id in config["DependsOn"]
    assert resources_of(roles, "AWS::IAM::Policy") == {}


def test_copies_the_condition_of_the_function(stack: cdk.Stack) -> None:
    """A configuration does not outlive a function that a condition leaves out."""
    channel = FailureChannel(stack, "Channel")
    function = define_handler(stack, on_failure=channel.destination)
    condition = cdk.CfnCondition(stack, "IsProduction")
    resource: Any = function.node.default_child
    resource.cfn_options.condition = condition
    (config,) = resources_of(stack, CONFIG).values()
    assert config["Condition"] == "IsProduction"


def test_warns_of_a_replay_without_success(stack: cdk.Stack) -> None:
    """The success destination is seen at synthesis."""
    channel = FailureChannel(stack, "Channel")
    FailureReplayer(stack, "Replayer", channel=channel)
    done = SqsDestination(sqs.Queue(stack, "Done"))
    define_handler(stack, on_failure=channel.destination, on_success=done)
    assert_warns(stack, "Stack/Handler has on_success, .*synchronous")


def test_is_one_destination(stack: cdk.Stack) -> None:
    """A channel has one, however often it is asked for."""
    channel = FailureChannel(stack, "Channel")
    assert channel.destination is channel.destination


def test_rejects_a_handler_of_another_region(app: cdk.App) -> None:
    """Lambda sends failures within a Region only."""
    here = cdk.Stack(app, "Here", env=cdk.Environment(account="111122223333", region="eu-west-1"))
    there = cdk.Stack(app, "There", env=cdk.Environment(account="111122223333", region="eu-west-2"))
    channel = FailureChannel(here, "Channel")
    with pytest.raises(RuntimeError, match="handler must be in the same Region"):
        define_handler(there, on_failure=channel.destination)


def test_rejects_a_handler_of_another_stage(app: cdk.App) -> None:
    """Stages cannot refer to each other; CDK's own error names no way."""
    channel = FailureChannel(cdk.Stack(app, "Here"), "Channel")
    there = cdk.Stack(cdk.Stage(app, "Production"), "There")
    with pytest.raises(RuntimeError, match="handler must be in the channel's app or stage"):
        define_handler(there, on_failure=channel.destination)
    with pytest.raises(ValueError, match="handler must be in the channel's app or stage"):
        channel.notify_failures_of(define_handler(there, "Other"))


def test_rejects_a_function_without_a_role(stack: cdk.Stack) -> None:
    """Nothing could let an imported function publish."""
    channel = FailureChannel(stack, "Channel")
    imported = lambda_.Function.from_function_name(stack, "Imported", "nightly-report")
    with pytest.raises(RuntimeError, match="handler must have a role, got 'Stack/Imported'"):
        imported.configure_async_invoke(on_failure=channel.destination)


def test_rejects_the_channel_as_success_destination(stack: cdk.Stack) -> None:
    """A failure channel does not handle successes."""
    channel = FailureChannel(stack, "Channel")
    with pytest.raises(RuntimeError, match="on_success must not be the channel's, got 'Stack/Ch"):
        define_handler(stack, on_success=channel.destination)


def test_rejects_fifo_as_success_destination_at_synthesis(app: cdk.App, stack: cdk.Stack) -> None:
    """CDK says nothing of it, and Lambda would lose the records."""
    channel = FailureChannel(stack, "Channel")
    done = sqs.Queue(stack, "Done", fifo=True)
    define_handler(stack, on_failure=channel.destination, on_success=SqsDestination(done))
    with pytest.raises(RuntimeError, match="on_success must be a standard queue or topic"):
        app.synth()


def test_attaches_a_function_of_an_image(stack: cdk.Stack) -> None:
    """A function of a container image is a function like any other."""
    channel = FailureChannel(stack, "Channel")
    images = ecr.Repository.from_repository_name(stack, "Images", "reports")
    lambda_.DockerImageFunction(
        stack,
        "Handler",
        code=lambda_.DockerImageCode.from_ecr(images),
        on_failure=channel.destination,
    )
    (config,) = resources_of(stack, CONFIG).values()
    assert config["Properties"]["DestinationConfig"] == {
        "OnFailure": {"Destination": {"Ref": logical_id(stack, channel.topic)}}
    }


def test_the_channel_refuses_a_handler_that_is_configured(stack: cdk.Stack) -> None:
    """The refusal names the way to attach a handler where it is defined."""
    channel = FailureChannel(stack, "Channel")
    handler = define_handler(stack, retry_attempts=1)
    with pytest.raises(ValueError, match=r"on_failure=channel\.destination"):
        channel.notify_failures_of(handler)


def test_a_notified_function_refuses_a_handler_that_is_configured(stack: cdk.Stack) -> None:
    """So does the construct that attaches by itself."""
    handler = define_handler(stack, retry_attempts=1)
    with pytest.raises(ValueError, match=r"on_failure=channel\.destination"):
        FailureNotifiedFunction(stack, "Notified", handler=handler)
