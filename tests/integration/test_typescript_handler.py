"""The example with a handler in TypeScript, deployed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from failure_destinations.testing import LocalCloud
from failure_destinations.testing.node import find_node, npm_command

pytestmark = pytest.mark.integration

EXAMPLE = Path(__file__).parents[2] / "examples" / "typescript_handler"


@pytest.mark.soak
def test_typescript_handler_fails_into_the_queue(localemu: LocalCloud, tmp_path: Path) -> None:
    """A copy of the example, with `npm ci` as it says, is bundled by esbuild, runs and fails."""
    copy = tmp_path / "typescript"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("node_modules", "cdk.out"))
    npm = [*npm_command(find_node()), "ci", "--no-audit", "--no-fund"]
    path = f"{find_node().parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(npm, cwd=copy, env=os.environ | {"PATH": path}, check=True)
    outputs = localemu.deploy(copy)["TypescriptHandler"]
    payload = {"veryImportantData": "this should not be lost !!!"}
    for _ in range(25):
        localemu.invoke(outputs["FunctionName"], payload)
    record = localemu.messages(outputs["QueueUrl"])[0].json()
    assert record["requestPayload"] == payload
    assert record["responsePayload"]["errorMessage"] == "Something went wrong!"
    assert record["requestContext"]["approximateInvokeCount"] == 2
