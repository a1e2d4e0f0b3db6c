"""Keeps messages on disk while the page is open, so that memory does not hold their bodies."""

from __future__ import annotations

import base64
import json
import tempfile
import threading
from typing import Any, NamedTuple

from failure_destinations.replay.received_message import ReceivedMessage
from failure_destinations.runtime.queue_dead_letter import read_queue_dead_letter

MAX_BYTES = 1_000_000_000
# Not a member of what SQS returns.
_SOURCE = "SourceQueue"


class Slot(NamedTuple):
    """Where a message is in the spool."""

    start: int
    length: int


class Spool:
    """A file without a name that only this process can read, and that disappears with it."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile("w+b")  # noqa: SIM115
        self._size = 0
        self._lock = threading.Lock()

    def add(self, message: ReceivedMessage) -> Slot | None:
        """Keep a message; return None if the file is full, or cannot be written."""
        # Receipt handles are of no use once the message is given back.
        known = {name: value for name, value in message.message.items() if name != "ReceiptHandle"}
        event = message.event
        if event is not None and event.queue is not None:
            known[_SOURCE] = event.queue, event.function, event.qualifier
        written = json.dumps(known, default=_text).encode()
        with self._lock:
            if self._size + len(written) > MAX_BYTES:
                return None
            try:
                self._file.seek(self._size)
                self._file.write(written)
            except OSError:
                return None
            slot = Slot(self._size, len(written))
            self._size += len(written)
        return slot

    def read(self, slot: Slot) -> ReceivedMessage:
        """Return a message."""
        with self._lock:
            self._file.seek(slot.start)
            written = self._file.read(slot.length)
        known = json.loads(written)
        source = known.pop(_SOURCE, None)
        if source is None:
            return ReceivedMessage.of(known)
        # Its text does not say what it is.
        queue, function, qualifier = source
        event = read_queue_dead_letter(known, queue=queue, function=function, qualifier=qualifier)
        return ReceivedMessage(known, event)

    def close(self) -> None:
        """Delete all messages."""
        with self._lock:
            self._file.close()


def _text(value: Any) -> str:
    # Binary attributes are as an event has them.
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
