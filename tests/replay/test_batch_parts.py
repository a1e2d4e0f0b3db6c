"""Failed batches in a run: which of their records run, and what becomes of their messages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from failure_destinations.errors import CommandError
from failure_destinations.replay.batch_parts import BatchChoice, BatchInvoker
from failure_destinations.replay.invoked_functions import InvokedFunctions
from failure_destinations.replay.journal import Journal
from failure_destinations.replay.newest_records import NewestRecords
from failure_destinations.replay.options import ReplayOptions, check_chooses_one
from failure_destinations.replay.past_runs import read_run
from failure_destinations.replay.plan import make_plan
from failure_destinations.replay.positions import from_text, to_text
from failure_destinations.replay.received_message import ReceivedMessage
from failure_destinations.replay.run import ReplayRun
from failure_destinations.replay.selection import Selection
from failure_destinations.replay.tally import Tally
from failure_destinations.replay.tally_lines import tally_lines
from failure_destinations.runtime import FailedEvent, Outcome
from failure_destinations.runtime.batch_response import read_response
from failure_destinations.runtime.event_records import records_of

from ..runtime import messages
from .kinesis_batches import event, number, received
from .test_run import AUTHORITY, OK, Memory

ABC = (("a", "1"), ("b", "2"), ("a", "3"))
OF_KEY = "of the same key was chosen"
MAILER = messages.FUNCTION.replace("nightly-report", "mailer")
SAVES = "`discard` saves and deletes their batches"
RAISES = Outcome("failed", None, "ValueError", "no")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the journals."""
    monkeypatch.setenv("FAILURE_DESTINATIONS_STATE", str(tmp_path))
    return tmp_path / "runs"


def answering(*failed: int) -> Callable[[FailedEvent], Outcome]:
    """Return a handler that reports records as failed, by their place in the stream."""
    failures = [{"itemIdentifier": number(at)} for at in failed]

    def invoke(event: FailedEvent) -> Outcome:
        names = {record.identifier for record in records_of(event.payload)}
        reported = [one for one in failures if one["itemIdentifier"] in names]
        result = read_response(json.dumps({"batchItemFailures": reported}), event.payload)
        if result.succeeded:
            return Outcome("succeeded", batch=result)
        return Outcome("failed", None, "BatchItemFailures", result.message, result)

    return invoke


def run(
    source: Memory,
    invoke: Callable[[FailedEvent], Outcome],
    choice: BatchChoice,
    journal: Journal | None = None,
) -> Tally:
    """Replay to the end."""
    replaying = ReplayRun(
        source,
        invoke,
        selection=Selection(AUTHORITY),
        concurrency=1,
        invoke_message=BatchInvoker(invoke, choice),
        journal=journal,
        first_wait_seconds=0,
    )
    return replaying.run()


def newest(*received: ReceivedMessage) -> NewestRecords:
    """Return the newest records of some batches."""
    found = NewestRecords()
    for message in received:
        found.add(message)
    return found


@pytest.mark.parametrize(
    ("chosen", "failed", "ran", "handled", "deleted"),
    [
        ((), (), [0, 1, 2], 3, True),
        # A stream has one position: what follows the lowest failure counts as not handled.
        ((), (1,), [0, 1, 2], 1, False),
        ((), (0, 2), [0, 1, 2], 0, False),
        ((1,), (), [1], 1, False),
        ((1,), (1,), [1], 0, False),
        ((0, 2), (2,), [0, 2], 1, False),
        ((2, 0, 1), (), [0, 1, 2], 3, True),
    ],
)
def test_deletes_a_batch_only_if_every_record_is_handled(
    chosen: tuple[int, ...], failed: tuple[int, ...], ran: list[int], handled: int, deleted: bool
) -> None:
    """Whichever records were chosen, and whatever the handler reports; what was handled is said."""
    message = received(*ABC)
    source = Memory([message])
    events: list[FailedEvent] = []

    def invoke(event: FailedEvent) -> Outcome:
        events.append(event)
        return answering(*failed)(event)

    tally = run(source, invoke, BatchChoice(tuple(map(number, chosen))))
    (got,) = events
    assert [one.identifier for one in records_of(got.payload)] == [number(at) for at in ran]
    assert source.deleted == ([message] if deleted else [])
    assert source.kept == ([] if deleted else [message])
    assert tally.records_handled == handled
    fails = bool(set(failed) & set(ran))
    assert (tally.succeeded, tally.failed, tally.partial) == (
        int(deleted),
        int(fails),
        int(not deleted and not fails),
    )
    assert tally.all_succeeded is not fails
    assert tally.started_any


