"""What a look saw: groups, counts over time, what payloads have in common."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from failure_destinations.deployed.channels import Channel
from failure_destinations.deployed.queues import QueueChoice
from failure_destinations.deployed.session import Aws
from failure_destinations.replay.received_message import ReceivedMessage
from failure_destinations.runtime.queue_dead_letter import read_queue_dead_letter
from failure_destinations.ui import places
from failure_destinations.ui.compare import Member, compare
from failure_destinations.ui.places import Place
from failure_destinations.ui.snapshot import Row, Snapshot, series
from failure_destinations.ui.spool import Spool

NOON = datetime(2026, 11, 28, 12, tzinfo=timezone.utc)
WAITING = Place("Shop/Failures", "waiting", QueueChoice("Shop", "Failures", None))
SOURCES = Place(
    "Shop/Failures", places.SOURCE_QUEUES, QueueChoice(None, None, "orders-dlq", "source-queues")
)
COPIES = Place("Shop/Failures", "copies", QueueChoice("Shop", "Failures", None, "copies"))


def message(id: str, error: str, minutes: int = 0, payload: Any = None) -> ReceivedMessage:
    """Return a failed event of `orders`, some minutes after noon."""
    record = {
        "timestamp": (NOON + timedelta(minutes=minutes)).isoformat(),
        "requestContext": {
            "requestId": f"request-{id}",
            "functionArn": "arn:aws:lambda:eu-west-1:111122223333:function:orders:$LATEST",
            "condition": "RetriesExhausted",
        },
        "requestPayload": payload,
        "responsePayload": {"errorType": "ValueError", "errorMessage": error},
    }
    return ReceivedMessage.of({"MessageId": id, "Body": json.dumps(record), "ReceiptHandle": "r"})


def copy_of(id: str) -> ReceivedMessage:
    """Return the copy of an event."""
    attributes = {"RequestID": f"request-{id}", "ErrorCode": "200", "ErrorMessage": "no"}
    return ReceivedMessage.of(
        {
            "MessageId": f"copy-{id}",
            "Body": "{}",
            "Attributes": {"SenderId": "AROA:orders"},
            "MessageAttributes": {
                name: {"StringValue": value, "DataType": "String"}
                for name, value in attributes.items()
            },
        }
    )


@pytest.fixture
def spool() -> Spool:
    """A place for messages."""
    return Spool()


def snapshot(spool: Spool, *messages: ReceivedMessage, place: Place = WAITING) -> Snapshot:
    """Return what a look into one queue saw."""
    rows = tuple(Row.of(one, place, spool) for one in messages)
    return Snapshot(rows, (), NOON, spool)


def test_groups_by_what_failed(spool: Spool) -> None:
    """Errors that differ by values only are one group; the largest comes first."""
    seen = snapshot(
        spool, message("a", "no disk"), message("b", "no order 1"), message("c", "no order 2")
    )
    assert [[row.key for row in group.rows] for group in seen.groups()] == [["b", "c"], ["a"]]


def test_finds_a_message_again(spool: Spool) -> None:
    """The whole message comes from the spool, without its receipt handle."""
    seen = snapshot(spool, message("a", "no", payload={"text": "ü" * 1000}), message("b", "no"))
    found = seen.message(seen.rows[0])
    assert found is not None
    assert json.loads(found.event.payload if found.event else "") == {"text": "ü" * 1000}
    assert found.receipt_handle == ""


def test_counts_copies_without_a_record(spool: Spool) -> None:
    """A copy whose record is in a queue is not missed."""
    rows = (
        Row.of(message("a", "no"), WAITING, spool),
        Row.of(copy_of("a"), COPIES, spool),
        Row.of(copy_of("b"), COPIES, spool),
    )
    assert Snapshot(rows).only_copies() == 1


def test_counts_over_time(spool: Spool) -> None:
    """Each failure is in its interval; groups that are not shown are one series."""
    seen = snapshot(
        spool, *(message(str(n), "no disk" if n % 2 else f"order {n}", n) for n in range(30))
    )
    shown = seen.groups()[0].id
    found = series(seen.rows, [shown])
    assert found.starts[0] == NOON
    assert {name: sum(counts) for name, counts in found.counts.items()} == {shown: 15, "": 15}
    assert series((), []) == ([], {})


@pytest.mark.parametrize("days", [0, 1, 400, 700_000])
def test_a_series_has_an_end(spool: Spool, days: int) -> None:
    """Records with times far apart make no endless chart."""
    for minutes in (days * 1440, -days * 1440):
        rows = snapshot(spool, message("a", "no"), message("b", "no", minutes)).rows
        assert len(series(rows, []).starts) <= 48


def test_compares_payloads() -> None:
    """What all have is in common, with its value; the rest differs."""
    payloads = ['{"a": {"b": 1}, "c": [1]}', '{"a": {"b": 1}, "c": [2], "d": null}', "not JSON"]
    found = {one.path: one for one in compare(payloads)}
    assert found["a.b"] == Member("a.b", [("1", 2)], 2, 3)
    assert found["c"].values == [("[1]", 1), ("[2]", 1)]
    assert not any(one.is_common for one in found.values())
    assert all(one.is_common for one in compare(payloads[:1]))


@pytest.mark.parametrize(
    "payload",
    ["[" * 100_000, json.dumps({str(n): n for n in range(10_000)}), json.dumps("x" * 10**6), ""],
)
def test_compares_hostile_payloads(payload: str) -> None:
    """Deep, wide and long payloads give a bounded table."""
    found = compare([payload, payload])
    assert len(found) <= 200
    assert all(len(value) <= 120 for one in found for value, _ in one.values)


def test_keeps_what_a_dead_letter_of_a_source_queue_is(spool: Spool) -> None:
    """Its text does not say it: the queue and its function do."""
    queue = "arn:aws:sqs:eu-west-1:111122223333:orders"
    raw: Any = {
        "MessageId": "id",
        "Body": json.dumps({"requestContext": {"functionArn": "another"}}),
        "MessageAttributes": {"Key": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}},
    }
    function = "arn:aws:lambda:eu-west-1:111122223333:function:orders"
    event = read_queue_dead_letter(raw, queue=queue, function=function, qualifier="live")
    row = Row.of(ReceivedMessage(raw, event), SOURCES, spool)
    assert (row.function, row.pattern) == ("orders:live", "queue/orders")
    assert row.slot is not None
    assert spool.read(row.slot).event == event


def test_looks_into_each_dead_letter_queue_of_a_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    """By itself, so that what it does is about one queue."""
    urls = ("https://sqs/orders-dlq", "https://sqs/stock-dlq")
    channel = Channel(
        "Failures", "id", "subscription", "topic", "queue", source_dead_letter_queues=urls
    )
    monkeypatch.setattr(places, "find_channels", lambda *_: [channel])
    monkeypatch.setattr(places, "DeployedStack", lambda *_: None)
    found = places.find_places(Aws(region="eu-west-1"), ["Shop"])
    assert [place.choice.queue for place in found if place.state == places.SOURCE_QUEUES] == [*urls]
    assert {place.channel for place in found} == {"Shop/Failures"}
