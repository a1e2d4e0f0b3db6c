"""A queue of a channel."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from .answer import Attributes, ReadableQueue, Unknown
from .key import Key

QueueNoun = Literal[
    "queue",
    "dead-letter queue",
    "copy queue",
    "parked queue",
    "notifier's queue",
    "notifier's dead-letter queue",
    "announcement queue",
    "source dead-letter queue",
]


@dataclass(frozen=True)
class Queue(ReadableQueue):
    """A queue of a channel.

    Attributes:
        noun: Its role in the channel.
        url: Its URL.
        attributes: As `GetQueueAttributes` returns them.
        key: The KMS key that encrypts it; None without one.
        oldest_seconds: The newest `ApproximateAgeOfOldestMessage` in CloudWatch, in seconds; None
            if there was none in the last hour.
        seen_seconds: The age in seconds of the oldest message that was received from it.
        seen_receives: How many of its messages were received how often, those that were received
            now; by the number of receives, this one included.
        declared: The attributes that the template sets, as far as they are known, in the form of
            `CreateQueue`.
    """

    noun: QueueNoun
    url: str
    attributes: Attributes | Unknown | None
    key: Key | Unknown | None = None
    oldest_seconds: float | Unknown | None = None
    seen_seconds: float | None = None
    seen_receives: Mapping[int, int] = field(default_factory=dict)
    declared: Mapping[str, str] = field(default_factory=dict)

    @property
    def policy(self) -> Attributes:
        """Its policy; empty if it has none."""
        policy: Attributes = json.loads(self.known.get("Policy") or "{}")
        return policy

    @property
    def waiting(self) -> int:
        """The approximate number of messages in it, including hidden ones."""
        names = ("", "NotVisible", "Delayed")
        return sum(int(self.known.get(f"ApproximateNumberOfMessages{name}", 0)) for name in names)

    @property
    def declared_retention(self) -> int | None:
        """The retention that the template sets, in seconds; None if it is not known."""
        seconds = self.declared.get("MessageRetentionPeriod")
        return None if seconds is None else int(seconds)
