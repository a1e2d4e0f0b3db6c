"""What README and docs say about tests, findings and files is true."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from failure_destinations.alarms import ALARMS
from failure_destinations.check import KINDS
from failure_destinations.cli.group import cli

TESTS = Path(__file__).parent
README = TESTS.parent / "README.md"
LOSSES = TESTS.parent / "docs" / "losses.md"
CHECK = TESTS.parent / "docs" / "check.md"
SAM = TESTS.parent / "docs" / "coming-from" / "sam.md"

ORDERS = """{
 "Resources": {
  "Invoice": {
   "Type": "AWS::Lambda::Function",
   "Metadata": {"aws:cdk:path": "Orders/Invoice/Resource"}
  },
  "Live": {
   "Type": "AWS::Lambda::Alias",
   "Properties": {"FunctionName": {"Ref": "Invoice"}, "Name": "live"}
  },
  "Failures": {"Type": "AWS::SQS::Queue"},
  "Config": {
   "Type": "AWS::Lambda::EventInvokeConfig",
   "Properties": {
    "FunctionName": {"Ref": "Invoice"},
    "Qualifier": "$LATEST",
    "DestinationConfig": {"OnFailure": {"Destination": {"Fn::GetAtt": ["Failures", "Arn"]}}}
   }
  },
  "Policy": {
   "Type": "AWS::SQS::QueuePolicy",
   "Properties": {
    "Queues": [{"Ref": "Failures"}],
    "PolicyDocument": {
     "Statement": {
      "Effect": "Allow",
      "Principal": {"Service": "events.amazonaws.com"},
      "Action": "sqs:SendMessage",
      "Resource": {"Fn::GetAtt": ["Failures", "Arn"]}
     }
    }
   }
  },
  "Nightly": {
   "Type": "AWS::Events::Rule",
   "Metadata": {"aws:cdk:path": "Orders/Nightly/Resource"},
   "Properties": {
    "Targets": [
     {
      "Id": "Target0",
      "Arn": {"Ref": "Live"},
      "DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["Failures", "Arn"]}}
     }
    ]
   }
  }
 }
}"""


def test_every_named_proof_exists() -> None:
    """Each test that the table of losses names exists."""
    named = set(re.findall(r"`(test_\w+)`", LOSSES.read_text()))
    defined = {
        name
        for file in TESTS.rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)
    }
    assert named - defined == set()


@pytest.mark.parametrize("row", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, *range(13, 31)])
def test_each_closed_row_names_its_proof(row: int) -> None:
    """A row that counts as closed names at least one test."""
    (line,) = (text for text in LOSSES.read_text().splitlines() if text.startswith(f"| {row} |"))
    assert re.search(r"`test_\w+`", line.split("|")[5])


def test_lists_every_kind_of_finding() -> None:
    """The table of kinds lists each with its severity."""
    rows = re.findall(r"^\| `([\w-]+)` \| (\w+) \|", CHECK.read_text(), re.MULTILINE)
    severities = {"info": "note"}
    assert rows == [
        (kind.id, severities.get(kind.severity, kind.severity)) for kind in KINDS.values()
    ]


def test_shows_a_finding_as_it_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The README's finding is what the command prints for such a template."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cdk.out").mkdir()
    (tmp_path / "cdk.out" / "Orders.template.json").write_text(ORDERS)
    printed = CliRunner().invoke(cli, ["check", "cdk.out/Orders.template.json"]).stdout
    assert f"```text\n{printed}```" in README.read_text()


@pytest.mark.parametrize(
    ("index", "kinds"),
    [(0, ["uncovered", "delivery", "delivery-retries"]), (1, [])],
    ids=["before", "after"],
)
def test_checks_the_sam_templates(tmp_path: Path, index: int, kinds: list[str]) -> None:
    """The check finds what the page says in its first SAM template, and nothing after."""
    fences = re.findall(r"```yaml\n(.*?)```", SAM.read_text(), re.DOTALL)
    (tmp_path / "template.yaml").write_text(fences[index])
    ended = CliRunner().invoke(cli, ["check", str(tmp_path / "template.yaml"), "--json"])
    assert [finding["kind"] for finding in json.loads(ended.stdout)["findings"]] == kinds


def test_links_of_the_readme_lead_somewhere() -> None:
    """Each file that the README links to or shows exists."""
    text = README.read_text()
    linked = re.findall(r'\]\(([^)#:]+)(?:#[^)]*)?\)|src="([^":]+)"', text)
    assert [
        path for pair in linked for path in pair if path and not (README.parent / path).exists()
    ] == []


def test_names_every_alarm() -> None:
    """The page about monitoring has a row for each alarm."""
    page = (TESTS.parent / "docs" / "howto" / "monitoring.md").read_text()
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert {alarm.id for alarm in ALARMS} == set(named)
