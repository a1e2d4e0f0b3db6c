"""AWS::LanguageExtensions: loops over lists that are written out, and its functions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from failure_destinations.check import Stack, find_uncovered_functions, find_uncovered_functions_in

from . import callers
from .callers import ARN, QUEUE_ARN, config, one, template

EXTENDED = {"Transform": "AWS::LanguageExtensions"}


def loop(collection: Any, output: dict[str, Any], name: str = "Name") -> list[Any]:
    """Return a loop's parts."""
    return [name, collection, output]


def function(name: str = "${Name}") -> dict[str, Any]:
    """Return the output of a loop: a function and the bucket that calls it."""
    bucket = callers.bucket({"Fn::GetAtt": [f"Handler{name}", "Arn"]})["Caller"]
    return {f"Handler{name}": callers.FUNCTION, f"Bucket{name}": bucket}


def found(**sections: Any) -> list[tuple[str, str, tuple[str, ...]]]:
    """Return kind, function and callers of each finding in a template with loops."""
    return [
        (finding.kind, finding.logical_id, finding.invoked_by)
        for finding in find_uncovered_functions({**EXTENDED, **sections})
    ]


def uncovered(*names: str) -> list[tuple[str, str, tuple[str, ...]]]:
    """Return what is found of functions that a loop defines."""
    return [("uncovered", f"Handler{name}", (f"Bucket{name}",)) for name in names]


def test_expands_a_loop_over_a_list() -> None:
    """Each item has a function and a caller of its own."""
    resources = {"Fn::ForEach::Handlers": loop(["A", "B"], function())}
    assert found(Resources=resources) == uncovered("A", "B")


@pytest.mark.parametrize(
    "transform", [["AWS::LanguageExtensions"], ["AWS::LanguageExtensions", "AWS::Include-like"]]
)
def test_expands_loops_beside_other_transforms(transform: list[str]) -> None:
    """The transform may be one of several."""
    resources = {"Fn::ForEach::Handlers": loop(["A"], function())}
    assert uncovered("A")[0] in found(Resources=resources, Transform=transform)


def test_expands_a_loop_over_a_list_in_a_mapping() -> None:
    """The list may be looked up with names that are written out, or with a default."""
    look_up: Any = {"Fn::FindInMap": ["Stages", "prod", "Names"]}
    default: Any = {"Fn::FindInMap": ["Stages", "test", "Names", {"DefaultValue": ["C"]}]}
    tables = {"Stages": {"prod": {"Names": ["A", "B"]}}}
    for collection, names in ((look_up, "AB"), (default, "C")):
        resources = {"Fn::ForEach::Handlers": loop(collection, function())}
        assert found(Resources=resources, Mappings=tables) == uncovered(*names)


def test_expands_nested_loops() -> None:
    """The list of an inner loop may depend on the item of the outer one."""
    inner = {"Fn::FindInMap": ["Names", {"Ref": "Stage"}, "All"]}
    outer = {"Fn::ForEach::Inner": loop(inner, function("${Stage}${Name}"))}
    tables = {"Names": {"A": {"All": ["1", 2]}, "B": {"All": ["3"]}}}
    resources = {"Fn::ForEach::Outer": loop(["A", "B"], outer, "Stage")}
    assert found(Resources=resources, Mappings=tables) == uncovered("A1", "A2", "B3")


def test_fills_in_the_identifier_wherever_it_is() -> None:
    """In keys, references and texts, and without what a logical id cannot have."""
    name = "orders/eu-west-1"
    output = {
        "Handler&{Name}": one(
            "AWS::Lambda::Function", {**callers.FUNCTION["Properties"], "FunctionName": "f-${Name}"}
        ),
        "Rule&{Name}": callers.rule({"Fn::Sub": "${Handler&{Name}.Arn}"})["Caller"],
        "Config&{Name}": one(
            "AWS::Lambda::EventInvokeConfig",
            {
                "FunctionName": {"Fn::Join": ["-", ["f", {"Ref": "Name"}]]},
                "Qualifier": "$LATEST",
                "DestinationConfig": {"OnFailure": {"Destination": QUEUE_ARN}},
            },
        ),
    }
    resources = {**callers.BASE, "Fn::ForEach::Handlers": loop([name], output)}
    assert found(Resources=resources) == [
        ("delivery", "Handlerorderseuwest1", ("Ruleorderseuwest1",))
    ]


