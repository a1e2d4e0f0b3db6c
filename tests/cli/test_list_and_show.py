"""Listing and showing failed events, as a process on an engine."""

from __future__ import annotations

import json

import pytest

from failure_destinations.deployed.queues import QueueChoice
from failure_destinations.deployed.session import Aws
from failure_destinations.replay.peek import peek

from .conftest import Orders, limit_receives, run_cli

pytestmark = pytest.mark.integration

ODD = '{"n": 1.0, "tiny": 1e-7, "big": 12345678901234567890123, "n": 2, "\\u00fc": "ü"}'


def test_lists_messages_and_leaves_them_in_the_queue(orders: Orders) -> None:
    """One line for each message, and all of them can be received afterwards."""
    orders.send('{"order": 1}', error="KeyError")
    orders.send('{"order": 2}')
    orders.send_text("hello")
    before = sorted(orders.bodies())
    listed = orders.cli("list")
    heading, *lines = listed.stdout.splitlines()
    assert heading.split() == [
        "ID",
        "AGE",
        "LEFT",
        "GROUP",
        "FUNCTION",
        "ATTEMPTS",
        "SIZE",
        "ERROR",
    ]
    assert len(lines) == 3
    assert r"KeyError: [red]no data[/red]\x1b[31m" in listed.stdout
    assert "not a failed event: text that is not JSON" in listed.stdout
    assert "3 messages in" in listed.stderr
    assert listed.returncode == 0
    assert sorted(orders.bodies()) == before


def test_lists_json_for_programs(orders: Orders) -> None:
    """One filtered object a line, with the payload as it is written."""
    orders.send(ODD, error="KeyError")
    orders.send("1")
    orders.send_text("hello")
    listed = orders.cli("list", "--json", "--error-type", "Key*")
    (line,) = listed.stdout.splitlines()
    assert line.endswith(f'"payload": {ODD}}}')
    event = json.loads(line)
    assert event["function"] == orders.function
    assert event["error_type"] == "KeyError"
    assert event["attempts"] == 3


def test_shows_one_in_full(orders: Orders) -> None:
    """By the beginning of its id: all that is known, and the payload indented."""
    orders.send(ODD, request_id="6f1d0c0e-5a7b-4f0f-9a53-0c6a3d1c7b11")
    orders.send("1")
    shown = orders.cli("show", "6f1d0c0e")
    assert f"function    {orders.function}\n" in shown.stdout
    assert '  "tiny": 1e-7,\n  "big": 12345678901234567890123,\n' in shown.stdout
    assert shown.returncode == 0


def test_prints_the_payload_alone(orders: Orders) -> None:
    """Byte for byte, to save it to a file."""
    orders.send(ODD, request_id="6f1d0c0e-5a7b-4f0f-9a53-0c6a3d1c7b11")
    assert orders.cli("show", "6f1d0c0e", "--raw").stdout == ODD


def test_reports_an_unknown_event(orders: Orders) -> None:
    """One line with how many messages it looked at, and exit status 2."""
    orders.send("1", "2")
    shown = orders.cli("show", "6f1d0c0e")
    said = f"{orders.name} does not hold a message '6f1d0c0e': looked at 2 messages"
    assert shown.stderr == f"Error: {said}\n"
    assert shown.returncode == 2


def traced(orders: Orders, message: str) -> str:
    """Return the record of an error with a stack trace."""
    record = json.loads(orders.record("{}", "6f1d0c0e-5a7b-4f0f-9a53-0c6a3d1c7b11"))
    record["responsePayload"] = {
        "errorType": "ValueError",
        "errorMessage": message,
        "stackTrace": ['  File "/var/task/app.py", line 3, in handler\n    raise ValueError(x)\n'],
    }
    return json.dumps(record)


def test_shows_an_error_as_a_person_reads_it(orders: Orders) -> None:
    """Message and stack trace in lines, times in UTC, and where the log is."""
    orders.send_text(traced(orders, "order 7 failed:\n\tno such customer Müller\x1b[31m"))
    lines = orders.cli("show", "6f1d0c0e").stdout.splitlines()
    start = lines.index("error       ValueError")
    assert lines[start + 1 : start + 3] == [
        "            order 7 failed:",
        r"                no such customer Müller\x1b[31m",
    ]
    trace = lines.index("stack trace:")
    assert lines[trace + 1 : trace + 3] == [
        '  File "/var/task/app.py", line 3, in handler',
        "    raise ValueError(x)",
    ]
    assert "failed      2026-11-02 03:03:11 UTC, " in lines[2]
    assert any(line.startswith("kept until  20") and line.endswith(" left") for line in lines)
    assert "log group   /aws/lambda/jobs" in lines
    assert any(line.startswith("log         https://eu-west-1.console.aws.") for line in lines)


