"""How an engine is started: what its program checks first, and what it may import."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from failure_destinations.testing import engines, lambda_processes

LAUNCHER = Path(engines.__file__).with_name("launch.py")
PACKAGE = Path(lambda_processes.__file__).parent


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "GATEWAY_LISTEN must be 127.0.0.1:PORT"),
        ({"GATEWAY_LISTEN": "0.0.0.0:4566"}, "GATEWAY_LISTEN must be 127.0.0.1:PORT"),
        ({"GATEWAY_LISTEN": "127.0.0.1:4566"}, "FILESYSTEM_ROOT must be an existing directory"),
        (
            {"GATEWAY_LISTEN": "127.0.0.1:4566", "FILESYSTEM_ROOT": "/nowhere/at/all"},
            "FILESYSTEM_ROOT must be an existing directory",
        ),
    ],
)
def test_rejects_missing_settings(variables: dict[str, str], message: str) -> None:
    """It says which setting is wrong, in one line."""
    answer = subprocess.run(
        [sys.executable, "-I", LAUNCHER, "localemu"],
        env={"PATH": os.environ["PATH"], **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.returncode == 1
    assert answer.stderr.strip() == message


@pytest.mark.parametrize(
    "module",
    [LAUNCHER, LAUNCHER.with_name("loopback_only.py"), *sorted(PACKAGE.rglob("*.py"))],
    ids=lambda path: path.stem,
)
def test_module_needs_the_standard_library_only(module: Path) -> None:
    """It is imported where the rest of this project is not installed."""
    imported = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(module.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom) and node.level == 0
            else []
        )
    }

    assert imported <= sys.stdlib_module_names
