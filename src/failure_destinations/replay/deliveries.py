"""The events of a run by key, so that an event that SNS or SQS delivered twice runs once."""

from __future__ import annotations

import threading
from typing import Literal

from .received_message import ReceivedMessage

Delivery = Literal["first", "in-flight", "succeeded", "failed", "may-run", "done-before"]
"""`first` is to be run; the others give the state of the first delivery."""


class Deliveries:
    """In-flight events by key, with duplicate deliveries received meanwhile, and past outcomes.

    May be used from several threads.

    Args:
        done_before: Keys of events that succeeded in an earlier run.
    """

    def __init__(self, done_before: set[bytes]) -> None:
        self._done_before = done_before
        self._lock = threading.Lock()
        # One small entry for each event of the run; nothing else grows with its length.
        self._outcomes: dict[bytes, Delivery] = {}
        self._duplicates: dict[bytes, list[ReceivedMessage]] = {}

    def register(self, message: ReceivedMessage) -> Delivery:
        """Return `first` for an event's first delivery, and that delivery's state for others.

        An `in-flight` duplicate is kept until `conclude` returns it.
        """
        key = message.key
        with self._lock:
            if key in self._duplicates:
                self._duplicates[key].append(message)
                return "in-flight"
            if key in self._done_before:
                return "done-before"
            if key in self._outcomes:
                return self._outcomes[key]
            self._outcomes[key] = "failed"
            self._duplicates[key] = []
            return "first"

    def conclude(
        self, message: ReceivedMessage, outcome: Literal["succeeded", "failed", "may-run"]
    ) -> list[ReceivedMessage]:
        """Record an event's outcome, and return the duplicates that were received meanwhile."""
        with self._lock:
            self._outcomes[message.key] = outcome
            return self._duplicates.pop(message.key, [])
