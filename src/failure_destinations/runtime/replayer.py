"""The Lambda handler of `FailureReplayer`: runs failed events again, and parks what stays broken.

A message leaves the queue in two ways only: its handler succeeded, or the parked queue has it.
Whatever else happens, also when this process is killed at any moment, SQS shows the message again.
"""

from __future__ import annotations

import base64
import functools
import json
import logging
import os
import re
import time
from collections.abc import Container, Mapping
from datetime import datetime, timezone
from typing import Any

from .failed_event import FailedEvent, NotAFailedEvent, parse, sqs_message
from .replay import Outcome, lambda_client, replay

# The longest wait; SQS hides a message 12 hours at most, counted from when Lambda received it.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
MAX_WAIT_SECONDS = 39_600
# A throttle passes by itself: an event should not be hidden for hours once it has.
MAX_THROTTLED_SECONDS = 3600
# What was received more often than attempts explain, because the handler was throttled, somebody
# looked, or runs were cut off, is tried that often beyond `max_attempts`: not for ever.
EXTRA_RECEIVES = 100
# An event that SQS would delete this soon after its wait is parked instead.
EXPIRY_SECONDS = 900
# Body and attributes together; ten attributes.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
MAX_MESSAGE_BYTES = 1_048_576
MAX_MESSAGE_ATTRIBUTES = 10
_MAX_TEXT_BYTES = 1024

