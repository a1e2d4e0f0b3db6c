"""Every example is an app that CDK accepts, with synth's own validation switched on."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from failure_destinations import find_uncovered_functions

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted(path.parent for path in ROOT.glob("examples/*/app.py"))


@functools.cache
def synthesise(app: Path) -> dict[str, Any]:
    """Run an app as the CDK CLI does and return the template of its only stack."""
    out = Path(tempfile.mkdtemp())
    environment = os.environ | {
        "CDK_OUTDIR": str(out),
        "CDK_VALIDATION": "true",
        "PATH": f"{ROOT / 'node_modules' / '.bin'}{os.pathsep}{os.environ['PATH']}",
    }
    subprocess.run([sys.executable, "app.py"], cwd=app, env=environment, check=True)
    (template,) = out.glob("*.template.json")
    loaded: dict[str, Any] = json.loads(template.read_text())
    shutil.rmtree(out)
    return loaded


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_synthesises(example: Path) -> None:
    """The app synthesises, keeps its failures in a queue and outputs the queue's URL."""
    template = synthesise(example)
    types = {resource["Type"] for resource in template["Resources"].values()}
    assert {"AWS::Lambda::EventInvokeConfig", "AWS::SQS::Queue", "AWS::SNS::Topic"} <= types
    assert "QueueUrl" in template["Outputs"]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_passes_the_check(example: Path) -> None:
    """The check finds nothing in an example, not even a note."""
    assert find_uncovered_functions(synthesise(example)) == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_is_short_enough_to_read(example: Path) -> None:
    """An example fits on a screen."""
    assert len((example / "app.py").read_text().splitlines()) < 45


def test_article_sets_lambdas_retries() -> None:
    """The article's app has one retry, the article's payload and runs every minute."""
    resources = synthesise(ROOT / "examples" / "article")["Resources"]
    by_type = {resource["Type"]: resource.get("Properties") for resource in resources.values()}
    schedule = by_type["AWS::Scheduler::Schedule"]
    assert by_type["AWS::Lambda::EventInvokeConfig"]["MaximumRetryAttempts"] == 1
    assert schedule["ScheduleExpression"] == "rate(1 minute)"
    assert json.loads(schedule["Target"]["Input"]) == {
        "veryImportantData": "this should not be lost !!!"
    }
