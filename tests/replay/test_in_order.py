"""Message groups, shards and partitions: one message of each at a time, the oldest first."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from failure_destinations.progress import NO_PROGRESS, Progress
from failure_destinations.replay.in_order import InOrder
from failure_destinations.replay.received_message import ReceivedMessage
from failure_destinations.replay.run import ReplayRun
from failure_destinations.replay.selection import Selection
from failure_destinations.runtime import FailedEvent, Outcome
from failure_destinations.runtime.queue_dead_letter import read_queue_dead_letter

from ..runtime import messages
from . import kinesis_batches
from .test_run import AUTHORITY, OK, Memory

QUEUE = "arn:aws:sqs:eu-west-1:111122223333:orders.fifo"


def message(text: str, *, fifo: bool = True) -> ReceivedMessage:
    """Return a message `<group><number>`, such as `a1`."""
    noted: dict[str, str] = {"MessageGroupId": text[0]}
    if fifo:
        noted["SequenceNumber"] = text[1]
    raw = {"MessageId": text, "Body": text, "Attributes": noted}
    return ReceivedMessage(raw, read_queue_dead_letter(raw, queue=QUEUE))


def batch(text: str, **about: Any) -> ReceivedMessage:
    """Return a failed batch `<shard><number>`, such as `a1`; its id is the text."""
    record = kinesis_batches.record(1, start=int(text[1:]), request_id=text, **about)
    record["KinesisBatchInfo"]["shardId"] = text[0]
    return ReceivedMessage.of({**messages.message(json.dumps(record)), "MessageId": text})


def kafka_batch(name: str, **offsets: int) -> ReceivedMessage:
    """Return a failed batch with the first offset of each partition, such as `t_0=17`."""
    parts = {
        part.replace("_", "-"): {"firstRecordOffset": str(at), "lastRecordOffset": str(at)}
        for part, at in offsets.items()
    }
    record = kinesis_batches.record(1, request_id=name)
    del record["KinesisBatchInfo"]
    record["KafkaBatchInfo"] = {"batchSize": 1, "recordsInfo": parts}
    return ReceivedMessage.of({**messages.message(json.dumps(record)), "MessageId": name})


class Fifo:
    """A FIFO queue that hands out up to two messages of a group, and more when those are gone."""

    max_receives: int | None = None
    ended_early: str | None = None
    hidden = 0

    def __init__(self, *texts: str, fifo: bool = True) -> None:
        self.total: int | None = len(texts)
        self.left = [message(text, fifo=fifo) for text in texts]
        self.out: list[ReceivedMessage] = []
        self.kept: list[str] = []

    def batches(self) -> Iterator[list[ReceivedMessage]]:
        """Yield what can be received now."""
        while True:
            blocked = {one.body[0] for one in self.out}
            group = next((one.body[0] for one in self.left if one.body[0] not in blocked), None)
            if group is None:
                return
            batch = [one for one in self.left if one.body[0] == group][:2]
            for one in batch:
                self.left.remove(one)
            self.out += batch
            yield batch

    def delete(self, message: ReceivedMessage) -> None:
        """Delete a message."""
        self.out.remove(message)

    def holds(self, message: ReceivedMessage) -> bool:
        """Return whether it is out."""
        return message in self.out

    def keep(self, messages: Sequence[ReceivedMessage], *, may_run_seconds: int = 0) -> None:
        """Note it: it stays hidden, and so does its group."""
        del may_run_seconds
        self.kept += [one.body for one in messages]

    def close(self, progress: Progress = NO_PROGRESS) -> None:
        """Do nothing."""


def replay(source: InOrder, failing: Sequence[str] = ()) -> list[str]:
    """Run all messages, one after the other, and return their ids in order."""
    ran: list[str] = []
    for batch in source.batches():
        for one in batch:
            ran.append(one.id)
            if one.id in failing:
                source.keep([one])
            else:
                source.delete(one)
    return ran


def everything(_message: ReceivedMessage) -> bool:
    """Choose all."""
    return True


def test_runs_each_group_in_order() -> None:
    """Also what SQS hands out only once the first ones of a group are deleted."""
    fifo = Fifo("a1", "b1", "a2", "a3", "b2", "a4", "a5")
    ran = replay(InOrder(fifo, everything, 4))
    assert [one for one in ran if one[0] == "a"] == ["a1", "a2", "a3", "a4", "a5"]
    assert [one for one in ran if one[0] == "b"] == ["b1", "b2"]
    assert fifo.out == []


def test_yields_one_of_a_group_at_a_time() -> None:
    """The second one comes when the first one is deleted."""
    source = InOrder(Fifo("a1", "a2", "b1"), everything, 1)
    batches = source.batches()
    (first,) = next(batches)
    assert next(batches) == []
    source.delete(first)
    assert [one.body for one in next(batches)] == ["a2"]


def test_a_failure_stops_its_group() -> None:
    """The later ones stay, and are counted; other groups go on."""
    fifo = Fifo("a1", "a2", "a3", "b1", "b2")
    source = InOrder(fifo, everything, 4)
    assert replay(source, failing=["a1"]) == ["a1", "b1", "b2"]
    assert fifo.kept == ["a1", "a2"]
    assert source.ended_early == (
        "1 message of 1 message group of a FIFO queue stay, since an earlier one of their group "
        "does"
    )


def test_what_is_not_run_stops_nothing() -> None:
    """The operator chose another message of the group."""
    source = InOrder(Fifo("a1", "a2"), lambda one: one.body == "a2", 4)
    assert replay(source, failing=["a1"]) == ["a1", "a2"]
    assert source.ended_early is None


@pytest.mark.parametrize("running", [1, 4])
def test_standard_queues_have_no_order(running: int) -> None:
    """Also where their messages have groups, as in fair queues."""
    source: Any = InOrder(Fifo("a1", "a2", fifo=False), everything, running)
    assert [one.body for one in next(source.batches())] == ["a1", "a2"]


def test_reads_a_file_once() -> None:
    """It has everything at once, and still has it when it was run."""

    class File(Fifo):
        """A backup."""

        def batches(self) -> Iterator[list[ReceivedMessage]]:
            yield self.left

        def delete(self, message: ReceivedMessage) -> None:
            """Do nothing."""

    source = InOrder(File("a1", "b1", "a2"), everything, 4, is_queue=False)
    assert replay(source) == ["a1", "b1", "a2"]


def test_runs_the_oldest_batch_of_a_shard_first() -> None:
    """Of those that were received; numbers are compared as numbers."""
    source = Memory([batch("a9"), batch("b7"), batch("a10"), batch("a2")], [batch("b6")])
    assert replay(InOrder(source, everything, 1)) == ["a2", "b7", "a9", "a10", "b6"]
    # What a first receive does not bring is not waited for.
    source = Memory([batch("a9")], [batch("a2"), batch("a1")])
    assert replay(InOrder(source, everything, 4)) == ["a9", "a1", "a2"]


def test_a_failed_batch_does_not_stop_its_shard() -> None:
    """Its mapping went on too."""
    source = Memory([batch("a1"), batch("a2"), batch("a3")])
    ordered = InOrder(source, everything, 4)
    assert replay(ordered, failing=["a1"]) == ["a1", "a2", "a3"]
    assert [one.id for one in source.kept] == ["a1"]
    assert ordered.ended_early is None


def test_batches_of_two_functions_do_not_wait_for_each_other() -> None:
    """Nor do those of two streams, whose shards have the same names."""
    other = messages.FUNCTION.replace("nightly", "daily")
    stream = kinesis_batches.STREAM.replace("orders", "returns")
    received = [batch("a1"), batch("a2", function=other), batch("a3", stream=stream)]
    first = next(InOrder(Memory(received), everything, 1).batches())
    assert [one.id for one in first] == ["a1", "a2", "a3"]


def test_a_batch_of_kafka_waits_for_each_of_its_partitions() -> None:
    """It may have several; offsets are those of one partition only."""
    received = [
        kafka_batch("both", t_0=50, t_1=5),
        kafka_batch("late", t_1=60),
        kafka_batch("early", t_0=40),
        kafka_batch("other", t_2=1),
    ]
    source = InOrder(Memory(received), everything, 4)
    batches = source.batches()
    first = next(batches)
    assert [one.id for one in first] == ["early", "other"]
    source.delete(first[1])
    assert next(batches) == []
    source.delete(first[0])
    (both,) = next(batches)
    assert both.id == "both"
    source.delete(both)
    assert [one.id for one in next(batches)] == ["late"]


def test_batches_that_wait_for_each_other_run() -> None:
    """Their messages lie, or the topic was made anew: no order holds for both partitions."""
    received = [kafka_batch("x", t_0=1, t_1=9), kafka_batch("y", t_0=9, t_1=1)]
    assert replay(InOrder(Memory(received), everything, 4)) == ["x", "y"]


def test_receives_no_more_while_many_wait() -> None:
    """They are in memory, and hidden from other consumers."""
    source = InOrder(Memory(*[[batch(f"a{at}")] for at in (9, 8, 7, 1)]), everything, 4, may_wait=2)
    batches = source.batches()
    (first,) = next(batches)
    assert [next(batches) for _ in range(4)] == [[], [], [], []]
    source.delete(first)
    assert [one.id for one in next(batches)] == ["a7"]


def test_other_shards_go_on_while_a_handler_runs() -> None:
    """A run has one handler for each shard, and others for other events."""
    plain = ReceivedMessage.of({**messages.message(messages.record("{}")), "MessageId": "plain"})
    received = [batch(text) for text in ("a2", "a1", "b2", "b1", "c1")]
    source = InOrder(Memory(received, [plain]), everything, 14)
    met = threading.Barrier(4)
    running: set[str] = set()
    lock = threading.Lock()
    started: list[str] = []

    def invoke(event: FailedEvent) -> Outcome:
        shard = "plain" if event.batch is None else event.batch.shard or ""
        with lock:
            assert shard not in running
            running.add(shard)
            started.append(str(event.request_id))
        if event.request_id in ("a1", "b1", "c1", messages.REQUEST_ID):
            met.wait(30)
        with lock:
            running.remove(shard)
        return OK

    run = ReplayRun(source, invoke, selection=Selection(AUTHORITY), concurrency=4)
    assert run.run().succeeded == 6
    assert started.index("a1") < started.index("a2")
    assert started.index("b1") < started.index("b2")
