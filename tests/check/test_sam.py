"""Templates of AWS SAM: what its translator needs that `sam build` does not, and where they are."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import Validations
from aws_cdk import cloudformation_include as include

from failure_destinations import FailureDestinationCheck
from failure_destinations.check import find_uncovered_functions_in
from failure_destinations.check.paths import Checked

SCHEDULE = {"Type": "Schedule", "Properties": {"Schedule": "rate(1 day)"}}
CODE = {"Runtime": "python3.13", "Handler": "index.handler"}


def function(**properties: Any) -> dict[str, Any]:
    """Return a function that a schedule calls."""
    events = {"Nightly": SCHEDULE}
    return {"Type": "AWS::Serverless::Function", "Properties": {"Events": events, **properties}}


def sam(resources: dict[str, Any], **sections: Any) -> dict[str, Any]:
    """Return a template of SAM."""
    return {"Transform": "AWS::Serverless-2016-10-31", "Resources": resources, **sections}


def check(folder: Path, template: dict[str, Any]) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the kinds and functions found in a template, without deliveries, and the problems."""
    path = folder / "template.json"
    path.write_text(json.dumps(template))
    checked = Checked()
    checked.add(path)
    found = [
        (one.kind, one.logical_id)
        for one in find_uncovered_functions_in(checked.stacks)
        if one.kind != "delivery"
    ]
    return found, checked.problems


ONE = [("uncovered", "Report")]
LAYER = {"Type": "AWS::Serverless::LayerVersion"}
STORED = {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/stages/alias"}
GIVEN = {"Type": "String"}


@pytest.mark.parametrize(
    "template",
    [
        pytest.param(
            sam(
                {"Report": function(InlineCode="pass", **CODE)},
                Globals={"Function": {"CodeUri": "src/"}},
            ),
            id="code in Globals beside inline code",
        ),
        pytest.param(
            sam(
                {"Report": function()},
                Globals={"Function": {"InlineCode": "pass", **CODE}},
            ),
            id="inline code in Globals",
        ),
        pytest.param(
            sam({"Report": function(CodeUri={"Ref": "Code"}, **CODE)}, Parameters={"Code": GIVEN}),
            id="code as parameter",
        ),
        pytest.param(sam({"Report": function(**CODE)}), id="no code"),
        pytest.param(
            sam({"Report": function(PackageType="Image", ImageUri="report:latest")}),
            id="local image",
        ),
        pytest.param(
            sam({"Report": function(ImageUri="report:latest")}),
            id="image without package type",
        ),
        pytest.param(
            sam({"Report": {**function(PackageType="Image"), "Metadata": {"Dockerfile": "a"}}}),
            id="image of a Dockerfile",
        ),
        pytest.param(
            sam(
                {
                    "Report": function(Layers=[{"Ref": "Layer"}], **CODE),
                    "Layer": {**LAYER, "Properties": {"ContentUri": {"Ref": "Code"}}},
                    "Other": {**LAYER, "Properties": {"LayerName": "other"}},
                },
                Parameters={"Code": GIVEN},
            ),
            id="layers",
        ),
        pytest.param(
            sam(
                {"Report": function(Layers=[{"Ref": "Layer"}], **CODE)},
                Parameters={"Layer": {**STORED, "Default": "/layers/arn"}},
            ),
            id="layer in Parameter Store",
        ),
        pytest.param(
            sam(
                {"Report": function(Layers=["{{resolve:ssm:/layers/arn:1}}"], **CODE)},
            ),
            id="layer by dynamic reference",
        ),
        pytest.param(
            sam(
                {"Report": function(AutoPublishAlias={"Ref": "Stage"}, **CODE)},
                Parameters={"Stage": STORED},
            ),
            id="alias in Parameter Store",
        ),
        pytest.param(
            sam(
                {
                    "Report": function(
                        **CODE,
                        Events={
                            "Nightly": SCHEDULE,
                            "Get": {
                                "Type": "HttpApi",
                                "Properties": {"Path": {"Fn::Sub": "/${Given}"}, "Method": "get"},
                            },
                        },
                    )
                },
                Parameters={"Given": GIVEN},
            ),
            id="path as parameter",
        ),
        pytest.param(
            sam(
                {
                    "Report": function(**CODE),
                    "Machine": {
                        "Type": "AWS::Serverless::StateMachine",
                        "Properties": {
                            "AutoPublishAlias": {"Ref": "Stage"},
                            "Definition": {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}},
                        },
                    },
                },
                Parameters={"Stage": {"Type": "String", "Default": "live"}},
            ),
            id="alias of a state machine as parameter",
        ),
        pytest.param(
            sam(
                {
                    "Report": function(**CODE),
                    "Api": {
                        "Type": "AWS::Serverless::Api",
                        "Properties": {"StageName": "a", "DefinitionUri": {"Ref": "Given"}},
                    },
                },
                Parameters={"Given": GIVEN},
            ),
            id="API's definition as parameter",
        ),
        pytest.param(
            sam(
                {
                    "Fn::ForEach::Reports": [
                        "Name",
                        ["Report"],
                        {
                            "${Name}": function(
                                **CODE,
                                Events={
                                    "Nightly": SCHEDULE,
                                    "Get": {
                                        "Type": "Api",
                                        "Properties": {
                                            "Path": {"Fn::Sub": "/${Name}"},
                                            "Method": "get",
                                        },
                                    },
                                },
                            )
                        },
                    ]
                },
                Transform=["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"],
            ),
            id="loop",
        ),
    ],
)
def test_reads_what_sam_build_accepts(tmp_path: Path, template: dict[str, Any]) -> None:
    """Code, layers, images and stored parameters are only known after a build or at deployment."""
    found, problems = check(tmp_path, template)
    assert problems == []
    assert [one for one in found if one[0] == "uncovered"] == [(kind, id) for kind, id in ONE]


