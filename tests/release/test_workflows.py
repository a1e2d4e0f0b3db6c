"""The workflows call what exists, and only one job may publish."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

pytest.importorskip("check_jsonschema", reason="the release's tools are in .venv only")

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = [ROOT / ".github" / "ISSUE_TEMPLATE" / f"{name}.yml" for name in ("bug", "feature")]
MATRIX = re.compile(r"\$\{\{ matrix\.(\w+) \}\}")


def jobs_of(workflow: Path) -> dict[str, Any]:
    """Return the jobs of a workflow by name."""
    jobs: dict[str, Any] = yaml.safe_load(workflow.read_text())["jobs"]
    return jobs


def commands_of(job: dict[str, Any]) -> list[str]:
    """Return the commands of a job, once for each combination of its matrix."""
    matrix = job.get("strategy", {}).get("matrix", {})
    combinations = matrix.get("include") or [
        {name: value} for name, values in matrix.items() for value in values
    ]
    return [
        _fill(step["run"], values)
        for values in combinations or [{}]
        for step in job["steps"]
        if "run" in step
    ]


def _fill(command: str, values: dict[str, str]) -> str:
    return MATRIX.sub(lambda found: str(values[found[1]]), command)


EVERY_COMMAND = sorted(
    {
        command
        for path in WORKFLOWS
        for job in jobs_of(path).values()
        for command in commands_of(job)
    }
)


@pytest.mark.parametrize(
    ("schema", "files"),
    [("github-workflows", WORKFLOWS), ("github-issue-forms", FORMS)],
)
def test_github_can_read_it(schema: str, files: list[Path]) -> None:
    """Workflows and issue forms match GitHub's schemas."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    ended = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize("command", EVERY_COMMAND)
def test_runs_what_is_here(command: str) -> None:
    """Each target, script and module that a step calls exists."""
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    program, *arguments = command.split()
    if program == "make":
        assert arguments[0] in targets
    elif program == "sh":
        assert (ROOT / arguments[0]).is_file()
    elif program == ".venv/bin/python":
        assert (ROOT / f"{arguments[1].replace('.', '/')}.py").is_file()
    else:
        assert program in {"gh", "npm"}


def test_tests_every_python_that_is_promised() -> None:
    """Each Python version of the classifiers has a job."""
    promised = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    test = jobs_of(ROOT / ".github" / "workflows" / "ci.yml")["test"]
    assert test["strategy"]["matrix"]["python"] == promised


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_pins_actions_to_commits(workflow: Path) -> None:
    """Each action is pinned to a commit, with its version in a comment."""
    uses = re.findall(r"uses: (.*)", workflow.read_text())
    assert uses
    assert [use for use in uses if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", use)] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_leaves_no_credentials_to_what_runs(workflow: Path) -> None:
    """A checkout keeps no token in the working tree."""
    steps = [step for job in jobs_of(workflow).values() for step in job["steps"]]
    checkouts = [step for step in steps if step.get("uses", "").startswith("actions/checkout@")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_only_one_job_may_publish() -> None:
    """Only `publish` has the project's identity, in its own environment."""
    jobs = {(path.stem, name): job for path in WORKFLOWS for name, job in jobs_of(path).items()}
    with_identity = [
        place for place, job in jobs.items() if "id-token" in job.get("permissions", {})
    ]
    assert with_identity == [("release", "publish")]
    assert jobs["release", "publish"]["environment"] == "pypi"
    assert jobs["release", "publish"]["needs"] == "build"


def test_publib_installs_nothing_that_is_not_pinned() -> None:
    """The hashed requirements satisfy everything that publib installs."""
    publib = (ROOT / "node_modules" / "publib" / "bin" / "publib-pypi").read_text()
    wanted = [
        requirement
        for packages in re.findall(r'^ *packages="(.*)"$', publib, re.MULTILINE)
        for requirement in packages.replace("$packages", "").split()
    ]
    assert [Requirement(requirement).name for requirement in wanted] == [
        "twine",
        "id",
        "pypi-attestations",
    ]
    recorded = (ROOT / "requirements" / "publish.txt").read_text()
    pinned = dict(re.findall(r"^([\w-]+)==([\w.]+)", recorded, re.MULTILINE))
    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(pinned[requirement.name])


def test_publishing_job_runs_only_what_is_pinned() -> None:
    """The job installs from npm's lock file and from hashed requirements."""
    publish = jobs_of(ROOT / ".github" / "workflows" / "release.yml")["publish"]
    assert commands_of(publish) == ["npm ci --ignore-scripts", "sh scripts/publish.sh dist/python"]
