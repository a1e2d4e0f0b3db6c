"""The Lambda handler of `FailureReplayer`: replays failed events and parks those that keep failing.

A message leaves the queue only if its handler succeeded or the parked queue has it. In every other
case, even if this process is killed at any moment, SQS delivers the message again.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import json
import logging
import os
import re
import time
from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from .copies import Copy, CopyQueue, NoCopy, lacks_payload, with_payload, without_copy
from .event_records import with_records
from .failed_event import (
    FailedEvent,
    NotAFailedEvent,
    function_and_qualifier,
    parse,
    sqs_message,
)
from .record_fetching import RecordClients, RecordsGone, fetch_records
from .replay import Outcome, Reason, hand_over, lambda_client, refused, replay, unanswered
from .replay_counts import ReplayCounts
from .sqs_records import finish_each

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
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
# The rest of a batch is run at once if its handler has taken less than this. It is part of the 30
# seconds that the replayer has beyond the longest handler.
REST_SECONDS = 10
# Body and attributes together; ten attributes.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
MAX_MESSAGE_BYTES = 1_048_576
MAX_MESSAGE_ATTRIBUTES = 10
_MAX_TEXT_BYTES = 1024
# How much longer than its handler may run a copy is hidden.
_COPY_MARGIN_SECONDS = 60

# The characters that SQS does not allow in text.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_log = logging.getLogger(__name__)
_log.setLevel(logging.INFO)


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Replay the records of an SQS event, and return those that Lambda must leave in the queue.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """
    return finish_each(event, default_replayer().finish)


