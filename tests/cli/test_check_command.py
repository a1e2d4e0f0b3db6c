"""`failure-destinations check`: what it reads, writes and returns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result

from failure_destinations.cli.group import cli

from ..check import callers
from ..check.callers import ARN, config, template
from .sarif_schema import SARIF

ROOT = Path(__file__).parents[2]
LOST = template(callers.bucket(ARN))
KEPT = template(callers.bucket(ARN), config())
WARNED = template(callers.rule(ARN), config())

YAML = """\
AWSTemplateFormatVersion: 2010-09-09
Parameters:
  Stage: {Type: String, Default: live}
Conditions:
  IsProd: !Equals [!Ref Stage, live]
Resources:
  Report:
    Type: AWS::Lambda::Function
    Properties:
      Handler: index.handler
      Runtime: python3.13
      Role: !Sub "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/report"
      Code: {ZipFile: ""}
  Nightly:
    Type: AWS::Events::Rule
    Properties:
      ScheduleExpression: rate(1 day)
      Targets:
        - Id: Report
          Arn: !GetAtt Report.Arn
          DeadLetterConfig:
            Arn: !If [IsProd, !Sub "arn:aws:sqs:eu-west-1:111122223333:a", !GetAtt Queue.Arn]
  Queue:
    Type: AWS::SQS::Queue
"""

SAM = """\
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {Runtime: python3.13, Handler: index.handler}
Resources:
  Report:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src/
      Events:
        Nightly: {Type: Schedule, Properties: {Schedule: rate(1 day)}}
  Order:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src/
      AutoPublishAlias: live
      EventInvokeConfig:
        DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Queue.Arn}}
      Events:
        Placed: {Type: SNS, Properties: {Topic: !Ref Topic}}
  Queue: {Type: AWS::SQS::Queue}
  Topic: {Type: AWS::SNS::Topic}
"""

INVALID_SAM = """\
Transform: AWS::Serverless-2016-10-31
Resources: {A: {Type: AWS::Serverless::Function}}
"""


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(name: str, content: Any) -> str:
    """Write a file and return its name."""
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
    return name


def check(*arguments: str) -> Result:
    """Run the command."""
    result = CliRunner().invoke(cli, ["check", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def findings(*arguments: str) -> list[dict[str, Any]]:
    """Run the command and return the findings."""
    found: list[dict[str, Any]] = json.loads(check(*arguments, "--json").stdout)["findings"]
    return found


# What it reads.


def test_reads_json() -> None:
    """A template in JSON is checked, and the line of the function is found."""
    (finding,) = findings(write("template.json", LOST))
    assert (
        finding["kind"],
        finding["logical_id"],
        finding["file"],
        finding["line"],
    ) == ("uncovered", "Function", "template.json", 3)


def test_reads_yaml_with_tags() -> None:
    """A template in YAML is checked, with the short forms of intrinsic functions."""
    (finding,) = findings(write("template.yaml", YAML))
    assert (
        finding["kind"],
        finding["logical_id"],
        finding["invoked_by"],
        finding["line"],
    ) == ("uncovered", "Report", ["Nightly"], 7)


def test_reads_sam() -> None:
    """A template of SAM is translated first, and its aliases are what is called."""
    found = findings(write("template.yaml", SAM))
    errors = [(one["kind"], one["logical_id"]) for one in found if one["severity"] == "error"]
    assert errors == [("uncovered", "Report")]


def test_reads_sam_without_asking_a_service() -> None:
    """Applications are nested stacks, and parameters need no values."""
    application = """\
  Others:
    Type: AWS::Serverless::Application
    Properties:
      Location: {ApplicationId: "arn:aws:serverlessrepo:a", SemanticVersion: 1.0.0}
Parameters:
  Stage: {Type: String}
