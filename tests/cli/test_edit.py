"""Replays one event with an edited payload, as a process on an engine."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from failure_destinations.replay.backup import read_done

from ..waiting import PATIENCE, eventually
from .conftest import CLI, Orders, run_cli

pytestmark = pytest.mark.integration
ID = "6f1d0c0e-5a7b-4f0f-9a53-0c6a3d1c7b11"


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An editor that writes what is in a file, and notes what it was given."""
    script = tmp_path / "editor"
    script.write_text(
        "#!/bin/sh\n"
        f"printf '%s\\n' \"$2\" > {tmp_path}/path\n"
        f'stat -c \'%a\' "$2" "$(dirname "$2")" > {tmp_path}/modes\n'
        f'cp "$2" {tmp_path}/given\n'
        f'touch "$2~"\n'
        f"test -e {tmp_path}/fails && exit 3\n"
        f'test -e {tmp_path}/edited && cat {tmp_path}/edited > "$2"\n'
        "exit 0\n"
    )
    script.chmod(0o700)
    monkeypatch.setenv("EDITOR", f"{script} --wait")
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("FAILURE_DESTINATIONS_STATE", str(tmp_path / "state"))
    return tmp_path


def test_runs_what_the_editor_wrote(orders: Orders, editor: Path) -> None:
    """The original is deleted once that succeeded; the record notes that it was edited."""
    orders.send('{"fail": true, "n": 1.0}', request_id=ID)
    orders.send('{"fail": true}')
    (editor / "edited").write_text('{"fixed": "by hand"}\n')
    backup = editor / "orders.jsonl"
    replayed = orders.cli("replay", "--edit", "--id", ID, "--yes", "--backup", str(backup))
    assert "1 succeeded, deleted from the queue\n" in replayed.stdout
    assert replayed.returncode == 0
    assert [ID in body for body in orders.bodies()] == [False]
    assert (editor / "given").read_text() == '{\n  "fail": true,\n  "n": 1.0\n}\n'
    assert (editor / "modes").read_text() == "600\n700\n"
    assert not Path((editor / "path").read_text().strip()).parent.exists()
    saved = json.loads(backup.read_text())
    assert saved["EditedPayload"] == '{"fixed": "by hand"}'
    assert '"n": 1.0' in saved["Body"]
    assert len(read_done(backup)) == 1
    name = replayed.stderr.partition("the run is ")[2].partition(":")[0]
    shown = run_cli(["runs", name], orders.environment).stdout
    assert "edited    the payload was edited by hand" in shown
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600


def test_an_edited_event_that_fails_stays_as_it_was(orders: Orders, editor: Path) -> None:
    """With its own payload."""
    orders.send('{"fail": true, "n": 1.0}', request_id=ID)
    before = orders.bodies()
    payload = editor / "payload.json"
    payload.write_text('{"fail": "again"}')
    command = ("replay", "--id", ID, "--payload", str(payload))
    counted = orders.cli(*command)
    assert f"would run {orders.function} with a payload of 17 B, not 24 B" in counted.stdout
    runs = orders.runs()
    replayed = orders.cli(*command, "--yes", "--json")
    assert json.loads(replayed.stdout)["failed"] == 1
    assert (replayed.returncode, orders.bodies(), orders.runs()) == (1, before, runs + 1)


