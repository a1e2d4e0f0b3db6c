"""Every example is an app that CDK accepts, with synth's own validation switched on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from failure_destinations.check import find_lost_events

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted(path.parent for path in ROOT.glob("examples/*/app.py"))


# One program for all of them: Node, and the engine that validates, start once.
SYNTHESISE = """
import json, runpy, sys
for path in sys.argv[1:]:
    (stack,) = runpy.run_path(path, run_name="__main__")["app"].synth().stacks
    print(json.dumps(stack.template))
"""


@pytest.fixture(scope="module")
def templates() -> dict[str, dict[str, Any]]:
    """Run every example, and return the template of its only stack by the example's name."""
    environment = os.environ | {
        "CDK_VALIDATION": "true",
        "PATH": f"{ROOT / 'node_modules' / '.bin'}{os.pathsep}{os.environ['PATH']}",
    }
    ended = subprocess.run(
        [sys.executable, "-c", SYNTHESISE, *(str(path / "app.py") for path in EXAMPLES)],
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    lines = ended.stdout.splitlines()
    return {path.name: json.loads(line) for path, line in zip(EXAMPLES, lines, strict=True)}


@pytest.mark.parametrize("example", [path.name for path in EXAMPLES])
def test_synthesises(templates: dict[str, dict[str, Any]], example: str) -> None:
    """The app synthesises, keeps its failures in a queue and says where that is."""
    template = templates[example]
    types = {resource["Type"] for resource in template["Resources"].values()}
    way = "AWS::S3::Bucket" if example == "stream" else "AWS::Lambda::EventInvokeConfig"
    assert {way, "AWS::SQS::Queue", "AWS::SNS::Topic"} <= types
    assert "QueueUrl" in template["Outputs"]


@pytest.mark.parametrize("example", [path.name for path in EXAMPLES])
def test_passes_the_check(templates: dict[str, dict[str, Any]], example: str) -> None:
    """No event of an example is lost, and nothing is left to note."""
    assert find_lost_events(templates[example]) == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_is_short_enough_to_read(example: Path) -> None:
    """An example fits on a screen."""
    assert len((example / "app.py").read_text().splitlines()) < 45


def test_stream_has_a_way_for_each_source(templates: dict[str, dict[str, Any]]) -> None:
    """The stream's batches go to the channel's bucket, the queue's messages to another queue."""
    resources = templates["stream"]["Resources"].values()
    mappings = [
        r["Properties"] for r in resources if r["Type"] == "AWS::Lambda::EventSourceMapping"
    ]
    (stream,) = (m for m in mappings if "StartingPosition" in m)
    (bucket, _) = stream["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"]
    assert templates["stream"]["Resources"][bucket]["Type"] == "AWS::S3::Bucket"
    orders = [r["Properties"] for r in resources if r["Type"] == "AWS::SQS::Queue"]
    assert [q["RedrivePolicy"]["maxReceiveCount"] for q in orders if "RedrivePolicy" in q] == [5, 5]


def test_article_sets_lambdas_retries(templates: dict[str, dict[str, Any]]) -> None:
    """One retry, as the article meant, with the article's payload, every minute."""
    resources = templates["article"]["Resources"]
    by_type = {resource["Type"]: resource.get("Properties") for resource in resources.values()}
    schedule = by_type["AWS::Scheduler::Schedule"]
    assert by_type["AWS::Lambda::EventInvokeConfig"]["MaximumRetryAttempts"] == 1
    assert schedule["ScheduleExpression"] == "rate(1 minute)"
    assert json.loads(schedule["Target"]["Input"]) == {
        "veryImportantData": "this should not be lost !!!"
    }
