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
    assert heading.split() == ["ID", "AGE", "FUNCTION", "ERROR", "ATTEMPTS", "SIZE"]
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
    assert f"function   {orders.function}" in shown.stdout
    assert '  "tiny": 1e-7,\n  "big": 12345678901234567890123,\n' in shown.stdout
    assert shown.returncode == 0


def test_prints_the_payload_alone(orders: Orders) -> None:
    """Byte for byte, to save it to a file."""
    orders.send(ODD, request_id="6f1d0c0e-5a7b-4f0f-9a53-0c6a3d1c7b11")
    assert orders.cli("show", "6f1d0c0e", "--raw").stdout == ODD


def test_reports_an_unknown_event(orders: Orders) -> None:
    """One line, and exit status 2."""
    shown = orders.cli("show", "6f1d0c0e")
    assert shown.stderr == f"Error: {orders.name} does not hold a message '6f1d0c0e'\n"
    assert shown.returncode == 2


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
