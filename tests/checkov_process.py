"""Runs checkov in its own environment: it pins older versions than others need."""

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
    """The packages of checkov's environment."""

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
        home: A directory for what it writes. It does not see settings in the user's home.
    """
    python = python_for(Checkov(), logging.getLogger(__name__).info)
    # Without --skip-download it downloads the rules' guidelines from its vendor.
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