"""
    name = write("template.yaml", SAM.replace("Alias: live", "Alias: !Ref Stage") + application)
    kinds = {(one["kind"], one["logical_id"]) for one in findings(name) if one["fix"]}
    assert ("uncovered", "Report") in kinds
    assert ("uncovered", "Order") not in kinds


def test_says_how_to_install_what_sam_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the translator, one line says how to get it."""
    monkeypatch.setitem(__import__("sys").modules, "samtranslator.parser.parser", None)
    result = check(write("template.yaml", SAM))
    assert result.exit_code == 2
    assert result.stderr == (
        "failure-destinations: template.yaml: is an AWS SAM template: "
        "pip install 'failure-destinations[sam]'\n"
    )


def test_reads_what_serverless_framework_compiled() -> None:
    """The folder of a project is enough."""
    write("service/.serverless/cloudformation-template-update-stack.json", LOST)
    assert [one["kind"] for one in findings("service")] == ["uncovered"]


def test_reads_cdk_out_with_stages_and_acknowledgements() -> None:
    """A `cdk.out` has stacks, stages, construct paths and acknowledgements."""
    stack = {
        "type": "aws:cloudformation:stack",
        "properties": {"templateFile": "Orders.template.json", "stackName": "prod-orders"},
        "metadata": {
            "/Prod/Orders/Report/Resource": [{"type": "aws:cdk:logicalId", "data": "Function"}],
            "/Prod/Orders/Report": [
                {
                    "type": "aws:cdk:acknowledged-rules",
                    "data": {"failure-destinations::delivery": "its rule is a hint"},
                }
            ],
        },
    }
    stage = {
        "type": "cdk:cloud-assembly",
        "properties": {"directoryName": "assembly-Prod"},
    }
    write("cdk.out/manifest.json", {"artifacts": {"Prod": stage}})
    write("cdk.out/assembly-Prod/manifest.json", {"artifacts": {"Orders": stack}})
    write("cdk.out/assembly-Prod/Orders.template.json", template(callers.rule(ARN)))
    found = {one["kind"]: one for one in findings("cdk.out")}
    assert found["uncovered"]["path"] == "Prod/Orders/Report/Resource"
    assert found["uncovered"]["stack"] == "prod-orders"
    assert found["delivery"]["accepted"] == "its rule is a hint"


def test_reads_templates_that_import_from_one_another() -> None:
    """One template may import what another exports."""
    exports = {"Failures": {"Value": callers.QUEUE_ARN, "Export": {"Name": "failures"}}}
    importing = template(callers.bucket(ARN), config(destination={"Fn::ImportValue": "failures"}))
    a, b = write("a.json", importing), write("b.json", template(Outputs=exports))
    assert findings(a, b) == []
    assert [one["kind"] for one in findings(a)] == ["unknown"]


OUTPUT = {"StackName": "orders", "OutputName": "Arn"}


def test_reads_templates_that_refer_to_outputs_of_one_another() -> None:
    """Of files without an assembly, the names of the stacks are not known."""
    calling = {
        "Resources": {"Caller": callers.rule({"Fn::GetStackOutput": OUTPUT})["Caller"]},
    }
    outputs = {"Arn": {"Value": ARN}}
    a, b = write("a.json", calling), write("b.json", template(Outputs=outputs))
    assert [one["kind"] for one in findings(a, b)] == ["uncovered", "delivery"]
    assert [one["kind"] for one in findings(a)] == ["unknown"]


def test_follows_an_output_to_the_stack_of_its_region() -> None:
    """An assembly says where each stack is deployed, and by which name."""
    places = {"Ireland": "eu-west-1", "Virginia": "us-east-1", "Anywhere": "unknown-region"}
    artifacts = {
        id: {
            "type": "aws:cloudformation:stack",
            "environment": f"aws://111122223333/{region}",
            "properties": {"templateFile": f"{id}.json", "stackName": "orders"},
        }
        for id, region in places.items()
    }
    calling = {
        "type": "aws:cloudformation:stack",
        "environment": "aws://111122223333/us-east-1",
        "properties": {"templateFile": "Rules.json"},
    }
    write("cdk.out/manifest.json", {"artifacts": {**artifacts, "Rules": calling}})
    for id in places:
        write(f"cdk.out/{id}.json", template(Outputs={"Arn": {"Value": ARN}}))

    def called(reference: dict[str, Any]) -> list[str]:
        rule = callers.rule({"Fn::GetStackOutput": OUTPUT | reference})["Caller"]
        write("cdk.out/Rules.json", {"Resources": {"Caller": rule}})
        found = [one for one in findings("cdk.out") if one["kind"] == "uncovered"]
        return [Path(one["file"]).stem for one in found]

    assert called({}) == ["Virginia"]
    assert called({"Region": {"Ref": "AWS::Region"}}) == ["Virginia"]
    assert called({"Region": "eu-west-1"}) == ["Ireland"]
    assert called({"Region": "eu-central-1"}) == ["Anywhere"]
    assert called({"Region": {"Ref": "Unknown"}}) == ["Ireland", "Virginia", "Anywhere"]


