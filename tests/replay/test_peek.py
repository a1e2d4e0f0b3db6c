"""Looking at a queue: who receives how much at once, and for how long messages are hidden.

An in-memory queue stands for SQS where no engine shows it: requests that overlap, and clocks.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from failure_destinations.deployed.queues import Queue
from failure_destinations.replay.held_messages import HeldMessages
from failure_destinations.replay.peek import hidden_seconds, peek
from failure_destinations.replay.received_message import ReceivedMessage
from failure_destinations.replay.receiving import EmptyQueueDetector

from ..runtime import messages

DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "ChangeVisibility")


class MemoryQueue:
    """A queue whose messages are hidden by receives, and shown again by visibility 0.

    Attributes:
        visible: The numbers of the messages that can be received.
        hidden: The numbers of the others.
        requests: What each receive asked for.
        most_at_once: The most receives that ran at once.
        changes: Each visibility that was set.
        of_others: The number of messages that other consumers have.
    """

    def __init__(self, count: int, *, together: int = 1, receives: str = "1") -> None:
        self.visible = list(range(count))
        self.hidden: set[int] = set()
        self.requests: list[dict[str, Any]] = []
        self.changes: list[int] = []
        self.denies = False
        self.of_others = 0
        self.most_at_once = 0
        self._receives = receives
        self._running = 0
        self._lock = threading.Lock()
        # The first receives wait for each other, which proves that they run at once.
        self._together = threading.Barrier(together, timeout=30)

    def receive_message(self, **request: Any) -> dict[str, Any]:
        """Return up to ten messages, and hide them."""
        with self._lock:
            self.requests.append(request)
            first = len(self.requests) <= self._together.parties
            self._running += 1
            self.most_at_once = max(self.most_at_once, self._running)
        if first:
            self._together.wait()
        with self._lock:
            self._running -= 1
            count = request["MaxNumberOfMessages"]
            given, self.visible = self.visible[:count], self.visible[count:]
            self.hidden.update(given)
            return {"Messages": [self._message(number) for number in given]}

    def change_message_visibility_batch(self, **request: Any) -> dict[str, Any]:
        """Show messages again, or remember for how long they are hidden."""
        if self.denies:
            raise DENIED
        with self._lock:
            for entry in request["Entries"]:
                number = int(entry["ReceiptHandle"])
                self.changes.append(entry["VisibilityTimeout"])
                if not entry["VisibilityTimeout"] and number in self.hidden:
                    self.hidden.remove(number)
                    self.visible.append(number)
        return {"Successful": [{"Id": entry["Id"]} for entry in request["Entries"]]}

    def get_queue_attributes(self, **_request: Any) -> dict[str, Any]:
        """Return how many messages are hidden, by this look or by others."""
        hidden = len(self.hidden) + self.of_others
        return {"Attributes": {"ApproximateNumberOfMessagesNotVisible": str(hidden)}}

    def _message(self, number: int) -> dict[str, Any]:
        message = messages.message(messages.record("{}"), ApproximateReceiveCount=self._receives)
        return {**message, "MessageId": f"{number:08x}", "ReceiptHandle": str(number)}


def queue(visible: int, *, max_receives: int | None = None) -> Queue:
    """Return the facts about a queue that says it has so many messages."""
    arn = "arn:aws:sqs:eu-west-1:111122223333:failures"
    return Queue("https://queue", arn, visible, 0, max_receives, ())


def look(sqs: Any, facts: Queue, at_most: int | None = None) -> list[str]:
    """Return the ids of the messages that a look yields."""
    with peek(sqs, facts, [], at_most=at_most) as seen:
        return [message.id for message in seen]


def test_receives_with_several_requests_at_once() -> None:
    """Sixteen wait for each other, and each message is seen once and given back."""
    sqs = MemoryQueue(1000, together=16)
    ids = look(sqs, queue(1000))
    assert sqs.most_at_once == 16
    assert sorted(ids) == [f"{number:08x}" for number in range(1000)]
    assert (len(sqs.visible), sqs.hidden) == (1000, set())


def test_finds_all_although_sqs_counted_too_few() -> None:
    """The number of messages is approximate: an empty answer ends a look, not the number."""
    assert len(look(MemoryQueue(300), queue(0))) == 300


@pytest.mark.parametrize("at_most", [1, 15, 40])
def test_asks_for_no_more_than_it_may_receive(at_most: int) -> None:
    """Requests that run at once share what is left."""
    sqs = MemoryQueue(100)
    assert len(look(sqs, queue(100), at_most)) == at_most
    assert len(sqs.changes) == at_most


def test_receives_one_after_the_other_where_receives_are_counted() -> None:
    """Beginning with a single message, so that it can stop before one is moved away."""
    sqs = MemoryQueue(50, receives="2")
    warnings: list[str] = []
    with peek(sqs, queue(50, max_receives=3), warnings) as seen:  # type: ignore[arg-type]
        assert len(list(seen)) == 1
    assert [request["MaxNumberOfMessages"] for request in sqs.requests] == [1]
    assert "a message was received 2 of 3 times" in warnings[0]


def test_gives_back_what_nobody_looked_at() -> None:
    """Requests that were under way when the look ended may have received messages."""
    sqs = MemoryQueue(500, together=16)
    with peek(sqs, queue(500), []) as seen:  # type: ignore[arg-type]
        next(seen)
    assert (len(sqs.visible), sqs.hidden) == (500, set())


def test_gives_back_all_when_a_receive_fails() -> None:
    """The error is raised after that."""
    sqs = MemoryQueue(200)
    receive = sqs.receive_message

    def fail_later(**request: Any) -> dict[str, Any]:
        if len(sqs.requests) > 5:
            raise DENIED
        return receive(**request)

    sqs.receive_message = fail_later  # type: ignore[method-assign]
    with pytest.raises(ClientError):
        look(sqs, queue(200))
    assert (len(sqs.visible), sqs.hidden) == (200, set())


def test_counts_the_messages_that_were_looked_at() -> None:
    """So a command can say how many it has seen."""
    with peek(MemoryQueue(3), queue(3), []) as seen:  # type: ignore[arg-type]
        next(seen)
        assert seen.count == 1


@pytest.mark.parametrize(
    ("visible", "hidden", "of_others", "expected"),
    [
        (30, 0, 0, 0),
        (30, 12, 12, 12),
        # Given back since the numbers were read.
        (18, 12, 0, 0),
        (18, 12, 12, 0),
        # Taken by somebody since then.
        (40, 0, 10, 10),
        # SQS says so, but nothing is missing: the number lags behind.
        (30, 0, 30, 0),
    ],
)
def test_knows_how_many_others_have(
    visible: int, hidden: int, of_others: int, expected: int
) -> None:
    """At the end of a look through 30 messages: hidden now, and missing since the beginning."""
    sqs = MemoryQueue(30)
    sqs.of_others = of_others
    facts = dataclasses.replace(queue(visible), hidden=hidden)
    with peek(sqs, facts, []) as seen:  # type: ignore[arg-type]
        next(seen)
        assert seen.end.hidden == 0
        list(seen)
    assert seen.end.hidden == expected


@pytest.mark.parametrize(
    ("visible", "seconds"), [(0, 60), (2_000, 60), (20_000, 60), (60_000, 150), (500_000, 300)]
)
def test_hides_messages_for_a_minute(visible: int, seconds: int) -> None:
    """And for at most five, so that the heartbeat can hide 120,000 messages in time."""
    assert hidden_seconds(visible) == seconds
    sqs = MemoryQueue(1)
    look(sqs, queue(visible))
    assert {request["VisibilityTimeout"] for request in sqs.requests} == {seconds}


def test_takes_empty_answers_of_one_moment_as_one() -> None:
    """Until all expected messages came, three must be empty one after the other."""
    detector = EmptyQueueDetector(10)
    sent = detector.round
    assert [detector.is_empty(0, sent) for _ in range(5)] == [False] * 5
    assert not detector.is_empty(0, detector.round)
    assert detector.is_empty(0, detector.round)


def test_takes_one_empty_answer_once_all_came() -> None:
    """Whenever its request was sent."""
    detector = EmptyQueueDetector(10)
    sent = detector.round
    assert not detector.is_empty(10, sent)
    assert detector.is_empty(0, sent)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Move the clock of this process by so many seconds."""
    start = time.time()
    moved = Counter[str]()

    def move(seconds: float) -> None:
        moved["seconds"] += int(seconds)

    monkeypatch.setattr(time, "time", lambda: start + moved["seconds"])
    return move


