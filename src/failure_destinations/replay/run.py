"""Replays many failed events, several at a time, and settles each by what became of it."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from failure_destinations.cli.progress import Progress
from failure_destinations.errors import CommandError, aws_message, is_of_aws
from failure_destinations.runtime import FailedEvent, Outcome
from failure_destinations.text import cut, plain

from .backup import Backup
from .filters import Filter
from .peek import BATCH
from .received_message import Waiting
from .sources import Source

_TRIES = 6
_FIRST_WAIT_SECONDS = 0.5
_MESSAGE_LENGTH = 100
_KINDS_OF_ERRORS = 200
_ABORTED = 130


@dataclass
class Tally:
    """What became of the messages of a run.

    Attributes:
        succeeded: Events whose handler did its work.
        failed: Events whose handler failed, was not started or gave no answer, which stay.
        errors: The failed ones by function and error.
        duplicates: Second deliveries of an event, which were not run.
        not_deleted: Ids of messages that succeeded and are still in the queue, with the reason.
        no_events: Messages that are no failed event, which stay.
        without_function: Events that do not name their function, which stay.
        not_meant: Events that the filters exclude, which stay.
        of_others: Events that another function sent than the one they would go to, which stay.
        done_before: Events that succeeded in an earlier run, by what it noted beside its backup.
        at_limit: Messages that stay and that SQS moves away with the next receive.
        interrupted: Whether somebody stopped the run.
        stopped: Why the run stopped by itself before the end; None if it did not.
    """

    succeeded: int = 0
    failed: int = 0
    errors: Counter[tuple[str, str]] = field(default_factory=Counter)
    duplicates: int = 0
    not_deleted: list[str] = field(default_factory=list)
    no_events: int = 0
    without_function: int = 0
    not_meant: int = 0
    of_others: int = 0
    done_before: int = 0
    at_limit: int = 0
    interrupted: bool = False
    stopped: str | None = None

    @property
    def all_succeeded(self) -> bool:
        """Whether nothing that was meant stays."""
        stays = self.failed or self.without_function or self.not_deleted
        return not (stays or self.interrupted or self.stopped)


class Replaying:
    """One run.

    Args:
        source: Where the messages are.
        invoke: Runs one event again.
        chosen: Which are meant.
        concurrency: How many handlers run at once.
        rate: How many are started a second at most. Default: as many as can be.
        at_most: How many are started in all. Default: all.
        backup: Where they are written before, and noted after.
        done: Keys of events that are not to be run.
    """

    def __init__(
        self,
        source: Source,
        invoke: Callable[[FailedEvent], Outcome],
        *,
        chosen: Filter,
        concurrency: int,
        rate: float | None = None,
        at_most: int | None = None,
        backup: Backup | None = None,
        done: set[bytes] | None = None,
    ) -> None:
        self.tally = Tally()
        self._source = source
        self._invoke = invoke
        self._chosen = chosen
        self._concurrency = concurrency
        self._pause = 0.0 if rate is None else 1 / rate
        self._left = at_most
        self._backup = backup
        self._done = done or set()
        # As many again as one receive brings may wait, so that no thread does.
        self._slots = threading.Semaphore(concurrency + BATCH)
        self._lock = threading.Lock()
        # Of each event of this run whether it succeeded, by its key: nothing else grows with it.
        self._known: dict[bytes, bool] = {}
        # Those in hand lead to their second deliveries.
        self._in_hand: dict[bytes, list[Waiting]] = {}
        self._may_run: set[bytes] = set()
        self._active = 0
        self._stop = threading.Event()
        self._next_start = 0.0
        self._defect: BaseException | None = None

    def run(self) -> Tally:
        """Replay until there is nothing more, or somebody stops it; then give back the rest."""
        total = self._source.total
        if total is not None and self._left is not None:
            total = min(total, self._left)
        with self._stopping():
            try:
                with (
                    Progress("replaying", total, at_once=True) as self._progress,
                    ThreadPoolExecutor(self._concurrency) as pool,
                ):
                    self._start_all(pool)
                    if self._stop.is_set() and self._active:
                        self._progress.say(
                            f"stopping: waiting for {self._active} that run; "
                            "Ctrl-C again gives them up"
                        )
            finally:
                self._source.close()
        if self._defect is not None:
            raise self._defect
        return self.tally

    def _start_all(self, pool: ThreadPoolExecutor) -> None:
        try:
            for batch in self._source.batches():
                meant = self._sorted_out(batch)[: self._left]
                if self._backup is not None:
                    self._backup.add(meant)
                for waiting in meant:
                    if not self._wait_for_slot():
                        return
                    pool.submit(self._replay, waiting)
                    if self._left is not None:
                        self._left -= 1
                if self._stop.is_set() or self._left == 0:
                    return
            # What is in hand already is still to be run.
            self.tally.stopped = self.tally.stopped or self._source.ended_early
        except Exception as error:
            # What was done by then is to be told.
            if not self._known or not (isinstance(error, CommandError) or is_of_aws(error)):
                raise
            self._halt(aws_message(error))

    def _sorted_out(self, batch: list[Waiting]) -> list[Waiting]:
        """Return the messages that are to be run, and settle the others."""
        meant, stay = [], []
        for waiting in batch:
            event = waiting.event
            if event is None:
                self.tally.no_events += 1
            elif not self._chosen.matches(waiting):
                self.tally.not_meant += 1
                self._spare(waiting)
            elif event.function is None and self._chosen.default_function is None:
                self.tally.without_function += 1
            elif self._chosen.is_of_another(event):
                self.tally.of_others += 1
                self._spare(waiting)
            else:
                if self._is_first(waiting):
                    meant.append(waiting)
                continue
            stay.append(waiting)
        if stay:
            self._keep(stay)
        return meant

    def _is_first(self, waiting: Waiting) -> bool:
        """Tell whether an event is to be run; settle it by the first delivery's fate if not."""
        key = waiting.key
        with self._lock:
            if key in self._in_hand:
                self.tally.duplicates += 1
                self._in_hand[key].append(waiting)
                return False
            succeeded = self._known.get(key)
            if key in self._done:
                self.tally.done_before += 1
                succeeded = True
            elif succeeded is None:
                self._known[key] = False
                self._in_hand[key] = []
                return True
            else:
                self.tally.duplicates += 1
        if succeeded:
            self._delete(waiting)
        else:
            self._keep([waiting], may_run=key in self._may_run)
        return False

    def _spare(self, waiting: Waiting) -> None:
        """Stop before a message that nobody asked for is moved away for being received."""
        limit = self._source.limit
        if limit is not None and waiting.receives >= limit - 1:
            self._halt(
                f"a message that was not chosen was received {waiting.receives} of {limit} "
                "times, after which the queue moves it away"
            )

    def _wait_for_slot(self) -> bool:
        """Wait until one more may be started; tell whether it may."""
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

    def _replay(self, waiting: Waiting) -> None:
        try:
            event = waiting.event
            # What is not started when somebody stops the run is given back at the end.
            if event is not None and not self._stop.is_set() and self._holds(waiting):
                with self._lock:
                    self._active += 1
                self._conclude(waiting, event, self._outcome(event))
                with self._lock:
                    self._active -= 1
        except BaseException as defect:
            # The main thread raises it again.
            self._defect = defect
            self._stop.set()
        finally:
            self._slots.release()

    def _holds(self, waiting: Waiting) -> bool:
        """Tell whether it is still ours; stop where it is not, as others may run it by now."""
        if self._source.holds(waiting):
            return True
        self._halt(
            "events in hand can no longer be hidden from others: was the machine asleep, and is "
            "sqs:ChangeMessageVisibility allowed? What was not started waits in the queue"
        )
        return False

    def _outcome(self, event: FailedEvent) -> Outcome:
        wait = _FIRST_WAIT_SECONDS
        for _ in range(_TRIES - 1):
            outcome = self._invoke(event)
            # Nothing ran: with others at work, a moment later it may.
            if not outcome.may_try_again or self._stop.wait(wait * random.uniform(0.5, 1)):  # noqa: S311
                return outcome
            wait *= 2
        return self._invoke(event)

    def _conclude(self, waiting: Waiting, event: FailedEvent, outcome: Outcome) -> None:
        may_run = outcome.status == "unknown"
        if outcome.succeeded:
            self._note_done(waiting)
            self._delete(waiting)
        else:
            self._keep([waiting], may_run=may_run)
        with self._lock:
            if outcome.succeeded:
                self.tally.succeeded += 1
                self._known[waiting.key] = True
            else:
                self.tally.failed += 1
                self._count_error(event, outcome)
            if may_run:
                self._may_run.add(waiting.key)
            duplicates = self._in_hand.pop(waiting.key, [])
            failed = self.tally.failed
        for duplicate in duplicates:
            if outcome.succeeded:
                self._delete(duplicate)
            else:
                self._keep([duplicate], may_run=may_run)
        self._progress.advance(note=f"{failed:,} failed" if failed else "")

    def _note_done(self, waiting: Waiting) -> None:
        if self._backup is not None:
            try:
                self._backup.note_done(waiting)
            except CommandError as error:
                # It succeeded all the same, and is deleted.
                self._halt(str(error))

    def _count_error(self, event: FailedEvent, outcome: Outcome) -> None:
        text = ": ".join(filter(None, (outcome.error_type, outcome.error_message)))
        if outcome.status == "unknown":
            text = f"no answer, it may have run: {text}"
        function = event.called or self._chosen.default_function or "?"
        error = (function, cut(text or "no error named", _MESSAGE_LENGTH))
        if error not in self.tally.errors and len(self.tally.errors) >= _KINDS_OF_ERRORS:
            error = (function, "other errors")
        self.tally.errors[error] += 1
        if outcome.reason == "denied":
            self._halt(f"{function} may not be invoked: {plain(text)}")

    def _halt(self, reason: str) -> None:
        self.tally.stopped = self.tally.stopped or reason
        self._stop.set()

    def _delete(self, waiting: Waiting) -> None:
        try:
            self._source.delete(waiting)
        except Exception as error:
            if not is_of_aws(error):
                raise
            with self._lock:
                self.tally.not_deleted.append(f"{waiting.id}: {aws_message(error)}")
            # What runs and cannot be deleted would run again the next time.
            self._halt("messages cannot be deleted")

    def _keep(self, messages: list[Waiting], *, may_run: bool = False) -> None:
        limit = self._source.limit
        if limit is not None:
            with self._lock:
                self.tally.at_limit += sum(one.receives >= limit for one in messages)
        try:
            self._source.keep(messages, may_run=may_run)
        except Exception as error:
            # Hidden for two minutes, they are known when they come again.
            if not is_of_aws(error):
                raise

    @contextmanager
    def _stopping(self) -> Iterator[None]:
        """Let the first Ctrl-C stop taking new ones, and the second give up."""
        # Windows has none.
        hangup = getattr(signal, "SIGHUP", None)

        def stop(number: int, _frame: Any) -> None:
            # A terminal that is closed may send two at once, which is nobody's second thought.
            if self.tally.interrupted and number != hangup:
                # Threads that wait for a handler would keep the process for up to 15 minutes.
                running = self._active
                message = (
                    f"\ngave up: {self.tally.succeeded:,} succeeded, {self.tally.failed:,} failed, "
                    f"{running:,} may still run; what was not deleted is in the queue again in "
                    "a few minutes\n"
                )
                os.write(sys.stderr.fileno(), message.encode())
                os._exit(_ABORTED)
            self.tally.interrupted = True
            self._stop.set()

        numbers = [signal.SIGINT, signal.SIGTERM]
        # nohup has it ignored.
        if hangup is not None and signal.getsignal(hangup) != signal.SIG_IGN:
            numbers.append(hangup)
        before = {number: signal.signal(number, stop) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
