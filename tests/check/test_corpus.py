"""`make corpus`: the check on a folder of templates, and a second reading to compare it with."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from scripts.corpus import judging
from scripts.corpus.__main__ import main
from scripts.corpus.crew import Crew, Failed
from scripts.corpus.judging import Judge
from scripts.corpus.mapping_reading import read_losing_mappings
from scripts.corpus.reading import read_uncovered
from scripts.corpus.summary import Summary
from scripts.corpus.units import find_units

FUNCTION = "  F: {Type: AWS::Lambda::Function}\n"
RULE = "  R: {Type: AWS::Events::Rule, Properties: {Targets: [{Id: A, Arn: !GetAtt F.Arn}]}}\n"
UNCOVERED = f"Resources:\n{FUNCTION}{RULE}"
QUEUE = "  Q: {Type: AWS::SQS::Queue}\n"
KEPT = "Function, Properties: {DeadLetterConfig: {TargetArn: !GetAtt Q.Arn}}}"
COVERED = UNCOVERED.replace("Function}", KEPT) + QUEUE
SAM = """\
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: python3.13, Handler: a.b, CodeUri: src}}
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      Events: {Nightly: {Type: Schedule, Properties: {Schedule: rate(1 day)}}}
"""
FOREIGN = "Resources:\n  R: {Type: AWS::Events::Rule, Properties: {Targets: [{Arn: !Ref P}]}}\n"
CONDITIONAL = (
    f"{UNCOVERED}{QUEUE}"
    "  C:\n    Type: AWS::Lambda::EventInvokeConfig\n    Condition: Sometimes\n    Properties:\n"
    "      FunctionName: !Ref F\n      Qualifier: $LATEST\n"
    "      DestinationConfig: {OnFailure: {Destination: !GetAtt Q.Arn}}\n"
)


def write(folder: Path, **files: str) -> Path:
    """Write files; `__` in a name stands for a folder, and `_` for the dot."""
    for name, text in files.items():
        path = folder.joinpath(*name.replace("__", "/").replace("_", ".").split("/"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def assembly(folder: Path) -> Path:
    """Write a cloud assembly with one stack."""
    artifact = {"type": "aws:cloudformation:stack", "properties": {"templateFile": "S.json"}}
    manifest = {"version": "48.0.0", "artifacts": {"S": artifact}}
    rule = {"Targets": [{"Id": "A", "Arn": {"Fn::GetAtt": ["F", "Arn"]}}]}
    resources = {
        "F": {"Type": "AWS::Lambda::Function"},
        "R": {"Type": "AWS::Events::Rule", "Properties": rule},
    }
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "S.json").write_text(json.dumps({"Resources": resources}))
    return folder


def run(folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, Any]:
    """Run the command on a folder; return its exit status and its JSON."""
    status = main([str(folder), "--json", "--processes=1", *options])
    return status, json.loads(capsys.readouterr().out)


def test_units_are_templates_and_assemblies(tmp_path: Path) -> None:
    """A cloud assembly is one unit; files that cannot be templates are none."""
    write(tmp_path, b__t_yaml=UNCOVERED, c__t_template=COVERED, notes_txt=COVERED, d_json="{}")
    assembly(tmp_path / "a" / "cdk.out")
    found = [str(path.relative_to(tmp_path)) for path in find_units(tmp_path)]
    assert found == ["a/cdk.out", "b/t.yaml", "c/t.template"]


def test_counts_findings_and_functions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Plain templates, SAM templates and assemblies are read, wherever they lie."""
    write(tmp_path, a_yaml=UNCOVERED, b__c_yaml=COVERED, b__sam_yaml=SAM)
    assembly(tmp_path / "cdk.out")
    status, read = run(tmp_path, capsys)
    assert (status, read["units"], read["templates"], read["functions"]) == (0, 4, 4, 4)
    assert {k: n for k, n in read["findings"].items() if n} == {"uncovered": 3, "delivery": 4}


def test_a_nested_template_counts_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A template that is read with its parent and on its own is not counted twice."""
    nested = (
        "Resources:\n  N: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: a.yaml}}"
    )
    _, read = run(write(tmp_path, a_yaml=UNCOVERED, b_yaml=nested), capsys, "--compare")
    found = (read["templates"], read["functions"], read["findings"]["uncovered"], read["agreed"])
    assert found == (2, 1, 1, 1)


def test_one_bad_file_stops_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that cannot be read is counted by its reason; other files are skipped."""
    write(tmp_path, a_yaml="Resources: [", b_yaml="Other: Resources", c_yaml=UNCOVERED)
    status, read = run(tmp_path, capsys)
    assert (status, read["findings"]["uncovered"]) == (0, 1)
    assert sum(read["refusals"].values()) == 1
    assert "is not YAML" in next(iter(read["refusals"]))


