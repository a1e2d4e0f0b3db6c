"""The Lambda handler of `FailureReplayer`: replays failed events and parks those that keep failing.

A message leaves the queue only if its handler succeeded or the parked queue has it. In every other
case, even if this process is killed at any moment, SQS delivers the message again.
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
from typing import TYPE_CHECKING, Any

from .failed_event import FailedEvent, NotAFailedEvent, parse, sqs_message
from .replay import Outcome, lambda_client, replay

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef

# The longest wait: SQS hides a message for at most 12 hours from when Lambda received it.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
MAX_WAIT_SECONDS = 39_600
# Throttling is temporary, so an event should not stay hidden for hours after it ends.
MAX_THROTTLED_SECONDS = 3600
# The receives beyond `max_attempts` after which a message is always parked: a throttled handler, an
# operator's `list` and a killed replayer all receive messages without an attempt.
EXTRA_RECEIVES = 100
# An event that SQS would delete within this many seconds after its wait is parked instead.
EXPIRY_SECONDS = 900
# Body and attributes together; ten attributes.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
MAX_MESSAGE_BYTES = 1_048_576
MAX_MESSAGE_ATTRIBUTES = 10
_MAX_TEXT_BYTES = 1024

# The characters that SQS does not allow in text.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_log = logging.getLogger(__name__)
_log.setLevel(logging.INFO)


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Replay the records of an SQS event, and return those that Lambda must leave in the queue.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """
    replayer = default_replayer()
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
        # The other records of the batch have their own outcomes; SQS delivers this one again.
        _log.exception("%s stays in the queue", record["messageId"])
        return False


class Replayer:
    """Replays messages, and settles each by its outcome.

    Args:
        invoker: A boto3 client of Lambda, from `lambda_client`.
        sqs: A boto3 client of SQS.
        queue_url: The queue that the messages come from.
        parked_queue_url: The queue for messages that fail `max_attempts` times.
        max_attempts: The number of receives after which a failing message is parked.
        backoff_seconds: The number of seconds that a message waits after its first receive.
        handler_seconds: The number of seconds to wait for a handler's response.
    """

    def __init__(
        self,
        invoker: LambdaClient,
        sqs: SQSClient,
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
        """Replay one record, and return whether its message may be deleted.

        Args:
            record: One of `event["Records"]`.
        """
        message = sqs_message(record)
        received = int(message["Attributes"].get("ApproximateReceiveCount", 1))
        if received > self._max_attempts + EXTRA_RECEIVES:
            # Before parsing, so that a message that always kills this process is parked too.
            outcome = Outcome("not-started", "refused", "ReceivedTooOften")
            return self._park(message, None, outcome, received, "ReceivedTooOften")
        try:
            event = parse(message)
        except NotAFailedEvent as error:
            outcome = Outcome("not-started", "refused", "NotAFailedEvent", str(error))
            return self._park(message, None, outcome, received, "NotAFailedEvent")
        if event.obstacle is not None or event.function is None:
            # Neither time nor a fixed handler would help.
            outcome = replay(event, self._invoker)
            return self._park(message, event, outcome, received, "NotReplayable")
        return self._replay(message, event, received)

    def _replay(self, message: Mapping[str, Any], event: FailedEvent, received: int) -> bool:
        outcome = replay(event, self._invoker)
        if outcome.succeeded:
            _log_outcome("succeeded", message, event, outcome, received)
            return True
        if received >= self._max_attempts and not outcome.may_try_again:
            return self._park(message, event, outcome, received, "MaxAttempts")
        seconds = self.wait_seconds(outcome, received)
        if self._expires_within(message, seconds + EXPIRY_SECONDS):
            return self._park(message, event, outcome, received, "RetentionEnds")
        self._hide(message, seconds)
        _log_outcome("waits", message, event, outcome, received, seconds=seconds)
        return False

    def wait_seconds(self, outcome: Outcome, received: int) -> int:
        """Return how many seconds a message waits for its next attempt.

        Args:
            outcome: The outcome of this attempt.
            received: How often the message was received.
        """
        longest = MAX_WAIT_SECONDS
        if outcome.may_try_again:
            longest = max(self._backoff_seconds, MAX_THROTTLED_SECONDS)
        # The wait doubles each time.
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
        explanation = {
            "ReplayReason": reason,
            "ReplayErrorType": outcome.error_type,
            "ReplayErrorMessage": outcome.error_message,
            "ReplayFunction": None if event is None else event.function_arn,
            "ReplayAttempts": str(received),
            "ReplayMessageId": message["MessageId"],
            "ReplayParkedAt": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        }
        attributes = _attributes(message["MessageAttributes"], explanation)
        _add(attributes, explanation, message["Body"])
        try:
            self._sqs.send_message(
                QueueUrl=self._parked_queue_url,
                MessageBody=message["Body"],
                MessageAttributes=attributes,
            )
        except Exception:
            # Otherwise SQS would deliver it again when the queue's visibility timeout ends.
            self._hide(message, self.wait_seconds(outcome, received))
            raise
        _log_outcome("parked", message, event, outcome, received, reason=reason)
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
        name: QueueAttributeNameType = "MessageRetentionPeriod"
        try:
            answer = self._sqs.get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=[name])
        except Exception:
            _log.exception("the queue's retention is not known")
            return None
        self._known_retention = int(answer["Attributes"][name])
        return self._known_retention