def test_shows_a_payload_with_letters_as_letters(orders: Orders) -> None:
    """JSON's escapes stay only for what cannot be printed, and the bytes stay in --raw."""
    orders.send(r'{"name": "M\u00fcller", "odd": "\u202e"}', request_id="6f1d0c0e-1")
    assert '  "name": "Müller",\n  "odd": "\\u202e"\n' in orders.cli("show", "6f1d0c0e").stdout
    raw = orders.cli("show", "6f1d0c0e", "--raw").stdout
    assert raw == r'{"name": "M\u00fcller", "odd": "\u202e"}'


def test_shows_why_an_event_was_parked(orders: Orders) -> None:
    """`list` shows the error that parked it, `show` also the one that it failed with."""
    attributes = {
        "ReplayReason": "MaxAttempts",
        "ReplayErrorType": "TypeError",
        "ReplayErrorMessage": "still bad",
        "ReplayAttempts": "3",
        "ReplayParkedAt": "2026-11-02T04:00:00+00:00",
    }
    orders.send_text(traced(orders, "bad"), attributes)
    assert "parked, its replay failed 3 times: TypeError: still bad" in orders.cli("list").stdout
    shown = orders.cli("show", "6f1d0c0e").stdout
    assert "because its replay failed 3 times (ReplayReason: MaxAttempts)\n" in shown
    assert "            TypeError: still bad\n" in shown
    assert "error       ValueError\n            bad\n" in shown
    told = json.loads(orders.cli("show", "6f1d0c0e", "--json").stdout)
    assert (told["parked"]["reason"], told["parked"]["error_type"]) == ("MaxAttempts", "TypeError")
    assert told["stack_trace"][0].startswith('  File "/var/task/app.py"')
    assert told["log_link"].startswith("https://eu-west-1.console.aws.amazon.com/cloudwatch/")


@pytest.mark.soak
def test_chooses_among_the_events(orders: Orders) -> None:
    """By group, text, expression and what is left of the retention; `show` takes the same."""
    orders.send('{"total": 7}', error="KeyError")
    orders.send('{"total": 70}', error="ValueError")
    (line,) = orders.cli("list", "--json", "--where", "payload.total > `10`").stdout.splitlines()
    event = json.loads(line)
    assert event["error_type"] == "ValueError"
    for options in (
        ["--group", event["group"]],
        ["--group", event["group"][:4].upper()],
        ["--search", "VALUEERROR"],
        ["--error-type", "valueerror", "--expiring", "15d"],
    ):
        (found,) = orders.cli("list", "--json", *options).stdout.splitlines()
        assert json.loads(found)["id"] == event["id"]
        assert json.loads(orders.cli("show", "--json", *options).stdout)["id"] == event["id"]
    assert orders.cli("list", "--json", "--expiring", "1h").stdout == ""


def test_says_what_there_is_if_nothing_is_chosen(orders: Orders) -> None:
    """Functions, error types and groups, so that the next try finds something."""
    orders.send("1", "2", error="KeyError")
    listed = orders.cli("list", "--error-type", "KeyErorr")
    assert "2 failed events not chosen:\n  functions: jobs (2)\n" in listed.stderr
    assert "  error types: KeyError (2)\n  groups: " in listed.stderr
    shown = orders.cli("show", "--function", "job")
    assert "does not hold such an event: looked at 2 messages; 2 failed events" in shown.stderr
    assert (shown.stderr.count("\n"), shown.returncode) == (1, 2)


def test_groups_what_failed_alike(orders: Orders) -> None:
    """One line a group, the largest first; the id chooses its events."""
    orders.send("1", "2", "3", error="KeyError")
    orders.send("4", error="ValueError")
    orders.send_text("hello")
    grouped = orders.cli("groups")
    heading, first, second = grouped.stdout.splitlines()
    assert heading.split()[:2] == ["GROUP", "EVENTS"]
    assert (first.split()[1], second.split()[1]) == ("3", "1")
    assert "jobs      KeyError: " in first
    assert f"2 groups of 4 failed events in {orders.name}; 1 message is not" in grouped.stderr
    objects = [json.loads(line) for line in orders.cli("groups", "--json").stdout.splitlines()]
    assert [(one["group"], one["events"]) for one in objects] == [
        (first.split()[0], 3),
        (second.split()[0], 1),
    ]
    assert sum(objects[0]["over_time"]["counts"]) == 3
    listed = orders.cli("list", "--json", "--group", first.split()[0])
    assert len(listed.stdout.splitlines()) == 3


