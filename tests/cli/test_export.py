"""Saves a queue's messages to a file, as a process on an engine."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from failure_destinations.replay.backup import read_backup

from ..waiting import PATIENCE, eventually
from .conftest import CLI, Orders, limit_receives

pytestmark = pytest.mark.integration


def saved_bodies(path: Path) -> list[str]:
    """Return the bodies of the messages in a file, which has no broken line."""
    broken: list[int] = []
    bodies = [message.body for message in read_backup(path, broken)]
    assert broken == []
    return bodies


def test_saves_all_messages_and_runs_nothing(orders: Orders, tmp_path: Path) -> None:
    """They stay in the queue, and the file can be replayed; only its owner can read it."""
    orders.send("{}", '{"order": 1.0}')
    orders.send_text("hello")
    before, runs = sorted(orders.bodies()), orders.runs()
    path = tmp_path / "orders.jsonl"
    exported = orders.cli("export", str(path))
    assert exported.stdout == f"3 messages of {orders.name} saved to {path}; all are still there\n"
    assert exported.returncode == 0
    assert sorted(saved_bodies(path)) == sorted(orders.bodies()) == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]
    assert orders.runs() == runs
    counted = subprocess.run(
        [*CLI, "replay", "--from-backup", str(path)], env=orders.environment, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert "would replay 2 events" in counted.stdout


@pytest.mark.soak
def test_saves_only_chosen_messages(orders: Orders, tmp_path: Path) -> None:
    """Failed events by a filter; what is not one, by its id."""
    orders.send("{}")
    orders.send('{"key": 1}', error="KeyError")
    orders.send_text("hello")
    path = tmp_path / "orders.jsonl"
    chosen = json.loads(
        orders.cli("export", str(path), "--error-type", "KeyError", "--json").stdout
    )
    expected = {"file": str(path), "messages": 1, "missing": None, "without_records": 0}
    assert chosen == expected
    assert '{"key": 1}' in saved_bodies(path)[0]
    listed = [json.loads(line) for line in orders.cli("list", "--json").stdout.splitlines()]
    (id,) = [message["id"] for message in listed if "not_a_failed_event" in message]
    orders.cli("export", str(tmp_path / "hello.jsonl"), "--id", id)
    assert saved_bodies(tmp_path / "hello.jsonl") == ["hello"]
    nothing = orders.cli("export", str(tmp_path / "none.jsonl"), "--error-type", "Nothing")
    assert (nothing.returncode, nothing.stdout) == (1, "")
    said, *present = nothing.stderr.splitlines()
    assert said == f"no message in {orders.name} is chosen: nothing was written"
    assert "  error types: RuntimeError (1), KeyError (1)" in present
    assert not (tmp_path / "none.jsonl").exists()


def test_rejects_a_file_that_exists(orders: Orders, tmp_path: Path) -> None:
    """It is not added to, because it might then be taken for complete."""
    path = tmp_path / "orders.jsonl"
    path.write_text("mine")
    exported = orders.cli("export", str(path))
    assert exported.returncode == 2
    assert exported.stderr == (
        f"Error: FILE must be new, got '{path}', which exists: name another\n"
    )
    assert path.read_text() == "mine"
    assert "in a folder that exists" in orders.cli("export", str(tmp_path / "a" / "b")).stderr


def test_says_that_messages_of_others_are_missing(orders: Orders, tmp_path: Path) -> None:
    """What another consumer holds is not in the file, whose name says that it is partial."""
    orders.send("{}", "{}")
    orders.cloud.client("sqs").receive_message(
        QueueUrl=orders.url, MaxNumberOfMessages=1, VisibilityTimeout=60
    )
    path = tmp_path / "orders.jsonl"
    exported = orders.cli("export", str(path))
    assert exported.returncode == 1
    assert "this is not all: 1 message cannot be received now" in exported.stderr
    assert list(tmp_path.iterdir()) == [tmp_path / "orders.jsonl.partial"]
    assert orders.cli("export", str(path)).returncode == 1
    assert len(saved_bodies(tmp_path / "orders.jsonl.partial-2")) == 1


@pytest.mark.soak
def test_spends_no_receives_unasked(orders: Orders, tmp_path: Path) -> None:
    """Where SQS counts them; with permission, it stops before a message is moved away."""
    limit_receives(orders, 3)
    orders.send("{}")
    path = tmp_path / "orders.jsonl"
    assert "pass --spend-receives" in orders.cli("export", str(path)).stderr
    assert orders.cli("export", str(path), "--spend-receives").returncode == 0
    again = orders.cli("export", str(tmp_path / "again.jsonl"), "--spend-receives")
    assert "this is not all: stopped early: a message was received 2 of 3" in again.stderr
    assert len(orders.bodies()) == 1


@pytest.mark.soak
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_never_leaves_half_a_file_under_its_name(
    orders: Orders, tmp_path: Path, number: signal.Signals
) -> None:
    """Stopped half way, it says so; killed, the file is not there. The queue has everything."""
    sqs = orders.cloud.client("sqs")
    for start in range(0, 1500, 10):
        entries = [
            {"Id": str(n), "MessageBody": orders.record("{}", f"request-{n}")}
            for n in range(start, start + 10)
        ]
        sqs.send_message_batch(QueueUrl=orders.url, Entries=entries)
    path = tmp_path / "orders.jsonl"
    process = subprocess.Popen(
        [*CLI, "export", str(path), "--queue", orders.name],
        env=orders.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    eventually(lambda: [0] * _written(tmp_path), bool)
    process.send_signal(number)
    _, said = process.communicate(timeout=PATIENCE)
    assert not path.exists()
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = sqs.get_queue_attributes(QueueUrl=orders.url, AttributeNames=names)["Attributes"]
    assert sum(int(counts[name]) for name in names) == 1500
    if number != signal.SIGKILL:
        assert process.returncode == 1
        assert "this is not all: it was interrupted" in said
        (partial,) = tmp_path.iterdir()
        assert partial.name == "orders.jsonl.partial"
        assert 0 < len(saved_bodies(partial)) < 1500


def _written(folder: Path) -> int:
    """Return how many bytes the files in a folder have."""
    return sum(file.stat().st_size for file in folder.iterdir())
