"""How a run goes carefully: one event of each group, then ten, then the rest."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import pytest

from failure_destinations.replay import careful
from failure_destinations.replay.careful import Care
from failure_destinations.replay.filters import Filter
from failure_destinations.replay.plan import make_plan
from failure_destinations.replay.received_message import ReceivedMessage
from failure_destinations.replay.run import ReplayRun
from failure_destinations.replay.selection import Selection
from failure_destinations.replay.tally import Tally
from failure_destinations.runtime import FailedEvent, Outcome

from ..runtime import messages
from .test_run import AUTHORITY, OK, Memory

FAILED = Outcome("failed", None, "ValueError", "no such order")
CAREFUL = Care()


def failures(count: int, error: str = "ValueError", receives: str = "1") -> list[ReceivedMessage]:
    """Return failed events of one group."""
    body = messages.record("{}").replace("RuntimeError", error)
    return [
        ReceivedMessage.of(
            {
                **messages.message(
                    body.replace(messages.REQUEST_ID, f"{error}-{number}"),
                    ApproximateReceiveCount=receives,
                ),
                "MessageId": f"message-{error}-{number}",
            }
        )
        for number in range(count)
    ]


def batches(events: list[ReceivedMessage]) -> list[list[ReceivedMessage]]:
    """Return events in batches as SQS hands them out."""
    return [events[start : start + 10] for start in range(0, len(events), 10)]


class Handler:
    """A handler that fails for some errors, and counts its runs by error."""

    def __init__(self, *broken: str, only: Callable[[int], bool] = lambda _: True) -> None:
        self.runs: Counter[str] = Counter()
        self.most_at_once = 0
        self._broken = broken
        self._only = only
        self._lock = threading.Lock()

    def __call__(self, event: FailedEvent) -> Outcome:
        """Run once."""
        error = event.error_type or ""
        with self._lock:
            self.runs[error] += 1
            number = self.runs[error]
        return FAILED if error in self._broken and self._only(number) else OK


def run(
    source: Memory,
    handler: Callable[[FailedEvent], Outcome],
    care: Care = CAREFUL,
    *,
    at_most: int | None = None,
    chosen: Filter | None = None,
    concurrency: int = 8,
) -> Tally:
    """Replay to the end."""
    tally = ReplayRun(
        source,
        handler,
        selection=Selection(AUTHORITY, chosen or Filter()),
        concurrency=concurrency,
        at_most=at_most,
        care=care,
        first_wait_seconds=0,
    ).run()
    assert source.closed
    return tally


def test_a_poison_group_costs_one_run() -> None:
    """Of 500 events that all fail again, one runs; the others stay, with the reason."""
    events, handler = failures(500), Handler("ValueError")
    source = Memory(*batches(events))
    tally = run(source, handler)
    assert handler.runs == {"ValueError": 1}
    assert (tally.succeeded, tally.failed, tally.left) == (0, 1, 499)
    assert (source.deleted, len(source.kept)) == ([], 500)
    (group,) = tally.left_groups.values()
    assert group.count == 499
    assert group.function == "nightly-report"
    assert group.because == "its first event failed again: ValueError: no such order"
    assert not tally.all_succeeded


def test_other_groups_of_the_run_succeed() -> None:
    """Also if they arrive later: each group has a first event of its own."""
    good, late = failures(300, "KeyError"), failures(30, "OSError")
    mixed = [one for pair in zip(failures(300), good, strict=True) for one in pair]
    handler = Handler("ValueError")
    source = Memory(*batches(mixed + late))
    tally = run(source, handler)
    assert handler.runs == {"ValueError": 1, "KeyError": 300, "OSError": 30}
    assert (tally.succeeded, tally.failed, tally.left) == (330, 1, 299)
    assert len(source.deleted) == 330


@pytest.mark.parametrize("count", [1, 2, 10, 11, 12, 25, 500])
def test_a_fixed_group_is_replayed_to_the_end(count: int) -> None:
    """However many events it has."""
    source = Memory(*batches(failures(count)))
    tally = run(source, Handler())
    assert (tally.succeeded, tally.left, len(source.deleted)) == (count, 0, count)
    assert tally.all_succeeded


def test_ten_more_run_before_the_rest() -> None:
    """A first event that succeeded by chance costs at most ten more."""
    handler = Handler("ValueError", only=lambda number: number > 1)
    tally = run(Memory(*batches(failures(500))), handler)
    assert 7 <= handler.runs["ValueError"] <= 11
    assert tally.left == 500 - handler.runs["ValueError"]
    (group,) = tally.left_groups.values()
    assert "6 of its next 10 events failed again" in group.because
    assert tally.stopped is None


def test_only_one_event_of_a_group_runs_at_first() -> None:
    """Nothing else of it starts before the first one has ended; other groups go on."""
    ended, others = threading.Event(), threading.Event()
    at_once: list[str] = []

    def handler(event: FailedEvent) -> Outcome:
        if event.error_type == "KeyError":
            others.set()
        elif not ended.is_set():
            at_once.append(event.request_id or "")
            assert others.wait(20)
            ended.set()
        return OK

    events = failures(40) + failures(1, "KeyError")
    tally = run(Memory(*batches(events)), handler)
    assert (len(at_once), tally.succeeded) == (1, 41)


def test_all_runs_every_event() -> None:
    """With --all the first event decides nothing, and nothing stops the run unasked."""
    handler = Handler("ValueError")
    tally = run(Memory(*batches(failures(60))), handler,
                Care.chosen(all_groups=True, stop_at=None))  # fmt: skip
    assert (handler.runs["ValueError"], tally.failed, tally.left) == (60, 60, 0)
    assert tally.stopped is None


@pytest.mark.parametrize(
    ("stop_at", "stops"), [(0, True), (49, True), (50, True), (60, False), (100, False)]
)
def test_stops_when_too_many_of_the_latest_fail(stop_at: int, stops: bool) -> None:
    """A bit over half of the events fail, in a group whose first eleven succeeded."""
    handler = Handler("ValueError", only=lambda number: number > 11 and number % 20 < 11)
    tally = run(Memory(*batches(failures(400))), handler, Care(stop_at=stop_at), concurrency=1)
    assert (tally.stopped is not None) is stops
    if tally.stopped is not None:
        allowed = stop_at * 20 // 100
        assert f"and --stop-at {stop_at} allows {allowed} of 20: fix the" in tally.stopped
        assert handler.runs["ValueError"] < 100
        assert not tally.all_succeeded


def test_first_events_that_fail_count_for_the_stop() -> None:
    """A broken database fails the first event of every group: the run ends early."""
    events = [failures(3, f"Error{'x' * number}")[0] for number in range(100)]
    handler = Handler(*{one.event.error_type or "" for one in events if one.event})
    tally = run(Memory(*batches(events)), handler)
    assert tally.stopped is not None
    assert 11 <= handler.runs.total() <= 30


def test_stops_as_soon_as_too_many_failed() -> None:
    """At most ten of twenty may, so the eleventh failure is one too many."""
    events = [failures(3, f"Error{'x' * number}")[0] for number in range(15)]
    handler = Handler(*{one.event.error_type or "" for one in events if one.event})
    tally = run(Memory(*batches(events)), handler, concurrency=1)
    assert handler.runs.total() == 11
    assert tally.stopped is not None
    assert tally.stopped.startswith("11 of the last 11 events failed")


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome("unknown", None, "ReadTimeoutError"),
        Outcome("not-started", "gone", "ResourceNotFoundException"),
        Outcome("not-started", "throttled", "TooManyRequestsException"),
    ],
)
def test_leaves_a_group_whose_first_event_was_not_run(outcome: Outcome) -> None:
    """Nobody knows whether the handler would succeed."""
    tally = run(Memory(*batches(failures(30))), lambda _: outcome)
    assert (tally.failed, tally.left) == (1, 29)
    (group,) = tally.left_groups.values()
    assert outcome.error_type is not None
    assert outcome.error_type in group.because


def test_an_event_without_payload_says_nothing_about_its_group() -> None:
    """It cannot be replayed; the others are."""
    body = messages.record("{}").replace("RuntimeError", "ValueError")
    lost = ReceivedMessage.of(messages.message(body.replace("requestPayload", "was")))
    assert lost.event is not None
    assert lost.event.obstacle is not None
    source = Memory([lost], *batches(failures(30)))

    def handler(event: FailedEvent) -> Outcome:
        return Outcome("not-started", "refused") if event.obstacle else OK

    tally = run(source, handler)
    assert (tally.succeeded, tally.failed, tally.left) == (30, 1, 0)


def test_memory_holds_a_bounded_number_of_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the first event runs, only so many are received; then the run goes on."""
    monkeypatch.setattr(careful, "MAX_WAITING", 50)
    source = Memory(*batches(failures(500)))
    received, release = [], threading.Event()
    given = source.batches

    def counted():  # type: ignore[no-untyped-def]
        for batch in given():
            received.append(len(batch))
            if sum(received) >= 60:
                release.set()
            yield batch

    source.batches = counted  # type: ignore[method-assign]
    at_first: list[int] = []

    def handler(_event: FailedEvent) -> Outcome:
        if not at_first:
            assert release.wait(20)
            at_first.append(sum(received))
        return OK

    tally = run(source, handler)
    assert at_first == [60]
    assert tally.succeeded == 500