def test_expands_a_loop_within_properties() -> None:
    """A loop may write properties too."""
    destination = {"OnFailure": {"Destination": QUEUE_ARN}}
    resources = template(callers.bucket(ARN), config())["Resources"]
    resources["Config"]["Properties"]["DestinationConfig"] = {
        "Fn::ForEach::Outcomes": loop(["Failure"], {"On${Name}": destination["OnFailure"]})
    }
    assert found(Resources=resources) == []


def test_does_not_know_properties_of_a_loop_over_an_unknown_list() -> None:
    """They may hold a destination."""
    resources = template(callers.bucket(ARN), config())["Resources"]
    resources["Config"]["Properties"] = {
        "FunctionName": {"Ref": "Function"},
        "Qualifier": "$LATEST",
        "Fn::ForEach::Settings": loop({"Ref": "Names"}, {"${Name}": {}}),
    }
    parameters = {"Names": {"Type": "CommaDelimitedList"}}
    kinds = {kind for kind, _, _ in found(Resources=resources, Parameters=parameters)}
    assert kinds == {"unknown"}


def test_expands_loops_of_outputs() -> None:
    """Another stack may import what a loop exports."""
    export = {"Value": {"Fn::GetAtt": ["Function", "Arn"]}, "Export": {"Name": "arn-${Name}"}}
    exporting = template(
        Outputs={"Fn::ForEach::Exports": loop(["a"], {"Output${Name}": export})}, **EXTENDED
    )
    rule = callers.rule({"Fn::ImportValue": "arn-a"})["Caller"]
    findings = find_uncovered_functions_in(
        [Stack(exporting, "a"), Stack({"Resources": {"Caller": rule}}, "b")]
    )
    assert ("uncovered", "Function") in [(one.kind, one.logical_id) for one in findings]


@pytest.mark.parametrize(
    "collection",
    [
        {"Ref": "Names"},
        {"Ref": "Unknown"},
        ["A", {"Ref": "Names"}],
        {"Fn::FindInMap": ["Stages", {"Ref": "AWS::Region"}, "Names"]},
        {"Fn::Split": [",", "A,B"]},
        "A",
        None,
    ],
)
def test_does_not_know_a_loop_over_a_list_that_is_not_written_out(collection: Any) -> None:
    """Whoever deploys the template gives the list; a default is only one of many."""
    resources = {"Fn::ForEach::Handlers": loop(collection, function())}
    parameters = {"Names": {"Type": "CommaDelimitedList", "Default": "A,B"}}
    tables = {"Stages": {"eu-west-1": {"Names": ["A"]}}}
    assert found(Resources=resources, Parameters=parameters, Mappings=tables) == [
        ("unknown", "Fn::ForEach::Handlers", ())
    ]


@pytest.mark.parametrize("parts", [[], ["Name"], ["Name", ["A"], []], [1, ["A"], {}], {}, "A"])
def test_does_not_know_a_loop_that_is_malformed(parts: Any) -> None:
    """CloudFormation refuses it."""
    assert found(Resources={"Fn::ForEach::Handlers": parts}) == [
        ("unknown", "Fn::ForEach::Handlers", ())
    ]


def test_does_not_expand_a_loop_without_its_transform() -> None:
    """CloudFormation does not either."""
    resources = {"Fn::ForEach::Handlers": loop(["A"], function())}
    assert [kind for kind, *_ in found(Resources=resources, Transform=[])] == ["unknown"]


def test_does_not_expand_loops_without_end() -> None:
    """Loops in loops over long lists multiply."""
    output: dict[str, Any] = function("${A}")
    for i in range(8):
        output = {f"Fn::ForEach::L{i}": loop([str(j) for j in range(40)], output, f"A{i}")}
    assert [kind for kind, *_ in found(Resources=output)] == ["unknown"]


# Its functions.


