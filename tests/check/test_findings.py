"""A finding: its kind is in the registry, its sentences are whole, its names are the template's."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from failure_destinations.check import KINDS, Finding, find_uncovered_functions, render
from failure_destinations.check.causes import Answer, Cause, Doubt, Flaw, Open, Problem, Refused
from failure_destinations.check.kinds import kinds_table
from failure_destinations.check.model import Source
from failure_destinations.check.parts import Fix, Naming, Remedy

from . import callers
from .callers import ARN, CALLERS, QUEUE_ARN, config, one, template

PAGE = Path(__file__).parents[2] / "docs" / "check.md"
FUNCTION = Source("Report", "AWS::Lambda::Function", "Orders/Report/Resource")
ELSEWHERE = "arn:aws:lambda:eu-west-1:111122223333:function:elsewhere"
FIFO = "arn:aws:sqs:eu-west-1:111122223333:failures.fifo"
# The characters with which the check marks what is only known at deployment.
MARKS = "\ue000\ue001"


def finding(cause: Cause, **parts: Any) -> Finding:
    """Return a finding about a function."""
    given = {"kind": "unknown", "resource": FUNCTION, "function": FUNCTION.shown, **parts}
    return Finding(cause=cause, **given)


# Kinds.


def test_rejects_a_kind_that_is_not_in_the_registry() -> None:
    """A report, a baseline or the documentation would not know it."""
    with pytest.raises(ValueError, match=r"kind must be one of uncovered, .*, got 'forgotten'"):
        finding(Cause(Problem.NOT_KEPT), kind="forgotten")


def test_documents_every_kind() -> None:
    """The table in the documentation is the registry; `make reference` writes it."""
    page = PAGE.read_text(encoding="utf-8")
    assert kinds_table() in page, "docs/check.md is stale: make reference"
    assert re.findall(r"^\| `(.+?)` ", kinds_table(), re.MULTILINE) == list(KINDS)


# Sentences.


@pytest.mark.parametrize("what", [*Open, *Refused, *Flaw, *Doubt, *Problem])
def test_has_a_sentence_for_every_cause(what: Any) -> None:
    """Each is a sentence, and names nothing in braces."""
    why = Cause(Refused.FIFO_QUEUE)
    cause = Cause(
        what, ("OnFailure", "Queue", "Key", "4 days"), why, answers=(Answer("denied", "eu-west-1"),)
    )
    said = finding(cause, callers=(FUNCTION,)).reason
    assert re.fullmatch(r"\S.*\S\.", said)
    assert not re.search(r"[{}]|  ", said)


@pytest.mark.parametrize("what", [*Open, *Doubt, Problem.WAITS_UNKNOWN])
def test_has_a_short_reason_for_everything_unknown(what: Any) -> None:
    """On its own, and as the cause of a doubt."""
    doubt = finding(Cause(Problem.IN_DOUBT, why=Cause(what)))
    assert render.in_short(finding(Cause(what))) == render.in_short(doubt) != ""


@pytest.mark.parametrize("remedy", Remedy)
@pytest.mark.parametrize("naming", Naming)
def test_has_a_fix_for_every_remedy(remedy: Remedy, naming: Naming) -> None:
    """In CDK and in a template."""
    fixed = finding(
        Cause(Problem.NOT_KEPT), remedy=Fix(remedy, FUNCTION, naming, "live", retries="9")
    )
    for text in (fixed.fix, fixed.cloudformation_fix):
        assert text
        assert "{{" not in text
        assert text.count("{") == text.count("}")
    assert "9" not in fixed.fix + fixed.cloudformation_fix


def test_names_the_function_as_it_can_be_named() -> None:
    """A template refers to it, an account knows its name only."""
    fixes = [
        finding(
            Cause(Problem.NOT_KEPT),
            remedy=Fix(Remedy.SET_RETRIES, source, naming, "live", retries="1"),
        )
        for source, naming in (
            (FUNCTION, Naming.IN_TEMPLATE),
            (Source(ELSEWHERE, ""), Naming.ELSEWHERE),
            (Source("orders", "AWS::Lambda::Function"), Naming.IN_ACCOUNT),
        )
    ]
    assert [one.fix for one in fixes] == [
        "channel.notify_failures_of(report_alias, retries=1)",
        "channel.notify_failures_of(elsewhere_alias, retries=1)",
        "channel.notify_failures_of(function_alias, retries=1)",
    ]
    names = [re.findall(r"FunctionName: (.+?),", one.cloudformation_fix) for one in fixes]
    assert names == [["!Ref Report"], ["elsewhere"], ["orders"]]


def test_names_a_function_of_another_template() -> None:
    """Its destination is wrong, so the configuration is where that is reported."""
    rule = callers.rule(ELSEWHERE, DeadLetterConfig={"Arn": QUEUE_ARN})
    checked = template(rule, config(FunctionName=ELSEWHERE, destination=FIFO))
    (found,) = find_uncovered_functions(checked)
    assert (found.kind, found.logical_id, found.shown) == ("lost-destination", "Config", ELSEWHERE)
    assert found.reason == (
        f"The OnFailure destination of function {ELSEWHERE} is failures.fifo, but Lambda cannot "
        "send failures to a FIFO queue."
    )
    assert found.invoked_by == ("Caller",)


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({}, "Caller (AWS::Events::Rule) has no dead-letter queue"),
        ({"DeadLetterConfig": {"Arn": FIFO}}, "is failures.fifo, and events cannot be sent to a"),
    ],
)
def test_names_the_function_of_a_delivery(properties: dict[str, Any], expected: str) -> None:
    """The function that is not started is not the resource that the finding is reported at."""
    checked = template(callers.rule(ELSEWHERE, **properties), config(FunctionName=ELSEWHERE))
    (found,) = find_uncovered_functions(checked)
    assert found.kind == "delivery"
    assert expected in found.reason
    assert f"delivered to function {ELSEWHERE}" in found.reason


def test_says_what_is_missing_in_json() -> None:
    """The keys are those that programs read."""
    found, _ = find_uncovered_functions(template(callers.rule(ARN)))
    assert list(found.to_dict()) == [
        "logical_id",
        "function",
        "qualifier",
        "invoked_by",
        "reason",
        "kind",
        "severity",
        "fix",
        "cloudformation_fix",
        "path",
        "stack",
        "file",
        "callers",
    ]


# Names.

ODD_REFERENCES: list[Any] = [
    {"Fn::ImportValue": {"Fn::Sub": "${AWS::StackName}-handler"}},
    {"Fn::ImportValue": {"Fn::Sub": "${Given}-handler"}},
    {"Fn::ImportValue": {"Ref": "Queue"}},
    {"Fn::ImportValue": {"Fn::GetAtt": ["Custom", "Name"]}},
    {"Fn::GetStackOutput": {"StackName": {"Ref": "Given"}, "OutputName": MARKS}},
    {"Fn::GetStackOutput": {"StackName": MARKS[0], "OutputName": {"Ref": "Queue"}}},
    {"Fn::GetStackOutput": {"Region": {"Ref": "Given"}, "RoleArn": MARKS[0]}},
    {"Fn::GetStackOutput": [{"Ref": "Given"}]},
    {"Fn::Sub": "${Given}"},
    {"Fn::Sub": "${Missing.Arn}:${Given}"},
    {"Fn::Sub": ["${A}", {"A": {"Fn::ImportValue": {"Fn::Sub": "${Given}"}}}]},
    {"Fn::Sub": f"{MARKS}${{{MARKS}}}${{!{MARKS}}}"},
    {"Fn::Sub": "arn:aws:lambda:${Given}:1:function:${Given}:${Given}"},
    {"Fn::Sub": "arn:aws:${Given}:eu-west-1:1:${Queue}"},
    {"Fn::Join": [MARKS[0], ["0", {"Ref": "Given"}, MARKS[1]]]},
    {"Fn::Join": ["", [MARKS[0], "0", MARKS[1]]]},
    {"Fn::Select": [0, {"Fn::Split": ["0", {"Ref": "Function"}]}]},
    {"Fn::Select": [1, {"Fn::Split": ["1", {"Fn::Sub": "${Function}${Given}1${Queue}"}]}]},
    {"Fn::Select": [0, {"Fn::Split": [MARKS[0], {"Ref": "Given"}]}]},
    {"Fn::Select": [1, {"Fn::Split": [MARKS[1], {"Ref": "Function"}]}]},
    {"Fn::Select": [0, {"Ref": "Given"}]},
    {"Fn::If": ["A", {"Ref": "Given"}, {"Ref": "Function"}]},
    {"Fn::FindInMap": [{"Ref": "Given"}, "a", "b"]},
    {"Fn::GetAtt": [f"Missing{MARKS}", f"Arn{MARKS}"]},
    {"Fn::GetAtt": ["Odd", "Arn"]},
    {"Ref": f"Missing{MARKS}"},
    {"Ref": f"Odd{MARKS}"},
    {f"Fn::{MARKS}": "a"},
    "{{resolve:ssm:" + MARKS + "}}",
    f"{MARKS[0]}0{MARKS[1]}",
    f"{MARKS[0]}99999999{MARKS[1]}",
    f"arn:aws:lambda:eu-west-1:111122223333:function:{MARKS[0]}0{MARKS[1]}:{MARKS}",
    json.dumps(f"{MARKS[0]}0{MARKS[1]}"),
    '{"FunctionName": "\\ue00099\\ue001", "InvocationType": "Event", "Qualifier": "\\uE0000"}',
    (
        '{"States": {"A": {"Resource": "arn:aws:states:::lambda:invoke", "Parameters": '
        '{"InvocationType": "Event", "FunctionName": "\\ue0000\\ue001"}}}}'
    ),
    '{"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:1:\\ue0000\\ue001"}',
    (
        '{"service": "Lambda", "action": "invoke", "parameters": {"FunctionName": '
        '"\\ue0007\\ue001", "InvocationType": "Event"}}'
    ),
    (
        '{"mainSteps": [{"action": "aws:invokeLambdaFunction", "inputs": {"FunctionName": '
        '"\\ue0007\\ue001", "InvocationType": "Event"}}]}'
    ),
]
ODD_RESOURCES: dict[str, Any] = {
    f"Odd{MARKS}": one(f"Custom::{MARKS}", {"ServiceToken": ARN}),
    f"Fn::ForEach::{MARKS}": ["A", ["B"], {}],
    "Odd": {
        **one("AWS::Lambda::Function", {}),
        "Condition": MARKS,
        "Metadata": {"aws:cdk:path": f"Stack/{MARKS}/Resource"},
    },
    f"Template{MARKS}": one("AWS::CloudFormation::Stack", {"TemplateURL": MARKS}),
    f"Function{MARKS}": callers.FUNCTION,
}


def odd_templates(reference: Any) -> list[dict[str, Any]]:
    """Return templates with an odd reference wherever one may stand."""
    given = {"Parameters": {"Given": {"Type": "String"}}, "Transform": MARKS}
    custom: dict[str, Any] = {"Custom": one("Custom::Name", {"ServiceToken": ARN}), **ODD_RESOURCES}
    rule = callers.rule(
        ARN, DeadLetterConfig={"Arn": reference}, RetryPolicy={"MaximumRetryAttempts": reference}
    )
    places = [
        *(caller(reference) for caller in CALLERS),
        config(FunctionName=reference),
        config(reference),
        config(destination=reference),
        callers.with_dead_letter(reference),
        callers.permission(ARN, reference),
        callers.permission(ARN, reference, SourceArn=reference),
        callers.permission(reference, "s3.amazonaws.com", SourceArn=reference),
        {"Caller": one("AWS::StepFunctions::StateMachine", {"DefinitionString": reference})},
        {"Caller": one("AWS::StepFunctions::StateMachine", {"DefinitionS3Location": reference})},
        {"Caller": one("AWS::SSM::Document", {"Content": reference})},
        {"Caller": one("Custom::AWS", {"Create": reference, "ServiceToken": ARN})},
        {
            "Caller": one(
                "AWS::Scheduler::Schedule",
                {
                    "Target": {
                        "Arn": "arn:aws:scheduler:::aws-sdk:lambda:invoke",
                        "Input": reference,
                    }
                },
            )
        },
        {
            "Caller": one(
                "AWS::SNS::Subscription",
                {"Protocol": "lambda", "Endpoint": ARN, "RedrivePolicy": reference},
            )
        },
    ]
    return [template(rule, custom, place, **given) for place in places]


@pytest.mark.parametrize("reference", ODD_REFERENCES, ids=lambda one: ascii(one)[:60])
def test_shows_no_mark(reference: Any) -> None:
    """What stands for a name that is not known yet never reaches a finding."""
    for checked in odd_templates(reference):
        for found in find_uncovered_functions(checked):
            texts = json.dumps(found.to_dict(), ensure_ascii=False) + found.shown
            assert not set(MARKS) & set(texts + found.fingerprint), texts


def test_shows_an_import_whose_name_is_put_together() -> None:
    """Each unknown part of it is named as the template names it."""
    name = {"Fn::ImportValue": {"Fn::Sub": "${Stage}-handler"}}
    found = find_uncovered_functions(
        template(callers.subscription(name), Parameters={"Stage": {"Type": "String"}})
    )
    assert [one.reason for one in found] == [
        "It calls a function that is not known: export parameter Stage-handler."
    ]


@pytest.mark.parametrize("separator", ["0", "1", "\ue000", "\ue001"])
def test_takes_no_reference_apart(separator: str) -> None:
    """A separator that a mark happens to have is not one within it."""
    split = {"Fn::Select": [0, {"Fn::Split": [separator, ARN]}]}
    found = find_uncovered_functions(template(callers.pipeline(split)))
    assert {one.logical_id for one in found} <= {"Function", "Caller"}
