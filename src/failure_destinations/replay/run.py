"""The run that replays failed events, several at a time, and settles each by its outcome."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, cast

from failure_destinations.errors import CommandError, aws_message, is_aws_error
from failure_destinations.progress import NO_PROGRESS, Progress
from failure_destinations.runtime import FailedEvent, Outcome
from failure_destinations.text import cut, printable

from .asynchronous import HANDED_OVER, STILL_RUNNING
from .backup import Backup
from .batch_parts import PartOutcome
from .batches import short_obstacle
from .careful import Care, CarefulOrder
from .deliveries import Deliveries
from .find import wanted
from .held_messages import BATCH_SIZE
from .journal import Became, Journal
from .positions import to_text
from .received_message import ReceivedMessage
from .selection import Selection
from .sources import Source
from .tally import Tally

_TRIES = 6
# A table cuts it to the terminal; what another program reads has nearly always the whole.
_MESSAGE_LENGTH = 1000


class ReplayRun:
    """One run.

    Args:
        source: The source of the messages.
        invoke: Invokes the handler of one event; called from several threads.
        selection: Decides which messages are replayed.
        concurrency: The number of handlers to run at once.
        rate: The most handlers to start a second. Default: no limit.
        at_most: The most handlers to start in total. Default: no limit.
        care: How carefully to go. Default: every event starts at once, and nothing stops the run.
        backup: Gets each event before it is run, and the key of each that succeeded.
        journal: Gets what becomes of each event.
        done_before: The keys of events to skip.
        progress: Gets a report of each event that is settled.
        tally: The tally to fill during the run. Default: a new one.
        first_wait_seconds: How long a throttled event waits before its second try; each further
            wait is twice as long.
        max_errors: The number of different errors that the tally distinguishes.
        invoke_message: Invokes the handler of one message's event instead, if its message matters
            too. Default: `invoke` gets the event.
        is_own: Returns whether a message is the second failure of an event that this run handed
            over. Default: none is.
        stopped: Is set when the run stops, by itself or by `stop`. Default: its own event.

    Attributes:
        tally: The outcomes of the messages.
    """

    def __init__(
        self,
        source: Source,
        invoke: Callable[[FailedEvent], Outcome],
        *,
        selection: Selection,
        concurrency: int,
        rate: float | None = None,
        at_most: int | None = None,
        care: Care | None = None,
        backup: Backup | None = None,
        journal: Journal | None = None,
        done_before: set[bytes] | None = None,
        progress: Progress = NO_PROGRESS,
        tally: Tally | None = None,
        first_wait_seconds: float = 0.5,
        max_errors: int = 200,
        invoke_message: Callable[[ReceivedMessage], Outcome] | None = None,
        is_own: Callable[[ReceivedMessage], bool] = lambda _: False,
        stopped: threading.Event | None = None,
    ) -> None:
        self.tally = Tally() if tally is None else tally
        self._source = source
        self._invoke_message = invoke_message or (
            lambda message: invoke(cast(FailedEvent, message.event))
        )
        self._selection = selection
        self._concurrency = concurrency
        self._pause = 0.0 if rate is None else 1 / rate
        self._left = at_most
        self._order = CarefulOrder(care or Care.chosen(all_groups=True, stop_at=None))
        # Messages that may start; others that were received are in the hands of the order.
        self._ready: deque[ReceivedMessage] = deque()
        self._changed = threading.Event()
        # The ids that the operator named and no message matched so far.
        self._ids_left = set(selection.filter.ids)
        self._named_requests = False
        self._backup = backup
        self._journal = journal
        self._progress = progress
        self._first_wait_seconds = first_wait_seconds
        self._max_errors = max_errors
        self._is_own = is_own
        # Queue one extra batch so that worker threads never idle.
        self._slots = threading.Semaphore(concurrency + BATCH_SIZE)
        self._lock = threading.Lock()
        self._deliveries = Deliveries(done_before or set())
        self._active = 0
        self._received = 0
        self._stop = stopped or threading.Event()
        self._next_start = 0.0
        self._defect: BaseException | None = None

    def run(self) -> Tally:
        """Replay until nothing is left or the run is stopped, then give back the rest."""
        total = self._source.total
        if total is not None and self._left is not None:
            total = min(total, self._left)
        try:
            chosen = self._selection.filter
            what = f"looking for {wanted(chosen)}" if chosen.ids else "replaying"
            self._progress.start(what, total)
            with ThreadPoolExecutor(self._concurrency) as pool:
                self._start_all(pool)
                if self._stop.is_set() and self._active:
                    self._progress.say(
                        f"stopping: waiting for {self._active} running handlers; "
                        "Ctrl-C again does not wait"
                    )
        finally:
            self._source.close(self._progress)
        if self._has_found_all():
            # The id of a message is that of one delivery.
            if self._named_requests:
                self.tally.unread = max(0, (self._source.total or 0) - self._received)
        elif self._left != 0:
            self.tally.hidden = self._source.hidden
        if self._defect is not None:
            raise self._defect
        return self.tally

    def stop(self) -> None:
        """Start nothing more; running handlers finish. May be called from any thread."""
        self.tally.interrupted = True
        self._stop.set()

    def last_words(self) -> str:
        """Return the line to print if the process ends at once."""
        return (
            f"gave up: {self.tally.succeeded:,} succeeded, {self.tally.failed:,} failed, "
            f"{self._active:,} may still run; what was not deleted is in the queue again in a few "
            "minutes"
        )

    def _start_all(self, pool: ThreadPoolExecutor) -> None:
        try:
            self._start_until_stopped(pool)
        except Exception as error:
            # Once a run has started handlers, its tally must be shown, with this error as the
            # cause.
            if not self._received or not (isinstance(error, CommandError) or is_aws_error(error)):
                raise
            self._halt(aws_message(error))

    def _start_until_stopped(self, pool: ThreadPoolExecutor) -> None:
        batches = self._source.batches()
        more = True
        while not self._stop.is_set() and self._left != 0:
            if ready := self._take_ready():
                if not self._start(pool, ready):
                    return
            elif more and not self._order.is_full:
                batch = next(batches, None)
                if batch is None:
                    more = False
                    # Messages that were already received are run anyway.
                    self.tally.stopped = self.tally.stopped or self._source.ended_early
                else:
                    self._received += len(batch)
                    self._ready.extend(self._choose(batch))
                    more = not self._has_found_all()
            elif not self._wait_for_others():
                return

    def _take_ready(self) -> list[ReceivedMessage]:
        """Return messages to start now, as many as a batch of the backup has."""
        ready = [self._ready.popleft() for _ in range(min(BATCH_SIZE, len(self._ready)))]
        return ready or self._order.take_released(BATCH_SIZE)

    def _wait_for_others(self) -> bool:
        """Wait for the outcome of an event; return False if no message waits for one."""
        self._changed.wait(0.1)
        self._changed.clear()
        return self._order.holds_any

    def _start(self, pool: ThreadPoolExecutor, ready: list[ReceivedMessage]) -> bool:
        """Start messages when there is room; return False if the run stops meanwhile."""
        ready = ready[: self._left]
        if self._backup is not None:
            self._backup.add(ready)
        for message in ready:
            if not self._wait_for_slot():
                return False
            pool.submit(self._replay, message)
            if self._left is not None:
                self._left -= 1
        return True

    def _has_found_all(self) -> bool:
        """Return whether the operator named events by id, and each was received."""
        return bool(self._selection.filter.ids) and not self._ids_left

    def _choose(self, batch: list[ReceivedMessage]) -> list[ReceivedMessage]:
        """Return the messages to run, and settle the others."""
        chosen, stay = [], []
        for message in batch:
            if self._is_own(message):
                self.tally.returned += 1
                stay.append(message)
                continue
            verdict = self._selection.verdict(message)
            if verdict != "not-chosen":
                named = self._selection.filter.ids_of(message)
                self._ids_left -= named
                self._named_requests |= not all(map(message.id.startswith, named))
            if verdict == "replay":
                if self._is_first(message) and self._may_start(message):
                    chosen.append(message)
                continue
            self.tally.count_left(verdict)
            if verdict in ("not-chosen", "other-function", "other-sender"):
                self._spare(message)
            stay.append(message)
        if stay:
            self._keep(stay)
            if self._left is None:
                self._progress.advance(len(stay))
        return chosen

    def _may_start(self, message: ReceivedMessage) -> bool:
        """Return whether a message may start now; if not, it waits or is left."""
        event = message.event
        if event is None or event.obstacle is not None:
            # It cannot run, which says nothing about its group.
            return True
        admission = self._order.admit(message, event)
        if admission == "leave":
            self._leave([message])
        return admission == "start"

    def _leave(self, messages: list[ReceivedMessage]) -> None:
        """Leave messages whose group is left."""
        stay = []
        for message in messages:
            with self._lock:
                group = self.tally.count_in_left_group(message)
            self._note(message, "left", group.because)
            self._spare(message)
            stay += [message, *self._deliveries.conclude(message, "failed")]
            self._progress.advance()
        for start in range(0, len(stay), BATCH_SIZE):
            self._keep(stay[start : start + BATCH_SIZE])

    def _is_first(self, message: ReceivedMessage) -> bool:
        """Return whether to run a message; if not, settle it like its first delivery."""
        delivery = self._deliveries.register(message)
        if delivery == "first":
            return True
        if delivery == "done-before":
            self.tally.done_before += 1
        else:
            self.tally.duplicates += 1
        if delivery in ("succeeded", "done-before"):
            self._delete(message)
        elif delivery != "in-flight":
            self._keep([message], may_run=delivery == "may-run")
        return False

    def _spare(self, message: ReceivedMessage) -> None:
        """Stop the run before SQS moves away a message that is not run."""
        limit = self._source.max_receives
        if limit is not None and message.receives >= limit - 1:
            self._halt(
                f"a message that is not run was received {message.receives} of {limit} "
                "times, after which the queue moves it away"
            )

    def _wait_for_slot(self) -> bool:
        """Wait until another event may be started; return False if the run stops meanwhile."""
        while not self._slots.acquire(timeout=0.1):
            if self._stop.is_set():
                return False
        now = time.monotonic()
        self._next_start = max(self._next_start, now)
        if self._stop.wait(self._next_start - now):
            self._slots.release()
            return False
        self._next_start += self._pause
        return True

    def _replay(self, message: ReceivedMessage) -> None:
        try:
            event = message.event
            # Messages that are not started when the run stops are given back at the end.
            if event is not None and not self._stop.is_set() and self._holds(message):
                with self._lock:
                    self._active += 1
                self._note(message, "started")
                self._conclude(message, event, self._outcome(message))
                with self._lock:
                    self._active -= 1
        except BaseException as defect:
            # The main thread raises it.
            self._defect = defect
            self._stop.set()
        finally:
            self._slots.release()

    def _holds(self, message: ReceivedMessage) -> bool:
        """Return whether the run still holds a message exclusively; stop the run if it may not."""
        if self._source.holds(message):
            return True
        self._halt(
            "events in flight can no longer be hidden from other consumers: was the machine "
            "asleep, and is sqs:ChangeMessageVisibility allowed? What was not started stays in "
            "the queue"
        )
        return False

    def _outcome(self, message: ReceivedMessage) -> Outcome:
        wait = self._first_wait_seconds
        for _ in range(_TRIES - 1):
            outcome = self._invoke_message(message)
            # Jitter, because several threads may be throttled at once.
            if not outcome.may_try_again or self._stop.wait(wait * random.uniform(0.5, 1)):  # noqa: S311
                return outcome
            wait *= 2
        return self._invoke_message(message)

    def _conclude(self, message: ReceivedMessage, event: FailedEvent, outcome: Outcome) -> None:
        # The next run finds an execution that still runs.
        may_run = outcome.status == "unknown" and outcome is not STILL_RUNNING
        part = outcome if isinstance(outcome, PartOutcome) else None
        partial = outcome.succeeded and part is not None and not part.is_whole
        done = outcome.succeeded and not partial
        became: Became = "handed-over" if outcome is HANDED_OVER else outcome.status
        self._note(message, "partial" if partial else became, _error_text(outcome), part)
        if done:
            self._note_done(message)
            self._delete(message)
        else:
            self._keep([message], may_run=may_run)
        with self._lock:
            if part is not None:
                self.tally.records_handled += part.ran
                self.tally.records_older += part.older
            if partial:
                self.tally.partial += 1
            elif outcome is HANDED_OVER:
                self.tally.handed_over += 1
            elif outcome is STILL_RUNNING:
                self.tally.running += 1
            elif outcome.succeeded:
                self.tally.succeeded += 1
            else:
                self.tally.failed += 1
                self._count_error(event, outcome)
            failed = self.tally.failed
        kept_as: Literal["may-run", "failed"] = "may-run" if may_run else "failed"
        for duplicate in self._deliveries.conclude(message, "succeeded" if done else kept_as):
            if done:
                self._delete(duplicate)
            else:
                self._keep([duplicate], may_run=may_run)
        self._progress.advance(note=f"{failed:,} failed" if failed else "")
        if event.obstacle is None:
            self._continue_group(message, event, outcome)

    def _continue_group(
        self, message: ReceivedMessage, event: FailedEvent, outcome: Outcome
    ) -> None:
        """Start or leave the messages that waited for an event's outcome."""
        # That an execution has not ended yet says nothing against its group.
        succeeded = outcome.succeeded or outcome is STILL_RUNNING
        settled = self._order.conclude(event, succeeded=succeeded)
        if settled.left_because is not None:
            error = cut(_error_text(outcome) or "no error named", _MESSAGE_LENGTH)
            with self._lock:
                self.tally.leave_group(
                    message, self._selection.target(event), f"{settled.left_because}: {error}"
                )
        if settled.stop_because is not None:
            self._halt(settled.stop_because)
        self._changed.set()
        self._leave(settled.leave)

    def _note(
        self,
        message: ReceivedMessage,
        became: Became,
        error: str = "",
        part: PartOutcome | None = None,
    ) -> None:
        if self._journal is None:
            return
        if part is None or not part.handled or part.is_whole:
            self._journal.event(message, became, error)
            return
        handled = to_text(part.handled)
        self._journal.event(message, became, error, handled=handled, records=part.total)

    def _note_done(self, message: ReceivedMessage) -> None:
        if self._backup is not None:
            try:
                self._backup.note_done(message)
            except CommandError as error:
                # The event succeeded nevertheless, and its message is deleted.
                self._halt(str(error))

    def _count_error(self, event: FailedEvent, outcome: Outcome) -> None:
        text = _error_text(outcome)
        if event.obstacle is not None:
            text = f"{outcome.error_type}: {short_obstacle(event)}"
        if outcome.status == "unknown":
            text = f"no answer, it may have run: {text}"
        function = self._selection.target(event)
        error = (function, cut(text or "no error named", _MESSAGE_LENGTH))
        if error not in self.tally.errors and len(self.tally.errors) >= self._max_errors:
            error = (function, "other errors")
        self.tally.errors[error] += 1
        if outcome.reason == "denied":
            self._halt(f"{function} may not be invoked: {printable(text)}")

    def _halt(self, reason: str) -> None:
        self.tally.stopped = self.tally.stopped or reason
        self._stop.set()

    def _delete(self, message: ReceivedMessage) -> None:
        try:
            self._source.delete(message)
        except Exception as error:
            if not is_aws_error(error):
                raise
            with self._lock:
                self.tally.not_deleted.append(f"{message.id}: {aws_message(error)}")
            # An event that ran but cannot be deleted would run again the next time.
            self._halt("messages cannot be deleted")

    def _keep(self, messages: list[ReceivedMessage], *, may_run: bool = False) -> None:
        limit = self._source.max_receives
        if limit is not None:
            with self._lock:
                self.tally.at_limit += sum(one.receives >= limit for one in messages)
        try:
            seconds = self._selection.may_run_seconds(messages[0]) if may_run else 0
            self._source.keep(messages, may_run_seconds=seconds)
        except Exception as error:
            # They are hidden for only two minutes, but are recognised when they are received again.
            if not is_aws_error(error):
                raise


def _error_text(outcome: Outcome) -> str:
    return ": ".join(filter(None, (outcome.error_type, outcome.error_message)))