@pytest.mark.parametrize(
    "reference",
    [
        {"Fn::GetAtt": [{"Fn::Sub": "Func${Rest}"}, "Arn"]},
        {"Fn::GetAtt": ["Function", {"Ref": "Attribute"}]},
        {"Fn::Sub": ["${Arn}", {"Arn": {"Fn::GetAtt": [{"Ref": "Whole"}, "Arn"]}}]},
        {"Fn::Join": ["", ["arn:aws:lambda:eu-west-1:1:function:", {"Ref": {"Ref": "Whole"}}]]},
        {"Fn::FindInMap": ["Arns", "there", "Arn"]},
        {"Fn::FindInMap": ["Arns", "missing", "Arn", {"DefaultValue": ARN}]},
        {"Fn::FindInMap": ["Arns", {"Ref": "AWS::Region"}, "Arn", {"DefaultValue": ARN}]},
        {"Fn::FindInMap": ["Missing", "a", "b", {"DefaultValue": ARN}]},
        {"Fn::Select": [{"Fn::Length": ["a", "b"]}, ["a", "b", ARN]]},
        {"Fn::Select": [{"Fn::Length": {"Fn::Split": [",", "a"]}}, ["a", ARN]]},
    ],
    ids=str,
)
def test_knows_a_reference_that_the_extensions_compute(reference: Any) -> None:
    """Names, keys, positions and defaults may be functions."""
    checked = template(
        callers.bucket(reference),
        Parameters={
            "Rest": {"Type": "String", "Default": "tion"},
            "Whole": {"Type": "String", "Default": "Function"},
            "Attribute": {"Type": "String", "Default": "Arn"},
        },
        Mappings={"Arns": {"there": {"Arn": "arn:aws:lambda:eu-west-1:1:function:named"}}},
        **EXTENDED,
    )
    checked["Resources"]["Function"] = one(
        "AWS::Lambda::Function", {**callers.FUNCTION["Properties"], "FunctionName": "named"}
    )
    findings = find_uncovered_functions(checked)
    assert ("uncovered", "Function") in [(one.kind, one.logical_id) for one in findings]


def test_does_not_know_the_length_of_a_list_that_is_given() -> None:
    """It may have any number of items."""
    reference = {"Fn::Select": [{"Fn::Length": {"Ref": "Names"}}, [QUEUE_ARN, QUEUE_ARN]]}
    checked = template(
        callers.bucket(ARN),
        config(destination=reference),
        Parameters={"Names": {"Type": "CommaDelimitedList"}},
        **EXTENDED,
    )
    assert [one.kind for one in find_uncovered_functions(checked)] == ["unknown"]


def _text(value: Any) -> dict[str, Any]:
    return {"Fn::ToJsonString": value}


CALL = {"FunctionName": {"Ref": "Function"}, "InvocationType": "Event"}


@pytest.mark.parametrize(
    "resources",
    [
        callers.schedule("arn:aws:scheduler:::aws-sdk:lambda:invoke", Input=_text(CALL)),
        {
            "Caller": one(
                "AWS::Logs::AccountPolicy",
                {
                    "PolicyName": "all",
                    "PolicyType": "SUBSCRIPTION_FILTER_POLICY",
                    "PolicyDocument": _text({"DestinationArn": ARN, "FilterPattern": ""}),
                },
            )
        },
        {
            "Caller": one(
                "AWS::SSM::Document",
                {
                    "DocumentType": "Automation",
                    "Content": _text(
                        {
                            "mainSteps": [
                                {
                                    "action": "aws:invokeLambdaFunction",
                                    "inputs": CALL,
                                    "n": [1, True],
                                }
                            ]
                        }
                    ),
                },
            )
        },
        {
            "Caller": one(
                "Custom::AWS",
                {
                    "ServiceToken": "arn:aws:lambda:eu-west-1:1:function:elsewhere",
                    "Create": _text({"service": "Lambda", "action": "invoke", "parameters": CALL}),
                },
            )
        },
        {
            "Caller": one(
                "AWS::StepFunctions::StateMachine",
                {
                    "DefinitionString": _text({"States": {"Tell": {**callers.EVENT_TASK}}}),
                    "DefinitionSubstitutions": {"Name": ARN},
                },
            )
        },
    ],
    ids=["schedule", "logs", "runbook", "SDK call", "state machine"],
)
def test_reads_json_text_that_the_extensions_write(resources: dict[str, Any]) -> None:
    """Wherever a property is JSON text, Fn::ToJsonString may write it."""
    findings = find_uncovered_functions(template(resources, **EXTENDED))
    assert ("uncovered", ("Caller",)) in [(one.kind, one.invoked_by) for one in findings]


def test_reads_a_redrive_policy_that_the_extensions_write() -> None:
    """A subscription's policy may be JSON text."""
    subscription = callers.subscription(
        ARN, RedrivePolicy=_text({"deadLetterTargetArn": QUEUE_ARN})
    )
    assert find_uncovered_functions(template(subscription, config(), **EXTENDED)) == []


def test_accepts_functions_in_the_attributes_of_resources() -> None:
    """DeletionPolicy and its like may be functions, and change nothing here."""
    checked = template(callers.bucket(ARN), **EXTENDED)
    policy = {"Fn::If": ["IsProd", "Retain", "Delete"]}
    checked["Resources"]["Function"] = {
        **callers.FUNCTION,
        "DeletionPolicy": policy,
        "UpdateReplacePolicy": policy,
    }
    assert [one.kind for one in find_uncovered_functions(json.loads(json.dumps(checked)))] == [
        "uncovered"
    ]
