"""A deployed channel: all that is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .alarm import Monitoring
from .answer import Attributes, Unknown
from .copies import Copies
from .handler import Handler
from .queue import Queue
from .topic import Topic


@dataclass(frozen=True)
class Replayer:
    """A deployed `FailureReplayer`: it drains a channel's queue into the handlers that failed.

    Attributes:
        path: Its construct path below the stack.
        mapping: Its event source mapping as `GetEventSourceMapping` returns it.
        declared_enabled: Whether the template switches it on.
        parked: Its queue for what fails again and again.
    """

    path: str
    mapping: Attributes | Unknown | None
    declared_enabled: bool
    parked: Queue


@dataclass(frozen=True)
class Channel:
    """A deployed `FailureChannel`.

    Attributes:
        stack: Its stack's name.
        path: Its construct path below the stack.
        topic: Its topic.
        queue: Its queue; None if another stack defines it and its subscription does not exist.
        dead_letter_queue: Where SNS puts what it cannot deliver; None if the template names none.
        copy_queue: The queue that keeps copies; None if the template defines none.
        handlers: Those of all stacks of the account and Region.
        unlisted: Why it may have other handlers; None if it has none.
        replayers: Those of the stack that drain its queue.
        monitoring: What watches it; None if nothing of the stack does.
        copies: How copies and records compare; None if they were not compared.
    """

    stack: str
    path: str
    topic: Topic
    queue: Queue | None
    dead_letter_queue: Queue | None = None
    copy_queue: Queue | None = None
    handlers: Sequence[Handler] = ()
    unlisted: Unknown | None = None
    replayers: Sequence[Replayer] = ()
    monitoring: Monitoring | None = None
    copies: Copies | Unknown | None = None

    @property
    def queues(self) -> Sequence[Queue]:
        """Its queues, in the order in which a failure travels."""
        own = (self.queue, self.dead_letter_queue, self.copy_queue)
        return [
            *(queue for queue in own if queue is not None),
            *(replayer.parked for replayer in self.replayers),
        ]
