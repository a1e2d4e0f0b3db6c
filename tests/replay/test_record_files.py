"""Records of a bucket, as they were downloaded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from failure_destinations.errors import CommandError
from failure_destinations.replay import record_files
from failure_destinations.replay.record_files import read_records

from ..runtime import messages

UUID = "0c6a3d1c-5a7b-4f0f-9a53-6f1d0c0e7b11"
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
KEY = f"aws/lambda/async/nightly-report/2026/11/02/2026-11-02T03.03.11-{UUID}"


def write(path: Path, text: str) -> Path:
    """Write a file, with the folders around it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def test_reads_a_record_byte_for_byte(tmp_path: Path) -> None:
    """White space and line ends included; the object's id is the message's."""
    payload = '{"a":\r\n 1.0}'
    (message,) = read_records(write(tmp_path / KEY, messages.record(payload)))
    assert message.event is not None
    assert (message.id, message.event.payload) == (UUID, payload)
    assert message.event.function == messages.FUNCTION


def test_reads_all_files_below_a_folder(tmp_path: Path) -> None:
    """In the order of their paths; hidden files and links are left out."""
    for number in (2, 1, 3):
        write(tmp_path / f"async/day-{number}" / KEY, messages.record(str(number)))
    write(tmp_path / ".DS_Store", "x")
    write(tmp_path / ".git/config", "x")
    (tmp_path / "link").symlink_to(tmp_path / "async")
    (tmp_path / "file-link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    found = [message.event and message.event.payload for message in read_records(tmp_path)]
    assert found == ["1", "2", "3"]


def test_says_what_is_not_a_record(tmp_path: Path) -> None:
    """Its id is its name."""
    write(tmp_path / "notes.txt", "hello")
    (tmp_path / "binary").write_bytes(b"\xff\x00")
    found = {message.id: message.reason for message in read_records(tmp_path)}
    assert found == dict.fromkeys(("notes.txt", "binary"), "text that is not JSON")


def test_reads_no_file_without_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is larger than any record is not read whole."""
    monkeypatch.setattr(record_files, "_MAX_BYTES", 10)
    (message,) = read_records(write(tmp_path / "large", messages.record("1")))
    assert (message.event, message.reason) == (None, "a file that is too large")


def test_rejects_what_cannot_be_read(tmp_path: Path) -> None:
    """The error names it."""
    with pytest.raises(CommandError, match=r"cannot read .*nothing: No such file"):
        list(read_records(tmp_path / "nothing"))
