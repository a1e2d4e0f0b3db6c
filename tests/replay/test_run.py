"""How a run settles each event, with answers that no engine gives on request."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest
from botocore.exceptions import ClientError

from failure_destinations.deployed.location import Location
from failure_destinations.progress import NO_PROGRESS, Progress
from failure_destinations.replay.asynchronous import HANDED_OVER, STILL_RUNNING
from failure_destinations.replay.authority import Authority
from failure_destinations.replay.filters import Filter
from failure_destinations.replay.invoked_functions import FunctionSettings, InvokedFunctions
from failure_destinations.replay.plan import make_plan
from failure_destinations.replay.received_message import ReceivedMessage
from failure_destinations.replay.run import ReplayRun
from failure_destinations.replay.selection import Selection
from failure_destinations.replay.signals import stopping_on_signals
from failure_destinations.replay.tally import Tally
from failure_destinations.runtime import FailedEvent, Outcome

from ..runtime import messages

AUTHORITY = Authority(lambda: Location.of(messages.FUNCTION))
OK = Outcome("succeeded")
DENIED = ClientError({"Error": {"Code": "ExpiredToken", "Message": "expired"}}, "ReceiveMessage")


class Memory:
    """A source in memory: its batches, and what became of each message."""

    def __init__(self, *batches: list[ReceivedMessage], limit: int | None = None) -> None:
        self.total: int | None = sum(map(len, batches))
        self.max_receives = limit
        self.deleted: list[ReceivedMessage] = []
        self.kept: list[ReceivedMessage] = []
        self.may_run: list[ReceivedMessage] = []
        self.may_run_seconds = 0
        self.ended_early: str | None = None
        self.hidden = 0
        self.ours = True
        self.closed = False
        self._batches = batches

    def batches(self) -> Iterator[list[ReceivedMessage]]:
        """Yield the batches."""
        yield from self._batches

    def delete(self, _message: ReceivedMessage) -> None:
        """Remember a message."""
        self.deleted.append(_message)

    def holds(self, _message: ReceivedMessage) -> bool:
        """Return what the test set."""
        return self.ours

    def keep(self, messages: Sequence[ReceivedMessage], *, may_run_seconds: int = 0) -> None:
        """Remember messages."""
        self.kept += messages
        self.may_run += messages if may_run_seconds else []
        self.may_run_seconds = may_run_seconds

    def close(self, _progress: Progress = NO_PROGRESS) -> None:
        """Remember that it was closed."""
        self.closed = True


def received(request_id: str = "1", payload: str = "{}", receives: str = "1") -> ReceivedMessage:
    """Return a received message."""
    body = messages.record(payload).replace(messages.REQUEST_ID, request_id)
    return ReceivedMessage.of(messages.message(body, ApproximateReceiveCount=receives))


def copy(sender: str) -> ReceivedMessage:
    """Return what a function's dead-letter queue gets of one of its events."""
    message = messages.message(
        "{}",
        {**messages.FUNCTION_DLQ, "RequestID": sender},
        SenderId=f"AROAEXAMPLEROLEIDXYZ1:{sender}",
    )
    return ReceivedMessage.of(message)


def run(
    source: Memory,
    invoke: Callable[[FailedEvent], Outcome],
    *,
    selection: Selection | None = None,
    concurrency: int = 2,
    at_most: int | None = None,
    max_errors: int = 200,
) -> Tally:
    """Replay to the end."""
    replaying = ReplayRun(
        source,
        invoke,
        selection=selection or Selection(AUTHORITY),
        concurrency=concurrency,
        at_most=at_most,
        first_wait_seconds=0,
        max_errors=max_errors,
    )
    with stopping_on_signals(replaying.stop, replaying.last_words):
        tally = replaying.run()
    assert source.closed
    return tally


def test_tries_a_throttled_event_again() -> None:
    """Nothing ran, so it may be started again."""
    outcomes = iter([Outcome("not-started", "throttled", "TooManyRequestsException"), OK])
    tally = run(Memory([received()]), lambda _: next(outcomes))
    assert (tally.succeeded, tally.failed) == (1, 0)


def test_does_not_retry_an_event_whose_handler_may_have_run() -> None:
    """After a lost answer a person has to decide, and the tally says so."""
    outcomes = iter([Outcome("unknown", None, "ReadTimeoutError")])
    source = Memory([received()], [received()])
    tally = run(source, lambda _: next(outcomes))
    assert list(tally.errors) == [
        ("nightly-report", "no answer, it may have run: ReadTimeoutError")
    ]
    assert (source.deleted, len(source.may_run), len(source.kept)) == ([], 2, 2)
    assert source.may_run_seconds == 5430
    assert not tally.all_succeeded


