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
    """So is one in YAML, with the short forms of intrinsic functions."""
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
    """Applications of others are nested stacks, and parameters need no values."""
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
        "failure-destinations: template.yaml: is a template of AWS SAM: "
        "pip install 'failure-destinations[sam]'\n"
    )


def test_reads_what_serverless_framework_compiled() -> None:
    """A project's folder is enough."""
    write("service/.serverless/cloudformation-template-update-stack.json", LOST)
    assert [one["kind"] for one in findings("service")] == ["uncovered"]


def test_reads_cdk_out_with_stages_and_acknowledgements() -> None:
    """A `cdk.out` has stacks, stages, construct paths and what is acknowledged."""
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
    """What one exports, the other may use."""
    exports = {"Failures": {"Value": callers.QUEUE_ARN, "Export": {"Name": "failures"}}}
    importing = template(callers.bucket(ARN), config(destination={"Fn::ImportValue": "failures"}))
    a, b = write("a.json", importing), write("b.json", template(Outputs=exports))
    assert findings(a, b) == []
    assert [one["kind"] for one in findings(a)] == ["unknown"]


def test_reads_nested_templates_beside_it() -> None:
    """A nested stack's template that is still a file is read too."""
    nested = callers.one("AWS::CloudFormation::Stack", {"TemplateURL": "./nested.yaml"})
    write("nested.yaml", YAML)
    (finding,) = findings(write("template.json", template({"Nested": nested})))
    assert finding["file"] == "nested.yaml"


def test_reads_a_template_that_others_wrote() -> None:
    """CDK's bootstrap stack has conditions, parameters and tags, and no function."""
    bootstrap = ROOT / "node_modules/aws-cdk/lib/api/bootstrap/bootstrap-template.yaml"
    result = check(str(bootstrap))
    assert (result.exit_code, result.stdout) == (0, "No findings in 1 template\n")


# What it cannot read.


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"Resources": ', "bad:1: is no JSON: Expecting value"),
        ("Resources: [", "bad:2: is no YAML: did not find expected node content"),
        ("Resources:\n\tA: B", "bad:2: is no YAML: "),
        ("- 1", "bad: is no CloudFormation template: it has no Resources"),
        ("", "bad: is no CloudFormation template: it has no Resources"),
        ('{"Resources": []}', "bad: is no CloudFormation template: it has no Resources"),
        ("service: a\nprovider: {}", "bad: is Serverless Framework's own file: run"),
        ('{"Resources": ' * 50_000, "bad: is nested too deeply to be a template"),
        ("Resources: " + "[" * 5_000, "bad"),
        ("Resources: {? [a] : b}", "bad:1: is no YAML: "),
        ("Resources: {A: !Ref [}", "bad:1: is no YAML: "),
        (INVALID_SAM, "bad: AWS SAM refuses it: "),
    ],
)
def test_says_in_a_line_what_is_wrong_and_goes_on(content: str, message: str) -> None:
    """A bad file is one line, and the next file is checked."""
    result = check(write("bad", content), write("good.json", LOST))
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"failure-destinations: {message}")
    assert result.exit_code == 2
    assert "uncovered" in result.stdout


def test_says_that_a_file_is_missing() -> None:
    """So is a file that is not there."""
    result = check("missing.json")
    assert result.stderr == "failure-destinations: missing.json: there is no such file\n"
    assert (result.exit_code, result.stdout) == (2, "")


def test_says_that_a_file_is_no_text() -> None:
    """And one that is no text."""
    Path("binary").write_bytes(b"\xff\xfe\x00")
    assert "binary: is no text in UTF-8" in check("binary").stderr


def test_says_that_a_folder_holds_no_template() -> None:
    """And a folder with nothing to check."""
    Path("empty").mkdir()
    assert check("empty").stderr.startswith("failure-destinations: empty: holds no cdk.out")


def test_says_that_an_assembly_is_broken() -> None:
    """And a manifest that names what is not there."""
    stack = {"type": "aws:cloudformation:stack", "properties": {"templateFile": "gone.json"}}
    write("cdk.out/manifest.json", {"artifacts": {"Gone": stack}})
    assert "gone.json: there is no such file" in check("cdk.out").stderr


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
    """0 for nothing, 1 for findings as grave as one says."""
    assert check(write("template.json", checked), *arguments).exit_code == status


def test_accepts_a_baseline() -> None:
    """What was found once may be accepted, and what is new is found."""
    name = write("template.json", LOST)
    assert check(name, "--write-baseline", "accepted.json").exit_code == 0
    result = check(name, "--baseline", "accepted.json")
    assert (result.exit_code, result.stdout) == (0, "No findings in 1 template, 1 accepted\n")
    write("template.json", template(callers.bucket(ARN), {"New": callers.rule(ARN)["Caller"]}))
    assert check(name, "--baseline", "accepted.json").exit_code == 1


@pytest.mark.parametrize("content", ["[]", "{", '{"accepted": [1]}'])
def test_rejects_what_is_no_baseline(content: str) -> None:
    """Another file would accept nothing, in silence."""
    name = write("template.json", LOST)
    result = check(name, "--baseline", write("accepted.json", content))
    assert result.exit_code == 2
    assert result.stderr.endswith("is no baseline: write it with --write-baseline\n")


# What it writes.


def test_writes_for_people() -> None:
    """Text says what is lost, who calls, what mends it, and where it is."""
    assert check(write("template.json", LOST)).stdout == (
        "error uncovered  Function  $LATEST\n"
        "  It is called asynchronously by Caller (AWS::S3::Bucket), and has neither a failure "
        "destination nor a dead-letter queue: an event whose last try fails is lost.\n"
        "  CDK       channel.notify_failures_of(function), with channel = FailureChannel(…)\n"
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
    assert "%0ACDK: channel.notify_failures_of(function)" in first


def test_shows_itself_in_the_help() -> None:
    """The command is listed, and its help has examples."""
    assert "check" in CliRunner().invoke(cli, ["--help"]).stdout
    assert "failure-destinations check cdk.out" in check("--help").stdout