def test_says_what_stays_of_a_batch() -> None:
    """A line for batches, one for the records that were handled, and one for older ones."""
    tally = Tally(succeeded=1, partial=2, records_handled=7, records_older=1)
    assert list(tally_lines(tally, from_file=False)) == [
        "1 succeeded, deleted from the queue",
        "2 failed batches handled as far as chosen (left in the queue)",
        "7 records of failed batches handled",
        f"1 record left out, since a newer one {OF_KEY} (left in the queue): {SAVES}",
    ]


def test_runs_the_whole_event_byte_for_byte() -> None:
    """What is not cut is not written anew."""
    events: list[FailedEvent] = []

    def invoke(event: FailedEvent) -> Outcome:
        events.append(event)
        return OK

    run(Memory([received(*ABC)]), invoke, BatchChoice())
    assert [one.payload for one in events] == [event(*ABC)]


def test_runs_the_newest_record_of_each_key() -> None:
    """Of all batches of the run; older ones stay with their messages, and nothing is lost."""
    first = received(*ABC, id="1", request_id="1")
    second = received(("b", "4"), ("c", "5"), start=10, id="2", request_id="2")
    later = received(("a", "6"), start=20, id="3", request_id="3")
    choice = BatchChoice(newest=newest(first, second))
    source = Memory([first], [second], [later])
    ran: list[str] = []

    def invoke(event: FailedEvent) -> Outcome:
        ran.extend(record.identifier for record in records_of(event.payload))
        return OK

    tally = run(source, invoke, choice)
    # What came after the look runs too.
    assert sorted(ran) == [number(2), number(10), number(11), number(20)]
    assert [one.id for one in source.deleted] == ["2", "3"]
    assert [one.id for one in source.kept] == ["1"]
    assert (tally.succeeded, tally.partial, tally.records_older) == (2, 1, 2)


def test_does_not_run_a_batch_of_which_every_record_is_older() -> None:
    """Its message stays."""
    old, new = received(("a", "1"), request_id="1"), received(("a", "2"), start=1, request_id="2")
    source = Memory([old])
    tally = run(source, lambda _: pytest.fail("ran"), BatchChoice(newest=newest(old, new)))
    assert (source.kept, tally.partial, tally.records_older) == ([old], 1, 1)
    assert tally.all_succeeded


def test_remembers_the_newest_record_once_its_batch_is_gone() -> None:
    """A second run must not put the old version in the place of the new one."""
    old, new = received(("a", "1"), ("b", "1")), received(("a", "2"), start=5, request_id="2")
    before = newest(old, new)
    (noted,) = before.notes()
    # Of keys with one record there is nothing to know.
    assert len(noted) == 1
    later = NewestRecords()
    later.remember(json.loads(json.dumps(noted)))
    later.add(old)
    assert later.older == 1
    source = Memory([old])
    ran: list[str] = []

    def invoke(event: FailedEvent) -> Outcome:
        ran.extend(record.identifier for record in records_of(event.payload))
        return OK

    tally = run(source, invoke, BatchChoice(newest=later))
    assert ran == [number(1)]
    assert (source.kept, tally.records_older) == ([old], 1)
    later.remember({"x": "1", "00" * 16: "-1", "11" * 16: 7})  # type: ignore[dict-item]
    assert list(later.notes()) == []


