"""A deployed channel and all known facts about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .alarm import Monitoring
from .answer import Attributes, Unknown
from .batch_store import BatchStore
from .copies import Copies
from .event_source import EventSource
from .handler import Handler
from .notifier import Notifier
from .queue import Queue
from .source_queue import SourceDeadLetters
from .topic import Topic


@dataclass(frozen=True)
class Replayer:
    """A deployed `FailureReplayer`, which sends a channel's failed events back to their handlers.

    Attributes:
        path: Its construct path below the stack.
        mapping: Its event source mapping as `GetEventSourceMapping` returns it.
        declared_enabled: Whether the template enables it.
        parked: Its queue for events that keep failing.
        max_attempts: The number of receives after which it parks an event that fails; None if its
            function could not be read.
    """

    path: str
    mapping: Attributes | Unknown | None
    declared_enabled: bool
    parked: Queue
    max_attempts: int | None = None


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
        notifiers: The notifiers in the stack that get its records.
        copies: The comparison of copies and records; None if they were not compared.
        event_sources: The event source mappings of the account and Region whose failed batches go
            to it, or should.
        batch_store: What keeps failed batches for it; None if it keeps none.
        source_dead_letters: Its dead-letter queues of source queues.
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
    notifiers: Sequence[Notifier] = ()
    copies: Copies | Unknown | None = None
    event_sources: Sequence[EventSource] | Unknown = ()
    batch_store: BatchStore | None = None
    source_dead_letters: Sequence[SourceDeadLetters] = ()

    @property
    def queues(self) -> Sequence[Queue]:
        """Its queues, in the order in which a failure travels."""
        own = (self.queue, self.dead_letter_queue, self.copy_queue)
        return [
            *(queue for queue in own if queue is not None),
            *(replayer.parked for replayer in self.replayers),
        ]
