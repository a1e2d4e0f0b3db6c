"""Careful runs and their journals, as processes on an engine."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from failure_destinations.deployed.session import Aws
from failure_destinations.errors import CommandError
from failure_destinations.replay.backup import Backup
from failure_destinations.replay.journal import Journal
from failure_destinations.replay.operation import ReplayOperation
from failure_destinations.replay.options import options_to_resume
from failure_destinations.replay.past_runs import read_run
from failure_destinations.testing.observations import wait_for

from ..waiting import PATIENCE, eventually
from .conftest import CLI, Orders, run_cli

pytestmark = pytest.mark.integration
posix = pytest.mark.skipif(sys.platform == "win32", reason="locks files on POSIX only")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for the journals of each test."""
    monkeypatch.setenv("FAILURE_DESTINATIONS_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def test_a_poison_group_costs_one_run(orders: Orders) -> None:
    """The plan says so, the run does so, and its journal tells of each event."""
    orders.send(*(f'{{"fail": true, "order": {n}}}' for n in range(20)), error="KeyError")
    orders.send(*(f'{{"order": {n}}}' for n in range(15)))
    before = orders.runs()
    planned = orders.cli("replay")
    assert (
        "one event of each of 2 groups runs first, then 10 of each, then the rest; a group whose "
        "first event fails again is left, unless --all is given; the run stops when more than "
        "50 % of the last 20 failed\n"
    ) in planned.stdout
    replayed = orders.cli("replay", "--yes")
    assert replayed.returncode == 1
    assert orders.runs() - before == 16
    assert "15 succeeded, deleted from the queue\n" in replayed.stdout
    assert (
        "19 not run, since the first of their group failed (left in the queue): --all runs them\n"
    ) in replayed.stdout
    assert "its first event failed again: Runtime.HandlerError: no such order" in replayed.stdout
    assert len(orders.bodies()) == 20

    name = replayed.stderr.partition("the run is ")[2].partition(":")[0]
    listed = run_cli(["runs"], orders.environment)
    assert f"{name}  " in listed.stdout
    assert "ended  15 succeeded, 1 failed, 19 left" in listed.stdout
    shown = run_cli(["runs", name], orders.environment)
    assert (
        f"of        arn:aws:sqs:{orders.cloud.region}:{orders.cloud.account}:{orders.name}"
        in shown.stdout
    )
    assert f"options   --queue {orders.name}\n" in shown.stdout
    assert "identity  arn:aws:" in shown.stdout
    assert shown.stdout.count("  left    its first event failed again: Runtime.Han") == 19
    lines = run_cli(["runs", name, "--json"], orders.environment).stdout.splitlines()
    became = [json.loads(line)["became"] for line in lines]
    assert (became.count("succeeded"), became.count("started")) == (15, 16)


@pytest.mark.soak
def test_all_runs_a_poison_group(orders: Orders) -> None:
    """And --stop-at stops it."""
    orders.send(*(f'{{"fail": true, "order": {n}}}' for n in range(40)))
    before = orders.runs()
    stopped = orders.cli("replay", "--yes", "--all", "--stop-at", "50", "--concurrency", "1")
    assert stopped.returncode == 1
    assert "stopped: 11 of the last 11 events failed, and --stop-at 50 allows 10" in stopped.stderr
    assert 11 <= orders.runs() - before < 40
    tally = json.loads(orders.cli("replay", "--yes", "--all", "--json").stdout)
    assert (tally["failed"], tally["left"], tally["stopped"]) == (40, 0, None)


def test_runs_without_a_journal_if_it_cannot_be_written(orders: Orders, state: Path) -> None:
    """A full disk or a read-only home does not keep anybody from replaying; it says so."""
    state.write_text("a file")
    orders.send("{}")
    replayed = orders.cli("replay", "--yes")
    assert "warning: this run has no journal: cannot write" in replayed.stderr
    assert (replayed.returncode, orders.bodies()) == (0, [])
    assert run_cli(["runs"], orders.environment).stderr == "no run has a journal here\n"


def test_counting_leaves_no_journal(orders: Orders, state: Path) -> None:
    """Only what runs is a run."""
    orders.send("{}")
    orders.cli("replay")
    assert not state.exists()


@pytest.mark.soak
def test_a_killed_run_shows_what_may_have_run(orders: Orders) -> None:
    """After a SIGKILL, every event that ran is in the journal."""
    orders.send(*(f'{{"seconds": 0.2, "order": {n}}}' for n in range(40)))
    before = orders.runs()
    process = subprocess.Popen(
        [*CLI, "replay", "--yes", "--concurrency", "4", "--queue", orders.name],
        env=orders.environment,
        stderr=subprocess.DEVNULL,
    )
    eventually(lambda: [0] * (orders.runs() - before), lambda seen: len(seen) >= 10)
    running = json.loads(run_cli(["runs", "--json"], orders.environment).stdout)
    process.kill()
    process.wait()
    # The engine ends what it has begun.
    killed = json.loads(run_cli(["runs", "--json"], orders.environment).stdout)
    assert (running["state"], killed["state"]) == ("running", "killed")
    known = sum(killed["counts"].values())
    ran = len(wait_for(lambda: [0] * (orders.runs() - before), lambda seen: len(seen) >= known, 15))
    assert killed["counts"]["succeeded"] >= 6
    assert ran <= known <= ran + 4


def kill_half_way(orders: Orders, *arguments: str) -> str:
    """Run `replay`, kill it after ten runs, and return the name of the run."""
    before = orders.runs()
    process = subprocess.Popen(
        [*CLI, "replay", "--yes", "--concurrency", "2", *arguments],
        env=orders.environment,
        stderr=subprocess.DEVNULL,
    )
    eventually(lambda: [0] * (orders.runs() - before), lambda seen: len(seen) >= 10)
    process.kill()
    process.wait()
    return str(json.loads(run_cli(["runs", "--json"], orders.environment).stdout)["name"])


@pytest.mark.soak
def test_resumes_a_killed_run_from_a_backup(orders: Orders, tmp_path: Path) -> None:
    """What succeeded is not run again, also without the file of what succeeded."""
    orders.send(*(f'{{"seconds": 0.2, "order": {n}}}' for n in range(30)))
    backup = tmp_path / "orders.jsonl"
    assert orders.cli("export", str(backup)).returncode == 0
    before = orders.runs()
    name = kill_half_way(orders, "--from-backup", str(backup), "--max", "25")
    (tmp_path / "orders.jsonl.done").unlink()
    killed = json.loads(run_cli(["runs", "--json"], orders.environment).stdout)
    planned = run_cli(["replay", "--resume", name], orders.environment)
    assert f"options of {name}: --max 25 --concurrency 2 --from-backup {backup}" in planned.stderr
    resumed = run_cli(["replay", "--resume", name, "--yes", "--json"], orders.environment)
    tally = json.loads(resumed.stdout)
    done = killed["counts"]["succeeded"]
    assert tally["run"] == name
    assert tally["done_before"] >= done >= 6
    ended = json.loads(run_cli(["runs", "--json"], orders.environment).stdout)
    assert (ended["state"], ended["resumed"]) == ("ended", 1)
    assert ended["counts"]["succeeded"] == done + tally["succeeded"]
    assert 25 <= orders.runs() - before <= 27


def test_resumes_a_stopped_run_of_a_queue(orders: Orders) -> None:
    """With the options of the run, under the same name; what was left is run with --all."""
    orders.send('{"fail": true}', '{"fail": true }', '{"fail": true  }', error="KeyError")
    orders.send("{}")
    orders.cli("replay", "--yes", "--error-type", "KeyError")
    first = json.loads(run_cli(["runs", "--json"], orders.environment).stdout)
    resumed = run_cli(
        ["replay", "--resume", first["name"], "--yes", "--all", "--json"], orders.environment
    )
    tally = json.loads(resumed.stdout)
    assert (tally["failed"], tally["left"], tally["not_meant"]) == (3, 0, 1)
    (run,) = run_cli(["runs", "--json"], orders.environment).stdout.splitlines()
    assert json.loads(run)["counts"] == {"failed": 3}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--resume", "replay-20261129-030512-7f3a2c", "--stack", "x"), "leave out --stack"),
        (("--resume", "replay-20261129-030512-7f3a2c", "--max", "1"), "leave out --max"),
        (("--resume", "replay-20261129-030512-7f3a2c"), "does not exist"),
        (("--resume", "../x"), "is not the name of a run"),
    ],
)
def test_rejects_a_run_that_cannot_be_resumed(
    orders: Orders, arguments: tuple[str, ...], said: str
) -> None:
    """In one line, before anything is received."""
    resumed = run_cli(["replay", *arguments], orders.environment)
    assert said in resumed.stderr
    assert resumed.returncode == 2


