"""Reads dead letters of SQS queues that are event sources as the events that the functions got."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from failure_destinations.deployed.queues import Queue
from failure_destinations.deployed.source_queues import QueueReader, SourceQueues, is_queue_arn
from failure_destinations.runtime.queue_dead_letter import (
    SOURCE_ATTRIBUTE,
    read_queue_dead_letter,
    source_queue,
)

from .received_message import ReceivedMessage

NO_SOURCE = "a message of which SQS does not say the queue that it came from"


class QueueDeadLetters:
    """Reads the messages that SQS moved to a dead-letter queue.

    Their text comes from whoever may send to the source queue, so it never decides what is invoked:
    the event source mappings of the source queue do.

    A queue may hold other messages too. If it is not known to be one of source queues only, what
    SQS did not move there is read as in any queue. So is what comes from a queue that only
    functions of this library read, whose messages are failed events.

    Args:
        sources: Looks up source queues and the functions that read them.
        queue: The dead-letter queue; None for a backup.
        all_messages: Whether every message is one of a source queue.
    """

    def __init__(
        self, sources: SourceQueues, queue: Queue | None = None, *, all_messages: bool = False
    ) -> None:
        self._sources = sources
        self._queue = queue
        self._all = all_messages
        self._noted: set[str] = set()

    def read(self, message: ReceivedMessage, note: Callable[[str], None]) -> ReceivedMessage:
        """Return a message as what it is.

        Args:
            message: The message, as it was parsed.
            note: Gets a line if it is not known which function reads a source queue, once each.
        """
        source = source_queue(message.message)
        if source is None or not is_queue_arn(source):
            if not self._all:
                return message
            source = self._only_source()
            if source is None:
                return dataclasses.replace(message, event=None, reason=NO_SOURCE)
        readers = self._sources.readers(source)
        if not self._all and _reads_as_parsed(message, readers):
            return message
        called = {(reader.function, reader.qualifier) for reader in readers or ()}
        function, qualifier = called.pop() if len(called) == 1 else (None, None)
        if function is None:
            self._note(_which_function(source, readers), note)
        # A backup of the message says where it came from, also if SQS did not.
        noted = {**(message.message.get("Attributes") or {}), SOURCE_ATTRIBUTE: source}
        raw = {**message.message, "Attributes": noted}
        event = read_queue_dead_letter(raw, queue=source, function=function, qualifier=qualifier)
        return ReceivedMessage(raw, event, retention=message.retention)

    def _only_source(self) -> str | None:
        """Return the only queue whose dead-letter queue this is; None if there are several."""
        if self._queue is None:
            return None
        sources = self._sources.of(self._queue.url, self._queue.arn) or ()
        return sources[0] if len(sources) == 1 else None

    def _note(self, line: str, note: Callable[[str], None]) -> None:
        if line not in self._noted:
            self._noted.add(line)
            note(line)


def _reads_as_parsed(message: ReceivedMessage, readers: Sequence[QueueReader] | None) -> bool:
    """Return whether a message that SQS moved is what its text says."""
    if readers is None:
        return False
    if not readers:
        return message.event is not None
    return all(reader.is_own for reader in readers)


def _which_function(source: str, readers: Sequence[QueueReader] | None) -> str:
    """Return why the function of a source queue is not known, and what to do."""
    name = source.rpartition(":")[2]
    if readers is None:
        return (
            f"cannot see which function reads {name}: allow lambda:ListEventSourceMappings, or "
            "pass --to FUNCTION to replay its messages"
        )
    if not readers:
        return f"no function reads {name}: pass --to FUNCTION to replay its messages"
    names = ", ".join(dict.fromkeys(reader.called for reader in readers))
    return (
        f"several functions read {name}, and SQS does not say which one failed: pass --to with one "
        f"of {names} to replay its messages"
    )
