"""A received message: a failed event, or something else that was in the queue."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from failure_destinations.runtime import (
    FailedEvent,
    Fingerprint,
    NotAFailedEvent,
    fingerprint,
    parse,
    parse_notification,
)
from failure_destinations.runtime.json_text import is_json
from failure_destinations.runtime.record_values import sqs_time
from failure_destinations.text import json_line

from .batch_contents import batch_facts, contents
from .parked import Parked

_MAX_DIGITS = 4000


@dataclass(frozen=True)
class ReceivedMessage:
    """A message of a queue or of a backup.

    Attributes:
        message: The message as SQS returned it.
        event: The failed event in it; None if it is not one.
        reason: What it is instead of a failed event, in a few words; None if it is one.
        retention: How long after it was sent its queue deletes it; None if that is not known.
    """

    message: Mapping[str, Any]
    event: FailedEvent | None
    reason: str | None = None
    retention: timedelta | None = None

    @classmethod
    def of(cls, message: Mapping[str, Any], retention: timedelta | None = None) -> ReceivedMessage:
        """Parse a message as SQS returned it.

        Args:
            message: The message.
            retention: How long after it was sent its queue deletes it. Default: not known.
        """
        try:
            return cls(message, parse(message), retention=retention)
        except NotAFailedEvent as error:
            return cls(message, None, str(error), retention)

    @classmethod
    def of_subscription(
        cls, message: Mapping[str, Any], retention: timedelta | None = None
    ) -> ReceivedMessage:
        """Parse a message as a dead letter of an SNS subscription, if it is a notification.

        Args:
            message: The message.
            retention: As in `of`.
        """
        try:
            event = parse_notification(message)
        except NotAFailedEvent as error:
            return cls(message, None, str(error), retention)
        if event is None:
            return cls.of(message, retention)
        return cls(message, event, retention=retention)

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
        return sqs_time((self.message.get("Attributes") or {}).get("SentTimestamp"))

    @property
    def first_received(self) -> datetime | None:
        """When the message was received first; None if the message does not say."""
        noted = self.message.get("Attributes") or {}
        return sqs_time(noted.get("ApproximateFirstReceiveTimestamp"))

    @property
    def expires(self) -> datetime | None:
        """When SQS deletes the message; None if that is not known."""
        if self.sent is None or self.retention is None:
            return None
        return self.sent + self.retention

    @functools.cached_property
    def fingerprint(self) -> Fingerprint | None:
        """What the event has in common with others of its group; None if it is not one."""
        return None if self.event is None else fingerprint(self.event)

    @property
    def group(self) -> str | None:
        """The id of the event's group; None if it is not a failed event."""
        return None if self.fingerprint is None else self.fingerprint.id

    @functools.cached_property
    def parked(self) -> Parked | None:
        """Why a replayer parked the message; None if none did."""
        return Parked.of(self.message)

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
            # Two batches may have one request id. The payload counts too: who may send to the queue
            # can name another batch, and its message would be deleted as a second delivery.
            batch = [] if event.batch is None else [event.batch.identity]
            parts = [event.request_id, event.function_arn or "", event.payload, *batch]
        digest = hashlib.blake2b(digest_size=16)
        for part in parts:
            digest.update(part.encode(errors="replace") + b"\0")
        return digest.digest()

    def matches_id(self, start: str) -> bool:
        """Return whether the message or request id begins with a prefix."""
        request = "" if self.event is None else self.event.request_id or ""
        return self.id.startswith(start) or request.startswith(start)

    def facts(self) -> dict[str, Any]:
        """Return all fields for JSON but the payload."""
        known: dict[str, Any] = {"id": self.id, "receives": self.receives, "size": self.size}
        known["time"] = _iso(self.time)
        known["expires"] = _iso(self.expires)
        event = self.event
        if event is None:
            known.update(not_a_failed_event=self.reason, body=self.message.get("Body"))
        else:
            known.update(
                group=self.group,
                function=event.function_arn,
                request_id=event.request_id,
                source=event.source,
                condition=event.condition,
                error_type=event.error_type,
                error_message=event.error_message,
                stack_trace=list(event.stack_trace),
                attempts=event.attempts,
                obstacle=event.obstacle,
                sender=event.sender,
                subscription=event.subscription,
                queue=event.queue,
            )
            if event.batch is not None:
                known["batch"] = batch_facts(event.batch)
                read = [one.facts() for one in contents(event.payload)]
                known["records"] = read if event.payload else None
        known["parked"] = None if self.parked is None else self.parked.to_json()
        return known

    def to_json(self, **more: Any) -> str:
        """Return all fields as one line of JSON, with the payload exactly as written.

        Args:
            **more: Further fields.
        """
        known = json_line({**self.facts(), **more})
        if self.event is None:
            return known
        # A JSON string never contains a raw line break, so a space means the same.
        payload = re.sub(r"[\r\n]", " ", self.event.payload)
        written = payload if is_json(payload) else json_line(payload)
        return f'{known[:-1]}, "payload": {written}}}'

    def queried(self) -> dict[str, Any]:
        """Return the same fields as Python's values, the payload decoded if it is JSON."""
        known = self.facts()
        if self.event is not None:
            known["payload"] = _decoded(self.event.payload)
        return known


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def _decoded(payload: str) -> Any:
    try:
        return json.loads(payload, parse_int=_number)
    except (ValueError, RecursionError):
        return payload


def _number(digits: str) -> int | float:
    # Python refuses to read longer integers, which JSON allows.
    return int(digits) if len(digits) < _MAX_DIGITS else float(digits)
