"""The files that an operator or a pull request hands over: backups, journals and baselines."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from failure_destinations.audit.journal import Journal
from failure_destinations.cli.group import cli
from failure_destinations.errors import FailureDestinationsError
from failure_destinations.replay.backup import check_backup, done_file, read_backup, read_done
from failure_destinations.replay.past_runs import run_path
from failure_destinations.text import printable

GENERATED = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
PIECES = (
    *(b'{"accepted": ["', b'"]}', b'{"audit": 1}\n', b'["function", {}]\n', b"[[]]", b"null\n"),
    *(
        b'{"MessageId": "',
        b'", "Body": "',
        b'"}\n',
        b"\n",
        b"\r",
        b"\x00",
        b"\xff\xfe",
        b"\xed\xa0",
    ),
    *(b"\x1b[31m", b"::error::", b"##[error]", b"9" * 5000, b"[" * 3000, b"ab" * 32, b"1e999"),
)
CONTENT = st.lists(st.sampled_from(PIECES) | st.binary(max_size=20), max_size=8).map(b"".join)


def read_messages(path: Path) -> None:
    """Read a backup to its end."""
    broken: list[int] = []
    for message in read_backup(path, broken):
        json.loads(message.to_json(), parse_int=str)


def read_keys(path: Path) -> None:
    """Read the keys beside a backup."""
    done_file(path).write_bytes(path.read_bytes())
    assert all(isinstance(key, bytes) for key in read_done(path))


def go_on(path: Path) -> None:
    """Continue the journal of an audit."""
    Journal(path, {"account": "111122223333"}).close()


def accept(path: Path) -> None:
    """Check a template with a baseline."""
    Path("template.json").write_text(json.dumps({"Resources": {}}))
    result = CliRunner().invoke(cli, ["check", "template.json", "--baseline", str(path)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.exit_code in (0, 2)
    assert len(result.stderr.splitlines()) == (result.exit_code == 2)
    kinds = {unicodedata.category(char) for char in result.output if char != "\n"}
    assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}


def list_journals(path: Path) -> None:
    """Read a file as the journal of a run."""
    name = "replay-20261129-030512-7f3a2c"
    journal = run_path(name)
    journal.parent.mkdir(parents=True, exist_ok=True)
    head = {"run": name, "format": 1, "options": {}}
    for start in (b"", json.dumps(head).encode() + b"\n"):
        journal.write_bytes(start + path.read_bytes())
        result = CliRunner().invoke(cli, ["runs"])
        assert (result.exception, result.exit_code) == (None, 0)
        shown = CliRunner().invoke(cli, ["runs", name])
        assert shown.exit_code == (0 if start else 2)


READERS: dict[str, Callable[[Path], None]] = {
    "backup": read_messages,
    "backup-to-add-to": check_backup,
    "done": read_keys,
    "journal": go_on,
    "baseline": accept,
    "runs": list_journals,
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FAILURE_DESTINATIONS_STATE", str(tmp_path))


def assert_read_or_refused(reader: str, content: bytes) -> None:
    """Assert that a file is read, or refused in one line that a terminal may show."""
    path = Path("given.json")
    path.write_bytes(content)
    refusal = ""
    try:
        READERS[reader](path)
    except FailureDestinationsError as error:
        refusal = printable(str(error))
    assert len(refusal) < 500


@pytest.mark.parametrize("reader", READERS)
@GENERATED
@given(content=CONTENT)
def test_any_file_is_read_or_refused(reader: str, content: bytes) -> None:
    """Never with a traceback."""
    assert_read_or_refused(reader, content)


@pytest.mark.soak
@settings(GENERATED, max_examples=10_000)
@given(reader=st.sampled_from(sorted(READERS)), content=CONTENT)
def test_many_files_are_read_or_refused(reader: str, content: bytes) -> None:
    """The same for 10,000 of them."""
    assert_read_or_refused(reader, content)


def refusal_of_baseline(path: str) -> str:
    """Return the one line with which a baseline is refused."""
    Path("template.json").write_text(json.dumps({"Resources": {}}))
    result = CliRunner().invoke(cli, ["check", "template.json", "--baseline", path])
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    return line


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", ".", "pipe", "missing.json"])
def test_a_baseline_is_a_regular_file(path: str) -> None:
    """A pull request may bring a link to anything; a program that opened a pipe would wait."""
    os.mkfifo("pipe")
    assert "write it with --write-baseline" in refusal_of_baseline(path)


@pytest.mark.parametrize("reader", ["backup", "backup-to-add-to", "journal"])
def test_a_pipe_is_refused(reader: str) -> None:
    """A program that opened it would wait for ever."""
    os.mkfifo("pipe")
    with pytest.raises(FailureDestinationsError, match="file"):
        READERS[reader](Path("pipe"))


def test_a_pipe_beside_a_backup_is_refused() -> None:
    """The same for the keys of what succeeded."""
    os.mkfifo("given.done")
    with pytest.raises(FailureDestinationsError, match="regular file"):
        read_done(Path("given"))
