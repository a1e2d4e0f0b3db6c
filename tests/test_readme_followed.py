"""A reader who pastes the README's code into an app gets what the README says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# Each test starts the CDK anew.
pytestmark = pytest.mark.soak

README = Path(__file__).parents[1] / "README.md"
SYNTH = "app.synth()\n"


def blocks() -> list[str]:
    """Return the README's pieces of code for an app, as a reader sees them."""
    text = re.sub(r"<!---.*?-->", "", README.read_text(), flags=re.DOTALL)
    code = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    # The last two show a test of one's own, and errors.
    return [block for block in code if "LocalCloud" not in block and ">>>" not in block]


def run(folder: Path, code: str) -> tuple[dict[str, Any], str]:
    """Run an app as the CDK CLI does, and return its template and what it printed."""
    (folder / "app.py").write_text(code)
    ended = subprocess.run(
        [sys.executable, "app.py"],
        cwd=folder,
        env=os.environ | {"CDK_OUTDIR": str(folder / "cdk.out")},
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    (template,) = (folder / "cdk.out").glob("*.template.json")
    return json.loads(template.read_text()), ended.stdout


def functions(template: dict[str, Any]) -> int:
    """Count the functions whose failures go somewhere."""
    kinds = [resource["Type"] for resource in template["Resources"].values()]
    return kinds.count("AWS::Lambda::EventInvokeConfig")


def test_first_block_is_an_app(tmp_path: Path) -> None:
    """The first block alone, in an empty folder, synthesises without a word."""
    template, printed = run(tmp_path, blocks()[0])
    assert (functions(template), printed) == (1, "")


def test_all_blocks_make_one_app(tmp_path: Path) -> None:
    """Every other block, pasted in order above app.synth(), adds what it says."""
    first, *others = blocks()
    template, printed = run(tmp_path, first.replace(SYNTH, "\n".join([*others, SYNTH])))
    kinds = {resource["Type"] for resource in template["Resources"].values()}
    assert (functions(template), printed) == (7, "")
    assert {"AWS::CloudWatch::Alarm", "AWS::Lambda::EventSourceMapping"} <= kinds


def test_blocks_below_synth_are_not_ignored_in_silence(tmp_path: Path) -> None:
    """Whoever pastes the blocks at the end of the file is warned of each."""
    first, *others = blocks()
    template, printed = run(tmp_path, "\n".join([first, *others]))
    assert functions(template) == 1
    assert "'Reports/Failures' is defined after app.synth(), so it is not deployed" in printed
