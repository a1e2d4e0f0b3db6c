"""Each fix is written in what the template is written in, and names what its author wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import Validations
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from samtranslator.model.sam_resources import SamFunction  # type: ignore[import-untyped]

from failure_destinations import FailureDestinationCheck
from failure_destinations.check import Finding, Stack, find_uncovered_functions_in, render
from failure_destinations.check.paths import Checked
from failure_destinations.cli.report_formats import FORMATS, Report, Reported

from ..conftest import define_handler
from . import callers
from .callers import ARN, QUEUE_ARN, config, template

FIFO = "arn:aws:sqs:eu-west-1:111122223333:failures.fifo"
CDK_METADATA = {"CDKMetadata": {"Type": "AWS::CDK::Metadata"}}


def fixes(found: list[Finding], kind: str) -> list[tuple[str, str]]:
    """Return the fixes of the first finding of a kind."""
    return render.fixes(next(one for one in found if one.kind == kind))


def of_file(checked: dict[str, Any]) -> list[Finding]:
    """Return the findings in a template that was read from a file."""
    return find_uncovered_functions_in([Stack(checked, file="template.json")])


def of_sam(folder: Path, resources: dict[str, Any], **sections: Any) -> list[Finding]:
    """Return the findings in a template of SAM."""
    path = folder / "template.json"
    transform = {"Transform": "AWS::Serverless-2016-10-31", **sections}
    path.write_text(json.dumps({**transform, "Resources": resources}))
    checked = Checked()
    checked.add(path)
    assert checked.problems == []
    return find_uncovered_functions_in(checked.stacks)


def of_function(properties: dict[str, Any], type: str = "Schedule", **event: Any) -> dict[str, Any]:
    """Return the resources of a template of SAM with a function and its event."""
    code = {"Runtime": "python3.13", "Handler": "index.handler", "CodeUri": "src/"}
    events = {"Nightly": {"Type": type, "Properties": event or {"Schedule": "rate(1 day)"}}}
    return {
        "Report": {
            "Type": "AWS::Serverless::Function",
            "Properties": {**code, "Events": events, **properties},
        },
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Topic": {"Type": "AWS::SNS::Topic"},
    }


@pytest.mark.parametrize(
    ("properties", "event", "kind", "fix"),
    [
        (
            {},
            {},
            "uncovered",
            "EventInvokeConfig: {DestinationConfig: {OnFailure: {Type: SQS}}} on Report",
        ),
        (
            {"EventInvokeConfig": {"MaximumRetryAttempts": 0}},
            {},
            "uncovered",
            "DestinationConfig: {OnFailure: {Type: SQS}} in the EventInvokeConfig of Report",
        ),
        (
            {
                "EventInvokeConfig": {
                    "DestinationConfig": {"OnFailure": {"Type": "SQS", "Destination": FIFO}}
                }
            },
            {},
            "lost-destination",
            (
                "OnFailure: {Type: SQS, Destination: !GetAtt StandardQueue.Arn} in the "
                "EventInvokeConfig of Report"
            ),
        ),
        (
            {"DeadLetterQueue": {"Type": "SQS", "TargetArn": FIFO}},
            {},
            "lost-destination",
            "DeadLetterQueue: {Type: SQS, TargetArn: !GetAtt StandardQueue.Arn} on Report",
        ),
        pytest.param(
            {"DurableConfig": {"ExecutionTimeout": 60, "RetentionPeriodInDays": 1}},
            {},
            "durable",
            "DeadLetterQueue: {Type: SQS, TargetArn: !GetAtt StandardQueue.Arn} on Report",
            marks=pytest.mark.skipif(
                "DurableConfig" not in SamFunction.property_types,
                reason="this aws-sam-translator does not know durable functions",
            ),
        ),
        ({}, {}, "delivery", "DeadLetterConfig: {Type: SQS} on event Nightly of Report"),
        (
            {},
            {"type": "ScheduleV2", "ScheduleExpression": "rate(1 day)"},
            "delivery",
            "DeadLetterConfig: {Type: SQS} on event Nightly of Report",
        ),
        (
            {},
            {"type": "EventBridgeRule", "Pattern": {"source": ["orders"]}},
            "delivery",
            "DeadLetterConfig: {Type: SQS} on event Nightly of Report",
        ),
        (
            {},
            {"type": "SNS", "Topic": {"Ref": "Topic"}},
            "delivery",
            "RedrivePolicy: {deadLetterTargetArn: !GetAtt Queue.Arn} on event Nightly of Report",
        ),
        (
            {},
            {"Schedule": "rate(1 day)", "DeadLetterConfig": {"Arn": QUEUE_ARN}},
            "queue-policy",
            (
                "DeadLetterConfig: {Type: SQS} on event Nightly of Report, in place of Arn: SAM "
                "then defines the queue and its policy"
            ),
        ),
        (
            {},
            {"Schedule": "rate(1 day)", "RetryPolicy": {"MaximumRetryAttempts": 1}},
            "delivery-retries",
            "EventInvokeConfig: {MaximumRetryAttempts: 1} on Report",
        ),
        (
            {"EventInvokeConfig": {"MaximumEventAgeInSeconds": 60}},
            {"Schedule": "rate(1 day)", "RetryPolicy": {"MaximumRetryAttempts": 1}},
            "delivery-retries",
            "MaximumRetryAttempts: 1 in the EventInvokeConfig of Report",
        ),
    ],
)
def test_writes_sams_words(
    tmp_path: Path, properties: dict[str, Any], event: dict[str, Any], kind: str, fix: str
) -> None:
    """In a template of SAM, a fix is a property of the function or of its event."""
    found = of_sam(tmp_path, of_function(properties, **event))
    assert fixes(found, kind) == [("SAM", fix)]
    (finding, *_) = [one for one in found if one.kind == kind]
    assert (finding.fix, finding.cloudformation_fix) == (fix, fix)


def test_names_sams_event_and_not_what_sam_generates(tmp_path: Path) -> None:
    """The author finds the event, not the rule's logical id."""
    found = of_sam(tmp_path, of_function({"AutoPublishAlias": "live"}))
    assert [one.reason.split(",")[0] for one in found] == [
        ("It is called asynchronously by event Nightly of Report (AWS::Events::Rule) through live"),
        (
            "Event Nightly of Report (AWS::Events::Rule) has no dead-letter queue: an event that "
            "cannot be delivered to the function"
        ),
    ]
    assert found[0].invoked_by == ("ReportNightly",)
    (caller,) = found[0].to_dict()["callers"]
    assert (caller["written_as"], caller["tool"]) == ("event Nightly of Report", "SAM")


