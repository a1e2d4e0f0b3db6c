"""Message move tasks as SQS answers in cases that no engine makes, in the form of its API model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError

from failure_destinations.deployed.queues import Queue
from failure_destinations.deployed.source_queues import QueueReader
from failure_destinations.errors import CommandError
from failure_destinations.replay.move_task import Move

PLACE = "arn:aws:sqs:eu-west-1:111122223333"
DEAD = Queue("https://sqs/dead", f"{PLACE}:dead", 3, 0, None, ())
HANDLE = "handle"


class Paper:
    """SQS, whose lists of tasks the test writes, and the lookups of source queues."""

    def __init__(
        self,
        *answers: Sequence[dict[str, Any]] | str,
        sources: tuple[str, ...] | None = (f"{PLACE}:orders",),
        state: str | None = "Enabled",
        cancel: str | None = None,
    ) -> None:
        self._answers = list(answers)
        self._sources = sources
        self._state = state
        self._cancel = cancel
        self.started: list[dict[str, Any]] = []

    def list_message_move_tasks(self, **arguments: Any) -> dict[str, Any]:
        """Return the next list; the last one again and again."""
        assert arguments == {"SourceArn": DEAD.arn, "MaxResults": 10}
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, str):
            raise ClientError({"Error": {"Code": answer, "Message": "no"}}, "ListMessageMoveTasks")
        return {"Results": list(answer)}

    def start_message_move_task(self, **arguments: Any) -> dict[str, Any]:
        """Note the request."""
        self.started.append(arguments)
        return {"TaskHandle": HANDLE}

    def cancel_message_move_task(self, **arguments: Any) -> dict[str, Any]:
        """Cancel, or refuse."""
        assert arguments == {"TaskHandle": HANDLE}
        if self._cancel is not None:
            raise ClientError({"Error": {"Code": self._cancel, "Message": "no"}}, "Cancel")
        return {"ApproximateNumberOfMessagesMoved": 2}

    def of(self, *_arguments: str) -> tuple[str, ...] | None:
        """Return the source queues."""
        return self._sources

    def readers(self, _queue: str) -> tuple[QueueReader, ...] | None:
        """Return the function that reads them."""
        return None if self._state is None else (QueueReader("orders", None, "1", self._state),)


def task(status: str, moved: int, started: int = 200, **more: Any) -> dict[str, Any]:
    """Return a task as SQS lists it: a handle only while it runs."""
    known = {"Status": status, "ApproximateNumberOfMessagesMoved": moved, "SourceArn": DEAD.arn}
    handle = {"TaskHandle": HANDLE} if status == "RUNNING" else {}
    return {**known, **handle, "StartedTimestamp": started, **more}


EARLIER = task("COMPLETED", 99, started=100)


def planned(paper: Any) -> Move:
    """Return a move before it begins."""
    return Move.planned(paper, paper, DEAD)


@pytest.mark.parametrize(
    ("lists", "state", "moved", "problem"),
    [
        ([[task("RUNNING", 1), EARLIER]], "running", 1, None),
        ([[EARLIER, task("COMPLETED", 3)]], "completed", 3, None),
        ([[task("CANCELLING", 1), EARLIER]], "running", 1, None),
        ([[task("RUNNING", 1)], [task("COMPLETED", 3)]], "completed", 3, None),
        ([[task("FAILED", 1, FailureReason="AWS.SimpleQueueService.NonExistentQueue")]],
         "failed", 1, "SQS gave up: AWS.SimpleQueueService.NonExistentQueue"),
        ([[task("FAILED", 1)]], "failed", 1, "SQS gave up: it does not say why"),
        ([[EARLIER]], "running", 0, None),
        ([[task("RUNNING", 2)], [task("RUNNING", 0, 300, TaskHandle="else"), task("COMPLETED", 3)]],
         "completed", 3, None),
        (["RequestThrottled", [task("COMPLETED", 3)]], "completed", 3, None),
        (["AccessDenied"] * 5, "running", 0, "cannot see how far SQS is: "),
    ],
)  # fmt: skip
def test_sees_how_far_the_task_is(
    lists: list[Any], state: str, moved: int, problem: str | None
) -> None:
    """Its own one, among earlier and later tasks; a look that fails is repeated."""
    paper: Any = Paper([EARLIER], *lists)
    move = planned(paper)
    move.start(paper, 50)
    assert paper.started == [{"SourceArn": DEAD.arn, "MaxNumberOfMessagesPerSecond": 50}]
    for _ in lists:
        move.look(paper)
    assert (move.state, move.moved, move.stayed) == (state, moved, 3 - moved)
    assert (move.problem or "").startswith(problem or "")
    assert (move.problem is None) == (problem is None)


def test_refuses_while_a_task_runs() -> None:
    """SQS allows one for each queue; the line says how to cancel it."""
    with pytest.raises(CommandError, match=r"already moves .*about 2 .*--task-handle handle"):
        planned(Paper([task("RUNNING", 2)]))


def test_refuses_a_queue_without_a_source() -> None:
    """SQS would refuse it too."""
    with pytest.raises(CommandError, match="not the dead-letter queue of an SQS queue"):
        planned(Paper([], sources=()))


@pytest.mark.parametrize(
    ("paper", "to", "idle"),
    [
        (Paper([]), "orders", ()),
        (Paper([], state="Disabled"), "orders", ("orders",)),
        (Paper([], state=None), "orders", ()),
        (Paper([], sources=None), "the queues that they came from", ()),
    ],
)
def test_knows_where_messages_go(paper: Paper, to: str, idle: tuple[str, ...]) -> None:
    """And whether a function reads them there; what may not be read is not said."""
    move = planned(paper)
    assert (move.to, move.idle) == (to, idle)


@pytest.mark.parametrize(
    ("refusal", "after", "state", "moved", "problem"),
    [
        (None, task("CANCELLED", 2), "cancelled", 2, False),
        ("ResourceNotFoundException", task("COMPLETED", 3), "completed", 3, False),
        ("AccessDenied", task("RUNNING", 1), "running", 1, True),
    ],
)
def test_cancels(
    refusal: str | None, after: dict[str, Any], state: str, moved: int, *, problem: bool
) -> None:
    """What was moved stays moved; a task that has ended meanwhile cannot be cancelled."""
    paper: Any = Paper([], [task("RUNNING", 1)], [after], cancel=refusal)
    move = planned(paper)
    move.start(paper, None)
    assert paper.started == [{"SourceArn": DEAD.arn}]
    move.look(paper)
    move.cancel(paper)
    move.look(paper)
    assert (move.state, move.moved, move.problem is not None) == (state, moved, problem)
