"""Messages in flight, with answers that no engine gives on request."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from failure_destinations.deployed.queues import Queue
from failure_destinations.replay.peek import peek
from failure_destinations.replay.sources import QueueSource

from ..runtime import messages
from .test_peek import MemoryQueue

QUEUE = Queue("https://queue", "arn:aws:sqs:eu-west-1:111122223333:failures", 1, 0, None, ())
DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "ChangeVisibility")


class Sqs:
    """A client of a queue with one message, which remembers for how long it was hidden."""

    def __init__(self) -> None:
        self.messages = [messages.message(messages.record("{}"))]
        self.hidden: list[int] = []
        self.denies = False

    def receive_message(self, **_options: Any) -> dict[str, Any]:
        """Return the message once."""
        given, self.messages = self.messages, []
        return {"Messages": given}

    def get_queue_attributes(self, **_options: Any) -> dict[str, Any]:
        """Return that other consumers have many messages."""
        return {"Attributes": {"ApproximateNumberOfMessagesNotVisible": "119999"}}

    def change_message_visibility_batch(self, **options: Any) -> dict[str, Any]:
        """Remember for how long."""
        if self.denies:
            raise DENIED
        entries = options["Entries"]
        self.hidden += [entry["VisibilityTimeout"] for entry in entries]
        return {"Successful": [{"Id": entry["Id"]} for entry in entries]}


@pytest.fixture
def sqs() -> Any:
    """A client of a queue with one message."""
    return Sqs()


@pytest.fixture
def source(sqs: Any) -> Iterator[QueueSource]:
    """The source that replays from that queue."""
    source = QueueSource(sqs, QUEUE)
    yield source
    source.close()


def test_keeps_a_message_hidden_whose_handler_may_run(sqs: Any, source: QueueSource) -> None:
    """For longer than Lambda lets a handler run, also after the end of the run."""
    ((message,),) = source.batches()
    source.keep([message], may_run_seconds=1230)
    source.close()
    assert sqs.hidden == [1230]


def test_gives_kept_messages_back(sqs: Any, source: QueueSource) -> None:
    """They are hidden until the end of the run, then visible."""
    ((message,),) = source.batches()
    source.keep([message])
    source.close()
    assert sqs.hidden == [0]


def test_does_not_hold_a_message_whose_time_is_over(
    sqs: Any, source: QueueSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another consumer may have it, so it is not given back either."""
    ((message,),) = source.batches()
    assert source.holds(message)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 121)
    assert not source.holds(message)
    source.close()
    assert sqs.hidden == []


def test_the_heartbeat_extends_the_hiding(
    source: QueueSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each one hides the message for two minutes from then on."""
    ((message,),) = source.batches()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 60)
    source.extend_hiding()
    monkeypatch.setattr(time, "time", lambda: now + 150)
    assert source.holds(message)


def test_holds_no_message_after_three_missed_heartbeats(sqs: Any, source: QueueSource) -> None:
    """One may be missed; without the permission nothing more is started."""
    ((message,),) = source.batches()
    sqs.denies = True
    source.extend_hiding()
    assert source.holds(message)
    source.extend_hiding()
    source.extend_hiding()
    assert not source.holds(message)
    sqs.denies = False


def test_reports_where_sqs_hands_out_no_more(sqs: Any) -> None:
    """With very many in flight, an empty answer does not mean an empty queue."""
    source = QueueSource(sqs, dataclasses.replace(QUEUE, hidden=119_999))
    list(source.batches())
    source.close()
    assert source.ended_early is not None
    assert "no more than about 120,000 at once" in source.ended_early
    assert source.hidden == 119_998


def test_warns_that_a_full_queue_may_hold_more(sqs: Any) -> None:
    """Messages that SQS does not hand out are reported."""
    warnings: list[str] = []
    full = dataclasses.replace(QUEUE, hidden=119_999)
    with peek(sqs, full, warnings) as seen:
        assert len(list(seen)) == 1
    assert "there may be more" in warnings[0]


def test_takes_an_empty_answer_of_a_small_queue_as_its_end(source: QueueSource) -> None:
    """Nothing is reported."""
    list(source.batches())
    assert source.ended_early is None


def test_receives_with_several_requests_where_most_messages_stay() -> None:
    """Sixteen wait for each other; what was received meanwhile is given back at the end."""
    queue = MemoryQueue(400, together=16)
    source = QueueSource(queue, dataclasses.replace(QUEUE, visible=400), 16)  # type: ignore[arg-type]
    batch = next(source.batches())
    assert source.holds(batch[0])
    assert queue.most_at_once == 16
    source.close()
    assert (len(queue.visible), queue.hidden) == (400, set())


def test_receives_nothing_before_it_is_asked_for() -> None:
    """A run of --max 5 does not receive sixteen batches."""
    queue = MemoryQueue(400)
    source = QueueSource(queue, dataclasses.replace(QUEUE, visible=400))  # type: ignore[arg-type]
    batches = source.batches()
    assert (len(next(batches)), len(queue.requests)) == (10, 1)
    source.close()