def test_reads_the_short_form_of_an_output() -> None:
    """YAML may write a reference to an output as a tag."""
    calling = """
Resources:
  Caller:
    Type: AWS::Events::Rule
    Properties:
      ScheduleExpression: rate(1 hour)
      Targets:
        - Id: Target
          Arn: !GetStackOutput
            StackName: orders
            OutputName: Arn
"""
    a, b = write("a.yaml", calling), write("b.json", template(Outputs={"Arn": {"Value": ARN}}))
    assert [one["kind"] for one in findings(a, b)] == ["uncovered", "delivery"]


def test_says_where_an_event_of_sam_is() -> None:
    """SAM generates the mapping: its line is the event's in YAML, and the function's in JSON."""
    text = SAM.replace(
        "Nightly: {Type: Schedule, Properties: {Schedule: rate(1 day)}}",
        """\
Clicked:
          Type: Kinesis
          Properties: {Stream: !GetAtt Clicks.Arn, StartingPosition: LATEST}""",
    )
    text += "  Clicks: {Type: AWS::Kinesis::Stream}\n"
    (found,) = [one for one in findings(write("a.yaml", text)) if one["kind"] == "endless-retries"]
    assert (found["logical_id"], found["line"]) == ("ReportClicked", 10)
    stream = {"Stream": {"Fn::GetAtt": ["Clicks", "Arn"]}, "StartingPosition": "LATEST"}
    event = {"Clicked": {"Type": "Kinesis", "Properties": stream}}
    code = {"Runtime": "python3.13", "Handler": "index.handler", "CodeUri": "src/"}
    template = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {
            "Clicks": {"Type": "AWS::Kinesis::Stream"},
            "Report": {
                "Type": "AWS::Serverless::Function",
                "Properties": {**code, "Events": event},
            },
        },
    }
    (found,) = findings(write("b.json", template))
    assert (found["logical_id"], found["line"]) == ("ReportClicked", 7)


@pytest.mark.parametrize(("old", "new"), [("{", "{ # for people"), ("\n}", ",\n}")])
def test_reads_json_that_is_only_yaml(old: str, new: str) -> None:
    """A file that begins like JSON may have comments and trailing commas, as YAML allows."""
    text = json.dumps(LOST, indent=1).replace(old, new, 1)
    (finding,) = findings(write("template.json", text))
    assert (finding["kind"], finding["line"]) == ("uncovered", 3)


def test_reads_yaml_with_an_equals_sign() -> None:
    """A single `=` is a text."""
    (finding,) = findings(write("template.yaml", f"Description: =\n{YAML}"))
    assert finding["kind"] == "uncovered"


STATE_MACHINE = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  Report:
    Type: AWS::Serverless::Function
    Properties: {Runtime: python3.13, Handler: index.handler, CodeUri: src/}
  Daily:
    Type: AWS::Serverless::StateMachine
    Properties:
      DefinitionUri: daily.asl.yaml
      DefinitionSubstitutions: {Report: !GetAtt Report.Arn}
"""

DEFINITION = """\
StartAt: Tell
States:
  Tell:
    Type: Task
    Resource: arn:aws:states:::lambda:invoke
    Parameters: {FunctionName: "${Report}", InvocationType: Event}
    End: true