def test_distinguishes_events_of_functions_with_names_that_begin_alike(tmp_path: Path) -> None:
    """`Report` with `DailyAt` and `ReportDaily` with `At` would be one logical id."""
    resources = of_function({})
    events = resources["Report"]["Properties"]["Events"]
    resources["Report"]["Properties"]["Events"] = {"Daily": events["Nightly"]}
    resources["ReportDa"] = {
        **resources["Report"],
        "Properties": {**resources["Report"]["Properties"], "Events": {"i": events["Nightly"]}},
    }
    found = of_sam(tmp_path, resources)
    named = {one.logical_id: one.callers[0].shown for one in found if one.kind == "uncovered"}
    assert named == {"Report": "event Daily of Report", "ReportDa": "event i of ReportDa"}


def test_writes_plain_words_for_plain_resources_of_sam(tmp_path: Path) -> None:
    """A function that is not SAM's has none of SAM's properties."""
    resources = of_function({}) | template(callers.bucket(ARN))["Resources"]
    found = [one for one in of_sam(tmp_path, resources) if one.logical_id == "Function"]
    ((where, fix),) = fixes(found, "uncovered")
    assert (where, fix[:33]) == ("template", "AWS::Lambda::EventInvokeConfig wi")


def test_writes_plain_words_for_another_qualifier_of_sam(tmp_path: Path) -> None:
    """SAM's EventInvokeConfig belongs to the alias, and something else is called."""
    resources = of_function(
        {
            "AutoPublishAlias": "live",
            "EventInvokeConfig": {
                "DestinationConfig": {"OnFailure": {"Type": "SQS", "Destination": QUEUE_ARN}}
            },
        }
    )
    resources["Bucket"] = callers.bucket({"Fn::GetAtt": ["Report", "Arn"]})["Caller"]
    ((where, fix),) = fixes(of_sam(tmp_path, resources), "other-qualifier")
    assert where == "template"
    assert "Qualifier: '$LATEST'" in fix


@pytest.mark.parametrize("metadata", [{}, CDK_METADATA])
def test_writes_cdks_words_for_cdks_templates_only(metadata: dict[str, Any]) -> None:
    """Who writes templates cannot call a construct."""
    found = of_file(template(callers.rule(ARN), metadata))
    expected = ["CDK", "template"] if metadata else ["template"]
    for kind in ("uncovered", "delivery"):
        assert [where for where, _ in fixes(found, kind)] == expected
    (finding, *_) = found
    assert finding.fix.startswith("channel." if metadata else "AWS::Lambda::EventInvokeConfig")


@pytest.mark.parametrize(
    "signs",
    [
        {"Parameters": {"BootstrapVersion": {"Type": "AWS::SSM::Parameter::Value<String>"}}},
        {"Resources": {"A": {"Type": "A", "Metadata": {"aws:cdk:path": "Stack/A"}}}},
        {"Resources": {"A": {"Type": "A", "Metadata": {"aws:asset:path": "asset"}}}},
    ],
)
def test_knows_a_template_of_the_cdk(signs: dict[str, Any]) -> None:
    """The CDK leaves signs in its templates."""
    checked = template(callers.bucket(ARN))
    resources = {**checked["Resources"], **signs.get("Resources", {})}
    assert "CDK" in dict(fixes(of_file({**signs, "Resources": resources}), "uncovered"))


def test_writes_both_where_it_is_not_known() -> None:
    """A parsed template does not say who wrote it."""
    found = find_uncovered_functions_in([Stack(template(callers.bucket(ARN)))])
    assert [where for where, _ in fixes(found, "uncovered")] == ["CDK", "template"]


