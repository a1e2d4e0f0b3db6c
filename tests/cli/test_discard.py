"""Takes messages out of a queue, as a process on an engine."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest

from failure_destinations.replay.backup import read_backup

from ..waiting import PATIENCE, eventually
from .conftest import CLI, Orders, limit_receives, run_cli

pytestmark = pytest.mark.integration


def saved_bodies(path: Path) -> list[str]:
    """Return the bodies of the messages in a backup, of which a killed run may break one line."""
    broken: list[int] = []
    bodies = [message.body for message in read_backup(path, broken)]
    assert len(broken) <= 1
    return bodies


def in_terminal(orders: Orders, answer: str, *arguments: str) -> tuple[str, int]:
    """Run `discard` in a terminal, and answer its question; return what it printed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*CLI, "discard", "--queue", orders.name, *arguments],
        env={**orders.environment, "TERM": "dumb"},
        stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    printed, answered = b"", False
    try:
        while chunk := os.read(ours, 4096):
            printed += chunk
            if b"[y/N]" in printed and not answered:
                answered = True
                orders.send('{"late": true}', error="KeyError")
                os.write(ours, f"{answer}\n".encode())
    except OSError:
        # The other side is closed.
        pass
    finally:
        os.close(ours)
    return printed.decode(), process.wait(PATIENCE)


def test_asks_and_discards_what_it_counted(orders: Orders, tmp_path: Path) -> None:
    """What comes while it asks stays, though the filter would choose it; each one is saved."""
    orders.send('{"order": 1}', '{"order": 2}', error="KeyError")
    orders.send("{}")
    path = tmp_path / "gone.jsonl"
    chosen = ("--error-type", "KeyError", "--backup", str(path))
    printed, status = in_terminal(orders, "n", *chosen)
    assert "would discard 2 messages; nothing was deleted" in printed
    assert f"Save 2 messages of {orders.name} in {path}, and discard them? [y/N]" in printed
    assert "nothing was discarded" in printed
    assert (status, path.exists(), len(orders.bodies())) == (1, False, 4)
    printed, status = in_terminal(orders, "y", *chosen)
    assert status == 0
    assert f"3 discarded: deleted from {orders.name}, and saved in {path}" in printed
    assert len(saved_bodies(path)) == 3
    assert sum('{"late": true}' in body for body in orders.bodies()) == 1
    assert len(orders.bodies()) == 2
    assert path.stat().st_mode & 0o077 == 0


def test_discards_what_is_not_a_failed_event(orders: Orders, tmp_path: Path) -> None:
    """It would never leave the queue; failed events stay. It can be found in `runs`."""
    orders.send("{}")
    orders.send_text("hello")
    orders.send_text('{"AlarmName": "x"}')
    path = tmp_path / "gone.jsonl"
    counted = orders.cli(
        "discard", "--not-failed-events", "--backup", str(path), "--dry-run", "--json"
    )
    assert json.loads(counted.stdout)["not_failed_events"] == {
        "text that is not JSON": 1,
        "a CloudWatch alarm, x": 1,
    }
    assert (counted.returncode, path.exists()) == (0, False)
    discarded = orders.cli("discard", "--not-failed-events", "--backup", str(path), "--yes")
    assert f"2 discarded: deleted from {orders.name}, and saved in {path}\n" in discarded.stdout
    assert "1 not chosen (left in the queue)\n" in discarded.stdout
    assert discarded.returncode == 0
    assert sorted(saved_bodies(path)) == ["hello", '{"AlarmName": "x"}']
    assert len(orders.bodies()) == 1
    name = discarded.stderr.partition("the run is ")[2].partition(":")[0]
    lines = run_cli(["runs", name, "--json"], orders.environment).stdout.splitlines()
    assert [json.loads(line)["became"] for line in lines] == ["discarded"] * 2