"""


def test_reads_the_definition_of_a_state_machine_beside_it() -> None:
    """A definition in a file is read."""
    write("daily.asl.yaml", DEFINITION)
    (finding,) = findings(write("template.yaml", STATE_MACHINE))
    assert (finding["kind"], finding["invoked_by"]) == ("uncovered", ["Daily"])


def test_says_which_definition_is_missing() -> None:
    """A missing definition leaves open what the state machine calls."""
    (finding,) = findings(write("template.yaml", STATE_MACHINE))
    assert finding["reason"].endswith("its definition file daily.asl.yaml does not exist.")


def test_reads_an_api_beside_it() -> None:
    """The OpenAPI document of an API is read if it is a file."""
    method = callers.asynchronous_method(callers.ARN)["Caller"]["Properties"]["Integration"]
    integration = {
        "uri": "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/report/invocations",
        "requestParameters": method["RequestParameters"],
    }
    document = {"paths": {"/": {"post": {"x-amazon-apigateway-integration": integration}}}}
    write("api.json", document)
    api = callers.one("AWS::ApiGateway::RestApi", {"BodyS3Location": "api.json"})
    (finding,) = findings(write("template.json", {"Resources": {"Api": api}}))
    assert (finding["kind"], finding["invoked_by"]) == ("unknown", ["Api"])
    Path("api.json").unlink()
    (finding,) = findings("template.json")
    assert finding["reason"].endswith("its document was not given.")


INCLUDING = """\
Resources:
  Report:
    Type: AWS::Lambda::Function
    Properties:
      Fn::Transform: {Name: AWS::Include, Parameters: {Location: dead-letter.yaml}}
  Photos:
    Type: AWS::S3::Bucket
    Properties:
      NotificationConfiguration: {LambdaConfigurations: [{Function: !GetAtt Report.Arn}]}
"""


def test_reads_what_a_template_includes() -> None:
    """A function that is covered in an included file is covered."""
    write("dead-letter.yaml", "DeadLetterConfig: {TargetArn: 'arn:aws:sqs:eu-west-1:1:failures'}")
    assert findings(write("template.yaml", INCLUDING)) == []
    write("dead-letter.yaml", "MemorySize: 256")
    assert [one["kind"] for one in findings("template.yaml")] == ["uncovered"]


def test_accuses_nobody_for_what_it_cannot_include() -> None:
    """Without an included file, its part of the function is not known."""
    (finding,) = findings(write("template.yaml", INCLUDING))
    assert (finding["kind"], finding["logical_id"]) == ("unknown", "Report")


def test_reads_sam_beside_loops() -> None:
    """CloudFormation's loops are not known, but the resources beside them are."""
    loop = """\
  Fn::ForEach::Topics:
    - Name
    - [A, B]
    - Topic${Name}: {Type: AWS::SNS::Topic}
"""
    found = findings(write("template.yaml", SAM + loop))
    kinds = {one["logical_id"]: one["kind"] for one in found if one["kind"] != "delivery"}
    assert kinds == {"Report": "uncovered", "Fn::ForEach::Topics": "unknown"}


LOOP = """\
Transform: AWS::LanguageExtensions
Resources:
  Fn::ForEach::Reports:
    - Name
    - [A, "b/c"]
    - Bucket&{Name}:
        Type: AWS::S3::Bucket
        Properties:
          NotificationConfiguration:
            LambdaConfigurations: [{Function: !GetAtt "Report&{Name}.Arn"}]
      "Report&{Name}":
        Type: AWS::Lambda::Function
"""


def test_says_where_in_a_loop_a_function_is() -> None:
    """Each function of a loop is at the line of the loop's output."""
    found = findings(write("template.yaml", LOOP))
    assert [(one["logical_id"], one["line"]) for one in found] == [
        ("ReportA", 11),
        ("Reportbc", 11),
    ]
    loop = {
        "Fn::ForEach::Reports": [
            "Name",
            ["A"],
            {
                "Bucket${Name}": callers.bucket({"Fn::GetAtt": ["Report${Name}", "Arn"]})["Caller"],
                "Report${Name}": callers.FUNCTION,
            },
        ]
    }
    content = {"Transform": "AWS::LanguageExtensions", "Resources": loop}
    (finding,) = findings(write("template.json", content))
    lines = Path("template.json").read_text().splitlines()
    assert '"Report${Name}": {' in lines[finding["line"] - 1]


