"""What the operator does from the page: planned, run in a thread, stopped, summed up."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal, NamedTuple

from failure_destinations.deployed.queues import QueueChoice
from failure_destinations.errors import CommandError, aws_message, is_aws_error, os_message
from failure_destinations.replay.discard import Discard, DiscardOptions
from failure_destinations.replay.edited import check_payload
from failure_destinations.replay.export import Export
from failure_destinations.replay.filters import Filter
from failure_destinations.replay.operation import ReplayOperation
from failure_destinations.replay.options import ReplayOptions
from failure_destinations.replay.tally_lines import tally_lines
from failure_destinations.text import plural

from .connection import Connection
from .counting import Counting
from .places import Place
from .snapshot import Row

State = Literal["ready", "running", "done", "stopped", "failed"]


# About messages that are not among the rows.
_NOT_OURS = ("not chosen", "not a failed event")


@dataclass(frozen=True)
class PlanLine:
    """Events that a job would treat alike.

    Attributes:
        count: How many.
        what: The function's ARN, or why they stay.
        error_type: The error's class; empty if it does not matter.
    """

    count: int
    what: str
    error_type: str = ""


class JobPlan(NamedTuple):
    """What a job would do.

    Attributes:
        does: What it would do something to.
        leaves: What it would leave, and why.
        warnings: Why it may not see all.
    """

    does: list[PlanLine]
    leaves: list[PlanLine]
    warnings: list[str]

    @property
    def total(self) -> int:
        """The number of events that it would do something to."""
        return sum(line.count for line in self.does)


class Job(ABC):
    """One action on some rows.

    Args:
        connection: How to reach the account.
        rows: The rows.

    Attributes:
        title: What it is, such as `Replay 37 events`.
        state: Where it is in its life.
        progress: How far it is.
        summary: What became of it, in lines.
        failures: The errors of handlers that failed again: count, function and error.
        started: When it began.
    """

    verb = ""

    def __init__(self, connection: Connection, rows: Sequence[Row]) -> None:
        self.connection = connection
        self.rows = tuple(rows)
        self.title = f"{self.verb} {plural(len(self.rows), 'event')}"
        self.state: State = "ready"
        self.progress = Counting()
        self.summary: list[str] = []
        self.failures: list[tuple[int, str, str]] = []
        self.started: datetime | None = None
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    @abstractmethod
    def plan(self) -> JobPlan:
        """Return what it would do; it does nothing yet."""

    @abstractmethod
    def work(self) -> None:
        """Do it."""

    @abstractmethod
    def interrupt(self) -> None:
        """Begin nothing more."""

    def start(self, ended: Callable[[], None]) -> None:
        """Do it, in another thread.

        Args:
            ended: Called when it has ended.
        """
        self.state, self.started = "running", datetime.now(timezone.utc)
        self._thread = threading.Thread(target=self._run, args=(ended,))
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing more; what runs, finishes."""
        self._stopped.set()
        self.interrupt()

    def wait(self) -> None:
        """Wait until it has ended."""
        if self._thread is not None:
            self._thread.join()

    def by_place(self) -> dict[Place, list[Row]]:
        """Return its rows by queue."""
        rows: dict[Place, list[Row]] = defaultdict(list)
        for row in self.rows:
            rows[row.place].append(row)
        return rows

    def choice(self, place: Place) -> QueueChoice:
        """Return the options that name a queue, as the operator lets the page look."""
        return replace(place.choice, spend_receives=self.connection.spend_receives)

    def _run(self, ended: Callable[[], None]) -> None:
        try:
            self.work()
            self.state = "stopped" if self._stopped.is_set() else "done"
        except Exception as error:
            self.state = "failed"
            self.summary.append(as_line(error))
        ended()


