"""Replays, as a process on an engine, in a pipe and in a terminal."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from failure_destinations.replay.backup import read_done

from ..boto3_features import needs_durable_executions
from ..runtime import messages
from ..terminal import run_in_terminal
from ..waiting import PATIENCE, eventually
from .conftest import CLI, Orders, create_function, run_cli

pytestmark = pytest.mark.integration


def test_only_counts_without_yes(orders: Orders) -> None:
    """By function and error; nothing runs, and everything stays."""
    orders.send("{}", "{}", error="KeyError")
    orders.send_text("hello")
    before = orders.runs()
    counted = orders.cli("replay")
    assert f"     2  {orders.function}  KeyError" in counted.stdout
    assert "would replay 2 events; nothing was run or deleted" in counted.stdout
    assert "would leave 1: not a failed event" in counted.stdout
    assert counted.returncode == 0
    assert orders.runs() == before
    assert len(orders.bodies()) == 3


def test_deletes_only_events_that_succeed(orders: Orders, tmp_path: Path) -> None:
    """Failures are counted by error and stay; so do messages that are not failed events."""
    orders.send(*(f'{{"order": {n}}}' for n in range(12)))
    orders.send('{"fail": true}', '{"fail": true }')
    orders.send_text("hello")
    before = orders.runs()
    backup = tmp_path / "orders.jsonl"
    replayed = orders.cli("replay", "--yes", "--concurrency", "4", "--backup", str(backup))
    assert "12 succeeded, deleted from the queue\n" in replayed.stdout
    assert "2 failed (left in the queue)\n" in replayed.stdout
    assert "1 message is not a failed event (left in the queue)\n" in replayed.stdout
    assert "     2  jobs      Runtime.HandlerError: no such order" in replayed.stdout
    assert replayed.returncode == 1
    assert orders.runs() - before == 14
    assert len(orders.bodies()) == 3
    assert len(backup.read_text().splitlines()) == 14
    assert backup.stat().st_mode & 0o077 == 0

    again = orders.cli("replay", "--yes", "--from-backup", str(backup))
    assert again.returncode == 2
    resumed = _from_backup(orders, backup)
    assert "12 not run, having succeeded in an earlier run" in resumed.stdout
    assert "1 not run, since the first of their group failed: --all runs them" in resumed.stdout
    assert orders.runs() - before == 15
    _from_backup(orders, backup, "--all")
    assert orders.runs() - before == 17


def test_replays_from_a_backup_once(orders: Orders, tmp_path: Path) -> None:
    """Broken lines are reported and skipped; a second run has nothing to do."""
    backup = tmp_path / "orders.jsonl"
    lines = [json.dumps({"MessageId": str(n), "Body": orders.record("{}", f"request-{n}")})
             for n in range(3)]  # fmt: skip
    backup.write_text("\n".join([*lines, lines[0], '{"Body": ']))
    before = orders.runs()
    replayed = _from_backup(orders, backup, "--json")
    tally = json.loads(replayed.stdout)
    assert (tally["succeeded"], tally["duplicates"], tally["broken_lines"]) == (3, 1, [5])
    assert replayed.returncode == 1
    second = json.loads(_from_backup(orders, backup, "--json").stdout)
    assert (second["succeeded"], second["done_before"]) == (0, 4)
    assert orders.runs() - before == 3


def test_says_that_no_backup_is_written_without_yes(orders: Orders, tmp_path: Path) -> None:
    """It only counts, and names the command that saves."""
    orders.send("{}")
    path = tmp_path / "orders.jsonl"
    counted = orders.cli("replay", "--backup", str(path))
    assert f"{path} was not written: --backup saves events as they are run" in counted.stderr
    assert "failure-destinations export FILE.jsonl" in counted.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.soak
def test_says_that_another_consumer_has_messages(orders: Orders) -> None:
    """Neither a plan nor a run has seen them, so neither is complete."""
    orders.send(*["{}"] * 5)
    sqs = orders.cloud.client("sqs")
    taken = sqs.receive_message(QueueUrl=orders.url, MaxNumberOfMessages=3, VisibilityTimeout=600)[
        "Messages"
    ]
    left = 5 - len(taken)
    said = f"about {len(taken)} message"
    planned = orders.cli("replay")
    assert f"not counted: {said}" in planned.stdout
    assert (f"would replay {left} event" in planned.stdout, planned.returncode) == (True, 1)
    assert json.loads(orders.cli("replay", "--json").stdout)["hidden"] == len(taken)
    replayed = orders.cli("replay", "--yes")
    assert f"{left} succeeded" in replayed.stdout
    assert f"this is not all: {said}" in replayed.stderr
    assert replayed.returncode == 1
    again = json.loads(orders.cli("replay", "--yes", "--json").stdout)
    assert (again["succeeded"], again["hidden"]) == (0, len(taken))


def test_a_run_that_takes_as_many_as_it_should_is_complete(orders: Orders) -> None:
    """Whoever has the others, --max and --id are fulfilled."""
    orders.send(*["{}"] * 5, request_id="")
    sqs = orders.cloud.client("sqs")
    sqs.receive_message(QueueUrl=orders.url, MaxNumberOfMessages=1, VisibilityTimeout=600)
    assert orders.cli("replay", "--yes", "--max", "2").returncode == 0


@pytest.mark.soak
def test_replays_one_group(orders: Orders) -> None:
    """By the beginning of its id; the others are told if there is no such group."""
    orders.send("{}", "{}", error="KeyError")
    orders.send("{}", error="ValueError")
    objects = map(json.loads, orders.cli("list", "--json").stdout.splitlines())
    group = next(one["group"] for one in objects if one["error_type"] == "ValueError")
    none = orders.cli("replay", "--group", "0000", "--yes")
    assert "3 failed events not chosen:\n  functions: jobs (3)\n" in none.stderr
    assert none.returncode == 1
    replayed = orders.cli("replay", "--group", group[:5], "--yes")
    assert "1 succeeded" in replayed.stdout
    assert replayed.returncode == 0
    assert len(orders.bodies()) == 2


def test_replays_records_of_a_bucket_once(orders: Orders, tmp_path: Path) -> None:
    """From a folder as `aws s3 cp --recursive` makes it; its files stay, and are run once."""
    folder = tmp_path / "aws/lambda/async/jobs/2026/11/02"
    folder.mkdir(parents=True)
    ids = [f"0c6a3d1c-5a7b-4f0f-9a53-6f1d0c0e7b1{number}" for number in range(3)]
    for id in ids:
        record = orders.record('{"fail": true}' if id == ids[0] else "{}", f"request-{id}")
        (folder / f"2026-11-02T03.03.11-{id}").write_text(record)
    source = ("--from-files", str(tmp_path / "aws"))
    listed = run_cli(["list", *source, "--json"], orders.environment)
    assert {json.loads(line)["id"] for line in listed.stdout.splitlines()} == set(ids)
    shown = run_cli(["show", ids[1], *source, "--raw"], orders.environment)
    assert shown.stdout == "{}"
    before = orders.runs()
    tally = json.loads(_from_files(orders, *source).stdout)
    assert (tally["succeeded"], tally["failed"]) == (2, 1)
    tally = json.loads(_from_files(orders, *source).stdout)
    assert (tally["succeeded"], tally["failed"], tally["done_before"]) == (0, 1, 2)
    assert orders.runs() - before == 4
    assert len(list(folder.iterdir())) == 3
    assert len((tmp_path / "aws.done").read_text().splitlines()) == 2


def _from_files(orders: Orders, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_cli(["replay", *arguments, "--yes", "--all", "--json"], orders.environment)


@pytest.mark.parametrize(
    "arguments",
    [
        ("list", "--queue", "q"),
        ("show", "6f1d0c0e", "--stack", "S"),
        ("replay", "--queue", "q"),
        ("replay", "--from-backup"),
    ],
)
def test_rejects_files_with_another_source(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """One line, before anything is read."""
    file = tmp_path / "record"
    file.write_text("{}")
    more = (str(file),) if arguments[-1] == "--from-backup" else ()
    refused = run_cli([*arguments, *more, "--from-files", str(file), "--region", "eu-west-1"])
    assert refused.stderr.startswith("Error: --from-")
    assert (refused.stderr.count("\n"), refused.returncode) == (1, 2)


@pytest.mark.soak
def test_runs_a_duplicate_delivery_once(orders: Orders) -> None:
    """SNS and SQS may deliver twice: the second delivery is deleted with the first."""
    orders.send("{}", "{}", "{}", request_id="6f1d0c0e-5a7b-4f0f-9a53-0c6a3d1c7b11")
    before = orders.runs()
    replayed = orders.cli("replay", "--yes")
    assert "1 succeeded" in replayed.stdout
    assert "2 delivered twice, not run twice" in replayed.stdout
    assert replayed.returncode == 0
    assert orders.runs() - before == 1
    assert orders.bodies() == []


@pytest.mark.soak
def test_says_that_a_second_delivery_may_be_left(orders: Orders) -> None:
    """A replay by request id stops once it is found; going on deletes the second, and runs none."""
    id = "6f1d0c0e-5a7b-4f0f-9a53-0c6a3d1c7b11"
    orders.send("{}", request_id=id)
    orders.send(*["{}"] * 60)
    orders.send("{}", request_id=id)
    before = orders.runs()
    replayed = orders.cli("replay", "--id", id, "--yes")
    assert "1 succeeded" in replayed.stdout
    assert "messages not looked at: if SNS delivered an event twice" in replayed.stderr
    assert len(orders.bodies()) == 61
    run = replayed.stderr.rpartition("--resume ")[2].split()[0]
    again = orders.cloud_cli("replay", "--resume", run, "--yes")
    assert "1 not run, having succeeded in an earlier run" in again.stdout
    assert again.returncode == 0
    assert orders.runs() - before == 1
    assert len(orders.bodies()) == 60


@pytest.mark.soak
def test_replays_only_chosen_events(orders: Orders) -> None:
    """Those that match the filters, and no more than --max."""
    orders.send(*["{}"] * 6, error="KeyError")
    orders.send("{}")
    before = orders.runs()
    replayed = orders.cli("replay", "--yes", "--error-type", "KeyError", "--max", "5",
                          "--since", "2026-11-02", "--until", "2026-11-02T04:00Z",
                          "--function", "job*", "--rate", "50")  # fmt: skip
    assert "5 succeeded" in replayed.stdout
    assert replayed.returncode == 0
    assert orders.runs() - before == 5
    assert len(orders.bodies()) == 2


@pytest.mark.soak
def test_replays_dead_letters_with_the_function_that_is_named(orders: Orders) -> None:
    """They do not name their function: they stay, or go to --function-name."""
    attributes = {"RequestID": "1", "ErrorCode": "200", "ErrorMessage": "no data"}
    orders.send_text("{}", attributes)
    left = orders.cli("replay", "--yes")
    assert "1 without the name of a function (left in the queue)" in left.stdout
    assert left.returncode == 1
    assert "1 succeeded" in orders.cli("replay", "--yes", "--function-name", "jobs").stdout
    assert orders.bodies() == []


@pytest.mark.soak
def test_replays_dead_letters_of_a_subscription(orders: Orders) -> None:
    """The named function gets what SNS would have passed to it; without a name they stay."""
    orders.send_text(messages.notification("hello"))
    left = orders.cli("replay")
    assert "would leave 1: without the name of a function, of subscription arn:aws:" in left.stdout
    assert "? arn:aws:sns:" in orders.cli("list").stdout
    assert "1 succeeded" in orders.cli("replay", "--yes", "--function-name", "jobs").stdout
    assert orders.bodies() == []


def test_does_not_invoke_a_function_that_may_run_for_over_30_minutes(orders: Orders) -> None:
    """Its timeout comes from Lambda, and the error says what to do instead."""
    arn = create_function(orders.cloud, "hours", Timeout=2400)
    body = orders.record("{}", "6f1d0c0e-5a7b-4f0f-9a53-0c6a3d1c7b12")
    orders.send_text(body.replace(orders.function, arn))
    planned = orders.cli("replay")
    assert f"would leave 1: for {arn}, which may run longer than the 30 minutes" in planned.stdout
    replayed = orders.cli("replay", "--yes")
    assert "1 for functions whose timeout is over 30 minutes (left in the" in replayed.stdout
    assert (replayed.returncode, sum(orders.cloud.runs("hours").values())) == (1, 0)


@pytest.mark.soak
def test_finishes_running_handlers_when_interrupted(orders: Orders) -> None:
    """After Ctrl-C nothing new starts, running handlers finish, and the rest stays."""
    orders.send(*(f'{{"seconds": 0.3, "order": {n}}}' for n in range(30)))
    before = orders.runs()
    process = subprocess.Popen(
        [*CLI, "replay", "--yes", "--json", "--concurrency", "2", "--queue", orders.name],
        env=orders.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    eventually(lambda: [0] * (orders.runs() - before), lambda seen: len(seen) >= 3)
    process.send_signal(signal.SIGINT)
    printed, said = process.communicate(timeout=PATIENCE)
    tally = json.loads(printed)
    assert process.returncode == 1
    assert tally["interrupted"]
    assert "stopping: waiting for" in said
    assert 3 <= tally["succeeded"] < 30
    assert orders.runs() - before == tally["succeeded"]
    assert len(orders.bodies()) == 30 - tally["succeeded"]


@pytest.mark.soak
def test_loses_no_event_when_killed(orders: Orders, tmp_path: Path) -> None:
    """After a SIGKILL each event is in the queue or noted as done."""
    orders.send(*(f'{{"seconds": 0.2, "order": {n}}}' for n in range(40)))
    before = orders.runs()
    backup = tmp_path / "orders.jsonl"
    process = subprocess.Popen(
        [
            *CLI,
            *["replay", "--yes", "--concurrency", "4", "--backup"],
            str(backup),
            "--queue",
            orders.name,
        ],
        env=orders.environment,
        stderr=subprocess.DEVNULL,
    )
    eventually(lambda: [0] * (orders.runs() - before), lambda seen: len(seen) >= 10)
    process.kill()
    process.wait()
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = orders.cloud.client("sqs").get_queue_attributes(
        QueueUrl=orders.url, AttributeNames=names
    )["Attributes"]
    left = sum(int(counts[name]) for name in names)
    done = len(read_done(backup))
    # Between the handler's end and the deletion there is a moment, for each of the four.
    assert 40 <= left + done <= 44
    assert done >= 6
    assert len(backup.read_text().splitlines()) >= done


@pytest.mark.soak
def test_shows_a_bar_in_a_terminal(orders: Orders) -> None:
    """The bar, and the summary below it."""
    orders.send(*["{}"] * 3)
    environment = {**orders.environment, "TERM": "xterm", "COLUMNS": "100"}
    status, text = run_in_terminal(["replay", "--yes", "--queue", orders.name], environment)
    assert status == 0
    assert "replaying" in text
    assert "━━━" in text
    assert "3/3" in text
    assert "3 succeeded, deleted from the queue" in text


@pytest.mark.soak
def test_prints_progress_lines_in_a_pipe(orders: Orders) -> None:
    """Instead of a bar, a line every few seconds once the run takes over two seconds."""
    orders.send(*['{"seconds": 1.2}', '{"seconds": 1.3}', '{"seconds": 1.4}'])
    replayed = orders.cli("replay", "--yes", "--concurrency", "1")
    assert "replaying: " in replayed.stderr
    assert " of about 3" in replayed.stderr
    assert "━" not in replayed.stderr + replayed.stdout


def _from_backup(orders: Orders, backup: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CLI, "replay", "--yes", "--from-backup", str(backup), *more],
        env=orders.environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


@needs_durable_executions
def test_hands_over_only_what_cannot_be_lost(orders: Orders) -> None:
    """A function without a failure destination is not invoked, and its event stays."""
    orders.send("{}")
    before = orders.runs()
    planned = orders.cli("replay", "--asynchronous")
    reason = f"for {orders.function}, which has no failure destination and no dead-letter queue"
    assert f"would leave 1: {reason}" in planned.stdout
    replayed = orders.cli("replay", "--asynchronous", "--yes")
    assert "1 for functions without failure destination and dead-letter queue" in replayed.stdout
    assert (replayed.returncode, orders.runs()) == (1, before)
    assert len(orders.bodies()) == 1