def test_accuses_nobody_for_an_empty_parameter_of_sam() -> None:
    """An optional destination is not known to be missing."""
    text = SAM.replace("!GetAtt Queue.Arn", "!Ref Given")
    text += "Parameters: {Given: {Type: String, Default: ''}}\n"
    found = findings(write("template.yaml", text))
    (order,) = [one for one in found if one["kind"] == "unknown"]
    assert order["logical_id"] == "Order"


def test_reads_on_beside_an_invalid_nested_template() -> None:
    """An unreadable nested template is one line on stderr, and its stack is not known."""
    nested = callers.one("AWS::CloudFormation::Stack", {"TemplateURL": "nested.yaml"})
    write("nested.yaml", "- 1")
    result = check(write("template.json", template(callers.bucket(callers.ARN), {"N": nested})))
    assert result.stderr.startswith("failure-destinations: nested.yaml: is not a CloudFormation")
    assert "error uncovered" in result.stdout
    assert "template was not given" in result.stdout


@pytest.mark.parametrize("url", ["a" * 5_000, "a\0b", "template.json", "."])
def test_survives_a_nested_template_that_cannot_be(url: str) -> None:
    """An impossible name, a folder and the template itself are not read."""
    stack = callers.one("AWS::CloudFormation::Stack", {"TemplateURL": url})
    found = findings(write("template.json", {"Resources": {f"S{i}": stack for i in range(9)}}))
    assert [one["kind"] for one in found] == ["unknown"] * 9


def test_says_how_much_it_could_not_judge() -> None:
    """An error may hide there; whoever wants none to pass sees how."""
    stack = callers.one("AWS::CloudFormation::Stack", {"TemplateURL": "missing.yaml"})
    name = write("template.json", {"Resources": {"A": stack, "B": stack}})
    *_, last = check(name).stdout.splitlines()
    assert last == "Not judged: nested template not given (2). --fail-on info fails on these too."
    assert check(name).exit_code == 0
    assert check(name, "--fail-on", "info").exit_code == 1


def test_reads_nested_templates_beside_it() -> None:
    """The template of a nested stack is read if it is a file."""
    nested = callers.one("AWS::CloudFormation::Stack", {"TemplateURL": "./nested.yaml"})
    write("nested.yaml", YAML)
    (finding,) = findings(write("template.json", template({"Nested": nested})))
    assert finding["file"] == "nested.yaml"


def _nested(url: Any) -> dict[str, Any]:
    return template({"Nested": callers.one("AWS::CloudFormation::Stack", {"TemplateURL": url})})


@pytest.mark.parametrize(
    "url",
    [
        "https://s3.amazonaws.com/bucket/v1/stacks/nested.yaml",
        "https://bucket.s3.amazonaws.com/nested.yaml?versionId=1",
        {"Fn::Sub": "https://${Bucket}.s3.${AWS::URLSuffix}/${Prefix}stacks/nested.yaml"},
        {"Fn::Sub": ["https://${B}/a/nested.yaml", {"B": "bucket"}]},
        {"Fn::Join": ["/", ["https://s3.amazonaws.com", {"Ref": "Bucket"}, "nested.yaml"]]},
        {"Fn::Join": ["", ["https://", {"Ref": "Bucket"}, ".s3.amazonaws.com/nested.yaml"]]},
    ],
)
def test_reads_nested_templates_beside_it_that_will_be_in_s3(url: Any) -> None:
    """An address in S3 ends with the path of the file that is uploaded."""
    write("nested.yaml", YAML)
    write("stacks/nested.yaml", YAML)
    (finding,) = findings(write("template.json", _nested(url)))
    assert finding["file"] in ("nested.yaml", "stacks/nested.yaml")


