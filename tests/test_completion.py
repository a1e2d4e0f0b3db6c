"""Shells complete the command's names without importing the commands."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from failure_destinations.cli.group import LazyGroup
from failure_destinations.replay.journal import Journal

COMMAND = "failure-destinations"
VARIABLE = "_FAILURE_DESTINATIONS_COMPLETE"


def run(environment: Mapping[str, str]) -> str:
    """Run the command as a shell does when it completes."""
    command = [sys.executable, "-m", "failure_destinations"]
    ended = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=True
    )
    return ended.stdout


@pytest.fixture
def completion() -> ShellComplete:
    """The completion of a group whose modules cannot be imported."""
    commands = {"list": ("no_module", "Show."), "replay": ("no_module", "Run again.")}
    group = LazyGroup(name=COMMAND, lazy_commands=commands)
    return ShellComplete(group, {}, COMMAND, VARIABLE)


def test_completes_names_without_importing_commands(completion: ShellComplete) -> None:
    """Their names and summaries are known without their modules."""
    found = {item.value: item.help for item in completion.get_completions([], "")}
    assert found == {"list": "Show.", "replay": "Run again."}


def test_completes_a_word_that_was_begun(completion: ShellComplete) -> None:
    """Only names that begin like it, or options."""
    assert [item.value for item in completion.get_completions([], "re")] == ["replay"]
    assert "--help" in [item.value for item in completion.get_completions([], "--")]


@pytest.mark.parametrize(
    ("shell", "begins"),
    [
        ("bash", "complete -o nosort -F _failure_destinations_completion failure-destinations"),
        ("zsh", "#compdef failure-destinations"),
        ("fish", "complete --no-files --command failure-destinations"),
    ],
)
def test_prints_a_completion_script_for_each_shell(shell: str, begins: str) -> None:
    """Each shell has a script of its own."""
    assert begins in run({VARIABLE: f"{shell}_source"})


def test_completes_in_bash(tmp_path: Path) -> None:
    """Bash completes a word after sourcing the script."""
    source = tmp_path / "source"
    source.write_text(run({VARIABLE: "bash_source"}))
    program = tmp_path / COMMAND
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m failure_destinations "$@"\n')
    program.chmod(0o755)
    script = (
        f"source {source}; COMP_WORDS=({COMMAND} --ver); COMP_CWORD=1; "
        f'_failure_destinations_completion {COMMAND}; echo "${{COMPREPLY[@]}}"'
    )
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash", "-c", script],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.split() == ["--version"]


@pytest.mark.parametrize("words", ["runs replay-", "replay --resume replay-", "runs "])
def test_completes_the_names_of_past_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    """Those that have a journal."""
    monkeypatch.setenv("FAILURE_DESTINATIONS_STATE", str(tmp_path))
    journal = Journal.begin("replay", {"source": "q", "options": {}})
    journal.end({})
    asked = f"{COMMAND} {words}"
    completed = run(
        {VARIABLE: "bash_complete", "COMP_WORDS": asked, "COMP_CWORD": str(asked.count(" "))}
    )
    assert completed.splitlines() == [f"plain,{journal.name}"]
