"""Moves dead letters back to their source queues, by SQS's own message move tasks.

SQS moves every message of a dead-letter queue, oldest first, each to the queue that it came from,
and goes on when this process ends.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from failure_destinations.deployed.queues import Queue, QueueChoice
from failure_destinations.deployed.session import Aws
from failure_destinations.deployed.source_queues import SourceQueues
from failure_destinations.errors import CommandError, aws_message, is_aws_error
from failure_destinations.progress import NO_PROGRESS, Progress
from failure_destinations.text import printable

from .journal import Journal

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# The most messages a second that a task may be told to move.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
MAX_RATE = 500
# The most tasks that one request returns, the latest ones.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListMessageMoveTasks.html
_TASKS = 10
_RUNNING = ("RUNNING", "CANCELLING")
_STATES: Mapping[str, MoveState] = {
    "COMPLETED": "completed",
    "CANCELLED": "cancelled",
    "FAILED": "failed",
}
_POLL_SECONDS = 1.0
# How many looks may fail one after the other, and how many wait for a task that was cancelled.
_FAILED_LOOKS = 5
_CANCEL_LOOKS = 30

MoveState = Literal["not-started", "running", "completed", "cancelled", "failed"]
"""`running`: SQS may still move messages, but the command can no longer see it."""


@dataclass
class Move:
    """The messages of one dead-letter queue, and what becomes of them.

    Attributes:
        queue: The dead-letter queue.
        sources: ARNs of its source queues; None if the caller may not list them.
        idle: Names of the source queues that no function reads now, as far as that can be seen.
        state: The state of the task.
        moved: About how many messages were moved.
        problem: Why the task could not be started or cancelled, failed, or cannot be seen; None if
            all is well.
        handle: SQS's id of the task; None before it was started.
    """

    queue: Queue
    sources: tuple[str, ...] | None
    idle: tuple[str, ...] = ()
    state: MoveState = "not-started"
    moved: int = 0
    problem: str | None = None
    handle: str | None = None
    # When the tasks that are not ours were started, and when ours was.
    _others: frozenset[int] = field(default=frozenset(), repr=False)
    _started: int | None = field(default=None, repr=False)
    _failed_looks: int = field(default=0, repr=False)

    @classmethod
    def planned(cls, sqs: SQSClient, sources: SourceQueues, queue: Queue) -> Move:
        """Return the move of a queue's messages, before it begins.

        Args:
            sqs: A boto3 client.
            sources: Looks up the source queues.
            queue: The dead-letter queue.

        Raises:
            CommandError: It is not the dead-letter queue of an SQS queue, or a task runs already.
        """
        found = sources.of(queue.url, queue.arn)
        if found == ():
            raise CommandError(
                f"{queue.name} is not the dead-letter queue of an SQS queue: SQS moves back only "
                "what it moved there itself. Replay without --to-source"
            )
        tasks = _tasks(sqs, queue.arn)
        for task in tasks:
            if task.get("Status") in _RUNNING:
                done = task.get("ApproximateNumberOfMessagesMoved", 0)
                raise CommandError(
                    f"SQS already moves the messages of {queue.name}, about {done:,} so far: wait "
                    "until it has ended, or cancel it with aws sqs cancel-message-move-task "
                    f"--task-handle {printable(task.get('TaskHandle', '?'))}"
                )
        idle = tuple(arn.rpartition(":")[2] for arn in found or () if _is_idle(sources, arn))
        others = frozenset(task.get("StartedTimestamp", 0) for task in tasks)
        return cls(queue, found, idle, _others=others)

    @property
    def to(self) -> str:
        """The names of the source queues, fit to print."""
        if self.sources is None:
            return "the queues that they came from"
        return printable(", ".join(arn.rpartition(":")[2] for arn in self.sources))

    @property
    def stayed(self) -> int:
        """About how many of the messages that were counted before were not moved."""
        return max(self.queue.visible + self.queue.hidden - self.moved, 0)

    def start(self, sqs: SQSClient, rate: int | None) -> None:
        """Start the task.

        Args:
            sqs: A boto3 client.
            rate: The most messages to move a second; None if SQS decides.
        """
        arguments: dict[str, Any] = {"SourceArn": self.queue.arn}
        if rate is not None:
            arguments["MaxNumberOfMessagesPerSecond"] = rate
        self.handle = sqs.start_message_move_task(**arguments)["TaskHandle"]
        self.state = "running"

    def look(self, sqs: SQSClient) -> None:
        """Read how far the task is.

        Args:
            sqs: A boto3 client.
        """
        try:
            task = self._own(_tasks(sqs, self.queue.arn))
        except Exception as error:
            if not is_aws_error(error):
                raise
            self._failed_looks += 1
            if self._failed_looks >= _FAILED_LOOKS:
                self.problem = f"cannot see how far SQS is: {aws_message(error)}"
            return
        self._failed_looks = 0
        if task is None:
            return
        self._started = task.get("StartedTimestamp")
        self.moved = max(self.moved, task.get("ApproximateNumberOfMessagesMoved", 0))
        self.state = _STATES.get(task.get("Status", ""), "running")
        if self.state == "failed":
            self.problem = f"SQS gave up: {task.get('FailureReason') or 'it does not say why'}"

    def cancel(self, sqs: SQSClient) -> None:
        """Have SQS stop the task. What it has moved stays moved.

        Args:
            sqs: A boto3 client.
        """
        try:
            answer = sqs.cancel_message_move_task(TaskHandle=self.handle or "")
        except Exception as error:
            if not is_aws_error(error):
                raise
            # It may have ended meanwhile.
            self.look(sqs)
            if self.state == "running":
                self.problem = f"cannot be cancelled: {aws_message(error)}"
            return
        self.moved = max(self.moved, answer.get("ApproximateNumberOfMessagesMoved", 0))

    def _own(self, tasks: list[Mapping[str, Any]]) -> Mapping[str, Any] | None:
        """Return our task; SQS names only those that run by their handles."""
        for task in tasks:
            started = task.get("StartedTimestamp")
            if task.get("TaskHandle") == self.handle or (started and started == self._started):
                return task
        others = self._others
        new = [task for task in tasks if task.get("StartedTimestamp", 0) not in others]
        return new[0] if new and self._started is None else None


class MoveToSource:
    """Has SQS move the dead letters of one queue, or of all source queues of a channel, back.

    Args:
        aws: The account and Region to work in.
        choice: The options that name the queues.
        rate: The most messages to move a second, a whole number from 1 to 500. Default: SQS
            decides.
        poll_seconds: How long to wait between two looks at a task.

    Attributes:
        source: ARN of the queue, or of several as one.
        moves: The queues.
        name: The name of the run, which its journal gets; None before it.
        problem: Why the run has no journal, or not all of it; None if it has.

    Raises:
        CommandError: A queue does not exist or is not the dead-letter queue of an SQS queue, a task
            runs already, or the rate is not one that SQS takes.
    """

    def __init__(
        self,
        aws: Aws,
        choice: QueueChoice,
        rate: float | None = None,
        *,
        poll_seconds: float = _POLL_SECONDS,
    ) -> None:
        if rate is not None and (rate != int(rate) or not 1 <= rate <= MAX_RATE):
            raise CommandError(
                f"--rate must be a whole number from 1 to {MAX_RATE} with --to-source, got "
                f"{rate:g}: SQS takes no other"
            )
        self._rate = None if rate is None else int(rate)
        self._aws = aws
        self._choice = choice
        self._poll_seconds = poll_seconds
        self._sqs = aws.client("sqs")
        self._stopped = threading.Event()
        self.name: str | None = None
        self.problem: str | None = None
        found = choice.find(aws)
        self.source = found.arn
        sources = SourceQueues(aws)
        self.moves = [Move.planned(self._sqs, sources, queue) for queue in found.parts or (found,)]

    @property
    def interrupted(self) -> bool:
        """Whether the operator stopped it."""
        return self._stopped.is_set()

    @property
    def moved(self) -> int:
        """About how many messages were moved."""
        return sum(move.moved for move in self.moves)

    @property
    def planned(self) -> int:
        """About how many messages there were, those that other consumers have included."""
        return sum(move.queue.visible + move.queue.hidden for move in self.moves)

    @property
    def succeeded(self) -> bool:
        """Whether SQS has moved all that it could, and that was something."""
        done = all(move.state == "completed" for move in self._wanted)
        return done and bool(self.moved) and not self.interrupted

    def run(self, progress: Progress = NO_PROGRESS) -> None:
        """Start the tasks, and wait until they end or `stop` is called.

        Args:
            progress: Gets the number of messages that were moved.

        Raises:
            ClientError: No task could be started.
        """
        journal = self._begin_journal()
        progress.start("moving", self.planned)
        try:
            for move in self._wanted:
                self._start(move)
                if journal is not None and move.handle is not None:
                    # SQS goes on if this process is killed.
                    journal.note({"task": move.handle, "queue": move.queue.arn})
            self._follow(progress)
        finally:
            if journal is not None:
                self._end_journal(journal)

    def stop(self) -> None:
        """Cancel the tasks. May be called from any thread."""
        self._stopped.set()

    def last_words(self) -> str:
        """Return the line to print if the process ends at once."""
        running = [move for move in self.moves if move.state == "running"]
        if not running:
            return f"gave up: about {self.moved:,} moved"
        names = printable(", ".join(move.queue.name for move in running))
        return f"gave up: about {self.moved:,} moved, and SQS goes on with {names}"

    @property
    def _wanted(self) -> list[Move]:
        """The queues that have messages."""
        return [move for move in self.moves if move.queue.visible or move.queue.hidden]

    def _start(self, move: Move) -> None:
        if self._stopped.is_set():
            return
        try:
            move.start(self._sqs, self._rate)
        except Exception as error:
            # What runs already goes on.
            if not is_aws_error(error) or all(one.handle is None for one in self.moves):
                raise
            move.state, move.problem = "failed", aws_message(error)

    def _follow(self, progress: Progress) -> None:
        looks_after_cancel = 0
        while running := self._followed():
            if self._stopped.is_set():
                if not looks_after_cancel:
                    progress.say("cancelling: what SQS has moved stays moved")
                    for move in running:
                        move.cancel(self._sqs)
                looks_after_cancel += 1
            before = self.moved
            for move in running:
                move.look(self._sqs)
            progress.advance(max(0, self.moved - before))
            if looks_after_cancel > _CANCEL_LOOKS or not self._followed():
                return
            if looks_after_cancel:
                time.sleep(self._poll_seconds)
            else:
                self._stopped.wait(self._poll_seconds)

    def _followed(self) -> list[Move]:
        return [move for move in self.moves if move.state == "running" and move.problem is None]

    def _begin_journal(self) -> Journal | None:
        choice = self._choice
        given = {
            "stack": choice.stack,
            "channel": choice.channel,
            "queue": choice.queue,
            "to-source": True,
            "rate": self._rate,
        }
        about = {
            "source": self.source,
            "region": self._aws.session.region_name,
            "identity": self._aws.caller_arn(),
            "options": {name: value for name, value in given.items() if value is not None},
        }
        journal, self.problem = Journal.try_to_begin("move", about)
        self.name = None if journal is None else journal.name
        return journal

    def _end_journal(self, journal: Journal) -> None:
        problems = [f"{one.queue.name}: {one.problem}" for one in self.moves if one.problem]
        tasks = {one.queue.arn: one.handle for one in self.moves if one.handle is not None}
        journal.end(
            {
                "interrupted": self.interrupted,
                "stopped": "; ".join(problems) or None,
                "tasks": tasks,
                "counts": {"moved": self.moved},
            }
        )
        self.problem = journal.gap


def _tasks(sqs: SQSClient, arn: str) -> list[Mapping[str, Any]]:
    """Return the latest tasks of a dead-letter queue, the latest first."""
    answer = sqs.list_message_move_tasks(SourceArn=arn, MaxResults=_TASKS)
    tasks: list[Mapping[str, Any]] = [*answer.get("Results", ())]
    return sorted(tasks, key=lambda task: -task.get("StartedTimestamp", 0))


def _is_idle(sources: SourceQueues, queue_arn: str) -> bool:
    """Return whether no function reads a source queue now."""
    readers = sources.readers(queue_arn)
    return readers is not None and all(
        reader.state in ("Disabled", "Disabling") for reader in readers
    )