@pytest.mark.parametrize(
    "url",
    [
        "https://s3.amazonaws.com/bucket/other.yaml",
        "https://s3.amazonaws.com/bucket/nested.txt",
        {"Fn::Sub": "https://s3.amazonaws.com/bucket/${Name}.yaml"},
        {"Fn::Sub": "https://s3.amazonaws.com/bucket/template.json"},
        {"Ref": "Url"},
        {"Fn::Join": ["", 1]},
        {"Fn::Join": []},
        {"Fn::Sub": []},
        "/" * 100_000 + "other.yaml",
    ],
)
def test_does_not_guess_where_a_nested_template_is(url: Any) -> None:
    """Without a file of its name, or with the template's own, the nested stack is not known."""
    write("nested.yaml", YAML)
    write("nested.txt", YAML)
    write(".yaml", YAML)
    (finding,) = findings(write("template.json", _nested(url)))
    assert (finding["kind"], finding["logical_id"]) == ("unknown", "Nested")


def test_reads_a_folder_of_templates() -> None:
    """All templates below it are read together, and the other files are skipped and counted."""
    calling = {"Resources": {"Caller": callers.rule({"Fn::ImportValue": "handler"})["Caller"]}}
    exports = {"Arn": {"Value": ARN, "Export": {"Name": "handler"}}}
    write("stacks/rules.yml", json.dumps(calling))
    write("stacks/deep/functions.json", template(Outputs=exports))
    write("stacks/buildspec.yaml", "version: 0.2")
    write("stacks/chart.yaml", "{{ .Values.name }}: [")
    write("stacks/README.md", "# Stacks")
    write("stacks/node_modules/a.json", LOST)
    write("stacks/.hidden/a.json", LOST)
    result = check("stacks")
    assert "skipped 2 files without Resources" in result.stderr
    assert result.exit_code == 1
    found = [(one["kind"], one["file"]) for one in findings("stacks")]
    assert found == [
        ("uncovered", "stacks/deep/functions.json"),
        ("delivery", "stacks/deep/functions.json"),
    ]


def test_reads_all_templates_of_a_folder_unless_it_is_a_project_of_sam() -> None:
    """What SAM packaged is not another stack."""
    write("plain/template.yaml", YAML)
    write("plain/other.json", LOST)
    assert {one["file"] for one in findings("plain")} == {"plain/template.yaml", "plain/other.json"}
    write("project/template.yaml", SAM)
    write("project/packaged.yaml", SAM)
    assert {one["file"] for one in findings("project")} == {"project/template.yaml"}


def test_says_which_template_of_a_folder_is_broken() -> None:
    """A template that cannot be read is one line, and the others are checked."""
    write("stacks/a.yaml", "Resources: [")
    write("stacks/b.json", LOST)
    result = check("stacks")
    assert "stacks/a.yaml:2: is not YAML" in result.stderr
    assert result.exit_code == 2
    assert "uncovered" in result.stdout


def test_reads_apps_and_nested_templates_in_a_folder_once() -> None:
    """An assembly is read as such, and a nested template with its parent."""
    stack = {"type": "aws:cloudformation:stack", "properties": {"templateFile": "A.json"}}
    write("all/app/out/manifest.json", {"artifacts": {"A": stack}})
    write("all/app/out/A.json", LOST)
    write("all/a/nested.yaml", YAML)
    write("all/a/parent.json", _nested("nested.yaml"))
    result = check("all", "--json")
    assert json.loads(result.stdout)["templates"] == 3
    found = [(one["kind"], one["file"], one["stack"]) for one in findings("all")]
    assert found == [
        ("uncovered", "all/a/nested.yaml", ""),
        ("uncovered", "all/app/out/A.json", "A"),
    ]
    both = findings("all/a/nested.yaml", "all/a/parent.json")
    assert [(one["kind"], one["file"]) for one in both] == [("uncovered", "all/a/nested.yaml")]


def test_reads_a_template_that_others_wrote() -> None:
    """CDK's bootstrap stack has conditions, parameters and tags, and no function."""
    bootstrap = ROOT / "node_modules/aws-cdk/lib/api/bootstrap/bootstrap-template.yaml"
    result = check(str(bootstrap))
    assert (result.exit_code, result.stdout) == (0, "No findings in 1 template\n")


