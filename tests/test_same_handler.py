"""Two objects for one function, version or alias are one handler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk.aws_scheduler import ScheduleExpression

from failure_destinations import (
    FailureChannel,
    FailureMonitoring,
    FailureNotifiedFunction,
    FailureReplayer,
)

from .conftest import define_handler
from .templates import resources_of

CONFIG = "AWS::Lambda::EventInvokeConfig"
ARN = "arn:aws:lambda:eu-west-1:111122223333:function:orders"

Two = tuple[lambda_.IFunction, lambda_.IFunction]


def imported(stack: cdk.Stack, id: str, arn: str = ARN) -> lambda_.IFunction:
    """Import a function."""
    return lambda_.Function.from_function_attributes(
        stack,
        id,
        function_arn=arn,
        role=iam.Role.from_role_name(stack, f"{id}Role", "orders"),
        same_environment=True,
    )


def imports(stack: cdk.Stack) -> Two:
    """Import one function twice."""
    return imported(stack, "One"), imported(stack, "Other")


def imports_of_a_parameter(stack: cdk.Stack) -> Two:
    """Import the function of a parameter twice."""
    arn = cdk.CfnParameter(stack, "Arn").value_as_string
    return imported(stack, "One", arn), imported(stack, "Other", arn)


def imported_aliases(stack: cdk.Stack) -> Two:
    """Import one alias twice."""
    return (
        lambda_.Alias.from_alias_attributes(
            stack, "One", alias_name="live", alias_version=_version(stack, "OneVersion")
        ),
        lambda_.Alias.from_alias_attributes(
            stack, "Other", alias_name="live", alias_version=_version(stack, "OtherVersion")
        ),
    )


def _version(stack: cdk.Stack, id: str) -> lambda_.IVersion:
    function = imported(stack, f"{id}Function")
    return lambda_.Version.from_version_attributes(stack, id, lambda_=function, version="7")


def singleton(stack: cdk.Stack, id: str, **settings: Any) -> lambda_.SingletonFunction:
    """Define a function that is defined once in a stack."""
    return lambda_.SingletonFunction(
        stack,
        id,
        uuid="f7d4f730-4ee1-11e8-9c2d-fa7ae01bbebc",
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="index.handler",
        code=lambda_.Code.from_inline("def handler(event, context): raise RuntimeError"),
        **settings,
    )


def singletons(stack: cdk.Stack) -> Two:
    """Define one singleton function twice."""
    return singleton(stack, "One"), singleton(stack, "Other")


def one_object(stack: cdk.Stack) -> Two:
    """Pass one function twice."""
    function = define_handler(stack)
    return function, function


MAKERS = [imports, imports_of_a_parameter, imported_aliases, singletons, one_object]
twice = pytest.mark.parametrize("two", MAKERS, ids=lambda maker: maker.__name__)


@twice
def test_attaches_one_function_once(stack: cdk.Stack, two: Callable[[cdk.Stack], Two]) -> None:
    """There is one asynchronous configuration, and one of everything else for the handler."""
    channel = FailureChannel(stack, "Channel")
    FailureReplayer(stack, "Replayer", channel=channel)
    FailureMonitoring(stack, "Monitoring", channel=channel)
    one, other = two(stack)
    config = channel.notify_failures_of(one, retries=1, max_event_age=cdk.Duration.minutes(90))
    before = resources_of(stack)
    again = channel.notify_failures_of(other, retries=1, max_event_age=cdk.Duration.seconds(5400))
    assert again.node.path == config.node.path
    assert len(resources_of(stack, CONFIG)) == 1
    assert resources_of(stack) == before


@twice
@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"retries": 2}, "retries"),
        ({"retries": 1, "max_event_age": cdk.Duration.hours(1)}, "max_event_age"),
        ({"retries": 1, "on_success": destinations.EventBridgeDestination()}, "on_success"),
    ],
    ids=["retries", "max_event_age", "on_success"],
)
def test_rejects_settings_that_contradict_each_other(
    stack: cdk.Stack, two: Callable[[cdk.Stack], Two], settings: dict[str, Any], name: str
) -> None:
    """The error names the parameter, and both objects."""
    channel = FailureChannel(stack, "Channel")
    one, other = two(stack)
    channel.notify_failures_of(one, retries=1)
    with pytest.raises(ValueError, match=f"^{name} must be the same wherever") as refused:
        channel.notify_failures_of(other, **settings)
    for each in (one, other):
        assert each.node.path in str(refused.value)


@twice
def test_rejects_one_function_on_two_channels(
    stack: cdk.Stack, two: Callable[[cdk.Stack], Two]
) -> None:
    """Lambda sends its failures to one destination."""
    one, other = two(stack)
    FailureChannel(stack, "Channel").notify_failures_of(one)
    with pytest.raises(ValueError, match=r"^handler must "):
        FailureChannel(stack, "Second").notify_failures_of(other)
    with pytest.raises(ValueError, match=r"^handler must "):
        FailureNotifiedFunction(stack, "Notified", handler=other)


def test_attaches_imports_of_two_stacks_once(app: cdk.App) -> None:
    """An ARN names the same function in each of them."""
    channel = FailureChannel(cdk.Stack(app, "Channels"), "Channel")
    stacks = [cdk.Stack(app, id) for id in ("One", "Other")]
    for stack in stacks:
        channel.notify_failures_of(imported(stack, "Orders"))
    assert [len(resources_of(stack, CONFIG)) for stack in stacks] == [1, 0]


def test_keeps_functions_of_two_parameters_apart(app: cdk.App) -> None:
    """Parameters of one name in two stacks are not the same."""
    channel = FailureChannel(cdk.Stack(app, "Channels"), "Channel")
    stacks = [cdk.Stack(app, id) for id in ("One", "Other")]
    for stack in stacks:
        arn = cdk.CfnParameter(stack, "Arn").value_as_string
        channel.notify_failures_of(imported(stack, "Orders", arn))
    assert [len(resources_of(stack, CONFIG)) for stack in stacks] == [1, 1]


def test_keeps_a_function_and_its_aliases_apart(stack: cdk.Stack) -> None:
    """Each has a configuration of its own."""
    channel = FailureChannel(stack, "Channel")
    function = define_handler(stack)
    for handler in (function, function.add_alias("live"), function.add_alias("next")):
        channel.notify_failures_of(handler)
    channel.notify_failures_of(imported(stack, "Imported"))
    for alias in imported_aliases(cdk.Stack(stack, "Aliases")):
        channel.notify_failures_of(alias)
    assert len(resources_of(stack, CONFIG)) == 4


def test_schedules_one_function_twice(stack: cdk.Stack) -> None:
    """Two schedules of one handler share its configuration."""
    channel = FailureChannel(stack, "Channel")
    for id, handler in zip(("Nightly", "Hourly"), singletons(stack), strict=True):
        FailureNotifiedFunction(
            stack,
            id,
            handler=handler,
            channel=channel,
            schedule=ScheduleExpression.rate(cdk.Duration.hours(1)),
        )
    assert len(resources_of(stack, "AWS::Scheduler::Schedule")) == 2
    (config,) = resources_of(stack, CONFIG)
    for schedule in resources_of(stack, "AWS::Scheduler::Schedule").values():
        assert config in schedule["DependsOn"]


def test_rejects_a_second_destination_of_one_function(stack: cdk.Stack) -> None:
    """CDK defines a configuration for each object; Lambda would refuse the second one."""
    channel = FailureChannel(stack, "Channel")
    one, other = imports(stack)
    one.configure_async_invoke(on_failure=channel.destination)
    with pytest.raises(RuntimeError, match="the same function as 'Stack/One'"):
        other.configure_async_invoke(on_failure=channel.destination)
    with pytest.raises(ValueError, match="the same function as 'Stack/One', with one"):
        channel.notify_failures_of(imported(stack, "Third"))


def test_gives_one_singleton_function_one_destination(stack: cdk.Stack) -> None:
    """CDK binds it once; another way to attach it is refused, since only synthesis knows how."""
    channel = FailureChannel(stack, "Channel")
    for id in ("One", "Other"):
        singleton(stack, id, on_failure=channel.destination)
    with pytest.raises(ValueError, match="asynchronous configuration"):
        channel.notify_failures_of(singleton(stack, "Third"))
    assert len(resources_of(stack, CONFIG)) == 1


def test_does_not_mix_apps(app: cdk.App) -> None:
    """Another app of the same process is another deployment."""
    for each in (app, cdk.App()):
        stack = cdk.Stack(each, "Stack")
        FailureChannel(stack, "Channel").notify_failures_of(imported(stack, "Orders"))
        assert len(resources_of(stack, CONFIG)) == 1


@pytest.mark.parametrize("apart", [False, True], ids=["same stack", "stacks apart"])
def test_monitors_and_replays_an_imported_alias(app: cdk.App, *, apart: bool) -> None:
    """To Python it is not a construct, so its alarms are defined beside its configuration."""
    stack = cdk.Stack(app, "Handlers")
    channels = cdk.Stack(app, "Channels") if apart else stack
    channel = FailureChannel(channels, "Channel")
    FailureReplayer(channels, "Replayer", channel=channel)
    FailureMonitoring(channels, "Monitoring", channel=channel)
    alias, _ = imported_aliases(stack)
    channel.notify_failures_of(alias)
    alarms = [
        alarm
        for alarm in resources_of(stack, "AWS::CloudWatch::Alarm").values()
        if any(each.get("Value") == "orders:live" for each in alarm["Properties"]["Dimensions"])
    ]
    assert alarms
    if apart:
        (permission,) = resources_of(stack, "AWS::Lambda::Permission").values()
        assert permission["Properties"]["FunctionName"] == f"{ARN}:live"
