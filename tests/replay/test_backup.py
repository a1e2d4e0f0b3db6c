"""The backup of a run, and the notes of what succeeded."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import given

from failure_destinations.errors import CommandError
from failure_destinations.replay.backup import Backup, check_backup, read_backup, read_done
from failure_destinations.replay.received_message import ReceivedMessage

from ..runtime import messages

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")
ALIAS = ReceivedMessage.of(messages.stored("destination-alias"))
OFTEN = '{"Body": "", "Attributes": {"ApproximateReceiveCount": "often"}}'


@messages.patient
@given(payload=messages.payloads)
def test_keeps_every_payload_in_a_backup(
    tmp_path_factory: pytest.TempPathFactory, payload: str
) -> None:
    """A message read from a backup is the received one, to the last character."""
    path = tmp_path_factory.mktemp("backup") / "events.jsonl"
    message = ReceivedMessage.of(messages.message(messages.record(payload)))
    backup = Backup(path, write_messages=True)
    backup.add([message])
    backup.close()
    (read,) = read_backup(path, [])
    assert read.event == message.event
    assert read.key == message.key


def test_adds_to_a_backup_after_a_broken_line(tmp_path: Path) -> None:
    """A killed run leaves half a line; the next run starts on a new line."""
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
    "line", ["[]", "{}", '{"Body": 1}', '{"Body": "", "Attributes": 1}', "[", OFTEN]
)
def test_rejects_lines_without_a_message(tmp_path: Path, line: str) -> None:
    """Their numbers are reported, and the lines after them are read."""
    path = tmp_path / "events.jsonl"
    path.write_text(f"{line}\n{json.dumps(messages.message('x'))}\n")
    broken: list[int] = []
    assert len(list(read_backup(path, broken))) == 1
    assert broken == [1]


@pytest.mark.parametrize("sent", ["yesterday", "99999999999999999", "-1", None])
def test_reads_a_message_without_a_valid_time(tmp_path: Path, sent: str | None) -> None:
    """The event can be replayed all the same."""
    path = tmp_path / "events.jsonl"
    path.write_text(json.dumps({"Body": "x", "Attributes": {"SentTimestamp": sent}}))
    (read,) = read_backup(path, [])
    assert (read.sent, read.expires) == (None, None)


def test_rejects_a_backup_that_cannot_be_written(tmp_path: Path) -> None:
    """The error names the file and the reason."""
    with pytest.raises(CommandError, match=r"cannot write .*no/such\.jsonl\.done: No such file"):
        Backup(tmp_path / "no" / "such.jsonl", write_messages=True)


def test_rejects_a_done_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A folder in its place is a one-line error."""
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
    """A mistyped name does not add messages to another file, or a file beside it."""
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(CommandError, match=said):
        check_backup(tmp_path / name.removesuffix(".done"))
    assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("text", [None, "", '{"MessageId": "1", "Bo', '{"Body": "{}"}\n'])
def test_accepts_a_backup_to_add_to(tmp_path: Path, text: str | None) -> None:
    """A new file, and what a run left, even if it was killed in its first line."""
    path = tmp_path / "events.jsonl"
    if text is not None:
        path.write_text(text)
    (tmp_path / "events.jsonl.done").write_text("0a1b\n")
    check_backup(path)


@posix
@pytest.mark.parametrize("path", ["/dev/null", ".", "nowhere/events.jsonl"])
def test_rejects_a_backup_that_is_not_a_file(path: str) -> None:
    """It would keep nothing."""
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
def test_only_the_owner_can_read_a_backup(tmp_path: Path) -> None:
    """Payloads may be confidential: an existing backup that others may read is changed."""
    old, new = tmp_path / "old.jsonl", tmp_path / "new.jsonl"
    old.touch()
    old.chmod(0o644)
    for path in (old, new):
        Backup(path, write_messages=True).close()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.with_name(f"{path.name}.done").stat().st_mode) == 0o600


@posix
@pytest.mark.parametrize("name", ["events.jsonl", "events.jsonl.done"])
def test_follows_no_link(tmp_path: Path, name: str) -> None:
    """Somebody else may have put it there, to have their file written."""
    target = tmp_path / "target"
    target.touch()
    (tmp_path / name).symlink_to(target)
    with pytest.raises(CommandError, match="is a symbolic link"):
        check_backup(tmp_path / "events.jsonl")
    with pytest.raises(CommandError, match="is a symbolic link"):
        Backup(tmp_path / "events.jsonl", write_messages=True)
    assert target.read_text() == ""


@posix
def test_rejects_a_pipe_in_the_place_of_the_done_file(tmp_path: Path) -> None:
    """Opening a pipe would wait for somebody to write to it."""
    os.mkfifo(tmp_path / "events.jsonl.done")
    for call in (check_backup, read_done, lambda path: Backup(path, write_messages=True)):
        with pytest.raises(CommandError, match=r"events\.jsonl\.done: is not a regular file"):
            call(tmp_path / "events.jsonl")