# What it cannot read.


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"Resources": ', "bad:1: is not JSON: Expecting value"),
        ("Resources: [", "bad:2: is not YAML: did not find expected node content"),
        ("Resources:\n\tA: B", "bad:2: is not YAML: "),
        ('{"Resources": []}', "bad: is not a CloudFormation template: it has no Resources"),
        ("service: a\nprovider: {}", "bad: is Serverless Framework's own file: run"),
        ('{"Resources": ' * 50_000, "bad: is nested too deeply to be a template"),
        ("Resources: " + "[" * 5_000, "bad"),
        ("Resources: {? [a] : b}", "bad:1: is not YAML: "),
        ("Resources: {A: !Ref [}", "bad:1: is not YAML: "),
        (INVALID_SAM, "bad: AWS SAM rejects it: "),
    ],
)
def test_says_in_a_line_what_is_wrong_and_goes_on(content: str, message: str) -> None:
    """A bad file is one line, and the next file is checked."""
    result = check(write("bad", content), write("good.json", LOST))
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"failure-destinations: {message}")
    assert result.exit_code == 2
    assert "uncovered" in result.stdout


OTHER_FILES = ("- 1", "", '{"name": "package"}', "replicas: 2")


@pytest.mark.parametrize("content", OTHER_FILES)
def test_rejects_the_only_file_if_it_is_not_a_template(content: str) -> None:
    """Whoever names one file means it."""
    result = check(write("bad", content))
    assert result.stderr.startswith("failure-destinations: bad: is not a CloudFormation template")
    assert (result.exit_code, result.stdout) == (2, "")


def test_skips_and_counts_what_is_not_a_template_among_several() -> None:
    """As a pattern names them: `check stacks/*`."""
    others = [write(f"other{number}", content) for number, content in enumerate(OTHER_FILES)]
    result = check(*others, write("good.json", LOST))
    assert "skipped 4 files without Resources, such as other0: not a template" in result.stderr
    assert "uncovered" in result.stdout
    assert result.exit_code == 1
    assert check(*others).exit_code == 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("README.md", "# Stacks\n\n- [a](b): `c`\n\tmore"),
        ("chart.yaml", "name: {{ .Values.name }}"),
        ("package.json", '{"name": "a", }}'),
        ("picture", b"\x89PNG\xff"),
    ],
)
def test_skips_what_cannot_be_read_as_a_template(name: str, content: str | bytes) -> None:
    """A pattern names files of all formats."""
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    Path("docs").mkdir()
    result = check(name, "docs", write("good.json", LOST))
    assert result.stderr.startswith("failure-destinations: skipped 2 files without Resources")
    assert result.exit_code == 1


def test_says_that_a_file_is_missing() -> None:
    """A missing file is one line on stderr."""
    result = check("missing.json")
    assert result.stderr == "failure-destinations: missing.json: does not exist\n"
    assert (result.exit_code, result.stdout) == (2, "")


def test_says_that_a_file_is_not_text() -> None:
    """A file that is not text is one line on stderr."""
    Path("binary").write_bytes(b"\xff\xfe\x00")
    assert "binary: is not text in UTF-8" in check("binary").stderr


def test_says_that_a_folder_holds_no_template() -> None:
    """A folder with nothing to check is one line on stderr."""
    Path("empty").mkdir()
    assert check("empty").stderr.startswith("failure-destinations: empty: has no cdk.out")
    write("other/package.json", "{}")
    result = check("other")
    assert result.stderr.startswith("failure-destinations: other: has no cdk.out")
    assert result.exit_code == 2


def test_says_that_an_assembly_is_broken() -> None:
    """A manifest that names a missing file is one line on stderr."""
    stack = {"type": "aws:cloudformation:stack", "properties": {"templateFile": "gone.json"}}
    write("cdk.out/manifest.json", {"artifacts": {"Gone": stack}})
    assert "gone.json: does not exist" in check("cdk.out").stderr


