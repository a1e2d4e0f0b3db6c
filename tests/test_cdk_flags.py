"""The feature flags of a new CDK app: `make flags` runs the tests of templates with them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import aws_cdk as cdk
import pytest

from failure_destinations.testing.node import find_node

ROOT = Path(__file__).parents[1]
FLAGS = json.loads((ROOT / "tests" / "recommended_flags.json").read_text())


def test_flags_are_those_that_cdk_init_writes(tmp_path: Path) -> None:
    """Copy `context` of a new app's cdk.json to tests/recommended_flags.json if this fails."""
    cli = ROOT / "node_modules" / "aws-cdk" / "bin" / "cdk"
    subprocess.run(
        [find_node(), cli, "init", "app", "--language", "python", "--generate-only"],
        cwd=tmp_path,
        env=os.environ | {"HOME": str(tmp_path), "CDK_DISABLE_CLI_TELEMETRY": "true"},
        check=True,
        capture_output=True,
        timeout=60,
    )
    assert json.loads((tmp_path / "cdk.json").read_text())["context"] == FLAGS


@pytest.mark.skipif(os.environ.get("CDK_FLAGS") != "recommended", reason="run by `make flags`")
def test_apps_have_the_flags(app: cdk.App) -> None:
    """Each app of the tests has the flags without saying so."""
    assert {name: app.node.try_get_context(name) for name in FLAGS} == FLAGS
