"""Why a replayer parked a message, as the attributes say that it added."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from failure_destinations.runtime import record_values

_PREFIX = "Replay"
_REASONS = {
    "MaxAttempts": "its replay failed {attempts} times",
    "RetentionEnds": "its replay failed, and its queue was about to delete it",
    "NotReplayable": "it cannot be replayed",
    "RecordsGone": "its records could not be fetched",
    "NotAFailedEvent": "it is not a failed event",
    "ReceivedTooOften": "it was received {attempts} times",
}


@dataclass(frozen=True)
class Parked:
    """Why a replayer parked a message.

    The texts may be hostile: whoever may send to the queue can write such attributes.

    Attributes:
        reason: The replayer's word for it, such as `MaxAttempts`.
        error_type: The class of the last replay's error, or Lambda's error code; None if there was
            none.
        error_message: That error's text.
        function: ARN of the function that was invoked; None if it is not known.
        attempts: How often the replayer's queue had handed out the message; None if not known.
        message_id: The message's id in that queue.
        time: When it was parked; None if not known.
    """

    reason: str
    error_type: str | None = None
    error_message: str | None = None
    function: str | None = None
    attempts: int | None = None
    message_id: str | None = None
    time: datetime | None = None

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> Parked | None:
        """Return why a message was parked; None if its attributes do not say that it was.

        Args:
            message: A message as SQS returned it.
        """
        attributes = message.get("MessageAttributes") or {}
        known = {
            str(name): str(value["StringValue"])
            for name, value in attributes.items()
            if str(name).startswith(_PREFIX)
            and isinstance(value, Mapping)
            and value.get("StringValue") is not None
        }
        reason = known.get("ReplayReason")
        if reason is None:
            return None
        attempts = known.get("ReplayAttempts", "")
        return cls(
            reason=reason,
            error_type=known.get("ReplayErrorType"),
            error_message=known.get("ReplayErrorMessage"),
            function=known.get("ReplayFunction"),
            attempts=int(attempts) if re.fullmatch(r"[0-9]{1,9}", attempts) else None,
            message_id=known.get("ReplayMessageId"),
            time=record_values.time(known.get("ReplayParkedAt")),
        )

    @property
    def because(self) -> str:
        """The reason in words; the replayer's own word if it is not known here."""
        words = _REASONS.get(self.reason)
        attempts = "?" if self.attempts is None else f"{self.attempts:,}"
        return self.reason if words is None else words.format(attempts=attempts)

    @property
    def error(self) -> str:
        """Type and text of the last replay's error; empty if there was none."""
        return ": ".join(filter(None, (self.error_type, self.error_message)))

    def to_json(self) -> dict[str, Any]:
        """Return all fields for JSON."""
        return {
            "reason": self.reason,
            "error_type": self.error_type,
            "error_message": self.error_message,
            "function": self.function,
            "attempts": self.attempts,
            "message_id": self.message_id,
            "time": None if self.time is None else self.time.isoformat(),
        }