# What it returns.


@pytest.mark.parametrize(
    ("checked", "arguments", "status"),
    [
        (KEPT, [], 0),
        (LOST, [], 1),
        (WARNED, [], 0),
        (WARNED, ["--fail-on", "warning"], 1),
        (LOST, ["--fail-on", "never"], 0),
    ],
)
def test_returns_whether_it_found_something(
    checked: dict[str, Any], arguments: list[str], status: int
) -> None:
    """The status is 0 without findings, and 1 with findings of at least the given severity."""
    assert check(write("template.json", checked), *arguments).exit_code == status


def test_accepts_a_baseline() -> None:
    """Accepted findings are not reported again, and new ones are."""
    name = write("template.json", LOST)
    assert check(name, "--write-baseline", "accepted.json").exit_code == 0
    result = check(name, "--baseline", "accepted.json")
    assert (result.exit_code, result.stdout) == (0, "No findings in 1 template, 1 accepted\n")
    write("template.json", template(callers.bucket(ARN), {"New": callers.rule(ARN)["Caller"]}))
    assert check(name, "--baseline", "accepted.json").exit_code == 1


@pytest.mark.parametrize("content", ["[]", "{", '{"accepted": [1]}'])
def test_rejects_what_is_not_a_baseline(content: str) -> None:
    """Any other file would silently accept nothing."""
    name = write("template.json", LOST)
    result = check(name, "--baseline", write("accepted.json", content))
    assert result.exit_code == 2
    assert result.stderr.endswith("is not a baseline: write it with --write-baseline\n")


# What it writes.


def test_writes_for_people() -> None:
    """Text says what is lost, which resource calls, what fixes it, and where it is."""
    assert check(write("template.json", LOST)).stdout == (
        "error uncovered  Function  $LATEST\n"
        "  It is called asynchronously by Caller (AWS::S3::Bucket), and has neither a failure "
        "destination nor a dead-letter queue: an event whose last attempt fails is lost.\n"
        "  template  AWS::Lambda::EventInvokeConfig with {FunctionName: !Ref Function, "
        "Qualifier: '$LATEST', DestinationConfig: {OnFailure: {Destination: !GetAtt Queue.Arn}}}\n"
        "  in        template.json:3\n"
        "\n"
        "1 error in 1 template\n"
    )


def test_writes_sarif() -> None:
    """Code scanners get SARIF 2.1.0, with a line, and with what is accepted."""
    name = write("template.json", template(callers.rule(ARN)))
    check(write("kept.json", LOST), "--write-baseline", "accepted.json")
    sarif = json.loads(check(name, "--format", "sarif").stdout)
    jsonschema.validate(sarif, SARIF)
    results = sarif["runs"][0]["results"]
    assert [(one["ruleId"], one["level"]) for one in results] == [
        ("uncovered", "error"),
        ("delivery", "warning"),
    ]
    place = results[0]["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == (name, 3)


def test_writes_what_is_accepted_into_sarif() -> None:
    """A suppressed result is how SARIF says that a finding is accepted."""
    name = write("template.json", LOST)
    check(name, "--write-baseline", "accepted.json")
    sarif = json.loads(check(name, "--baseline", "accepted.json", "--format", "sarif").stdout)
    jsonschema.validate(sarif, SARIF)
    (result,) = sarif["runs"][0]["results"]
    assert result["suppressions"] == [
        {"kind": "external", "justification": "it is in the baseline"}
    ]


def test_writes_annotations() -> None:
    """GitHub Actions shows annotations at the line."""
    first, *_ = check(write("a,b.json", LOST), "--format", "github").stdout.splitlines()
    assert first.startswith(
        "::error file=a%2Cb.json,line=3,title=Asynchronous function without failure destination"
    )
    assert "%0Atemplate: AWS::Lambda::EventInvokeConfig with {" in first


def test_shows_itself_in_the_help() -> None:
    """The command is listed, and its help has examples."""
    assert "check" in CliRunner().invoke(cli, ["--help"]).stdout
    assert "failure-destinations check cdk.out" in check("--help").stdout