def test_keys_are_those_of_one_stream() -> None:
    """Another stream may have the same key, and a record without a key is never left out."""
    body = event(("a", "2"), start=1, stream="arn:aws:kinesis:eu-west-1:111122223333:stream/x")
    other = received(("a", "1"))
    choice = BatchChoice(newest=newest(other))
    (record,) = records_of(body)
    assert choice.newest is not None
    assert other.event is not None
    assert not choice.newest.is_older(record, other.event)
    aggregated = json.loads(event(("a", "x"), ("a", "y")))
    for one in aggregated["Records"]:
        one["kinesis"]["data"] = "84mawg=="
    for record in records_of(json.dumps(aggregated)):
        assert not choice.newest.is_older(record, other.event)


def test_a_record_of_another_function_is_not_newer() -> None:
    """Each function that reads a stream has its own position, so all of its keys run."""
    stock = received(("a", "1"), ("b", "1"), request_id="1", id="1")
    mailer = received(("a", "2"), start=10, request_id="2", id="2", function=MAILER)
    known = newest(stock, mailer)
    assert (known.counted, known.older, list(known.notes())) == (3, 0, [])
    source = Memory([stock, mailer])
    tally = run(source, lambda _: OK, BatchChoice(newest=known))
    assert (source.deleted, tally.records_older) == ([stock, mailer], 0)
    # What one function's run noted says nothing about the other's.
    (noted,) = newest(mailer, received(("a", "3"), start=20, function=MAILER)).notes()
    known = newest(stock)
    known.remember(noted)
    assert known.older == 0
    # With --to, all records go to one function.
    known = NewestRecords(Selection(AUTHORITY, to=MAILER).destination)
    known.add(stock)
    known.add(mailer)
    assert known.older == 1
    known = newest(stock, received(("a", "2"), start=10, function=f"{messages.FUNCTION}:$LATEST"))
    assert known.older == 1


def test_counts_a_batch_that_was_delivered_twice_once() -> None:
    """None of its records is older; nor is one that two batches share."""
    batch = received(*ABC)
    again = received(*ABC, id="2")
    known = newest(batch, again)
    assert (known.counted, known.older) == (3, 1)
    known.add(received(("a", "3"), start=2, request_id="2"))
    assert (known.counted, known.older) == (4, 1)


def test_a_resumed_run_skips_the_records_that_are_handled() -> None:
    """The journal says which; the message is deleted once all are."""
    message = received(*ABC)
    journal = Journal.begin("replay", {"source": "queue", "options": {}})
    tally = run(Memory([message]), answering(1), BatchChoice(), journal)
    assert tally.failed == 1
    journal.end({})
    (line,) = [one for one in read_run(journal.name).events() if one["became"] == "failed"]
    assert (line["handled"], line["records"]) == ("1", 3)
    handled = read_run(journal.name).handled_records()
    assert handled == {message.key: frozenset({0})}
    ran: list[str] = []

    def invoke(event: FailedEvent) -> Outcome:
        ran.extend(record.identifier for record in records_of(event.payload))
        return OK

    source = Memory([message])
    tally = run(source, invoke, BatchChoice(handled=handled))
    assert ran == [number(1), number(2)]
    assert (source.deleted, tally.succeeded, tally.records_handled) == ([message], 1, 2)
    # A batch with other records is another one.
    other = received(*ABC[:2], request_id="2")
    assert BatchChoice(handled=handled).part(other).chosen == {0, 1}  # type: ignore[union-attr]


def test_a_resumed_run_deletes_a_batch_that_was_handled_in_parts() -> None:
    """No handler runs for it."""
    message = received(*ABC)
    source = Memory([message])
    everything = BatchChoice(handled={message.key: frozenset({0, 1, 2})})
    tally = run(source, lambda _: pytest.fail("ran"), everything)
    assert (source.deleted, tally.succeeded) == ([message], 1)


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (received(*ABC), f"its batch has no record {number(7)}"),
        (
            ReceivedMessage.of(messages.message(messages.record("{}"))),
            "it has no records to choose from: leave out --record",
        ),
    ],
)
def test_does_not_guess_a_record(message: ReceivedMessage, why: str) -> None:
    """The message stays, with the reason."""
    choice = BatchChoice((number(7),))
    source = Memory([message])
    tally = run(source, lambda _: pytest.fail("ran"), choice)
    assert list(tally.errors) == [("nightly-report", f"NotReplayable: {why}")]
    assert source.kept == [message]
    plan = make_plan([message], Selection(AUTHORITY), choice=choice)
    assert (plan.total, sum(plan.would_stay.values())) == (0, 1)