def test_counts_functions_that_are_not_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Functions and other resources that the check leaves open are counted, with the reasons."""
    _, read = run(write(tmp_path, a_yaml=CONDITIONAL, b_yaml=FOREIGN), capsys)
    assert read["notJudged"] == {
        "functions": 1,
        "reasons": {"configuration exists under a condition": 1},
        "otherResources": {"target not known": 1},
    }


def test_a_crash_is_reported_with_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that the check did not expect belongs to the file, and makes the run fail."""

    def fail(_: object) -> None:
        raise KeyError("surprise")

    monkeypatch.setattr(judging, "find_lost_events_in", fail)
    write(tmp_path, a_yaml=UNCOVERED)
    result = Judge(tmp_path)(str(tmp_path / "a.yaml"))
    summary = Summary()
    summary.add(result.path, result)
    assert [result.path] == [path for path, _ in summary.crashes]
    assert any("a.yaml: KeyError: 'surprise'" in line for line in summary.lines())


def work(item: str) -> str:
    """Work on an item, die, raise or hang."""
    if item == "die":
        os._exit(3)
    if item == "raise":
        raise ValueError("no")
    if item == "hang":
        signal.pause()
    return item.upper()


@pytest.mark.parametrize("processes", [1, 3])
def test_processes_that_die_or_hang_are_replaced(processes: int) -> None:
    """Each item has a result or the reason why it has none."""
    items = ["a", "die", "b", "hang", "c", "raise", "d"]
    found = dict(Crew(work, processes, 1).run(items))
    assert {item: one for item, one in found.items() if isinstance(one, str)} == {
        "a": "A",
        "b": "B",
        "c": "C",
        "d": "D",
    }
    assert found["die"] == Failed("the process ended with exit code 3")
    assert found["raise"] == Failed("ValueError: no")
    assert found["hang"] == Failed("took more than 1 s", is_late=True)


def test_a_run_that_is_stopped_prints_what_it_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C loses nothing that was read before."""

    def add(summary: Summary, _: str, result: Any) -> None:
        summary.results.append(result)
        raise KeyboardInterrupt

    monkeypatch.setattr(Summary, "add", add)
    status, read = run(write(tmp_path, a_yaml=UNCOVERED, b_yaml=UNCOVERED), capsys)
    assert (status, read["findings"]["uncovered"]) == (130, 1)


def test_rejects_a_folder_without_templates(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty folder is one line and its own exit status."""
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"{tmp_path}: has no templates\n"


ROLE = """\
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Action: sts:AssumeRole, Principal: {Service: scheduler.amazonaws.com}}]
      Policies:
        - PolicyDocument:
            Statement: [{Effect: Allow, Action: lambda:InvokeFunction, Resource: !GetAtt F.Arn}]
"""  # noqa: E501 - YAML's own line


def test_disagreements_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --compare: what both find, and what only one of them finds."""
    alone = f"Resources:\n{FUNCTION}{ROLE}"
    write(tmp_path, both_yaml=UNCOVERED, other_yaml=COVERED, extra_yaml=alone)
    _, read = run(tmp_path, capsys, "--compare")
    assert (1, [], [f"{tmp_path}/extra.yaml: F"]) == (
        read["agreed"],
        read["missed"],
        read["extra"],
    )


def test_a_missed_function_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that only the independent reading finds is named, with its file."""
    write(tmp_path, a_yaml=COVERED)
    monkeypatch.setattr(judging, "read_uncovered", lambda _: {"F"})
    result = Judge(tmp_path, compares=True)(str(tmp_path / "a.yaml"))
    assert [f"{tmp_path}/a.yaml: F"] == result.missed


def test_functions_of_a_refused_file_are_not_missed(tmp_path: Path) -> None:
    """The check says that SAM rejects a file, so it did not overlook what is in it."""
    event = "Nightly: {Type: Schedule, Properties: {Schedule: rate(1 day), Wrong: 1}}"
    rejected = SAM.replace("Nightly: {Type: Schedule, Properties: {Schedule: rate(1 day)}}", event)
    write(tmp_path, a_yaml=rejected)
    result = Judge(tmp_path, compares=True)(str(tmp_path / "a.yaml"))
    assert (len(result.refusals), result.missed) == (1, [])


