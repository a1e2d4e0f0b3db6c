"""A message in hand: a failed event, or what else was in the queue."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from failure_destinations.runtime import FailedEvent, NotAFailedEvent, parse
from failure_destinations.runtime.json_text import is_json


@dataclass(frozen=True)
class Waiting:
    """A message of a queue or of a backup.

    Attributes:
        message: As SQS returned it.
        event: The failed event in it; None if it is none.
        reason: What it is instead; None if it is a failed event.
    """

    message: Mapping[str, Any]
    event: FailedEvent | None
    reason: str | None = None

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> Waiting:
        """Read a message."""
        try:
            return cls(message, parse(message))
        except NotAFailedEvent as error:
            return cls(message, None, str(error))

    @property
    def id(self) -> str:
        """The message's id."""
        return str(self.message.get("MessageId", ""))

    @property
    def receipt(self) -> str:
        """What SQS wants to see to delete it; empty for one of a backup."""
        return str(self.message.get("ReceiptHandle", ""))

    @property
    def receives(self) -> int:
        """How often it was received, this time included."""
        return int((self.message.get("Attributes") or {}).get("ApproximateReceiveCount", 1))

    @property
    def size(self) -> int:
        """Bytes of the payload, or of a message that is no failed event."""
        text = str(self.message.get("Body", "")) if self.event is None else self.event.payload
        return len(text.encode(errors="replace"))

    @property
    def time(self) -> datetime | None:
        """When it failed, else when the message was sent."""
        if self.event is not None and self.event.timestamp is not None:
            return self.event.timestamp
        sent = (self.message.get("Attributes") or {}).get("SentTimestamp")
        return None if sent is None else datetime.fromtimestamp(int(sent) / 1000, timezone.utc)

    @property
    def key(self) -> bytes:
        """The same for each delivery of one event: SNS and SQS may deliver it more than once."""
        event = self.event
        if event is None or event.request_id is None:
            parts = [self.id]
        else:
            parts = [event.request_id, event.function_arn or "", event.payload]
        digest = hashlib.blake2b(digest_size=16)
        for part in parts:
            digest.update(part.encode(errors="replace") + b"\0")
        return digest.digest()

    def matches_id(self, start: str) -> bool:
        """Tell whether the message's or the request's id begins so."""
        request = "" if self.event is None else self.event.request_id or ""
        return self.id.startswith(start) or request.startswith(start)

    def json(self) -> str:
        """Return all that is known as one line of JSON; the payload as it is written."""
        known: dict[str, Any] = {"id": self.id, "receives": self.receives, "size": self.size}
        known["time"] = None if self.time is None else self.time.isoformat()
        event = self.event
        if event is None:
            known.update(not_a_failed_event=self.reason, body=self.message.get("Body"))
            return json.dumps(known)
        known.update(
            function=event.function_arn,
            request_id=event.request_id,
            source=event.source,
            condition=event.condition,
            error_type=event.error_type,
            error_message=event.error_message,
            attempts=event.attempts,
            obstacle=event.obstacle,
            sender=event.sender,
        )
        # A line end in JSON is never in a string, so that a space means the same.
        payload = re.sub(r"[\r\n]", " ", event.payload)
        written = payload if is_json(payload) else json.dumps(payload)
        return f'{json.dumps(known)[:-1]}, "payload": {written}}}'