def hold(sqs: MemoryQueue, count: int) -> HeldMessages:
    """Hold so many messages for a minute."""
    held = HeldMessages(sqs, "https://queue", 60)  # type: ignore[arg-type]
    for number in range(count):
        message = {**messages.message("{}"), "ReceiptHandle": str(number)}
        held.add([ReceivedMessage.of(message)], time.time() + 60)
    return held


def test_hides_messages_again_when_half_of_their_time_is_left(
    clock: Callable[[float], None],
) -> None:
    """Not before, and again after another half."""
    sqs = MemoryQueue(0)
    held = hold(sqs, 3)
    held.renew()
    assert sqs.changes == []
    for renewed in (3, 6):
        clock(40)
        held.renew()
        assert sqs.changes == [60] * renewed
    held.give_back()


def test_tries_to_hide_messages_again_after_a_failure(clock: Callable[[float], None]) -> None:
    """The next heartbeat is in time."""
    sqs = MemoryQueue(0)
    held = hold(sqs, 1)
    clock(40)
    sqs.denies = True
    held.renew()
    sqs.denies = False
    held.renew()
    assert sqs.changes == [60]
    held.give_back()


def test_leaves_messages_to_others_whose_time_has_ended(clock: Callable[[float], None]) -> None:
    """Another consumer may have received them meanwhile."""
    sqs = MemoryQueue(0)
    held = hold(sqs, 2)
    clock(61)
    held.renew()
    held.give_back()
    assert sqs.changes == []


def test_holds_messages_where_no_file_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk the receipt handles stay in memory."""
    sqs = MemoryQueue(0)
    held = HeldMessages(sqs, "https://queue", 60)  # type: ignore[arg-type]

    def full(_lines: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(held, "_file", _Full(full))
    message = {**messages.message("{}"), "ReceiptHandle": "7"}
    held.add([ReceivedMessage.of(message)], time.time() + 60)
    held.give_back()
    assert sqs.changes == [0]


class _Full:
    """A file that cannot be written."""

    def __init__(self, write: Callable[[bytes], int]) -> None:
        self.write = write

    def seek(self, _place: int) -> None:
        """Do nothing."""

    def __enter__(self) -> _Full:
        return self

    def __exit__(self, *_exception: object) -> None:
        """Do nothing."""