@functools.cache
def default_replayer() -> Replayer:
    """Return the replayer of this process, configured by the function's environment variables."""
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    environment = os.environ
    handler_seconds = int(environment["HANDLER_SECONDS"])
    # Short timeouts, so that time is left for SQS after the longest handler.
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
    received: Mapping[str, Mapping[str, Any]], without: Container[str]
) -> dict[str, MessageAttributeValueTypeDef]:
    """Return a received message's attributes in the form to send, without the named ones."""
    attributes: dict[str, MessageAttributeValueTypeDef] = {}
    for name, attribute in received.items():
        value = attribute.get("StringValue")
        if name in without:
            continue
        if value is not None:
            attributes[name] = {"DataType": attribute["DataType"], "StringValue": value}
        elif attribute.get("BinaryValue") is not None:
            attributes[name] = {
                "DataType": attribute["DataType"],
                "BinaryValue": base64.b64decode(attribute["BinaryValue"]),
            }
    return attributes


def _add(
    attributes: dict[str, MessageAttributeValueTypeDef],
    explanation: Mapping[str, str | None],
    body: str,
) -> None:
    """Add the reasons why a message is parked, the most important first, as far as they fit.

    Its existing attributes stay, because the event could not be replayed without them.
    """
    room = (
        MAX_MESSAGE_BYTES
        - len(body.encode())
        - sum(_size(name, attribute) for name, attribute in attributes.items())
    )
    for name, text in explanation.items():
        if len(attributes) == MAX_MESSAGE_ATTRIBUTES:
            return
        taken = _size(name, {"DataType": "String", "StringValue": ""})
        value = _cut(_FORBIDDEN.sub("\ufffd", text or ""), min(room - taken, _MAX_TEXT_BYTES))
        if value:
            attributes[name] = {"DataType": "String", "StringValue": value}
            room -= _size(name, attributes[name])


def _size(name: str, attribute: MessageAttributeValueTypeDef) -> int:
    value: Any = attribute.get("BinaryValue", b"") or attribute.get("StringValue", "").encode()
    return len(name.encode()) + len(attribute["DataType"].encode()) + len(value)


def _cut(text: str, size: int) -> str:
    return text.encode()[: max(size, 0)].decode(errors="ignore")


def _log_outcome(
    what: str,
    message: Mapping[str, Any],
    event: FailedEvent | None,
    outcome: Outcome,
    received: int,
    **more: Any,
) -> None:
    """Log one line with the outcome of a message, without its payload."""
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
