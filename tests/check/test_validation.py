"""The check at synthesis, as a validation plugin of the CDK."""

from __future__ import annotations

import json
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk import Acknowledgment, Validations
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from failure_destinations import FailureChannel, FailureDestinationCheck

from ..conftest import define_handler

UNCOVERED = Acknowledgment(id="failure-destinations::uncovered", reason="its events are hints")


def define_called(stack: cdk.Stack, *, keep: bool = False) -> lambda_.Function:
    """Define a function that a rule calls."""
    handler = define_handler(stack)
    queue = sqs.Queue(stack, "DeadLetters") if keep else None
    events.Rule(
        stack,
        "Rule",
        schedule=events.Schedule.rate(cdk.Duration.hours(1)),
        targets=[targets.LambdaFunction(handler, dead_letter_queue=queue)],
    )
    return handler


def report(app: cdk.App) -> dict[str, list[str]]:
    """Synthesise an app that passes, and return the kinds that were reported and acknowledged."""
    assembly = Path(app.synth().directory)
    plugins = json.loads((assembly / "validation-report.json").read_text())["pluginReports"]
    return {
        name: [one["ruleName"] for plugin in plugins for one in plugin.get(key, [])]
        for name, key in (("reported", "violations"), ("accepted", "suppressedViolations"))
    }


def test_fails_the_synth(app: cdk.App) -> None:
    """A lost failure stops the synth, with construct path, caller and fix."""
    define_called(cdk.Stack(app, "Orders"))
    Validations.of(app).add_plugins(FailureDestinationCheck())
    with pytest.raises(RuntimeError) as error:
        app.synth()
    assert "Orders/Handler" in str(error.value)
    assert "Orders/Rule (AWS::Events::Rule)" in str(error.value)
    assert "channel.notify_failures_of(handler)" in str(error.value)
    assert "failure-destinations::uncovered" in str(error.value)


def test_passes_once_the_function_is_covered(app: cdk.App) -> None:
    """The fix that a finding names makes the app pass."""
    stack = cdk.Stack(app, "Orders")
    channel = FailureChannel(stack, "Failures")
    channel.notify_failures_of(define_called(stack, keep=True))
    Validations.of(app).add_plugins(FailureDestinationCheck())
    assert report(app) == {"reported": [], "accepted": []}


@pytest.mark.parametrize("strength", ["strong", "weak"])
def test_follows_references_between_stacks(strength: str) -> None:
    """The CDK writes references as imports, or since version 2.254 as outputs if it is told to."""
    app = cdk.App(context={"@aws-cdk/core:defaultCrossStackReferences": strength})
    handlers = cdk.Stack(app, "Handlers", stack_name="the-handlers")
    handler = lambda_.CfnFunction(
        handlers, "Handler", role="role", code=lambda_.CfnFunction.CodeProperty(zip_file="pass")
    )
    target = events.CfnRule.TargetProperty(id="Handler", arn=handler.attr_arn)
    rules = cdk.Stack(app, "Rules")
    events.CfnRule(rules, "Rule", schedule_expression="rate(1 day)", targets=[target])
    Validations.of(app).add_plugins(FailureDestinationCheck())
    with pytest.raises(RuntimeError) as error:
        app.synth()
    assert "called asynchronously by Rules/Rule (AWS::Events::Rule)" in str(error.value)


@pytest.mark.parametrize("where", ["handler", "stack", "app"])
def test_accepts_what_is_acknowledged(app: cdk.App, where: str) -> None:
    """A finding is acknowledged with a reason, on the function or above it."""
    stack = cdk.Stack(app, "Orders")
    handler = define_called(stack, keep=True)
    scopes: dict[str, Construct] = {"handler": handler, "stack": stack, "app": app}
    Validations.of(scopes[where]).acknowledge(UNCOVERED)
    Validations.of(app).add_plugins(FailureDestinationCheck())
    assert report(app) == {"reported": [], "accepted": ["uncovered"]}


def test_accepts_no_more_than_is_acknowledged(app: cdk.App) -> None:
    """An acknowledgement on one function does not apply to another."""
    for name in ("Hints", "Orders"):
        handler = define_called(cdk.Stack(app, name), keep=True)
        if name == "Hints":
            Validations.of(handler).acknowledge(UNCOVERED)
    Validations.of(app).add_plugins(FailureDestinationCheck())
    with pytest.raises(RuntimeError) as error:
        app.synth()
    assert "Orders/Handler" in str(error.value)
    assert "Hints/Handler" not in str(error.value)


def test_accepts_on_a_function_and_on_the_app(app: cdk.App) -> None:
    """Acknowledgements on several levels add up."""
    for name in ("Hints", "Orders"):
        handler = define_called(cdk.Stack(app, name), keep=True)
        if name == "Hints":
            Validations.of(handler).acknowledge(UNCOVERED)
    Validations.of(app).acknowledge(UNCOVERED)
    Validations.of(app).add_plugins(FailureDestinationCheck())
    assert report(app)["reported"] == []


def test_shows_lesser_findings_without_failing(app: cdk.App) -> None:
    """A delivery without dead-letter queue is a warning."""
    stack = cdk.Stack(app, "Orders")
    FailureChannel(stack, "Failures").notify_failures_of(define_called(stack))
    Validations.of(app).add_plugins(FailureDestinationCheck())
    assert report(app)["reported"] == ["delivery"]


def test_fails_on_lesser_findings_if_asked_to(app: cdk.App) -> None:
    """`fail_on` makes them fail the synth."""
    stack = cdk.Stack(app, "Orders")
    FailureChannel(stack, "Failures").notify_failures_of(define_called(stack))
    Validations.of(app).add_plugins(FailureDestinationCheck(fail_on=["delivery"]))
    with pytest.raises(RuntimeError, match="has no dead-letter queue"):
        app.synth()


def test_shows_less_if_asked_to(app: cdk.App) -> None:
    """`show="error"` hides the warnings."""
    stack = cdk.Stack(app, "Orders")
    FailureChannel(stack, "Failures").notify_failures_of(define_called(stack))
    Validations.of(app).add_plugins(FailureDestinationCheck(show="error"))
    assert report(app)["reported"] == []


def test_checks_stages_and_nested_stacks(app: cdk.App) -> None:
    """One plugin on the app reads all its templates."""
    stack = cdk.Stack(cdk.Stage(app, "Prod"), "Orders")
    define_called(cdk.NestedStack(stack, "Nested"))
    Validations.of(app).add_plugins(FailureDestinationCheck())
    with pytest.raises(RuntimeError, match="Prod/Orders/Nested/Handler"):
        app.synth()


def test_rejects_a_kind_that_there_is_not() -> None:
    """A misspelt kind would check nothing."""
    with pytest.raises(ValueError, match=r"fail_on must name kinds of findings, got 'delivry'"):
        FailureDestinationCheck(fail_on=["delivry"])


def test_rejects_text_instead_of_kinds() -> None:
    """Text is a list of letters."""
    with pytest.raises(ValueError, match=r"fail_on must be a list of kinds, got 'delivery'"):
        FailureDestinationCheck(fail_on="delivery")


def test_rejects_a_severity_that_there_is_not() -> None:
    """A misspelt severity would show nothing."""
    with pytest.raises(ValueError, match=r"show must be a severity, got 'all': write one of"):
        FailureDestinationCheck(show="all")
