"""A deployed channel and all known facts about it."""

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
    """A deployed `FailureReplayer`, which sends a channel's failed events back to their handlers.

    Attributes:
        path: Its construct path below the stack.
        mapping: Its event source mapping as `GetEventSourceMapping` returns it.
        declared_enabled: Whether the template enables it.
        parked: Its queue for events that keep failing.
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
        dead_letter_queue: The queue for messages that SNS cannot deliver; None if the template
            names none.
        copy_queue: The queue that keeps copies; None if the template defines none.
        handlers: Its handlers in all stacks of the account and Region.
        unlisted: Why it may have other handlers; None if it has no others.
        replayers: The replayers in the stack that drain its queue.
        monitoring: The stack's monitoring of it; None if there is none.
        copies: The comparison of copies and records; None if they were not compared.
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