@pytest.mark.parametrize(("timeout", "hidden"), [(3, 910), (900, 930), (1200, 1230)])
def test_hides_an_event_for_as_long_as_its_handler_may_run(timeout: int, hidden: int) -> None:
    """According to the function's own timeout, so that it does not run twice at once."""
    source = Memory([received()])
    functions = InvokedFunctions({messages.FUNCTION: FunctionSettings(timeout)}.__getitem__)
    selection = Selection(AUTHORITY, functions=functions)
    tally = run(source, lambda _: Outcome("unknown"), selection=selection)
    assert (tally.failed, source.may_run_seconds) == (1, hidden)
    assert functions.wait_seconds(messages.FUNCTION) == hidden


def test_does_not_run_what_outlives_a_synchronous_invocation() -> None:
    """The answer would be lost, and the next replay would run it a second time at once."""
    source = Memory([received()])
    functions = InvokedFunctions(lambda _: FunctionSettings(1801))
    selection = Selection(AUTHORITY, functions=functions)
    plan = make_plan([received()], selection)
    assert plan.total == 0
    (reason,) = plan.would_stay
    assert reason.startswith(f"for {messages.FUNCTION}, which may run longer than the 30 minutes")
    tally = run(source, lambda _: OK, selection=selection)
    assert (tally.succeeded, tally.too_long, source.deleted) == (0, 1, [])
    assert not tally.all_succeeded


@pytest.mark.parametrize(("tenant", "runs"), [(None, 0), ("blue", 1)])
def test_needs_a_tenant_for_a_function_that_isolates_them(tenant: str | None, runs: int) -> None:
    """Lambda would reject the invocation; no event names its tenant."""
    functions = InvokedFunctions(lambda _: FunctionSettings(3, isolates_tenants=True), tenant)
    selection = Selection(AUTHORITY, functions=functions)
    plan = make_plan([received()], selection)
    assert plan.total == runs
    assert ["pass --tenant-id" in reason for reason in plan.would_stay] == [True] * (1 - runs)
    tally = run(Memory([received()]), lambda _: OK, selection=selection)
    assert (tally.succeeded, tally.without_tenant) == (runs, 1 - runs)
    assert tally.all_succeeded is bool(runs)


def test_stops_where_invoking_is_denied() -> None:
    """One denied invocation means that all are: the rest stays untouched."""
    source = Memory([received("1")], [received("2")])
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
def test_settles_a_second_delivery_like_the_first(outcome: Outcome, settled: str) -> None:
    """It arrives while the first one runs: the handler runs once."""
    first, second, later = received(), received(), received()
    source = Memory([first, second], [later])
    release = threading.Event()
    runs = []

    def slow(event: FailedEvent) -> Outcome:
        runs.append(event)
        release.wait(10)
        return outcome

    batches = source.batches

    def all_batches() -> Iterator[list[ReceivedMessage]]:
        yield from batches()
        release.set()

    source.batches = all_batches  # type: ignore[method-assign]
    tally = run(source, slow)
    assert len(runs) == 1
    assert tally.duplicates == 2
    assert len(getattr(source, settled)) == 3


def test_runs_events_that_share_only_a_request_id() -> None:
    """Only a payload that is equal to the last character makes a second delivery."""
    tally = run(Memory([received("1", "1.0"), received("1", "1.00")]), lambda _: OK)
    assert (tally.succeeded, tally.duplicates) == (2, 0)


def test_starts_no_more_events_than_asked_for() -> None:
    """The rest of the batch is given back at the end."""
    source = Memory([received(str(n)) for n in range(5)], [received("x")])
    tally = run(source, lambda _: OK, at_most=3)
    assert tally.succeeded == len(source.deleted) == 3


def test_stops_before_a_message_that_was_not_chosen_is_moved() -> None:
    """A message with one receive left does not lose it to a filter."""
    source = Memory([received(receives="2")], [received("2")], limit=3)
    tally = run(source, lambda _: OK, selection=Selection(AUTHORITY, Filter(functions=("other",))))
    assert tally.stopped is not None
    assert "received 2 of 3 times" in tally.stopped
    assert tally.not_meant == 1