class ReplayJob(Job):
    """Runs failed events again.

    Args:
        connection: How to reach the account.
        rows: The events.
        function_name: The function of events that do not name theirs. Default: those stay.
        to: The function that gets every event. Default: the one that failed.
        all_groups: Whether events are run also if the first one of their group failed again.
        payload: The payload to run a single event with. Default: its own.
    """

    verb = "Replay"

    def __init__(
        self,
        connection: Connection,
        rows: Sequence[Row],
        *,
        function_name: str | None = None,
        to: str | None = None,
        all_groups: bool = False,
        payload: str | None = None,
    ) -> None:
        super().__init__(connection, rows)
        self._function_name = function_name
        self._to = to
        self._all_groups = all_groups
        self._payload = None if payload is None else check_payload(payload)
        self._operation: ReplayOperation | None = None

    def plan(self) -> JobPlan:
        """Return what would run, and what would stay."""
        plan = JobPlan([], [], [])
        for place, rows in self.by_place().items():
            found = self._prepare(place, rows, to_run=False).plan(plan.warnings)
            for group, count in found.would_replay.most_common():
                plan.does.append(PlanLine(count, group.function_arn, group.error_type))
            plan.leaves.extend(
                PlanLine(count, reason)
                for reason, count in found.would_stay.items()
                if reason not in _NOT_OURS
            )
        return plan

    def work(self) -> None:
        """Replay queue after queue."""
        for place, rows in self.by_place().items():
            if self._stopped.is_set():
                return
            self._operation = operation = self._prepare(place, rows, to_run=True)
            if self._stopped.is_set():
                operation.stop()
            try:
                operation.run(self.progress)
            finally:
                self._sum_up(operation)

    def interrupt(self) -> None:
        """Start no further handler."""
        if self._operation is not None:
            self._operation.stop()

    def _prepare(self, place: Place, rows: Sequence[Row], *, to_run: bool) -> ReplayOperation:
        anonymous = any(not row.names_function for row in rows)
        options = ReplayOptions(
            choice=self.choice(place),
            chosen=Filter(ids=tuple(row.key for row in rows)),
            function_name=self._function_name if anonymous and self._to is None else None,
            to=self._to,
            all_groups=self._all_groups,
        )
        aws = self.connection.connect()
        return ReplayOperation(aws, options, to_run=to_run, payload=self._payload)

    def _sum_up(self, operation: ReplayOperation) -> None:
        tally = operation.tally
        self.failures.extend(
            (count, function, error) for (function, error), count in tally.errors.most_common()
        )
        # The operator chose rows, so other messages are not worth a line.
        chosen = replace(tally, not_meant=0, no_events=0)
        self.summary.extend(tally_lines(chosen, from_file=False))
        self.failures.extend(
            (group.count, group.function, f"left: {group.because}")
            for group in tally.left_groups.values()
        )
        seen = tally.succeeded + tally.partial + tally.failed + tally.left + tally.duplicates
        gone = len(operation.options.chosen.ids) - seen
        if gone > 0 and not tally.interrupted and not tally.stopped:
            self.summary.append(
                f"{gone:,} stayed or were not found: somebody else has them, or has replayed them"
            )
        for line in (tally.stopped, operation.problem, *tally.not_deleted):
            if line is not None:
                self.summary.append(line)
        if operation.name is not None:
            self.summary.append(f"its journal: failure-destinations runs {operation.name}")


class DiscardJob(Job):
    """Saves messages to a file, and deletes them.

    Args:
        connection: How to reach the account.
        rows: The messages.
        path: The file that gets each message before it is deleted; it may be a backup to add to.
    """

    verb = "Discard"

    def __init__(self, connection: Connection, rows: Sequence[Row], path: Path) -> None:
        super().__init__(connection, rows)
        self._path = path
        self._discard: Discard | None = None

    def plan(self) -> JobPlan:
        """Return what would be saved and deleted."""
        plan = JobPlan([], [], [])
        for place, rows in self.by_place().items():
            found = self._prepare(place, rows).plan(plan.warnings)
            plan.does.extend(
                PlanLine(count, function, error)
                for (function, error), count in found.events.most_common()
            )
            plan.does.extend(
                PlanLine(count, "not a failed event", what)
                for what, count in found.not_events.most_common()
            )
        return plan

    def work(self) -> None:
        """Save and delete, queue after queue."""
        for place, rows in self.by_place().items():
            if self._stopped.is_set():
                return
            self._discard = discard = self._prepare(place, rows)
            try:
                discard.run(progress=self.progress)
            finally:
                tally = discard.tally
                self.summary.append(f"{tally.discarded:,} deleted, saved in {self._path}")
                for line in (tally.stopped, discard.problem, *tally.not_deleted):
                    if line is not None:
                        self.summary.append(line)

    def interrupt(self) -> None:
        """Delete nothing more."""
        if self._discard is not None:
            self._discard.stop()

    def _prepare(self, place: Place, rows: Sequence[Row]) -> Discard:
        chosen = Filter(ids=tuple(row.key for row in rows))
        options = DiscardOptions(self.choice(place), self._path, chosen)
        return Discard(self.connection.connect(), options)


class ExportJob(Job):
    """Saves events to a file, and runs nothing.

    Args:
        connection: How to reach the account.
        rows: The events.
        path: The file to write; it must be new.
    """

    verb = "Export"

    def __init__(self, connection: Connection, rows: Sequence[Row], path: Path) -> None:
        super().__init__(connection, rows)
        self._path = path
        self._export: Export | None = None

    def plan(self) -> JobPlan:
        """Return how many events would be saved, from which queues."""
        lines = [
            PlanLine(len(rows), f"{place.channel}, {place.state}")
            for place, rows in self.by_place().items()
        ]
        return JobPlan(lines, [], [])

    def work(self) -> None:
        """Save queue after queue, each in a file of its own if there are several."""
        places = self.by_place()
        for number, (place, rows) in enumerate(places.items(), 1):
            if self._stopped.is_set():
                return
            path = self._path
            if len(places) > 1:
                path = path.with_name(f"{path.stem}-{number}{path.suffix}")
            chosen = Filter(ids=tuple(row.key for row in rows))
            self._export = Export(self.connection.connect(), self.choice(place), chosen, path)
            done = self._export.run(self.progress)
            self.summary.append(f"{plural(done.count, 'event')} in {done.path or path}")
            if done.missing:
                self.summary.append(f"not all: {done.missing}")

    def interrupt(self) -> None:
        """Receive nothing more."""
        if self._export is not None:
            self._export.stop()


def as_line(error: Exception) -> str:
    """Return an error as one line for the operator."""
    if isinstance(error, CommandError):
        return str(error)
    if is_aws_error(error):
        return aws_message(error)
    if isinstance(error, OSError):
        return os_message(error)
    return f"{type(error).__name__}: {error}"
