"""What people read and write: filters, layouts and backups."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given

from failure_destinations.cli.parameters import TimeType
from failure_destinations.errors import CommandError
from failure_destinations.replay.backup import Backup, check_backup, read_backup, read_done
from failure_destinations.replay.filters import Filter
from failure_destinations.replay.received_message import Waiting
from failure_destinations.text import _widths, age, cut, laid_out, size

from ..runtime import messages

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")
ALIAS = Waiting.of(messages.stored("destination-alias"))
YESTERDAY = '{"Body": "", "Attributes": {"SentTimestamp": "yesterday"}}'
RECORDED = datetime(2026, 11, 2, 3, 3, 11, 412000, timezone.utc)


@messages.patient
@given(messages.payloads)
def test_lays_out_json_without_changing_it(payload: str) -> None:
    """All that is added or taken away is white space between values."""

    def without_space(text: str) -> list[str]:
        return re.findall(r'"(?:[^"\\]|\\.)*"|[^\s"]', text)

    assert without_space(laid_out(payload)) == without_space(payload)


def test_lays_out_json_on_lines() -> None:
    """A line a member, indented by its depth."""
    assert laid_out('{"a":[1, {}],"b":[]}') == ('{\n  "a": [\n    1,\n    {}\n  ],\n  "b": []\n}')


def test_writes_one_line_without_what_changes_a_terminal() -> None:
    """Control characters of an error's text do not reach the terminal."""
    assert cut("a\x1b[31m\nb" + "c" * 100, 12) == "a [31m bccc…"


@pytest.mark.parametrize(
    ("seconds", "written"), [(5, "5s"), (119, "119s"), (600, "10m"), (7200, "2h"), (200_000, "2d")]
)
def test_writes_ages(seconds: int, written: str) -> None:
    """In the largest unit of which there are two."""
    assert age(datetime.now(timezone.utc) - timedelta(seconds=seconds)) == written


@pytest.mark.parametrize(
    ("count", "written"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KB"), (1 << 20, "1.0 MB")]
)
def test_writes_sizes(count: int, written: str) -> None:
    """In bytes, kilobytes or megabytes."""
    assert size(count) == written


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, True),
        ({"functions": ("nightly-report",)}, True),
        ({"functions": ("nightly-report:live",)}, True),
        ({"functions": ("nightly-*", "x")}, True),
        ({"functions": (f"{messages.FUNCTION}:live",)}, True),
        ({"functions": ("nightly",)}, False),
        ({"error_types": ("RuntimeError",)}, True),
        ({"error_types": ("*Timeout*",)}, False),
        ({"since": RECORDED, "until": RECORDED}, True),
        ({"since": RECORDED + timedelta(seconds=1)}, False),
        ({"until": RECORDED - timedelta(seconds=1)}, False),
        ({"ids": ("d3b07384",)}, True),
        ({"ids": ("6f1d0c0e-5a",)}, True),
        ({"ids": ("00000000",)}, False),
        ({"functions": ("nightly-*",), "error_types": ("X",)}, False),
    ],
)
def test_chooses_events(options: dict[str, Any], expected: bool) -> None:
    """By function, error, time and id; all that is said must be so."""
    assert Filter(**options).matches(ALIAS) == expected


def test_chooses_dead_letters_by_the_function_they_will_go_to() -> None:
    """They name none, so that --function-name stands for it."""
    letter = Waiting.of(messages.stored("function-dlq"))
    assert not Filter(functions=("orders",)).matches(letter)
    assert Filter(functions=("orders",), default_function="orders").matches(letter)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("orders", False),
        ("orders:live", False),
        ("111122223333:function:orders", False),
        ("arn:aws:lambda:eu-west-1:111122223333:function:orders:live", False),
        ("invoices", True),
        (None, False),
    ],
)
def test_tells_whose_copy_it_is(name: str | None, other: bool) -> None:
    """By the function that SQS says sent it, in whichever form the other is named."""
    letter = Waiting.of(messages.stored("function-dlq"))
    assert letter.event is not None
    copy = dataclasses.replace(letter.event, sender="orders")
    assert Filter(default_function=name).is_of_another(copy) == other
    assert not Filter(default_function=name, any_sender=True).is_of_another(copy)
    assert not Filter(default_function=name).is_of_another(letter.event)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-02", datetime(2026, 11, 2, tzinfo=timezone.utc)),
        ("2026-11-02T03:00Z", datetime(2026, 11, 2, 3, tzinfo=timezone.utc)),
        ("2026-11-02T03:00+01:00", datetime(2026, 11, 2, 2, tzinfo=timezone.utc)),
    ],
)
def test_reads_times(text: str, expected: datetime) -> None:
    """ISO 8601, in UTC unless it says otherwise."""
    assert TimeType().convert(text, None, None) == expected


def test_reads_how_long_ago() -> None:
    """A number and a unit."""
    before = datetime.now(timezone.utc)
    read = TimeType().convert("90m", None, None)
    assert before <= read + timedelta(minutes=90) <= datetime.now(timezone.utc)


@pytest.mark.parametrize("text", ["yesterday", "12", "-3d", "99999999999w", ""])
def test_rejects_what_is_no_time(text: str) -> None:
    """The error shows how to write one."""
    with pytest.raises(click.BadParameter, match="write 2026-11-02T03:00"):
        TimeType().convert(text, None, None)


