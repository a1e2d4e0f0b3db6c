"""What decides whether a message is a source queue's, and which function gets it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from failure_destinations.deployed.queues import Queue
from failure_destinations.deployed.source_queues import QueueReader
from failure_destinations.replay.queue_dead_letters import NO_SOURCE, QueueDeadLetters
from failure_destinations.replay.received_message import ReceivedMessage

PLACE = "arn:aws:sqs:eu-west-1:111122223333"
ORDERS = f"{PLACE}:orders"
FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function"
DEAD = Queue("https://sqs/dead", f"{PLACE}:dead", 1, 0, None, ())
# Whoever may send to the source queue can write what looks like a record of any function.
RECORD = json.dumps(
    {
        "requestContext": {"functionArn": f"{FUNCTION}:delete-all", "requestId": "1"},
        "requestPayload": {},
    }
)


def reader(name: str, qualifier: str | None = None, *, is_own: bool = False) -> QueueReader:
    """Return a function that reads a queue."""
    return QueueReader(f"{FUNCTION}:{name}", qualifier, "uuid", "Enabled", is_own=is_own)


class Paper:
    """Source queues as the test says."""

    def __init__(
        self, readers: Sequence[QueueReader] | None, sources: Sequence[str] | None = (ORDERS,)
    ) -> None:
        self._readers = readers
        self._sources = sources

    def of(self, dead_letter_queue_url: str, arn: str) -> tuple[str, ...] | None:
        """Return the source queues."""
        assert (dead_letter_queue_url, arn) == (DEAD.url, DEAD.arn)
        return None if self._sources is None else tuple(self._sources)

    def readers(self, queue_arn: str) -> tuple[QueueReader, ...] | None:
        """Return the functions that read a queue."""
        assert queue_arn == ORDERS
        return None if self._readers is None else tuple(self._readers)


def read(
    paper: Paper, body: str = "fine", *, source: str | None = ORDERS, all_messages: bool = False
) -> tuple[ReceivedMessage, list[str]]:
    """Read a message, and return it with the notes."""
    sources: Any = paper
    reading = QueueDeadLetters(sources, DEAD, all_messages=all_messages)
    raw: dict[str, Any] = {"MessageId": "id", "Body": body}
    if source is not None:
        raw["Attributes"] = {"DeadLetterQueueSourceArn": source}
    notes: list[str] = []
    message = ReceivedMessage.of(raw)
    reading.read(message, notes.append)
    return reading.read(message, notes.append), notes


@pytest.mark.parametrize("body", ["fine", RECORD])
def test_the_mapping_decides_and_not_the_text(body: str) -> None:
    """A message of a source queue never invokes what it names."""
    message, notes = read(Paper([reader("orders", "live")]), body)
    assert message.event is not None
    assert message.event.called == "orders:live"
    assert json.loads(message.event.payload)["Records"][0]["body"] == body
    assert notes == []


@pytest.mark.parametrize(
    ("paper", "source"),
    [
        (Paper([]), None),
        (Paper([reader("orders")]), "no queue"),
        (Paper([reader("Forwarder", is_own=True)]), ORDERS),
        (Paper([]), ORDERS),
    ],
    ids=["not moved by SQS", "no ARN", "read by this library", "read by nobody"],
)
def test_reads_other_failed_events_as_before(paper: Paper, source: str | None) -> None:
    """One queue may have the dead letters of everything."""
    message, _ = read(paper, RECORD, source=source)
    assert message.event is not None
    assert (message.event.source, message.event.called) == ("destination", "delete-all")


@pytest.mark.parametrize(
    ("readers", "said"),
    [
        (None, "cannot see which function reads orders: allow lambda:ListEventSourceMappings, or"),
        ([], "no function reads orders: pass --to FUNCTION to replay its messages"),
        (
            [reader("a"), reader("b", "live")],
            (
                "several functions read orders, and SQS does not say which one failed: pass --to "
                "with one of a, b:live to replay its messages"
            ),
        ),
    ],
)
def test_says_once_that_the_function_is_not_known(
    readers: Sequence[QueueReader] | None, said: str
) -> None:
    """It is never guessed."""
    message, notes = read(Paper(readers))
    assert message.event is not None
    assert message.event.function is None
    (note,) = notes
    assert note.startswith(said)


def test_two_mappings_of_one_function_are_one_function() -> None:
    """They may have other filters or batch sizes."""
    message, notes = read(Paper([reader("orders"), reader("orders")]))
    assert message.event is not None
    assert (message.event.called, notes) == ("orders", [])


@pytest.mark.parametrize(
    ("sources", "queue"),
    [([ORDERS], ORDERS), ([ORDERS, f"{PLACE}:stock"], None), ([], None), (None, None)],
)
def test_takes_the_only_source_where_sqs_names_none(
    sources: Sequence[str] | None, queue: str | None
) -> None:
    """Where all messages are source queues'; otherwise it is said that nobody knows."""
    message, _ = read(Paper([reader("orders")], sources), source=None, all_messages=True)
    assert (message.event and message.event.queue) == queue
    assert message.reason == (None if queue else NO_SOURCE)
    if queue:
        # A backup can be replayed later.
        assert message.message["Attributes"]["DeadLetterQueueSourceArn"] == queue