CALLERS = {
    "rule": RULE,
    "schedule": "  S: {Type: AWS::Scheduler::Schedule, Properties: {Target: {Arn: !GetAtt F.Arn}}}",
    "subscription": "  S: {Type: AWS::SNS::Subscription, Properties: "
    "{Protocol: lambda, Endpoint: !Sub '${F.Arn}'}}",
    "topic": "  T: {Type: AWS::SNS::Topic, Properties: "
    "{Subscription: [{Protocol: lambda, Endpoint: !GetAtt F.Arn}]}}",
    "bucket": "  B: {Type: AWS::S3::Bucket, Properties: {NotificationConfiguration: "
    "{LambdaConfigurations: [{Event: a, Function: !GetAtt F.Arn}]}}}",
    "receipt rule": "  M: {Type: AWS::SES::ReceiptRule, Properties: {Rule: "
    "{Actions: [{LambdaAction: {FunctionArn: !GetAtt F.Arn}}]}}}",
    "API": "  M: {Type: AWS::ApiGateway::Method, Properties: {Integration: {Uri: !Sub "
    "'arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/${F.Arn}/invocations', "
    "RequestParameters: {integration.request.header.X-Amz-Invocation-Type: \"'Event'\"}}}}",
    "permission": "  P: {Type: AWS::Lambda::Permission, Properties: "
    "{FunctionName: !Ref F, Principal: s3.amazonaws.com}}",
    "pipe": "  P: {Type: AWS::Pipes::Pipe, Properties: {Target: !GetAtt F.Arn, TargetParameters: "
    "{LambdaFunctionParameters: {InvocationType: FIRE_AND_FORGET}}}}",
}
WAITING = {
    "API": "  P: {Type: AWS::Lambda::Permission, Properties: "
    "{FunctionName: !Ref F, Principal: apigateway.amazonaws.com}}",
    "mapping": "  M: {Type: AWS::Lambda::EventSourceMapping, Properties: {FunctionName: !Ref F}}",
    "pipe": "  P: {Type: AWS::Pipes::Pipe, Properties: {Target: !GetAtt F.Arn}}",
    "mail": "  P: {Type: AWS::SES::ReceiptRule, Properties: {Rule: {Actions: [{LambdaAction: "
    "{FunctionArn: !GetAtt F.Arn, InvocationType: RequestResponse}}]}}}",
    "disabled schedule": "  S: {Type: AWS::Scheduler::Schedule, Properties: "
    "{State: DISABLED, Target: {Arn: !GetAtt F.Arn}}}",
    "rule of another": "  P: {Type: AWS::Lambda::Permission, Properties: {FunctionName: !Ref F, "
    "Principal: events.amazonaws.com, SourceArn: !GetAtt R.Arn}}\n"
    "  R: {Type: AWS::Events::Rule, Properties: {Targets: [{Arn: !GetAtt Other.Arn}]}}",
    "authorizer": "  P: {Type: AWS::Lambda::Permission, Properties: {FunctionName: !Ref F, "
    "Principal: iot.amazonaws.com}}\n"
    "  A: {Type: AWS::IoT::Authorizer, Properties: {AuthorizerFunctionArn: !GetAtt F.Arn}}",
    "mail topic": "  S: {Type: AWS::SNS::Subscription, Properties: {Protocol: email, Endpoint: F}}",
}


@pytest.mark.parametrize("caller", CALLERS)
def test_the_independent_reading_finds_a_caller(caller: str, tmp_path: Path) -> None:
    """The second reading finds the callers that templates show."""
    write(tmp_path, a_yaml=f"Resources:\n{FUNCTION}{CALLERS[caller]}")
    assert {"F"} == read_uncovered(tmp_path / "a.yaml")


@pytest.mark.parametrize("caller", WAITING)
def test_the_independent_reading_knows_who_waits(caller: str, tmp_path: Path) -> None:
    """The second reading takes no caller that waits for one that does not."""
    write(tmp_path, a_yaml=f"Resources:\n{FUNCTION}{WAITING[caller]}")
    assert set() == read_uncovered(tmp_path / "a.yaml")


ALIAS = "  A: {Type: AWS::Lambda::Alias, Properties: {FunctionName: !Ref F, Name: live}}\n"
ALIAS_RULE = RULE.replace("!GetAtt F.Arn", "!Ref A")


