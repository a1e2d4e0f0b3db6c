"""How a run decides, with what no engine does when asked: throttles, lost answers, refusals."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest
from botocore.exceptions import ClientError

from failure_destinations.replay import run as replaying
from failure_destinations.replay.filters import Filter
from failure_destinations.replay.received_message import Waiting
from failure_destinations.replay.run import Replaying, Tally
from failure_destinations.runtime import FailedEvent, Outcome

from ..runtime import messages

OK = Outcome("succeeded")
DENIED = ClientError({"Error": {"Code": "ExpiredToken", "Message": "expired"}}, "ReceiveMessage")


class Memory:
    """Batches that somebody else received, and what became of each message."""

    def __init__(self, *batches: list[Waiting], limit: int | None = None) -> None:
        self.total: int | None = sum(map(len, batches))
        self.limit = limit
        self.deleted: list[Waiting] = []
        self.kept: list[Waiting] = []
        self.may_run: list[Waiting] = []
        self.ended_early: str | None = None
        self.ours = True
        self.closed = False
        self._batches = batches

    def batches(self) -> Iterator[list[Waiting]]:
        """Yield them."""
        yield from self._batches

    def delete(self, _waiting: Waiting) -> None:
        """Remember it."""
        self.deleted.append(_waiting)

    def holds(self, _waiting: Waiting) -> bool:
        """Tell what was set."""
        return self.ours

    def keep(self, messages: Sequence[Waiting], *, may_run: bool = False) -> None:
        """Remember them."""
        self.kept += messages
        self.may_run += messages if may_run else []

    def close(self) -> None:
        """Remember that."""
        self.closed = True


def waiting(request_id: str = "1", payload: str = "{}", receives: str = "1") -> Waiting:
    """Return a message in hand."""
    body = messages.record(payload).replace(messages.REQUEST_ID, request_id)
    return Waiting.of(messages.message(body, ApproximateReceiveCount=receives))


def copy(sender: str) -> Waiting:
    """Return what a function's dead-letter queue got of one of its events."""
    message = messages.message(
        "{}",
        {**messages.FUNCTION_DLQ, "RequestID": sender},
        SenderId=f"AROAEXAMPLEROLEIDXYZ1:{sender}",
    )
    return Waiting.of(message)


def run(
    source: Memory,
    invoke: Callable[[FailedEvent], Outcome],
    *,
    chosen: Filter | None = None,
    concurrency: int = 2,
    at_most: int | None = None,
) -> Tally:
    """Replay to the end."""
    replaying = Replaying(
        source, invoke, chosen=chosen or Filter(), concurrency=concurrency, at_most=at_most
    )
    tally = replaying.run()
    assert source.closed
    return tally


