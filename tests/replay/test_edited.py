"""An edited payload, before it is run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from failure_destinations.errors import CommandError
from failure_destinations.replay.backup import Backup, read_backup
from failure_destinations.replay.edited import check_payload, read_payload

from .test_backup import ALIAS


@pytest.mark.parametrize(
    ("text", "payload"),
    [
        ('{"n": 1.0, "n": 1e-7}\n', '{"n": 1.0, "n": 1e-7}'),
        ("\ufeff[1]\r\n", "[1]"),
        (" null ", "null"),
        ('"\\ud800"', '"\\ud800"'),
        ("9" * 5000, "9" * 5000),
        ('{"ü": "\U0001f600"}', '{"ü": "\U0001f600"}'),
    ],
)
def test_keeps_a_payload_as_it_was_written(tmp_path: Path, text: str, payload: str) -> None:
    """Only the space around it goes."""
    assert check_payload(text) == payload
    (tmp_path / "payload.json").write_text(text, encoding="utf-8", newline="")
    assert read_payload(tmp_path / "payload.json") == payload


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not JSON: Expecting value in line 1, column 1"),
        ('{"a": 1,}', "is not JSON: .* in line 1"),
        ('{\n"a" 1}', "in line 2, column 5"),
        ("NaN", "is not JSON: NaN is not a value"),
        ('{"a": -Infinity}', "is not JSON: -Infinity is not a value"),
        ("{'a': 1}", "is not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('"\ud800"', "half of a surrogate pair"),
        (f'"{"x" * 6_291_456}"', r"must have at most 6 MB, got 6,291,458 bytes"),
    ],
)
def test_rejects_what_lambda_would_not_accept(text: str, said: str) -> None:
    """In one line that says where."""
    with pytest.raises(CommandError, match=f"the payload {said}|{said}"):
        check_payload(text)


@pytest.mark.parametrize("content", [b"\xff{}", b"\x00"])
def test_rejects_a_file_that_is_not_text(tmp_path: Path, content: bytes) -> None:
    """A picture, for example."""
    (tmp_path / "payload.json").write_bytes(content)
    with pytest.raises(CommandError, match=r"payload\.json is not JSON"):
        read_payload(tmp_path / "payload.json")


def test_rejects_a_file_that_does_not_exist(tmp_path: Path) -> None:
    """The error names it."""
    with pytest.raises(CommandError, match=r"cannot read .*payload\.json: No such file"):
        read_payload(tmp_path / "payload.json")


def test_a_backup_notes_the_edited_payload(tmp_path: Path) -> None:
    """Beside the original message, which is what a replay from it runs."""
    path = tmp_path / "events.jsonl"
    backup = Backup(path, write_messages=True, edited='{"a": 1.0}')
    backup.add([ALIAS])
    backup.close()
    assert json.loads(path.read_text())["EditedPayload"] == '{"a": 1.0}'
    (read,) = read_backup(path, [])
    assert (read.event, read.key) == (ALIAS.event, ALIAS.key)