@pytest.mark.parametrize("at_most", [1, 5, 11, 12, 40])
def test_starts_no_more_than_asked_for(at_most: int) -> None:
    """The first event and the ten count too."""
    source = Memory(*batches(failures(100)))
    assert run(source, Handler(), at_most=at_most).succeeded == at_most
    assert len(source.deleted) == at_most


def test_left_events_do_not_count_for_max() -> None:
    """--max counts what is started."""
    source = Memory(*batches(failures(30) + failures(30, "KeyError")))
    tally = run(source, Handler("ValueError"), at_most=10)
    assert (tally.failed, tally.succeeded) == (1, 9)


def test_stops_before_a_message_of_a_left_group_is_moved() -> None:
    """The queue moves a message away after three receives: none is lost to a left group."""
    source = Memory(*batches(failures(30, receives="2")), limit=3)
    tally = run(source, Handler("ValueError"))
    assert tally.stopped is not None
    assert "received 2 of 3 times" in tally.stopped


def test_a_second_delivery_of_a_left_event_stays() -> None:
    """It is not run either."""
    events = failures(5)
    handler = Handler("ValueError")
    source = Memory(events, events[3:], events[:1])
    tally = run(source, handler)
    assert (handler.runs["ValueError"], source.deleted, len(source.kept)) == (1, [], 8)
    assert tally.duplicates == 3


def test_stops_receiving_when_the_named_events_are_found() -> None:
    """`--id` in a long queue does not read it to its end."""
    events = failures(500)
    source = Memory(*batches(events))
    chosen = Filter(ids=("message-ValueError-15", "ValueError-17"))
    tally = run(source, Handler(), chosen=chosen)
    assert tally.succeeded == 2
    assert len(source.kept) == 18
    # The second id is of a request, which SNS may have delivered twice.
    assert tally.unread == 480
    ids = tuple(f"message-ValueError-{at}" for at in (15, 17))
    assert run(Memory(*batches(events)), Handler(), chosen=Filter(ids=ids)).unread == 0
    seen: list[ReceivedMessage] = []
    plan = make_plan(
        (seen.append(one) or one for one in events),  # type: ignore[func-returns-value]
        Selection(AUTHORITY, chosen),
    )
    assert (plan.total, len(seen)) == (2, 18)


def test_the_plan_counts_groups() -> None:
    """As many first events run as there are groups."""
    plan = make_plan(failures(30) + failures(2, "KeyError"), Selection(AUTHORITY))
    assert sorted(plan.failure_groups.values()) == [2, 30]
