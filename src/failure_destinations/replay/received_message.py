"""A received message: a failed event, or something else that was in the queue."""

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
class ReceivedMessage:
    """A message of a queue or of a backup.

    Attributes:
        message: The message as SQS returned it.
        event: The failed event in it; None if it is not one.
        reason: What it is instead of a failed event, in a few words; None if it is one.
    """

    message: Mapping[str, Any]
    event: FailedEvent | None
    reason: str | None = None

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> ReceivedMessage:
        """Parse a message as SQS returned it."""
        try:
            return cls(message, parse(message))
        except NotAFailedEvent as error:
            return cls(message, None, str(error))

    @property
    def id(self) -> str:
        """The message's id."""
        return str(self.message.get("MessageId", ""))

    @property
    def receipt_handle(self) -> str:
        """The handle for deleting or hiding the message; empty for a message from a backup."""
        return str(self.message.get("ReceiptHandle", ""))

    @property
    def body(self) -> str:
        """The message's body."""
        return str(self.message.get("Body", ""))

    @property
    def receives(self) -> int:
        """How often the message was received, including this time."""
        return int((self.message.get("Attributes") or {}).get("ApproximateReceiveCount", 1))

    @property
    def size(self) -> int:
        """The payload's size in bytes; the body's size if the message is not a failed event."""
        text = self.body if self.event is None else self.event.payload
        return len(text.encode(errors="replace"))

    @property
    def sent(self) -> datetime | None:
        """When the message was sent; None if the message does not say."""
        sent = (self.message.get("Attributes") or {}).get("SentTimestamp")
        return None if sent is None else datetime.fromtimestamp(int(sent) / 1000, timezone.utc)

    @property
    def time(self) -> datetime | None:
        """When the event failed, or when the message was sent if that is not known."""
        if self.event is not None and self.event.timestamp is not None:
            return self.event.timestamp
        return self.sent

    @property
    def key(self) -> bytes:
        """A digest that is the same for all deliveries of one event.

        SNS and SQS may deliver an event more than once.
        """
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
        """Return whether the message or request id begins with a prefix."""
        request = "" if self.event is None else self.event.request_id or ""
        return self.id.startswith(start) or request.startswith(start)

    def to_json(self) -> str:
        """Return all fields as one line of JSON, with the payload exactly as written."""
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
        # A JSON string never contains a raw line break, so a space means the same.
        payload = re.sub(r"[\r\n]", " ", event.payload)
        written = payload if is_json(payload) else json.dumps(payload)
        return f'{json.dumps(known)[:-1]}, "payload": {written}}}'