NOTHING = {"Ref": "AWS::NoValue"}


def test_adds_to_the_configuration_that_exists() -> None:
    """A second EventInvokeConfig for one qualifier would fail the deployment."""
    options = config(destination=NOTHING, MaximumRetryAttempts=0)
    found = of_file(template(callers.rule(ARN), options))
    assert fixes(found, "uncovered") == [
        (
            "template",
            "DestinationConfig: {OnFailure: {Destination: !GetAtt Queue.Arn}} on Config",
        )
    ]
    checked = template(callers.rule(ARN), options, CDK_METADATA)
    checked["Resources"]["Config"]["Metadata"] = {"aws:cdk:path": "Orders/Report/Async/Resource"}
    assert fixes(of_file(checked), "uncovered")[0] == (
        "CDK",
        (
            "on_failure=channel.destination where Orders/Report/Async is defined, with channel = "
            "FailureChannel(…)"
        ),
    )


def test_adds_retries_to_the_configuration_that_exists() -> None:
    """Its destination stays."""
    rule = callers.rule(ARN, RetryPolicy={"MaximumRetryAttempts": 1})
    found = of_file(template(rule, config()))
    assert fixes(found, "delivery-retries") == [("template", "MaximumRetryAttempts: 1 on Config")]


def test_names_the_caller_to_change() -> None:
    """A function may have many callers."""
    found = of_file(template(callers.schedule(ARN)))
    assert fixes(found, "delivery") == [
        ("template", "DeadLetterConfig: {Arn: !GetAtt Queue.Arn} on the target of Caller")
    ]


def test_advises_a_channel_for_a_durable_function() -> None:
    """The construct gives it a dead-letter queue of the channel."""
    durable = {**callers.FUNCTION["Properties"], "DurableConfig": {"ExecutionTimeout": 60}}
    function = {"Function": callers.one("AWS::Lambda::Function", durable)}
    found = of_file(template(callers.bucket(ARN), function, CDK_METADATA))
    ((_, in_cdk), (_, in_template)) = fixes(found, "durable")
    assert in_cdk.startswith("channel.notify_failures_of(alias), with the version or alias of ")
    assert in_template == ("DeadLetterConfig: {TargetArn: !GetAtt StandardQueue.Arn} on Function")


@pytest.mark.parametrize("format", FORMATS)
def test_writes_the_same_words_in_every_format(tmp_path: Path, format: str) -> None:
    """Text, JSON, SARIF and annotations have one sentence and one fix."""
    found = of_sam(tmp_path, of_function({}))
    written = FORMATS[format](Report(1, [Reported(one) for one in found]))
    for text in (
        "called asynchronously by event Nightly of Report (AWS::Events::Rule)",
        "EventInvokeConfig: {DestinationConfig: {OnFailure: {Type: SQS}}} on Report",
        "DeadLetterConfig: {Type: SQS} on event Nightly of Report",
    ):
        assert text in written
    assert "channel." not in written


# What could not be judged.


def test_says_how_much_could_not_be_judged_in_every_format() -> None:
    """An `unknown` may hide an error."""
    given = {"Parameters": {"Given": {"Type": "String"}}}
    found = of_file(template(callers.bucket({"Ref": "Given"}), **given))
    report = Report(1, [Reported(one) for one in found])
    line = "Not judged: called function not known (1). --fail-on info fails on these too.\n"
    assert FORMATS["text"](report).endswith(line)
    assert FORMATS["github"](report).endswith(line)
    assert json.loads(FORMATS["json"](report))["not_judged"] == {"called function not known": 1}


def _app_with_unknown(folder: Path, show: str) -> list[dict[str, Any]]:
    app = cdk.App(outdir=str(folder))
    stack = cdk.Stack(app, "Orders")
    given = cdk.CfnParameter(stack, "Given")
    there = lambda_.Function.from_function_arn(stack, "There", given.value_as_string)
    for id in ("A", "B"):
        events.Rule(
            stack,
            id,
            schedule=events.Schedule.rate(cdk.Duration.hours(1)),
            targets=[targets.LambdaFunction(there)],
        )
    define_handler(stack)
    Validations.of(app).add_plugins(FailureDestinationCheck(show=show))
    app.synth()
    path = folder / "validation-report.json"
    return [
        violation
        for plugin in json.loads(path.read_text())["pluginReports"]
        for violation in plugin["violations"]
    ]


def test_says_at_synthesis_how_much_could_not_be_judged(tmp_path: Path) -> None:
    """One note stands for all that are not shown, and the synth passes."""
    (note,) = _app_with_unknown(tmp_path, "warning")
    assert (note["ruleName"], note["severity"]) == ("unknown", "info")
    assert note["description"] == "Not judged: target not known (2). show='info' lists them"
    assert len(note["violatingConstructs"]) == 2


def test_lists_at_synthesis_what_could_not_be_judged(tmp_path: Path) -> None:
    """Each is a note of its own."""
    notes = _app_with_unknown(tmp_path, "info")
    assert [one["ruleName"] for one in notes] == ["unknown", "unknown"]
