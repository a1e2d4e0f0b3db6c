"""The run that replays failed events, several at a time, and settles each by its outcome."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from failure_destinations.errors import CommandError, aws_message, is_aws_error
from failure_destinations.progress import NO_PROGRESS, Progress
from failure_destinations.runtime import FailedEvent, Outcome
from failure_destinations.text import cut, printable

from .backup import Backup
from .deliveries import Deliveries
from .peek import BATCH_SIZE
from .received_message import ReceivedMessage
from .selection import Selection
from .signals import stopping_on_signals
from .sources import Source
from .tally import Tally

_TRIES = 6
_MESSAGE_LENGTH = 100


class ReplayRun:
    """One run.

    Args:
        source: The source of the messages.
        invoke: Invokes the handler of one event; called from several threads.
        selection: Decides which messages are replayed.
        concurrency: The number of handlers to run at once.
        rate: The most handlers to start a second. Default: no limit.
        at_most: The most handlers to start in total. Default: no limit.
        backup: Gets each event before it is run, and the key of each that succeeded.
        done_before: The keys of events to skip.
        progress: Gets a report of each event that is settled.
        tally: The tally to fill during the run. Default: a new one.
        first_wait_seconds: How long a throttled event waits before its second try; each further
            wait is twice as long.
        max_errors: The number of different errors that the tally distinguishes.

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
        backup: Backup | None = None,
        done_before: set[bytes] | None = None,
        progress: Progress = NO_PROGRESS,
        tally: Tally | None = None,
        first_wait_seconds: float = 0.5,
        max_errors: int = 200,
    ) -> None:
        self.tally = Tally() if tally is None else tally
        self._source = source
        self._invoke = invoke
        self._selection = selection
        self._concurrency = concurrency
        self._pause = 0.0 if rate is None else 1 / rate
        self._left = at_most
        self._backup = backup
        self._progress = progress
        self._first_wait_seconds = first_wait_seconds
        self._max_errors = max_errors
        # Queue one extra batch so that worker threads never idle.
        self._slots = threading.Semaphore(concurrency + BATCH_SIZE)
        self._lock = threading.Lock()
        self._deliveries = Deliveries(done_before or set())
        self._active = 0
        self._received_any = False
        self._stop = threading.Event()
        self._next_start = 0.0
        self._defect: BaseException | None = None

    def run(self) -> Tally:
        """Replay until nothing is left or the run is stopped, then give back the rest."""
        total = self._source.total
        if total is not None and self._left is not None:
            total = min(total, self._left)
        with stopping_on_signals(self._interrupt, self._last_words):
            try:
                self._progress.start("replaying", total)
                with ThreadPoolExecutor(self._concurrency) as pool:
                    self._start_all(pool)
                    if self._stop.is_set() and self._active:
                        self._progress.say(
                            f"stopping: waiting for {self._active} running handlers; "
                            "Ctrl-C again does not wait"
                        )
            finally:
                self._source.close(self._progress)
        if self._defect is not None:
            raise self._defect
        return self.tally

    def _interrupt(self) -> None:
        self.tally.interrupted = True
        self._stop.set()

    def _last_words(self) -> str:
        return (
            f"gave up: {self.tally.succeeded:,} succeeded, {self.tally.failed:,} failed, "
            f"{self._active:,} may still run; what was not deleted is in the queue again in a few "
            "minutes"
        )

    def _start_all(self, pool: ThreadPoolExecutor) -> None:
        try:
            for batch in self._source.batches():
                self._received_any = True
                chosen = self._choose(batch)[: self._left]
                if self._backup is not None:
                    self._backup.add(chosen)
                for message in chosen:
                    if not self._wait_for_slot():
                        return
                    pool.submit(self._replay, message)
                    if self._left is not None:
                        self._left -= 1
                if self._stop.is_set() or self._left == 0:
                    return
            # Messages that were already received are run anyway.
            self.tally.stopped = self.tally.stopped or self._source.ended_early
        except Exception as error:
            # Once a run has started handlers, its tally must be shown, with this error as the
            # cause.
            if not self._received_any or not (
                isinstance(error, CommandError) or is_aws_error(error)
            ):
                raise
            self._halt(aws_message(error))

    def _choose(self, batch: list[ReceivedMessage]) -> list[ReceivedMessage]:
        """Return the messages to run, and settle the others."""
        chosen, stay = [], []
        for message in batch:
            verdict = self._selection.verdict(message)
            if verdict == "replay":
                if self._is_first(message):
                    chosen.append(message)
                continue
            self.tally.count_left(verdict)
            if verdict in ("not-chosen", "other-function", "other-sender"):
                self._spare(message)
            stay.append(message)
        if stay:
            self._keep(stay)
        return chosen

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
        """Stop the run before SQS moves away a message that the operator did not choose."""
        limit = self._source.max_receives
        if limit is not None and message.receives >= limit - 1:
            self._halt(
                f"a message that was not chosen was received {message.receives} of {limit} "
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
                self._conclude(message, event, self._outcome(event))
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

    def _outcome(self, event: FailedEvent) -> Outcome:
        wait = self._first_wait_seconds
        for _ in range(_TRIES - 1):
            outcome = self._invoke(event)
            # Jitter, because several threads may be throttled at once.
            if not outcome.may_try_again or self._stop.wait(wait * random.uniform(0.5, 1)):  # noqa: S311
                return outcome
            wait *= 2
        return self._invoke(event)

    def _conclude(self, message: ReceivedMessage, event: FailedEvent, outcome: Outcome) -> None:
        may_run = outcome.status == "unknown"
        if outcome.succeeded:
            self._note_done(message)
            self._delete(message)
        else:
            self._keep([message], may_run=may_run)
        with self._lock:
            if outcome.succeeded:
                self.tally.succeeded += 1
            else:
                self.tally.failed += 1
                self._count_error(event, outcome)
            failed = self.tally.failed
        kept_as: Literal["may-run", "failed"] = "may-run" if may_run else "failed"
        for duplicate in self._deliveries.conclude(
            message, "succeeded" if outcome.succeeded else kept_as
        ):
            if outcome.succeeded:
                self._delete(duplicate)
            else:
                self._keep([duplicate], may_run=may_run)
        self._progress.advance(note=f"{failed:,} failed" if failed else "")

    def _note_done(self, message: ReceivedMessage) -> None:
        if self._backup is not None:
            try:
                self._backup.note_done(message)
            except CommandError as error:
                # The event succeeded nevertheless, and its message is deleted.
                self._halt(str(error))

    def _count_error(self, event: FailedEvent, outcome: Outcome) -> None:
        text = ": ".join(filter(None, (outcome.error_type, outcome.error_message)))
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