# What SQS allows in a text.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_log = logging.getLogger(__name__)
_log.setLevel(logging.INFO)


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Replay the records of an SQS event, and tell Lambda which ones to leave in the queue.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """
    replayer = _replayer()
    return {
        "batchItemFailures": [
            {"itemIdentifier": record["messageId"]}
            for record in event["Records"]
            if not _finished(replayer, record)
        ]
    }


def _finished(replayer: Replayer, record: Mapping[str, Any]) -> bool:
    try:
        return replayer.finish(record)
    except Exception:
        # The other records of the batch have their own outcome; this one comes again.
        _log.exception("%s stays in the queue", record["messageId"])
        return False


class Replayer:
    """Decides what becomes of each message.

    Args:
        invoker: A boto3 client of Lambda, from `lambda_client`.
        sqs: A boto3 client of SQS.
        queue_url: Where the messages come from.
        parked_queue_url: Where those go that fail `max_attempts` times.
        max_attempts: After how many receives a message is parked that fails then.
        backoff_seconds: How long a message waits after its first receive.
        handler_seconds: How long an answer of a handler is waited for.
    """

    def __init__(
        self,
        invoker: Any,
        sqs: Any,
        *,
        queue_url: str,
        parked_queue_url: str,
        max_attempts: int,
        backoff_seconds: int,
        handler_seconds: int,
    ) -> None:
        self._invoker = invoker
        self._sqs = sqs
        self._queue_url = queue_url
        self._parked_queue_url = parked_queue_url
        self._max_attempts = max_attempts
        self._backoff_seconds = backoff_seconds
        self._handler_seconds = handler_seconds
        self._known_retention: int | None = None

    def finish(self, record: Mapping[str, Any]) -> bool:
        """Replay one record; tell whether its message may be deleted.

        Args:
            record: One of `event["Records"]`.
        """
        message = sqs_message(record)
        received = int(message["Attributes"].get("ApproximateReceiveCount", 1))
        try:
            event = parse(message)
        except NotAFailedEvent as error:
            outcome = Outcome("not-started", "refused", "NotAFailedEvent", str(error))
            return self._park(message, None, outcome, received, "NotAFailedEvent")
        if event.obstacle is not None or event.function is None:
            # Nothing that time, or a mended handler, would change.
            outcome = replay(event, self._invoker)
            return self._park(message, event, outcome, received, "NotReplayable")
        if received > self._max_attempts + EXTRA_RECEIVES:
            outcome = Outcome("not-started", "refused", "ReceivedTooOften")
            return self._park(message, event, outcome, received, "ReceivedTooOften")
        return self._replay(message, event, received)

    def _replay(self, message: Mapping[str, Any], event: FailedEvent, received: int) -> bool:
        outcome = replay(event, self._invoker)
        if outcome.succeeded:
            _tell("succeeded", message, event, outcome, received)
            return True
        if received >= self._max_attempts and not outcome.may_try_again:
            return self._park(message, event, outcome, received, "MaxAttempts")
        seconds = self._wait(outcome, received)
        if self._expires_within(message, seconds + EXPIRY_SECONDS):
            return self._park(message, event, outcome, received, "RetentionEnds")
        self._hide(message, seconds)
        _tell("waits", message, event, outcome, received, seconds=seconds)
        return False

    def _wait(self, outcome: Outcome, received: int) -> int:
        longest = MAX_WAIT_SECONDS
        if outcome.may_try_again:
            longest = max(self._backoff_seconds, MAX_THROTTLED_SECONDS)
        # Twice as long each time.
        seconds = min(self._backoff_seconds << min(received - 1, 16), longest)
        if outcome.status == "unknown":
            # The handler may still be running.
            return max(seconds, self._handler_seconds)
        return seconds

    def _hide(self, message: Mapping[str, Any], seconds: int) -> None:
        self._sqs.change_message_visibility(
            QueueUrl=self._queue_url,
            ReceiptHandle=message["ReceiptHandle"],
            VisibilityTimeout=seconds,
        )

    def _park(
        self,
        message: Mapping[str, Any],
        event: FailedEvent | None,
        outcome: Outcome,
        received: int,
        reason: str,
    ) -> bool:
        told = {
            "ReplayReason": reason,
            "ReplayErrorType": outcome.error_type,
            "ReplayErrorMessage": outcome.error_message,
            "ReplayFunction": None if event is None else event.function_arn,
            "ReplayAttempts": str(received),
            "ReplayMessageId": message["MessageId"],
            "ReplayParkedAt": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        }
        attributes = _attributes(message["MessageAttributes"], told)
        _add(attributes, told, message["Body"])
        try:
            self._sqs.send_message(
                QueueUrl=self._parked_queue_url,
                MessageBody=message["Body"],
                MessageAttributes=attributes,
            )
        except Exception:
            # Without a wait it would come again at the end of the queue's visibility timeout.
            self._hide(message, self._wait(outcome, received))
            raise
        _tell("parked", message, event, outcome, received, reason=reason)
        return True

    def _expires_within(self, message: Mapping[str, Any], seconds: int) -> bool:
        sent = message["Attributes"].get("SentTimestamp")
        retention = None if sent is None else self._retention_seconds
        if sent is None or retention is None:
            return False
        return int(sent) / 1000 + retention < time.time() + seconds

    @property
    def _retention_seconds(self) -> int | None:
        if self._known_retention is not None:
            return self._known_retention
        name = "MessageRetentionPeriod"
        try:
            answer = self._sqs.get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=[name])
        except Exception:
            _log.exception("the queue's retention is not known")
            return None
        self._known_retention = int(answer["Attributes"][name])
        return self._known_retention


@functools.cache
def _replayer() -> Replayer:
    """Return the replayer of this process, with its connections."""
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    environment = os.environ
    handler_seconds = int(environment["HANDLER_SECONDS"])
    # Short, so that there is time for it after the longest handler.
    short = Config(
        connect_timeout=2, read_timeout=4, retries={"mode": "standard", "total_max_attempts": 2}
    )
    return Replayer(
        lambda_client(read_timeout=handler_seconds),
        boto3.Session().client("sqs", config=short),
        queue_url=environment["QUEUE_URL"],
        parked_queue_url=environment["PARKED_QUEUE_URL"],
        max_attempts=int(environment["MAX_ATTEMPTS"]),
        backoff_seconds=int(environment["BACKOFF_SECONDS"]),
        handler_seconds=handler_seconds,
    )


def _attributes(
    received: Mapping[str, Mapping[str, Any]], told: Container[str]
) -> dict[str, dict[str, Any]]:
    """Return attributes of a received message as they are sent, but for those told anew."""
    attributes: dict[str, dict[str, Any]] = {}
    for name, attribute in received.items():
        value = attribute.get("StringValue")
        if name in told:
            continue
        if value is not None:
            attributes[name] = {"DataType": attribute["DataType"], "StringValue": value}
        elif attribute.get("BinaryValue") is not None:
            attributes[name] = {
                "DataType": attribute["DataType"],
                "BinaryValue": base64.b64decode(attribute["BinaryValue"]),
            }
    return attributes


def _add(attributes: dict[str, dict[str, Any]], told: Mapping[str, str | None], body: str) -> None:
    """Add why it is parked, the most important first, as far as there is room.

    What the message already has stays: without it, an event could not be replayed any more.
    """
    room = (
        MAX_MESSAGE_BYTES
        - len(body.encode())
        - sum(_size(name, attribute) for name, attribute in attributes.items())
    )
    for name, text in told.items():
        if len(attributes) == MAX_MESSAGE_ATTRIBUTES:
            return
        taken = _size(name, {"DataType": "String", "StringValue": ""})
        value = _cut(_FORBIDDEN.sub("\ufffd", text or ""), min(room - taken, _MAX_TEXT_BYTES))
        if value:
            attributes[name] = {"DataType": "String", "StringValue": value}
            room -= _size(name, attributes[name])


def _size(name: str, attribute: Mapping[str, Any]) -> int:
    value = attribute.get("BinaryValue", b"") or attribute.get("StringValue", "").encode()
    return len(name.encode()) + len(attribute["DataType"].encode()) + len(value)


def _cut(text: str, size: int) -> str:
    return text.encode()[: max(size, 0)].decode(errors="ignore")


def _tell(
    what: str,
    message: Mapping[str, Any],
    event: FailedEvent | None,
    outcome: Outcome,
    received: int,
    **more: Any,
) -> None:
    """Write one line: what became of a message, and nothing of its payload."""
    line = {
        "outcome": what,
        "messageId": message["MessageId"],
        "function": None if event is None else event.function_arn,
        "requestId": None if event is None else event.request_id,
        "received": received,
        "errorType": outcome.error_type,
        **more,
    }
    _log.info("%s", json.dumps({name: value for name, value in line.items() if value is not None}))