@pytest.mark.parametrize(("any_sender", "runs"), [(False, 1), (True, 2)])
def test_gives_a_function_its_own_copies(any_sender: bool, runs: int) -> None:
    """Copies of the channel's other functions stay, unless the operator asks for them."""
    copies = [copy("orders"), copy("invoices")]
    selection = Selection(AUTHORITY, default_function="orders:live", any_sender=any_sender)
    tally = run(Memory(copies), lambda _: OK, selection=selection)
    assert (tally.succeeded, tally.of_others) == (runs, 2 - runs)


def test_returns_the_tally_when_receiving_fails() -> None:
    """Credentials that expire half way end the run with its tally and the cause."""

    class Expiring(Memory):
        def batches(self) -> Iterator[list[ReceivedMessage]]:
            yield from super().batches()
            raise DENIED

    tally = run(Expiring([received()]), lambda _: OK)
    assert tally.succeeded == 1
    assert tally.stopped is not None
    assert "expired" in tally.stopped
    assert not tally.all_succeeded


def test_runs_no_event_that_another_consumer_may_have() -> None:
    """When the machine was asleep, messages are visible again: the run ends."""
    source = Memory([received()])
    source.ours = False
    tally = run(source, lambda _: OK)
    assert (tally.succeeded, source.deleted) == (0, [])
    assert tally.stopped is not None
    assert "was the machine asleep" in tally.stopped


def test_reports_that_there_may_be_more() -> None:
    """What was received is run all the same, and the run did not succeed."""
    source = Memory([received()])
    source.ended_early = "there may be more"
    tally = run(source, lambda _: OK)
    assert (tally.succeeded, tally.stopped) == (1, "there may be more")
    assert not tally.all_succeeded


def test_finishes_running_handlers_when_the_terminal_is_closed() -> None:
    """Also if SIGHUP comes twice, from the shell and from the terminal."""
    source = Memory([received("1")], [received("2")])

    def hang_up(_event: FailedEvent) -> Outcome:
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGHUP)
        return OK

    tally = run(source, hang_up, concurrency=1)
    assert tally.interrupted
    assert tally.succeeded >= 1
    assert not tally.failed


def test_reports_an_event_that_succeeded_and_was_not_deleted() -> None:
    """Its message is still in the queue, where it must not be run again."""

    class Sticky(Memory):
        def delete(self, _message: ReceivedMessage) -> None:
            raise DENIED

    tally = run(Sticky([received()]), lambda _: OK)
    assert tally.succeeded == 1
    assert len(tally.not_deleted) == 1
    assert not tally.all_succeeded


def test_counts_kinds_of_errors_within_bounds() -> None:
    """A different text in every error does not fill the memory."""
    source = Memory([received(str(n), str(n)) for n in range(9)])
    tally = run(source, lambda event: Outcome("failed", None, "Error", event.payload),
                max_errors=3)  # fmt: skip
    assert len(tally.errors) == 4
    assert tally.errors["nightly-report", "other errors"] == 6


def test_deletes_what_lambda_has_accepted() -> None:
    """It is counted by itself, because nobody knows whether its handler succeeds."""
    source = Memory([received()])
    tally = run(source, lambda _: HANDED_OVER)
    assert (tally.handed_over, tally.succeeded, len(source.deleted)) == (1, 0, 1)
    assert tally.started_any
    assert tally.all_succeeded


def test_an_execution_that_still_runs_is_visible_at_once() -> None:
    """The next run finds it by its name, so its message need not be hidden."""
    source = Memory([received()])
    tally = run(source, lambda _: STILL_RUNNING)
    assert (tally.running, tally.failed, source.deleted) == (1, 0, [])
    assert (len(source.kept), source.may_run) == (1, [])
    assert not tally.all_succeeded


def test_does_not_take_up_what_it_handed_over_itself() -> None:
    """A poison event comes back while the run goes on, which would never end."""
    first, returned = received("1"), received("2")
    source = Memory([first], [returned])
    started: list[ReceivedMessage] = []

    def hand_over(message: ReceivedMessage) -> Outcome:
        started.append(message)
        return HANDED_OVER

    replaying = ReplayRun(
        source,
        lambda _: OK,
        invoke_message=hand_over,
        is_own=lambda message: message is returned,
        selection=Selection(AUTHORITY),
        concurrency=2,
    )
    tally = replaying.run()
    assert (started, source.deleted, source.kept) == ([first], [first], [returned])
    assert (tally.handed_over, tally.returned) == (1, 1)
    assert not tally.all_succeeded