@dataclass(frozen=True)
class BatchBucket:
    """The bucket in which a channel keeps failed batches with their records.

    A message can name any object, and only those of this bucket are read. Streams are not read: a
    batch whose record names no object is for the command.

    Attributes:
        s3: A boto3 client of S3.
        name: The bucket's name.
        owner: The account that owns it.
        mappings: A boto3 client of Lambda that reads event source mappings.
    """

    s3: S3Client
    name: str
    owner: str
    mappings: LambdaClient

    def as_mapped(self, event: FailedEvent) -> FailedEvent:
        """Return the event of a failed batch with the alias or version that its mapping invokes.

        AWS does not say whether the record of a batch names it.

        Args:
            event: The event, whose object is the record of its function.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        if event.qualifier is not None or event.batch is None or event.batch.mapping is None:
            return event
        try:
            answer = self.mappings.get_event_source_mapping(UUID=event.batch.mapping)
        except (BotoCoreError, ClientError):
            # It may be deleted by now.
            _log.exception("the mapping %s cannot be read", event.batch.mapping)
            return event
        called = function_and_qualifier(answer.get("FunctionArn", ""))
        if called is None or called[0] != event.function:
            return event
        return dataclasses.replace(event, qualifier=called[1])

    def fetch(self, event: FailedEvent) -> FailedEvent | Outcome:
        """Return the event of a failed batch with its records; or why they cannot be read now.

        Raises:
            RecordsGone: The bucket does not hold them.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        clients = RecordClients(s3=self.s3)
        try:
            return fetch_records(event, clients, account=self.owner, region="", buckets=[self.name])
        except ClientError as error:
            return refused(error.response)
        except BotoCoreError as error:
            return unanswered(error)


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
        copies: The channel's copy queue, for records without their payload. Default: none.
        counts: How often events were handed over, if they are handed over instead of run. Default:
            the handlers are waited for. Handlers of batches are always waited for: an asynchronous
            invocation would ignore which records they report as failed.
        batches: The channel's bucket of failed batches. Default: none.
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
        copies: CopyQueue | None = None,
        counts: ReplayCounts | None = None,
        batches: BatchBucket | None = None,
    ) -> None:
        self._counts = counts
        self._batches = batches
        self._invoker = invoker
        self._sqs = sqs
        self._queue_url = queue_url
        self._parked_queue_url = parked_queue_url
        self._max_attempts = max_attempts
        self._backoff_seconds = backoff_seconds
        self._handler_seconds = handler_seconds
        self._copies = copies
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
        if self._copies is not None and lacks_payload(event):
            return self._replay_copy(self._copies, message, event, received)
        if event.batch is not None and event.function is not None:
            return self._replay_batch(message, event, received)
        if event.obstacle is not None or event.function is None:
            # Neither time nor a fixed handler would help.
            outcome = replay(event, self._invoker)
            return self._park(message, event, outcome, received, "NotReplayable")
        return self._replay(message, event, received)

    def _replay_batch(self, message: Mapping[str, Any], event: FailedEvent, received: int) -> bool:
        """Replay a failed batch with its records, and park it if they are gone.

        Each attempt begins with all of them, also those that the handler has handled before: the
        message cannot say which, and another one would wait for longer than the object exists.
        """
        completed: FailedEvent | Outcome = event
        if self._batches is not None and event.batch is not None and event.batch.stored is not None:
            try:
                completed = self._batches.fetch(event)
            except RecordsGone as gone:
                event = dataclasses.replace(event, records_gone=str(gone))
                outcome = replay(event, self._invoker)
                return self._park(message, event, outcome, received, "RecordsGone")
            if isinstance(completed, FailedEvent):
                completed = self._batches.as_mapped(completed)
                event = dataclasses.replace(event, qualifier=completed.qualifier)
        if isinstance(completed, Outcome):
            return self._settle(message, event, completed, received, "NotReplayable")
        if completed.obstacle is not None:
            outcome = replay(completed, self._invoker)
            return self._park(message, event, outcome, received, "NotReplayable")
        return self._settle(message, event, self._run_batch(completed), received)

    def _run_batch(self, event: FailedEvent) -> Outcome:
        """Run the handler on a batch, and again on the rest as long as it handles some of it."""
        started = time.monotonic()
        outcome = replay(event, self._invoker, run="replayer")
        total = 0 if outcome.batch is None else outcome.batch.total
        while (
            outcome.batch is not None
            and outcome.batch.problem is None
            and outcome.batch.left
            and outcome.batch.handled
            and time.monotonic() - started < REST_SECONDS
        ):
            rest = with_records(event.payload, outcome.batch.left)
            event = dataclasses.replace(event, payload=rest)
            outcome = replay(event, self._invoker, run="replayer")
        if outcome.batch is not None and outcome.batch.left and outcome.batch.problem is None:
            result = dataclasses.replace(outcome.batch, total=total)
            outcome = dataclasses.replace(outcome, error_message=result.message, batch=result)
        return outcome

    def _replay_copy(
        self, copies: CopyQueue, message: Mapping[str, Any], event: FailedEvent, received: int
    ) -> bool:
        """Replay a record without its payload with the payload of its copy.

        The message is parked as it came, since SQS would not accept it with a payload of 1 MiB. Its
        copy stays until the event succeeds.
        """
        found = copies.find(event)
        if isinstance(found, NoCopy):
            reason: Reason = "unavailable" if found.may_come else "refused"
            outcome = Outcome("not-started", reason, "NoCopy", found.why)
            event = without_copy(event, found.why)
            return self._settle(message, event, outcome, received, "NotReplayable")
        copies.change_visibility(found, self._handler_seconds + _COPY_MARGIN_SECONDS)
        completed = parse(with_payload(message, found.payload))
        if self._counts is not None:
            handed_over = self._handed_over(self._counts, message, event, received, completed)
            if isinstance(handed_over, Outcome) and handed_over.succeeded:
                self._delete(message, copies, found)
            else:
                copies.change_visibility(found, 0)
            return self._settle_or_not(message, event, handed_over, received)
        outcome = replay(completed, self._invoker, run="replayer")
        if outcome.succeeded:
            self._delete(message, copies, found)
        else:
            copies.change_visibility(found, 0)
        return self._settle(message, event, outcome, received)

    def _delete(self, message: Mapping[str, Any], copies: CopyQueue, copy: Copy) -> None:
        """Delete a record and then its copy, without which it could not be replayed again."""
        try:
            self._sqs.delete_message(
                QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"]
            )
            copies.delete(copy)
        except Exception:
            # The event succeeded nevertheless, and Lambda deletes its message.
            _log.exception("the copy of %s may still be there", message["MessageId"])

    def _replay(self, message: Mapping[str, Any], event: FailedEvent, received: int) -> bool:
        if self._counts is not None:
            handed_over = self._handed_over(self._counts, message, event, received, event)
            return self._settle_or_not(message, event, handed_over, received)
        outcome = replay(event, self._invoker, run="replayer")
        return self._settle(message, event, outcome, received)

    def _handed_over(
        self,
        counts: ReplayCounts,
        message: Mapping[str, Any],
        event: FailedEvent,
        received: int,
        completed: FailedEvent,
    ) -> Outcome | bool:
        """Hand an event over to Lambda, or park it after `max_attempts` times.

        Args:
            counts: How often events were handed over.
            message: The message.
            event: Its event, as it came.
            received: How often the message was received.
            completed: The event with its payload.

        Returns:
            The outcome if it was handed over; otherwise whether the message may be deleted.
        """
        count = counts.read(completed)
        if count >= self._max_attempts:
            # The record is that of its last attempt.
            outcome = Outcome("failed", None, event.error_type, event.error_message)
            parked = self._park(message, event, outcome, count, "MaxAttempts")
            try:
                # Whoever sends it back from the parked queue begins anew.
                counts.write(completed, 0)
            except Exception:
                # Otherwise it would be parked a second time.
                _log.exception("the count of %s may still be there", message["MessageId"])
            return parked
        if count and received == 1:
            seconds = min(self._backoff_seconds << min(count - 1, 16), MAX_WAIT_SECONDS)
            outcome = Outcome("failed", None, event.error_type, event.error_message)
            if self._expires_within(message, seconds + EXPIRY_SECONDS):
                return self._park(message, event, outcome, count, "RetentionEnds")
            counts.write(completed, count, seconds)
            self._hide(message, seconds)
            _log_outcome("waits", message, event, outcome, received, seconds=seconds)
            return False
        # Counted before, so that no event is handed over uncounted if this process is killed.
        counts.write(completed, count + 1)
        # Lambda stops a function after 16 invocations in one chain of requests, and the AWS SDK
        # continues the chain in this variable. This one ends after max_attempts.
        # https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
        os.environ.pop("_X_AMZN_TRACE_ID", None)
        outcome = hand_over(completed, self._invoker)
        if outcome.status == "not-started":
            counts.write(completed, count)
        return outcome

    def _settle_or_not(
        self,
        message: Mapping[str, Any],
        event: FailedEvent,
        handed_over: Outcome | bool,
        received: int,
    ) -> bool:
        if isinstance(handed_over, bool):
            return handed_over
        return self._settle(message, event, handed_over, received)

    def _settle(
        self,
        message: Mapping[str, Any],
        event: FailedEvent,
        outcome: Outcome,
        received: int,
        park_reason: str = "MaxAttempts",
    ) -> bool:
        """Hide or park a message whose event did not succeed; return whether it may be deleted."""
        if outcome.succeeded:
            what = "succeeded" if self._counts is None else "handed over"
            _log_outcome(what, message, event, outcome, received)
            return True
        if received >= self._max_attempts and not outcome.may_try_again:
            return self._park(message, event, outcome, received, park_reason)
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
    sqs = boto3.Session().client("sqs", config=short)
    copy_queue_url = environment.get("COPY_QUEUE_URL")
    counts = None
    if table := environment.get("COUNTS_TABLE"):
        expires = int(environment["COUNTS_EXPIRE_SECONDS"])
        counts = ReplayCounts(boto3.Session().client("dynamodb", config=short), table, expires)
    batches = None
    if bucket := environment.get("BATCH_BUCKET"):
        batches = BatchBucket(
            boto3.Session().client("s3", config=short),
            bucket,
            environment["BATCH_BUCKET_OWNER"],
            boto3.Session().client("lambda", config=short),
        )
    return Replayer(
        lambda_client(read_timeout=handler_seconds),
        sqs,
        queue_url=environment["QUEUE_URL"],
        parked_queue_url=environment["PARKED_QUEUE_URL"],
        max_attempts=int(environment["MAX_ATTEMPTS"]),
        backoff_seconds=int(environment["BACKOFF_SECONDS"]),
        handler_seconds=handler_seconds,
        copies=None if copy_queue_url is None else CopyQueue(sqs, copy_queue_url),
        counts=counts,
        batches=batches,
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
