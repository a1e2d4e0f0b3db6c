"""Runs checkov as a process of an environment of its own, since it pins what others need newer."""

from __future__ import annotations

import json
import logging
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from failure_destinations.testing.environments import clean_environment, python_for


class Checkov:
    """What its environment needs."""

    name = "checkov"
    version = "3.3.30"
    pythons: tuple[str, ...] = ("3.12", "3.11", "3.13")
    install_hint = "about 200 MB"

    @property
    def requirements(self) -> Path:
        """The file that pins every package of its environment, with hashes."""
        return Path(__file__).with_name("checkov.txt")


def run_checkov(templates: Sequence[Path], home: Path) -> Any:
    """Return checkov's report on templates.

    Args:
        templates: The files to check.
        home: A directory for what it writes; settings of the user's home do not reach it.
    """
    python = python_for(Checkov(), logging.getLogger(__name__).info)
    # Without --skip-download it asks its vendor for the rules' guidelines.
    options = ["--framework", "cloudformation", "--skip-download", "--compact", "--output", "json"]
    done = subprocess.run(
        [python, "-m", "checkov.main", *options, "--file", *map(str, templates)],
        cwd=home,
        env=clean_environment(os.environ) | {"HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)
