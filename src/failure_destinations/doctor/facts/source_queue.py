"""A queue that functions read, and the channel's dead-letter queue of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .answer import Attributes, ReadableQueue, Unknown
from .event_source import EventSource
from .key import Key
from .queue import Queue


@dataclass(frozen=True)
class SourceQueue(ReadableQueue):
    """A queue whose messages go to a dead-letter queue of the channel if they keep failing.

    Attributes:
        url: Its URL.
        attributes: As `GetQueueAttributes` returns them.
        readers: The event source mappings that read it.
        declared_receives: The number of receives after which the template has SQS move a message;
            None if it is not known.
        key: The KMS key that encrypts it, and its messages in the dead-letter queue too; None
            without one.
    """

    url: str
    attributes: Attributes | Unknown | None
    readers: Sequence[EventSource] | Unknown = ()
    declared_receives: int | None = None
    key: Key | Unknown | None = None

    @property
    def redrive(self) -> Mapping[str, Any]:
        """Where it moves messages, and after how many receives; empty if it moves none."""
        return json_object(self.known.get("RedrivePolicy"))

    @property
    def visibility(self) -> int:
        """Its visibility timeout in seconds.

        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
        """
        return int(self.known.get("VisibilityTimeout", 30))


@dataclass(frozen=True)
class SourceDeadLetters:
    """A dead-letter queue that the channel has for a source queue.

    Attributes:
        queue: The dead-letter queue.
        sources: Its source queues: those in the template, and any others.
        unlisted: Why it may have other source queues; None if it has no others.
    """

    queue: Queue
    sources: Sequence[SourceQueue] = ()
    unlisted: Unknown | None = None

    @property
    def allowed(self) -> Mapping[str, Any]:
        """Which queues may use it; empty if all may."""
        return json_object(self.queue.known.get("RedriveAllowPolicy"))


def json_object(text: Any) -> Mapping[str, Any]:
    """Return the JSON object in a queue's attribute; empty without one."""
    found = json.loads(text or "{}")
    return found if isinstance(found, Mapping) else {}