def test_reads_sam_without_its_transform(tmp_path: Path) -> None:
    """The resources say what it is."""
    assert check(tmp_path, {"Resources": {"Report": function(**CODE)}}) == (ONE, [])


def test_reads_on_beside_what_sam_rejects(tmp_path: Path) -> None:
    """A resource that SAM rejects is one line and a note, and the others are judged."""
    bad = function(Events={"Bad": {"Type": "Schedule", "Properties": {}}}, **CODE)
    found, problems = check(tmp_path, sam({"Report": function(**CODE), "Bad": bad}))
    assert found == [*ONE, ("unknown", "Bad")]
    (problem,) = problems
    assert "AWS SAM rejects it: Resource with id [Bad" in problem


def test_reads_on_beside_an_event_that_sam_rejects(tmp_path: Path) -> None:
    """The function and its other events are judged."""
    get = {"Type": "Api", "Properties": {"Path": "/", "Method": [1]}}
    events = {"Get": get, "Nightly": SCHEDULE}
    found, problems = check(tmp_path, sam({"Report": function(Events=events, **CODE)}))
    assert found == ONE
    (problem,) = problems
    assert "Event with id [Get] is invalid" in problem


INCLUDE = {"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "s3://b/a.yaml"}}}


@pytest.mark.parametrize("type", ["Api", "HttpApi"])
def test_reads_on_beside_a_document_that_is_included(tmp_path: Path, type: str) -> None:
    """CloudFormation includes it before SAM adds authorizers to it."""
    auth = {"DefaultAuthorizer": "AWS_IAM"} if type == "Api" else {"EnableIamAuthorizer": True}
    api = {
        "Type": f"AWS::Serverless::{type}",
        "Properties": {"StageName": "a", "DefinitionBody": INCLUDE, "Auth": auth},
    }
    found, problems = check(tmp_path, sam({"Report": function(**CODE), "Given": api}))
    assert problems == []
    assert found[0] == ONE[0]
    assert (("unknown", "Given") in found) == (type == "Api")


@pytest.mark.parametrize("others", [{}, {"Other": function(**CODE)}])
def test_does_not_know_a_part_of_a_template_of_sam(tmp_path: Path, others: dict[str, Any]) -> None:
    """A build joins it with the defaults, which may hold a failure destination."""
    found, problems = check(tmp_path, {"Resources": {"Report": function(), **others}})
    assert problems == []
    assert ("unknown", "Report") in found
    assert ("uncovered", "Other") in found or not others


def test_does_not_forget_an_event_that_sam_rejects(tmp_path: Path) -> None:
    """A function whose asynchronous event cannot be read is not known."""
    properties = {"Pattern": {"source": ["a"]}, "DeadLetterConfig": {"Type": "SNS"}}
    events = {"Bad": {"Type": "EventBridgeRule", "Properties": properties}}
    resources = {"Report": function(Events=events, **CODE), "Topic": {"Type": "AWS::SNS::Topic"}}
    found, problems = check(tmp_path, sam(resources))
    assert (found, len(problems)) == ([("unknown", "Report")], 1)


def test_reads_on_beside_what_refers_to_what_sam_rejects(tmp_path: Path) -> None:
    """Without the resource that SAM rejects, it may reject others too."""
    api = {"Type": "AWS::Serverless::Api", "Properties": {"StageName": "a", "Cors": [1]}}
    get = {
        "Type": "Api",
        "Properties": {"Path": "/", "Method": "get", "RestApiId": {"Ref": "Api"}},
    }
    using = function(Events={"Get": get}, **CODE)
    found, problems = check(tmp_path, sam({"Report": function(**CODE), "Api": api, "Using": using}))
    assert ONE[0] in found
    assert len(problems) == 1


def test_judges_a_function_with_a_property_that_sam_does_not_know(tmp_path: Path) -> None:
    """A newer SAM may know it, but the line says so."""
    found, problems = check(tmp_path, sam({"Report": function(NewProperty=1, **CODE)}))
    assert found == ONE
    assert len(problems) == 1
    event = {"Type": "Schedule", "Properties": {"Schedule": "rate(1 day)", "NewProperty": 1}}
    found, problems = check(tmp_path, sam({"Report": function(Events={"A": event}, **CODE)}))
    assert found == ONE
    assert len(problems) == 1


def test_reads_on_beside_a_default_that_sam_does_not_know(tmp_path: Path) -> None:
    """Only the default is left out."""
    template = sam({"Report": function(**CODE)}, Globals={"Function": {"NewProperty": 1}})
    found, problems = check(tmp_path, template)
    assert found == ONE
    assert len(problems) == 1


def test_reads_a_local_application_with_its_parameters(tmp_path: Path) -> None:
    """An application beside the template is a nested stack."""
    child = sam(
        {
            "Report": function(
                **CODE, DeadLetterQueue={"Type": "SQS", "TargetArn": {"Ref": "QueueArn"}}
            )
        },
        Parameters={"QueueArn": GIVEN},
    )
    (tmp_path / "child.json").write_text(json.dumps(child))
    parameters = {"QueueArn": {"Fn::GetAtt": ["Queue", "Arn"]}}
    application: dict[str, Any] = {
        "Type": "AWS::Serverless::Application",
        "Properties": {"Location": "child.json", "Parameters": parameters},
    }
    resources = {"Child": application, "Queue": {"Type": "AWS::SQS::Queue"}}
    assert check(tmp_path, sam(resources)) == ([], [])
    del application["Properties"]["Parameters"]
    assert check(tmp_path, sam(resources)) == ([("unknown", "Report")], [])


# In a CDK app.

TEMPLATE = sam({"Report": function(CodeUri="s3://bucket/key", **CODE)})


def app_with_sam(folder: Path) -> cdk.App:
    """Return an app that includes a template of SAM."""
    file = folder / "sam.json"
    file.write_text(json.dumps(TEMPLATE))
    app = cdk.App(outdir=str(folder / "cdk.out"))
    include.CfnInclude(cdk.Stack(app, "Legacy"), "Sam", template_file=str(file))
    return app


def test_reads_sam_in_a_cloud_assembly(tmp_path: Path) -> None:
    """CloudFormation runs the transform of an app that includes SAM, so the check does too."""
    app_with_sam(tmp_path).synth()
    checked = Checked()
    checked.add(tmp_path / "cdk.out")
    found = find_uncovered_functions_in(checked.stacks)
    assert [(one.kind, one.logical_id, one.stack) for one in found] == [
        ("uncovered", "Report", "Legacy"),
        ("delivery", "Report", "Legacy"),
    ]
    assert checked.problems == []


def test_fails_the_synth_for_a_function_of_sam(tmp_path: Path) -> None:
    """The plugin reads the same."""
    app = app_with_sam(tmp_path)
    Validations.of(app).add_plugins(FailureDestinationCheck())
    with pytest.raises(RuntimeError, match="failure-destinations::uncovered"):
        app.synth()


def test_does_not_know_sam_in_a_cloud_assembly_without_its_translator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The app's other stacks are checked, and the note says what is missing."""
    monkeypatch.setitem(sys.modules, "samtranslator.parser.parser", None)
    app_with_sam(tmp_path).synth()
    checked = Checked()
    checked.add(tmp_path / "cdk.out")
    (finding,) = find_uncovered_functions_in(checked.stacks)
    assert (finding.kind, finding.logical_id) == ("unknown", "Report")
    assert "failure-destinations[sam]" in finding.reason