@messages.patient
@given(payload=messages.payloads)
def test_keeps_every_payload_in_a_backup(
    tmp_path_factory: pytest.TempPathFactory, payload: str
) -> None:
    """What is read from a backup is what was received, to the last character."""
    path = tmp_path_factory.mktemp("backup") / "events.jsonl"
    waiting = Waiting.of(messages.message(messages.record(payload)))
    backup = Backup(path, write_messages=True)
    backup.add([waiting])
    backup.close()
    (read,) = read_backup(path, [])
    assert read.event == waiting.event
    assert read.key == waiting.key


def test_adds_to_a_backup_after_a_broken_line(tmp_path: Path) -> None:
    """A run that was killed leaves half a line; the next one starts on a new line."""
    path = tmp_path / "events.jsonl"
    path.write_text('{"Body": "hal')
    backup = Backup(path, write_messages=True)
    backup.add([ALIAS])
    backup.note_done(ALIAS)
    backup.close()
    broken: list[int] = []
    (read,) = read_backup(path, broken)
    assert (read.event, broken) == (ALIAS.event, [1])
    assert read_done(path) == {ALIAS.key}


@pytest.mark.parametrize(
    "line", ["[]", "{}", '{"Body": 1}', '{"Body": "", "Attributes": 1}', "[", YESTERDAY]
)
def test_rejects_lines_that_hold_no_message(tmp_path: Path, line: str) -> None:
    """They are told by number, and what follows is read."""
    path = tmp_path / "events.jsonl"
    path.write_text(f"{line}\n{json.dumps(messages.message('x'))}\n")
    broken: list[int] = []
    assert len(list(read_backup(path, broken))) == 1
    assert broken == [1]


def test_rejects_a_backup_that_cannot_be_written(tmp_path: Path) -> None:
    """One line with the file's name and the reason."""
    with pytest.raises(CommandError, match=r"cannot write .*no/such\.jsonl\.done: No such file"):
        Backup(tmp_path / "no" / "such.jsonl", write_messages=True)


@pytest.mark.parametrize(
    ("available", "widths"),
    [(200, [8, 40, 60, 4]), (100, [8, 40, 42, 4]), (60, [8, 30, 12, 4]), (20, [8, 12, 12, 4])],
)
def test_cuts_errors_first_and_ids_never(available: int, widths: list[int]) -> None:
    """In a narrow terminal an id can still be read, and given to `show`."""
    headings = ("ID", "FUNCTION", "ERROR", "SIZE")
    row = ("d3b07384", "f" * 40, "e" * 60, "25 B")
    assert _widths(headings, [row], ("ERROR", "FUNCTION"), available) == widths


def test_rejects_notes_that_cannot_be_read(tmp_path: Path) -> None:
    """A folder in the place of what is done is one line."""
    (tmp_path / "events.jsonl.done").mkdir()
    with pytest.raises(CommandError, match=r"cannot read .*events\.jsonl\.done: Is a directory"):
        read_done(tmp_path / "events.jsonl")


@posix
@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("notes.txt", "buy milk\n", "holds something else: name another"),
        ("one.json", '{"x": 1}', "holds something else: name another"),
        ("lines.jsonl", '{"x": 1}\n', "holds something else: name another"),
        ("events.jsonl.done", "important\n", r"events\.jsonl\.done holds something else"),
    ],
)
def test_rejects_a_backup_that_is_something_else(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    """A mistyped name adds no messages to somebody's file, and makes none beside it."""
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(CommandError, match=said):
        check_backup(tmp_path / name.removesuffix(".done"))
    assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("text", [None, "", '{"MessageId": "1", "Bo', '{"Body": "{}"}\n'])
def test_accepts_a_backup_to_add_to(tmp_path: Path, text: str | None) -> None:
    """A new one, and what a run has left, also one that was killed in its first line."""
    path = tmp_path / "events.jsonl"
    if text is not None:
        path.write_text(text)
    (tmp_path / "events.jsonl.done").write_text("0a1b\n")
    check_backup(path)


@posix
@pytest.mark.parametrize("path", ["/dev/null", ".", "nowhere/events.jsonl"])
def test_rejects_a_backup_that_is_no_file(path: str) -> None:
    """Nothing would be kept in it."""
    with pytest.raises(CommandError, match=r"--backup must (name a file|be in a folder)"):
        check_backup(Path(path))


def test_rejects_a_second_run_with_the_same_backup(tmp_path: Path) -> None:
    """Both would run every event; once the first has ended, another may."""
    path = tmp_path / "events.jsonl"
    first = Backup(path, write_messages=False)
    with pytest.raises(CommandError, match="another run is replaying with"):
        Backup(path, write_messages=False)
    first.close()
    Backup(path, write_messages=False).close()


@posix
def test_warns_of_a_backup_that_others_may_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that was there before keeps its mode; a new one is the user's alone."""
    old, new = tmp_path / "old.jsonl", tmp_path / "new.jsonl"
    old.touch()
    old.chmod(0o644)
    for path in (old, new):
        Backup(path, write_messages=True).close()
    warned = capsys.readouterr().err
    assert "(mode 0644), and payloads may be confidential: chmod 600" in warned
    assert "new.jsonl" not in warned
