"""The journal of a run: written while it goes on, read whatever is in it."""

from __future__ import annotations

import dataclasses
import json
import os
import stat
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from failure_destinations.deployed.queues import QueueChoice
from failure_destinations.errors import CommandError
from failure_destinations.replay.filters import Filter
from failure_destinations.replay.journal import Journal
from failure_destinations.replay.options import (
    ReplayOptions,
    option_words,
    options_from_json,
    options_to_json,
    options_to_resume,
)
from failure_destinations.replay.past_runs import list_runs, read_run
from failure_destinations.replay.received_message import ReceivedMessage
from failure_destinations.replay.run import ReplayRun
from failure_destinations.replay.selection import Selection
from failure_destinations.replay.state_folder import runs_folder
from failure_destinations.runtime import Outcome

from ..runtime import messages
from .test_careful import CAREFUL, batches, failures
from .test_run import AUTHORITY, OK, Memory

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")
ABOUT: dict[str, Any] = {"source": "arn:aws:sqs:eu-west-1:111122223333:failures", "options": {}}
HEAD = {"run": "replay-20261129-030512-7f3a2c", "format": 1, "kind": "replay", **ABOUT}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the journals."""
    monkeypatch.setenv("FAILURE_DESTINATIONS_STATE", str(tmp_path))
    return tmp_path / "runs"


def message(id: str) -> ReceivedMessage:
    """Return a failed event with an id."""
    body = messages.record("{}").replace(messages.REQUEST_ID, f"request-{id}")
    return ReceivedMessage.of({**messages.message(body), "MessageId": id})


def test_says_what_became_of_each_event() -> None:
    """Who, when and what; the last word about each event, and the keys of what succeeded."""
    journal = Journal.begin("replay", ABOUT)
    for id in "abc":
        journal.event(message(id), "started")
    journal.event(message("a"), "succeeded")
    journal.event(message("b"), "failed", "KeyError: 'x'")
    journal.event(message("d"), "left")
    journal.end({"interrupted": False, "stopped": None})
    (run,) = list_runs()
    assert run.name == journal.name
    assert run.counts == {"succeeded": 1, "failed": 1, "started": 1, "left": 1}
    assert {id: line["became"] for id, line in run.outcomes().items()} == {
        "a": "succeeded", "b": "failed", "c": "started", "d": "left",
    }  # fmt: skip
    assert run.outcomes()["b"]["error"] == "KeyError: 'x'"
    assert run.succeeded_keys() == {message("a").key}
    assert (run.state, run.source, run.kind) == ("ended", ABOUT["source"], "replay")
    assert run.user
    started = datetime.fromisoformat(run.started)
    assert abs((datetime.now(timezone.utc) - started).total_seconds()) < 600


@pytest.mark.parametrize(
    ("end", "state"),
    [
        ({"stopped": "too many failed"}, "stopped"),
        ({"interrupted": True, "stopped": None}, "interrupted"),
        ({}, "ended"),
        (None, "killed"),
    ],
)
def test_says_how_a_run_ended(end: dict[str, Any] | None, state: str) -> None:
    """While it goes on, it is running."""
    journal = Journal.begin("replay", ABOUT)
    if sys.platform != "win32":
        assert read_run(journal.name).state == "running"
    if end is None:
        os.close(journal._descriptor)  # noqa: SLF001 - as the end of the process does
    else:
        journal.end(end)
    assert read_run(journal.name).state == state


def test_goes_on_after_a_broken_line() -> None:
    """A killed run left half a line."""
    journal = Journal.begin("replay", ABOUT)
    journal.event(message("a"), "succeeded")
    journal.write('{"at": "2026-11-29T03:05:12')
    journal.end({})
    path = read_run(journal.name).path
    path.write_text(path.read_text().partition("ended")[0])
    resumed = Journal.resume(path, {})
    resumed.event(message("b"), "succeeded")
    resumed.end({"stopped": "no"})
    run = read_run(journal.name)
    assert (run.counts, run.resumed, run.state) == ({"succeeded": 2}, 1, "stopped")


@posix
def test_rejects_a_second_process() -> None:
    """A run that still goes on cannot be resumed."""
    journal = Journal.begin("replay", ABOUT)
    with pytest.raises(CommandError, match=f"{journal.name} is still running"):
        Journal.resume(read_run(journal.name).path, {})
    journal.end({})


@posix
def test_only_the_owner_can_read_journals(folder: Path) -> None:
    """Errors may be confidential; a folder that others may enter is changed."""
    folder.mkdir()
    folder.chmod(0o755)
    journal = Journal.begin("replay", ABOUT)
    journal.end({})
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(read_run(journal.name).path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"FAILURE_DESTINATIONS_STATE": "/own"}, "/own/runs"),
        ({"XDG_STATE_HOME": "/xdg"}, "/xdg/failure-destinations/runs"),
        ({"XDG_STATE_HOME": "relative"}, "~/.local/state/failure-destinations/runs"),
        ({}, "~/.local/state/failure-destinations/runs"),
    ],
)
def test_keeps_journals_in_the_state_folder(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    """An own one, or the user's; the specification has relative paths ignored."""
    for name in ("FAILURE_DESTINATIONS_STATE", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert runs_folder() == Path(expected).expanduser()


@pytest.mark.parametrize("name", ["../../etc/passwd", "replay-1", "", "\x1b[31m", "-x", "/"])
def test_rejects_what_is_not_the_name_of_a_run(name: str) -> None:
    """A name never leads out of the folder."""
    with pytest.raises(CommandError, match="is not the name of a run"):
        read_run(name)


def test_rejects_an_unknown_run() -> None:
    """The error names the file and the command that lists them."""
    with pytest.raises(CommandError, match=r"7f3a2c\.jsonl does not exist: `failure-dest"):
        read_run(HEAD["run"])


HOSTILE: list[bytes] = [
    b"",
    b"\x00\xff",
    b"[]\n",
    b"[" * 100_000,
    b"9" * 5_000,
    json.dumps({**HEAD, "format": 2}).encode(),
    json.dumps({**HEAD, "run": "another"}).encode(),
    json.dumps({**HEAD, "options": 1, "user": ["x"], "source": None, "started": 3}).encode(),
    json.dumps(HEAD).encode() + b'\n{"id": 1, "became": []}\n{"id": "a", "became": {}}\n[]\n\xff\n',
    json.dumps(HEAD).encode() + b'\n{"id": "a", "became": "succeeded", "key": "xyz"}\n',
    json.dumps(HEAD).encode() + b"\n" + b"x" * 3_000_000 + b'\n{"id": "a", "became": "failed"}',
    json.dumps(HEAD).encode() + b'\n{"ended": 1, "stopped": {}, "interrupted": "yes"}\n',
]


@pytest.mark.parametrize("content", HOSTILE, ids=range(len(HOSTILE)))
def test_tolerates_any_content(folder: Path, content: bytes) -> None:
    """A file that is not a journal is left out; lines that are not of one are skipped."""
    folder.mkdir()
    (folder / f"{HEAD['run']}.jsonl").write_bytes(content)
    (folder / "notes.txt").write_text("mine")
    for run in list_runs():
        list(run.events())
        assert run.succeeded_keys() == set()
        assert run.user is None


@posix
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_leaves_out_what_is_not_a_file(folder: Path, make: Callable[[Path], None]) -> None:
    """Opening a pipe would wait for somebody to write to it."""
    folder.mkdir()
    make(folder / f"{HEAD['run']}.jsonl")
    assert list_runs() == []


def test_a_list_of_runs_reads_only_what_it_needs(folder: Path) -> None:
    """The latest ones; of a run that ended, the end, also if it has very many events."""
    for number in range(5):
        journal = Journal.begin("discard" if number % 2 else "replay", ABOUT)
        journal.event(message("a"), "started")
        journal.event(message("a"), "succeeded")
        journal.event(message("b"), "started")
        journal.end({"stopped": "too many failed"})
        path = read_run(journal.name).path
        path.rename(folder / path.name.replace("-20", f"-{number}0", 1))
    for path in folder.iterdir():
        text = path.read_text()
        name = path.name.removesuffix(".jsonl")
        old = json.loads(text.splitlines()[0])["run"]
        # What is in the middle is not read.
        head, *_, end = text.replace(old, name).splitlines()
        path.write_text("\n".join([head, '{"id": "a", "became": "failed"}', end, ""]))
    runs = list_runs(2)
    assert [run.name.split("-")[1][0] for run in runs] == ["4", "3"]
    assert [run.counts for run in runs] == [{"succeeded": 1, "started": 1}] * 2
    assert {(run.state, run.why) for run in runs} == {("stopped", "too many failed")}


def test_what_was_handed_over_is_not_run_again() -> None:
    """Lambda has it."""
    journal = Journal.begin("replay", ABOUT)
    journal.event(message("a"), "handed-over")
    journal.end({})
    assert read_run(journal.name).succeeded_keys() == {message("a").key}


def test_a_run_notes_each_event() -> None:
    """Started, then its outcome; what is left never started."""
    journal = Journal.begin("replay", ABOUT)
    source = Memory(*batches(failures(5) + failures(15, "KeyError")))

    def handler(event: Any) -> Outcome:
        if event.error_type == "KeyError":
            return OK
        return Outcome("failed", None, "ValueError", "no such order")

    ReplayRun(
        source, handler, selection=Selection(AUTHORITY), concurrency=4, care=CAREFUL,
        journal=journal,
    ).run()  # fmt: skip
    journal.end({})
    run = read_run(journal.name)
    assert run.counts == {"succeeded": 15, "failed": 1, "left": 4}
    lines = [line["became"] for line in run.events()]
    assert lines.count("started") == 16
    failed = next(line for line in run.events() if line["became"] == "failed")
    assert failed["error"] == "ValueError: no such order"


OPTIONS = ReplayOptions(
    QueueChoice("Reports", "Failures", None, "copies", True),
    Filter(
        ("orders*", "x"),
        ("KeyError",),
        datetime(2026, 11, 2, 3, tzinfo=timezone.utc),
        datetime(2026, 11, 2, 4, tzinfo=timezone.utc),
        ("d3b07384",),
        ("0a1b2c3d4e",),
        "customer",
        "payload.order > `5`",
        timedelta(days=2),
    ),
    at_most=5,
    rate=0.5,
    backup=Path("/tmp/orders.jsonl"),
    function_name="orders",
    any_sender=True,
    allowed=("arn:aws:lambda:eu-west-1:111122223333:function:x",),
    all_groups=True,
    stop_at=80,
)


@pytest.mark.parametrize("options", [OPTIONS, ReplayOptions()], ids=["all", "none"])
def test_options_survive_a_journal(options: ReplayOptions) -> None:
    """What was chosen is what a resumed run does; relative times are instants by then."""
    written = json.loads(json.dumps(options_to_json(options)))
    assert options_from_json(written) == options


def test_every_option_of_a_filter_survives_a_journal() -> None:
    """A new one too: the test above sets each."""
    for each in dataclasses.fields(Filter):
        assert getattr(OPTIONS.chosen, each.name) != each.default, each.name


def test_options_are_named_as_those_of_the_command() -> None:
    """So a person can run them again."""
    words = option_words(options_to_json(OPTIONS))
    assert words[:8] == ["--stack", "Reports", "--channel", "Failures", "--from", "copies",
                         "--spend-receives", "--function"]  # fmt: skip
    assert words[-3:] == ["--all", "--stop-at", "80"]


def test_a_resumed_run_starts_what_is_left_of_its_maximum() -> None:
    """The options are those of the run, unless others are given."""
    journal = Journal.begin("replay", {**ABOUT, "options": options_to_json(OPTIONS)})
    for id, became in (("a", "succeeded"), ("b", "failed"), ("c", "left")):
        journal.event(message(id), became)  # type: ignore[arg-type]
    journal.end({})
    run = read_run(journal.name)
    assert options_to_resume(run) == dataclasses.replace(OPTIONS, at_most=3)
    faster = options_to_resume(run, rate=50, concurrency=9, stop_at=100)
    assert faster == dataclasses.replace(OPTIONS, at_most=3, rate=50, concurrency=9, stop_at=100)
    run.counts["succeeded"] = 4
    with pytest.raises(CommandError, match="has started the 5 events of its --max"):
        options_to_resume(run)


def test_rejects_resuming_what_is_not_a_replay() -> None:
    """A discard asks again what to discard."""
    journal = Journal.begin("discard", ABOUT)
    journal.end({})
    with pytest.raises(CommandError, match="is not a replay: start it again instead"):
        options_to_resume(read_run(journal.name))


@pytest.mark.parametrize(
    "options",
    [
        {"max": "5"},
        {"function": "orders"},
        {"function": [1]},
        {"since": "yesterday"},
        {"expiring": "soon"},
        {"expiring": "9" * 5000 + "s"},
        {"from": "elsewhere"},
        {"all": "yes"},
        {"rate": True},
        {"no-such-option": 1},
    ],
    ids=str,
)
def test_rejects_options_that_no_run_wrote(options: dict[str, Any]) -> None:
    """In one line that names the option."""
    with pytest.raises(CommandError, match=f"the journal has .*{next(iter(options))}"):
        options_from_json(options)