def test_discards_one_message_by_its_id(orders: Orders, tmp_path: Path) -> None:
    """Also one that is not a failed event."""
    orders.send_text("hello")
    orders.send_text("good bye")
    listed = [json.loads(line) for line in orders.cli("list", "--json").stdout.splitlines()]
    (id,) = [message["id"] for message in listed if message["body"] == "hello"]
    path = tmp_path / "gone.jsonl"
    assert orders.cli("discard", "--id", id, "--backup", str(path), "--yes").returncode == 0
    assert (saved_bodies(path), orders.bodies()) == (["hello"], ["good bye"])
    again = orders.cli("discard", "--id", id, "--backup", str(path), "--yes", "--json")
    assert (json.loads(again.stdout)["discarded"], again.returncode) == (0, 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--everything",), "Missing option '--backup'"),
        (("--backup", "gone.jsonl", "--yes"), "which messages? choose them"),
        (("--backup", "gone.jsonl", "--everything"), "its input is not a terminal: pass --yes"),
        (("--backup", "gone.jsonl", "--everything", "--yes", "--id", "12345678"), "leave out the"),
        (("--backup", "/no/such/gone.jsonl", "--everything", "--yes"), "a folder that exists"),
    ],
)
def test_rejects_a_careless_discard(orders: Orders, arguments: tuple[str, ...], said: str) -> None:
    """Without a backup, a choice or an answer nothing is deleted."""
    orders.send("{}")
    discarded = orders.cli("discard", *arguments)
    assert said in discarded.stderr
    assert (discarded.returncode, len(orders.bodies())) == (2, 1)


def test_rejects_a_backup_that_is_something_else(orders: Orders, tmp_path: Path) -> None:
    """Nothing is deleted that was not saved."""
    orders.send("{}")
    path = tmp_path / "notes.txt"
    path.write_text("buy milk\n")
    discarded = orders.cli("discard", "--everything", "--yes", "--backup", str(path))
    assert "holds something else: name another" in discarded.stderr
    assert (discarded.returncode, len(orders.bodies())) == (2, 1)
    assert path.read_text() == "buy milk\n"


@pytest.mark.soak
def test_respects_the_limit_of_receives(orders: Orders, tmp_path: Path) -> None:
    """A message that is not chosen is not moved away."""
    limit_receives(orders, 3)
    orders.send("{}")
    orders.send("{}", error="KeyError")
    path = tmp_path / "gone.jsonl"
    command = ("discard", "--error-type", "Nothing", "--backup", str(path), "--yes")
    assert "pass --spend-receives" in orders.cli(*command).stderr
    assert orders.cli(*command, "--spend-receives").returncode == 1
    ended = orders.cli(*command, "--spend-receives")
    assert "stopped: a message that was not chosen was received 2 of 3 times" in ended.stderr
    assert len(orders.bodies()) == 2


@pytest.mark.soak
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("wanted", [1, 300, 700])
def test_loses_nothing_when_stopped(
    orders: Orders, tmp_path: Path, number: signal.Signals, wanted: int
) -> None:
    """Every message is in the backup or in the queue, whenever it is stopped or killed."""
    sqs = orders.cloud.client("sqs")
    ids = [f"request-{n}-" for n in range(1000)]
    for start in range(0, 1000, 10):
        entries = [
            {"Id": str(n), "MessageBody": orders.record("{}", ids[n])}
            for n in range(start, start + 10)
        ]
        sqs.send_message_batch(QueueUrl=orders.url, Entries=entries)
    path = tmp_path / "gone.jsonl"
    process = subprocess.Popen(
        [*CLI, "discard", "--everything", "--yes", "--backup", str(path), "--queue", orders.name],
        env=orders.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    eventually(
        lambda: path.read_text().splitlines() if path.exists() else [],
        lambda seen: len(seen) >= wanted,
    )
    process.send_signal(number)
    printed, said = process.communicate(timeout=PATIENCE)
    saved = saved_bodies(path)
    assert len(saved) >= wanted
    if number == signal.SIGINT:
        assert process.returncode == 1
        assert "interrupted: the rest is in the queue as before" in said
        assert f"{len(saved):,} discarded" in printed
    # What a kill leaves hidden is visible again within two minutes, which nobody waits for here.
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = sqs.get_queue_attributes(QueueUrl=orders.url, AttributeNames=names)["Attributes"]
    in_queue = sum(int(counts[name]) for name in names)
    visible = orders.bodies()
    missing = [id for id in ids if not any(id in body for body in saved + visible)]
    hidden = in_queue - len(visible)
    assert len(missing) <= hidden
    assert in_queue + len(saved) >= 1000
    if number == signal.SIGINT:
        assert (hidden, in_queue + len(saved)) == (0, 1000)