@pytest.mark.parametrize(
    ("edited", "said", "status"),
    [
        ('{"fail": tru', "what you wrote is not JSON: Expecting value in line 1, column 10", 2),
        (None, "the payload is unchanged: nothing was run", 1),
        ("", "what you wrote is not JSON", 2),
    ],
)
def test_runs_nothing_that_is_not_json_or_unchanged(
    orders: Orders, editor: Path, edited: str | None, said: str, status: int
) -> None:
    """The event stays, and no file is left behind."""
    orders.send('{"fail": true}', request_id=ID)
    if edited is not None:
        (editor / "edited").write_text(edited)
    before = orders.runs()
    replayed = orders.cli("replay", "--edit", "--id", ID, "--yes")
    assert said in replayed.stderr
    assert (replayed.returncode, orders.runs(), len(orders.bodies())) == (status, before, 1)
    assert not Path((editor / "path").read_text().strip()).parent.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--edit", "--yes"), "an edited payload is for one event, got 0: name one with --id"),
        (("--edit", "--yes", "--id", ID, "--id", "another-id"), "for one event, got 2"),
        (("--edit", "--yes", "--id", ID, "--asynchronous"), "leave out --asynchronous"),
        (("--edit", "--id", ID), "its input is not a terminal: pass --yes"),
        (("--payload", "/no/such/file", "--id", ID), "cannot read /no/such/file: No such file"),
        (("--edit", "--yes", "--id", "not-there-at-all"), "no event 'not-there-at-all' can be"),
        (("--edit", "--resume", "replay-20261129-030512-7f3a2c"), "--resume goes on with the"),
    ],
)
def test_rejects_an_edit_of_anything_but_one_event(
    orders: Orders, editor: Path, arguments: tuple[str, ...], said: str
) -> None:
    """In one line, before the editor opens."""
    orders.send('{"fail": true}', request_id=ID)
    replayed = orders.cli("replay", *arguments)
    assert said in replayed.stderr
    assert (replayed.returncode, (editor / "given").exists()) == (2, False)


@pytest.mark.parametrize("broken", ["fails", "missing"])
def test_rejects_an_editor_that_fails(
    orders: Orders, editor: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """Nothing is run, and the error names it."""
    orders.send('{"fail": true}', request_id=ID)
    (editor / "fails").touch()
    if broken == "missing":
        monkeypatch.setenv("VISUAL", "/no/such/editor")
    replayed = orders.cli("replay", "--edit", "--id", ID, "--yes")
    said = {"fails": "failed with 3: nothing was run", "missing": "cannot start the editor"}
    assert said[broken] in replayed.stderr
    assert (replayed.returncode, len(orders.bodies())) == (2, 1)


@pytest.mark.parametrize(("answer", "left"), [("y", 0), ("n", 1)])
def test_asks_in_a_terminal(orders: Orders, editor: Path, answer: str, left: int) -> None:
    """After the editor, naming the function."""
    orders.send('{"fail": true}', request_id=ID)
    (editor / "edited").write_text("{}")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*CLI, "replay", "--edit", "--id", ID, "--queue", orders.name],
        env={**orders.environment, "TERM": "dumb"},
        stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    printed = b""
    try:
        while chunk := os.read(ours, 4096):
            printed += chunk
            if b"[y/N]" in printed:
                os.write(ours, f"{answer}\n".encode())
    except OSError:
        # The other side is closed.
        pass
    finally:
        os.close(ours)
    assert process.wait(PATIENCE) == left
    assert f"Run {orders.function} with a payload of 2 B, not 14 B? [y/N]" in printed.decode()
    assert len(orders.bodies()) == left


@pytest.mark.soak
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_loses_nothing_when_killed_while_editing(
    orders: Orders, editor: Path, number: signal.Signals
) -> None:
    """The event is in the queue as before; a program that can still act removes the file."""
    orders.send('{"fail": true}', request_id=ID)
    before = orders.bodies()
    (editor / "editor").write_text(f'#!/bin/sh\necho "$2" > {editor}/path\nexec sleep 60\n')
    process = subprocess.Popen(
        [*CLI, "replay", "--edit", "--id", ID, "--yes", "--queue", orders.name],
        env=orders.environment,
        stderr=subprocess.DEVNULL,
    )
    eventually(lambda: [0] * (editor / "path").exists(), bool)
    (path,) = eventually(lambda: (editor / "path").read_text().split(), bool)
    process.send_signal(number)
    process.wait(PATIENCE)
    assert orders.bodies() == before
    assert Path(path).parent.exists() is (number == signal.SIGKILL)
    shutil.rmtree(Path(path).parent, ignore_errors=True)


def test_gives_an_event_the_payload_that_it_lacks(orders: Orders, editor: Path) -> None:
    """A record without its payload cannot be replayed otherwise."""
    record = json.loads(orders.record("{}", ID))
    del record["requestPayload"]
    orders.send_text(json.dumps(record))
    payload = editor / "payload.json"
    payload.write_text('{"order": 1}')
    replayed = orders.cli("replay", "--id", ID, "--payload", str(payload), "--yes")
    assert "1 succeeded, deleted from the queue\n" in replayed.stdout
    assert orders.bodies() == []