def test_tries_again_what_was_throttled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing ran, so that it may be started again at once."""
    monkeypatch.setattr(replaying, "_FIRST_WAIT_SECONDS", 0)
    outcomes = iter([Outcome("not-started", "throttled", "TooManyRequestsException"), OK])
    tally = run(Memory([waiting()]), lambda _: next(outcomes))
    assert (tally.succeeded, tally.failed) == (1, 0)


def test_does_not_try_again_what_may_have_run() -> None:
    """After a lost answer it is left for a person to decide, and said so."""
    outcomes = iter([Outcome("unknown", None, "ReadTimeoutError")])
    source = Memory([waiting()], [waiting()])
    tally = run(source, lambda _: next(outcomes))
    assert list(tally.errors) == [
        ("nightly-report", "no answer, it may have run: ReadTimeoutError")
    ]
    assert (source.deleted, len(source.may_run), len(source.kept)) == ([], 2, 2)
    assert not tally.all_succeeded


def test_stops_where_invoking_is_denied() -> None:
    """What is denied for one is denied for all: the rest is not touched."""
    source = Memory([waiting("1")], [waiting("2")])
    started = threading.Event()

    def deny(_event: FailedEvent) -> Outcome:
        started.set()
        return Outcome("not-started", "denied", "AccessDeniedException", "not authorized")

    tally = run(source, deny, concurrency=1)
    assert started.is_set()
    assert tally.stopped is not None
    assert "nightly-report may not be invoked" in tally.stopped
    assert source.deleted == []


@pytest.mark.parametrize(("outcome", "settled"), [(OK, "deleted"), (Outcome("failed"), "kept")])
def test_a_second_delivery_waits_for_the_first(outcome: Outcome, settled: str) -> None:
    """It comes while the first runs: one run decides of both."""
    first, second, later = waiting(), waiting(), waiting()
    source = Memory([first, second], [later])
    release = threading.Event()
    runs = []

    def slow(event: FailedEvent) -> Outcome:
        runs.append(event)
        release.wait(10)
        return outcome

    batches = source.batches

    def all_batches() -> Iterator[list[Waiting]]:
        yield from batches()
        release.set()

    source.batches = all_batches  # type: ignore[method-assign]
    tally = run(source, slow)
    assert len(runs) == 1
    assert tally.duplicates == 2
    assert len(getattr(source, settled)) == 3


def test_events_of_one_request_id_with_other_payloads_are_two() -> None:
    """Only what is the same to the last character is a second delivery."""
    tally = run(Memory([waiting("1", "1.0"), waiting("1", "1.00")]), lambda _: OK)
    assert (tally.succeeded, tally.duplicates) == (2, 0)


def test_starts_no_more_than_was_asked_for() -> None:
    """The rest of the batch is given back at the end."""
    source = Memory([waiting(str(n)) for n in range(5)], [waiting("x")])
    tally = run(source, lambda _: OK, at_most=3)
    assert tally.succeeded == len(source.deleted) == 3


def test_spares_what_was_not_chosen() -> None:
    """A message with one receive left is not spent on a filter."""
    source = Memory([waiting(receives="2")], [waiting("2")], limit=3)
    tally = run(source, lambda _: OK, chosen=Filter(functions=("other",)))
    assert tally.stopped is not None
    assert "received 2 of 3 times" in tally.stopped
    assert tally.not_meant == 1


@pytest.mark.parametrize(("any_sender", "runs"), [(False, 1), (True, 2)])
def test_gives_a_function_its_own_copies(any_sender: bool, runs: int) -> None:
    """The copies of a channel's other functions stay, unless somebody says otherwise."""
    copies = [copy("orders"), copy("invoices")]
    chosen = Filter(default_function="orders:live", any_sender=any_sender)
    tally = run(Memory(copies), lambda _: OK, chosen=chosen)
    assert (tally.succeeded, tally.of_others) == (runs, 2 - runs)


def test_tells_what_was_done_when_the_queue_is_lost() -> None:
    """Credentials that expire half way end the run, and not in silence."""

    class Expiring(Memory):
        def batches(self) -> Iterator[list[Waiting]]:
            yield from super().batches()
            raise DENIED

    tally = run(Expiring([waiting()]), lambda _: OK)
    assert tally.succeeded == 1
    assert tally.stopped is not None
    assert "expired" in tally.stopped
    assert not tally.all_succeeded


def test_runs_nothing_that_others_may_have() -> None:
    """After a sleep, say, what waited in hand is in the queue again: the run ends."""
    source = Memory([waiting()])
    source.ours = False
    tally = run(source, lambda _: OK)
    assert (tally.succeeded, source.deleted) == (0, [])
    assert tally.stopped is not None
    assert "was the machine asleep" in tally.stopped


def test_says_that_there_may_be_more() -> None:
    """What is in hand is run all the same, and the run has not succeeded."""
    source = Memory([waiting()])
    source.ended_early = "there may be more"
    tally = run(source, lambda _: OK)
    assert (tally.succeeded, tally.stopped) == (1, "there may be more")
    assert not tally.all_succeeded


def test_finishes_what_runs_when_the_terminal_is_closed() -> None:
    """Also where the signal comes twice, as from a shell and the terminal."""
    source = Memory([waiting("1")], [waiting("2")])

    def hang_up(_event: FailedEvent) -> Outcome:
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGHUP)
        return OK

    tally = run(source, hang_up, concurrency=1)
    assert tally.interrupted
    assert tally.succeeded >= 1
    assert not tally.failed


def test_says_what_succeeded_and_could_not_be_deleted() -> None:
    """Its message is still there: whoever reads this deletes it, and does not run it again."""

    class Sticky(Memory):
        def delete(self, _waiting: Waiting) -> None:
            raise DENIED

    tally = run(Sticky([waiting()]), lambda _: OK)
    assert tally.succeeded == 1
    assert len(tally.not_deleted) == 1
    assert not tally.all_succeeded


def test_counts_kinds_of_errors_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A different text in every error does not fill the memory."""
    monkeypatch.setattr(replaying, "_KINDS_OF_ERRORS", 3)
    source = Memory([waiting(str(n), str(n)) for n in range(9)])
    tally = run(source, lambda event: Outcome("failed", None, "Error", event.payload))
    assert len(tally.errors) == 4
    assert tally.errors["nightly-report", "other errors"] == 6
