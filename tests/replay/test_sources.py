"""What a queue's messages in hand are to it, with answers that no engine gives when asked."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from failure_destinations.deployed.queues import Queue
from failure_destinations.replay import peek as looking
from failure_destinations.replay.sources import QueueSource

from ..runtime import messages

QUEUE = Queue("https://queue", "arn:aws:sqs:eu-west-1:111122223333:failures", 1, 0, None, ())
DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "ChangeVisibility")


class Sqs:
    """One message, and what is asked to be hidden for how long."""

    def __init__(self) -> None:
        self.messages = [messages.message(messages.record("{}"))]
        self.hidden: list[int] = []
        self.denies = False

    def receive_message(self, **_options: Any) -> dict[str, Any]:
        """Return it once."""
        given, self.messages = self.messages, []
        return {"Messages": given}

    def change_message_visibility_batch(self, **options: Any) -> dict[str, Any]:
        """Note for how long."""
        if self.denies:
            raise DENIED
        entries = options["Entries"]
        self.hidden += [entry["VisibilityTimeout"] for entry in entries]
        return {"Successful": [{"Id": entry["Id"]} for entry in entries]}


@pytest.fixture
def sqs() -> Sqs:
    """A queue of one message."""
    return Sqs()


@pytest.fixture
def source(sqs: Sqs) -> Iterator[QueueSource]:
    """What it is replayed from."""
    source = QueueSource(sqs, QUEUE)
    yield source
    if not source._closed.is_set():
        source.close()


def test_leaves_hidden_what_may_run(sqs: Sqs, source: QueueSource) -> None:
    """After a lost answer: for longer than Lambda lets a handler run, also at the end."""
    ((message,),) = source.batches()
    source.keep([message], may_run=True)
    source.close()
    assert sqs.hidden == [910]


def test_gives_back_what_is_kept(sqs: Sqs, source: QueueSource) -> None:
    """Hidden until the end, then visible."""
    ((message,),) = source.batches()
    source.keep([message])
    source.close()
    assert sqs.hidden == [300, 0]


def test_holds_nothing_that_was_hidden_too_long_ago(
    sqs: Sqs, source: QueueSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others may have it by now, so that it is not given back either."""
    ((message,),) = source.batches()
    assert source.holds(message)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 121)
    assert not source.holds(message)
    source.close()
    assert sqs.hidden == []


def test_holds_on_by_the_heartbeat(source: QueueSource, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each beat hides it for two minutes more."""
    ((message,),) = source.batches()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 60)
    source._hide_in_hand()
    monkeypatch.setattr(time, "time", lambda: now + 150)
    assert source.holds(message)


def test_holds_nothing_after_some_missed_beats(sqs: Sqs, source: QueueSource) -> None:
    """One may be missed; without the permission nothing more is started."""
    ((message,),) = source.batches()
    sqs.denies = True
    source._hide_in_hand()
    assert source.holds(message)
    source._hide_in_hand()
    source._hide_in_hand()
    assert not source.holds(message)
    sqs.denies = False


def test_says_where_sqs_hands_out_no_more(sqs: Sqs) -> None:
    """With very many in flight, an empty answer does not mean an empty queue."""
    source = QueueSource(sqs, dataclasses.replace(QUEUE, hidden=119_999))
    list(source.batches())
    source.close()
    assert source.ended_early is not None
    assert "no more than about 120,000 at once" in source.ended_early


def test_warns_of_a_look_at_too_many(sqs: Sqs) -> None:
    """What is not seen is said."""
    warnings: list[str] = []
    full = dataclasses.replace(QUEUE, hidden=119_999)
    with looking.looking(sqs, full, warnings) as seen:
        assert len(list(seen)) == 1
    assert "there may be more" in warnings[0]


def test_says_nothing_of_a_small_queue(source: QueueSource) -> None:
    """An empty answer is the end."""
    list(source.batches())
    assert source.ended_early is None