def test_rejects_a_run_of_another_place(orders: Orders) -> None:
    """The same options may lead to somebody else's queue of the same name."""
    orders.send("{}")
    orders.cli("replay", "--yes")
    name = json.loads(run_cli(["runs", "--json"], orders.environment).stdout)["name"]
    elsewhere = {**orders.environment, "AWS_REGION": "us-east-2", "AWS_DEFAULT_REGION": "us-east-2"}
    client = orders.cloud.client("sqs")
    assert client.meta.region_name != "us-east-2"
    resumed = run_cli(["replay", "--resume", name, "--yes"], elsewhere)
    assert resumed.returncode == 2


def fill(orders: Orders, count: int, error: str, payload: str) -> None:
    """Put many failed events of one group into the queue, each with its own request id."""
    sqs = orders.cloud.client("sqs")
    for start in range(0, count, 10):
        entries = [
            {
                "Id": str(n),
                "MessageBody": orders.record(payload.replace("N", str(n)), f"{error}-{n}", error),
            }
            for n in range(start, start + 10)
        ]
        sqs.send_message_batch(QueueUrl=orders.url, Entries=entries)


def in_queue(orders: Orders) -> int:
    """Return how many messages the queue has, hidden ones too."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = orders.cloud.client("sqs").get_queue_attributes(
        QueueUrl=orders.url, AttributeNames=names
    )["Attributes"]
    return sum(int(counts[name]) for name in names)


@pytest.mark.soak
def test_500_poison_events_cost_one_run(orders: Orders) -> None:
    """However many run at once; all others of the queue are replayed, and nothing is lost."""
    fill(orders, 500, "KeyError", '{"fail": true, "order": N}')
    fill(orders, 100, "OSError", '{"order": N}')
    before = orders.runs()
    replayed = orders.cli("replay", "--yes", "--concurrency", "16", "--json")
    tally = json.loads(replayed.stdout)
    assert (tally["succeeded"], tally["failed"], tally["left"]) == (100, 1, 499)
    assert orders.runs() - before == 101
    (group,) = tally["left_groups"]
    assert group["count"] == 499
    assert len(orders.bodies()) == 500


@pytest.mark.soak
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_loses_nothing_that_waits_for_its_group(orders: Orders, number: signal.Signals) -> None:
    """Stopped while the first event of a group runs, the others of it are still in the queue."""
    fill(orders, 200, "KeyError", '{"seconds": 2, "order": N}')
    before = orders.runs()
    process = subprocess.Popen(
        [*CLI, "replay", "--yes", "--concurrency", "8", "--queue", orders.name],
        env=orders.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    eventually(lambda: [0] * _hidden(orders), lambda seen: len(seen) >= 100)
    process.send_signal(number)
    printed, said = process.communicate(timeout=PATIENCE)
    ran = len(eventually(lambda: [0] * (orders.runs() - before), bool))
    assert ran == 1
    if number == signal.SIGINT:
        assert "1 succeeded, deleted from the queue" in printed
        assert "to go on: failure-destinations replay --resume replay-" in said
        assert (in_queue(orders), len(orders.bodies())) == (199, 199)
    else:
        assert in_queue(orders) == 200


def _hidden(orders: Orders) -> int:
    name = "ApproximateNumberOfMessagesNotVisible"
    answer = orders.cloud.client("sqs").get_queue_attributes(
        QueueUrl=orders.url, AttributeNames=[name]
    )
    return int(answer["Attributes"][name])


@posix
def test_a_refused_run_frees_its_backup(orders: Orders, tmp_path: Path) -> None:
    """A program that stays, such as the page, may use the backup again."""
    orders.send("{}")
    backup = tmp_path / "orders.jsonl"
    assert orders.cli("replay", "--yes", "--backup", str(backup)).returncode == 0
    name = json.loads(run_cli(["runs", "--json"], orders.environment).stdout)["name"]
    past = read_run(name)
    running = Journal(past.path)
    aws = Aws(region=orders.cloud.region, endpoint_url=orders.cloud.url)
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in orders.cloud.environment.items():
            patch.setenv(variable, value)
        operation = ReplayOperation(aws, options_to_resume(past), to_run=True, resumes=past)
        with pytest.raises(CommandError, match=f"{name} is still running"):
            operation.run()
    running.end({})
    Backup(backup, write_messages=False).close()