def _config(qualifier: str) -> str:
    return (
        "  C: {Type: AWS::Lambda::EventInvokeConfig, Properties: {FunctionName: !Ref F, Qualifier: "
        f"{qualifier}, DestinationConfig: {{OnFailure: {{Destination: !GetAtt Q.Arn}}}}}}}}\n"
    )


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        (FUNCTION + RULE + _config("$LATEST"), set()),
        (FUNCTION + RULE + _config("live"), {"F"}),
        (FUNCTION + ALIAS + ALIAS_RULE + _config("live"), set()),
        (FUNCTION + ALIAS + ALIAS_RULE + _config("$LATEST"), {"F"}),
        (COVERED.removeprefix("Resources:\n"), set()),
    ],
)
def test_the_independent_reading_knows_what_covers(
    resources: str, expected: set[str], tmp_path: Path
) -> None:
    """A destination of the called qualifier covers, and so does the function's own queue."""
    write(tmp_path, a_yaml=f"Resources:\n{resources}")
    assert expected == read_uncovered(tmp_path / "a.yaml")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("CodeUri: src", "CodeUri: src"), {"F"}),
        (
            ("CodeUri: src", "CodeUri: src, DeadLetterQueue: {Type: SQS, TargetArn: a}"),
            set(),
        ),
        (
            ("CodeUri: src", "EventInvokeConfig: {DestinationConfig: {OnFailure: {Type: SQS}}}"),
            set(),
        ),
        (("Type: Schedule", "Type: Api"), set()),
    ],
)
def test_the_independent_reading_reads_sam_as_written(
    change: tuple[str, str], expected: set[str], tmp_path: Path
) -> None:
    """Events and globals of SAM are read without its translator."""
    write(tmp_path, a_yaml=SAM.replace(*change))
    assert expected == read_uncovered(tmp_path / "a.yaml")


MAPPINGS = """\
Resources:
  Q: {Type: AWS::SQS::Queue}
  D: {Type: AWS::SQS::Queue}
  R: {Type: AWS::SQS::Queue, Properties: {RedrivePolicy: {deadLetterTargetArn: !GetAtt D.Arn}}}
  F: {Type: AWS::Lambda::Function}
  Lost: {Type: AWS::Lambda::EventSourceMapping, Properties: {
    FunctionName: !Ref F, EventSourceArn: !GetAtt Q.Arn}}
  Dead: {Type: AWS::Lambda::EventSourceMapping, Properties: {
    FunctionName: !Ref F, EventSourceArn: !GetAtt D.Arn}}
  Kept: {Type: AWS::Lambda::EventSourceMapping, Properties: {
    FunctionName: !Ref F, EventSourceArn: !GetAtt R.Arn}}
  Stream: {Type: AWS::Lambda::EventSourceMapping, Properties: {
    FunctionName: !Ref F, EventSourceArn: !Ref P, StartingPosition: LATEST}}
  Off: {Type: AWS::Lambda::EventSourceMapping, Properties: {
    FunctionName: !Ref F, EventSourceArn: !Ref P, StartingPosition: LATEST, Enabled: false}}
  Held: {Type: AWS::Lambda::EventSourceMapping, Properties: {
    FunctionName: !Ref F, EventSourceArn: !Ref P, StartingPosition: LATEST,
    DestinationConfig: {OnFailure: {Destination: !Ref B}}}}
"""


def test_compares_event_source_mappings(tmp_path: Path) -> None:
    """Both readings agree on the mappings that lose something."""
    write(tmp_path, template_yaml=MAPPINGS)
    path = tmp_path / "template.yaml"
    assert read_losing_mappings(path) == {"Lost", "Stream"}
    result = Judge(tmp_path, compares=True)(str(path))
    assert sum(result.mappings.values()) == 6
    assert result.agreed_mappings == [f"{path}: Lost", f"{path}: Stream"]
    assert result.missed_mappings == result.extra_mappings == result.open_mappings == []


def test_reads_the_events_of_sam(tmp_path: Path) -> None:
    """By the id that SAM generates."""
    sam = SAM.replace("{Type: Schedule, Properties: {Schedule: rate(1 day)}}", (
        "{Type: Kinesis, Properties: {Stream: 'arn:aws:kinesis:us-east-1:1:stream/a', "
        "StartingPosition: LATEST}}"
    ))  # fmt: skip
    write(tmp_path, template_yaml=sam)
    assert read_losing_mappings(tmp_path / "template.yaml") == {"FNightly"}