@pytest.mark.soak
def test_groups_say_how_many_were_replayed_before(orders: Orders) -> None:
    """From the journals of runs; of others only receives are known, which a look is too."""
    orders.send('{"fail": true}', '{"fail": true }', error="KeyError")
    first = json.loads(orders.cli("groups", "--json").stdout)
    assert (first["replayed"], first["received_before"]) == (0, 0)
    # The second one is left, since the first one of its group fails.
    assert orders.cli("replay", "--yes").returncode == 1
    again = orders.cli("groups")
    assert " 1 to 2 " in again.stdout.splitlines()[1]


@pytest.mark.soak
def test_stops_receiving_before_a_message_is_moved_away(orders: Orders) -> None:
    """Once a message has one receive left, the others keep theirs."""
    limit_receives(orders, 2)
    orders.send(*["1"] * 12)
    listed = orders.cli("list", "--json", "--spend-receives")
    assert "stopped early: a message was received 1 of 2 times" in listed.stderr
    messages = orders.cloud.messages(orders.url, count=12)
    counts = [int(m.attributes.get("ApproximateReceiveCount", 0)) for m in messages]
    assert sum(counts) == len(listed.stdout.splitlines()) == 1


@pytest.mark.soak
def test_receives_nothing_where_one_receive_is_the_limit(orders: Orders) -> None:
    """The command says why."""
    limit_receives(orders, 1)
    orders.send("1")
    listed = orders.cli("list", "--spend-receives")
    assert "after one receive: nothing was received" in listed.stderr
    (message,) = orders.cloud.messages(orders.url)
    assert message.attributes.get("ApproximateReceiveCount", "0") == "0"


@pytest.mark.soak
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--queue", "nope"], "Error: queue 'nope' does not exist in eu-west-1"),
        (["--stack", "nope"], "Error: stack 'nope' does not exist in eu-west-1"),
    ],
)
def test_reports_an_unknown_queue_or_stack(orders: Orders, arguments: list[str], said: str) -> None:
    """In one line."""
    listed = run_cli(["list", *arguments], orders.environment)
    assert listed.stderr.startswith(said)
    assert listed.stderr.count("\n") == 1
    assert listed.returncode == 2


@pytest.mark.soak
def test_warns_of_a_function_that_drains_the_queue(orders: Orders) -> None:
    """A receive counts as one of its attempts."""
    client = orders.cloud.client("lambda")
    arn = f"arn:aws:sqs:eu-west-1:{orders.cloud.account}:{orders.name}"
    mapping = client.create_event_source_mapping(EventSourceArn=arn, FunctionName="jobs")
    try:
        listed = orders.cli("list")
    finally:
        client.delete_event_source_mapping(UUID=mapping["UUID"])
    assert "warning: jobs drains this queue" in listed.stderr


@pytest.mark.soak
def test_gives_messages_back_when_interrupted(
    orders: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C hides no message from other consumers."""
    orders.send("1", "2", "3")
    for name, value in orders.cloud.environment.items():
        monkeypatch.setenv(name, value)
    aws = Aws()
    queue = QueueChoice(None, None, orders.name).find(aws)
    hidden: list[str] = []

    def interrupted() -> None:
        with peek(aws.client("sqs"), queue, []) as seen:
            next(seen)
            hidden.extend(orders.bodies())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert hidden == []
    assert len(orders.bodies()) == 3


@pytest.mark.soak
def test_says_that_another_consumer_has_messages(orders: Orders) -> None:
    """On standard error, so that a program's input stays JSON."""
    orders.send("1", "2", "3")
    taken = orders.cloud.client("sqs").receive_message(
        QueueUrl=orders.url, MaxNumberOfMessages=1, VisibilityTimeout=600
    )
    assert len(taken["Messages"]) == 1
    for command in ("list", "groups"):
        shown = orders.cli(command)
        assert "; 1 more cannot be received now: other consumers have them" in shown.stderr
        assert "about 1 message cannot be received" in orders.cli(command, "--json").stderr
    found = orders.cli("show", "99999999")
    assert "looked at 2 messages; 1 more cannot be received now" in found.stderr
