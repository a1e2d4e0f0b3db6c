"""How the CDK CLI is made to ask an engine more often than it asks AWS."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from failure_destinations.testing import cdk_cli
from failure_destinations.testing.node import find_node

ROOT = Path(__file__).parents[2]
QUICK_POLLS = Path(cdk_cli.__file__).parent / "npm" / "quick_polls.cjs"
# Each callback says its name, and the last one ends the program before any of the slow ones.
PROGRAM = """
const { promisify } = require("node:util");
function waitFor(name) { setTimeout(console.log, 5000, name); }
waitFor("poll");
setTimeout(console.log, 5000, "another five seconds");
(function waitForever() { setTimeout(console.log, 4000, "four seconds"); })();
promisify(setTimeout)(1000).then(() => { console.log("end"); process.exit(); });
"""


def test_only_polls_are_quicker() -> None:
    """What `waitFor` waits for comes at once, and other timers come when they are due."""
    ended = subprocess.run(
        [find_node(), "--require", QUICK_POLLS, "-e", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.split("\n") == ["poll", "end", ""]


def test_the_cli_polls_in_that_function() -> None:
    """The CLI waits five seconds in a function of that name; else the engines' polls are slow."""
    source = (ROOT / "node_modules" / "aws-cdk" / "lib" / "index.js").read_text(encoding="utf-8")
    assert re.search(r"function waitFor\(\w+, timeout = 5e3\)", source)