def test_an_error_handles_no_record() -> None:
    """A handler that raises has not said which records it has handled."""
    tally = run(Memory([received(*ABC)]), lambda _: RAISES, BatchChoice())
    assert (tally.failed, tally.records_handled) == (1, 0)


def test_a_batch_without_records_stays_with_the_reason() -> None:
    """The reason is one line for all alike, however many there are."""
    bare = json.loads(received(*ABC).body)
    del bare["payload"]
    message = ReceivedMessage.of(messages.message(json.dumps(bare)))
    assert message.event is not None
    gone = [
        ReceivedMessage(
            {**message.message, "MessageId": str(at)},
            FailedEvent(**{**vars(message.event), "records_gone": f"gone {at}"}),
        )
        for at in range(2)
    ]
    said = "its records cannot be fetched: `show` says why"
    assert make_plan(gone, Selection(AUTHORITY)).would_stay == {said: 2}
    source = Memory(gone[:1])
    tally = run(source, lambda _: Outcome("not-started", "refused", "X", "y"), BatchChoice())
    assert list(tally.errors) == [("nightly-report", f"X: {said}")]
    assert source.kept == gone[:1]


def test_the_plan_counts_records_by_source() -> None:
    """With what --only-latest would leave out."""
    selection = Selection(AUTHORITY)
    batches = [received(*ABC, request_id=str(at), start=at * 10, id=str(at)) for at in range(2)]
    plan = make_plan(batches, selection, newest=NewestRecords())
    assert plan.newest is not None
    (name,) = plan.sources
    assert name == "stream/orders"
    assert vars(plan.sources[name]) == {"batches": 2, "records": 6, "of": 6}
    assert plan.newest.older == 4


def test_does_not_hand_a_batch_over() -> None:
    """Nobody would read which records its handler has not handled."""
    functions = InvokedFunctions(lambda _: pytest.fail("asked"), asynchronous=True)
    selection = Selection(AUTHORITY, functions=functions)
    message = received(*ABC)
    assert selection.verdict(message) == "batch-not-awaited"
    (reason,) = make_plan([message], selection).would_stay
    assert "leave out --asynchronous" in reason
    tally = Tally()
    tally.count_left("batch-not-awaited")
    assert not tally.all_succeeded
    assert any("leave out --asynchronous" in line for line in tally_lines(tally, from_file=False))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"records": ("1",)}, "--record names records of one failed batch, got 0: name it"),
        ({"records": ("1",), "only_latest": True, "ids": ("12345678",)}, "exclude each other"),
        ({"only_latest": True, "asynchronous": True}, "leave out --asynchronous"),
    ],
)
def test_rejects_options_that_contradict_each_other(options: dict[str, Any], said: str) -> None:
    """Before anything is read."""
    ids = options.pop("ids", ())
    chosen = ReplayOptions().chosen.__class__(ids=ids)
    with pytest.raises(CommandError, match=said):
        ReplayOptions(chosen=chosen, **options).check(to_run=True)


def test_rejects_a_part_of_an_edited_payload() -> None:
    """It is the whole event."""
    chosen = ReplayOptions().chosen.__class__(ids=("12345678",))
    with pytest.raises(CommandError, match="leave out --record"):
        check_chooses_one(ReplayOptions(chosen=chosen, records=("1",)))


@pytest.mark.parametrize(
    ("positions", "text"),
    [((), ""), ((0,), "1"), ((0, 1, 2, 4), "1-3,5"), ((9, 7, 8, 7), "8-10")],
)
def test_writes_positions_as_ranges(positions: tuple[int, ...], text: str) -> None:
    """And reads them again."""
    assert to_text(positions) == text
    assert from_text(text) == frozenset(positions)


@pytest.mark.parametrize("text", [None, 5, "0", "3-1", "1-9999999", "1,", "x", "1-999999", "１"])
def test_reads_no_other_text_as_positions(text: object) -> None:
    """A journal may hold anything."""
    assert from_text(text) == frozenset()
