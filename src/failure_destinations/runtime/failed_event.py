"""A failed event, parsed from any kind of message that holds one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from .dead_letter_error import dead_letter_error
from .failed_batch import FailedBatch, batch_of, payload_of
from .json_text import elements, inner_members, is_json, string
from .record_values import count, sqs_time, time

Source = Literal[
    "destination",
    "event-source",
    "function-dlq",
    "queue-dlq",
    "rule-dlq",
    "schedule-dlq",
    "subscription-dlq",
]
"""How the event got into the queue: through the failure destination of a function (`destination`)
or of an event source mapping (`event-source`), or as a dead letter of a function, of an SQS queue
that is an event source, of a rule, a schedule or an SNS subscription."""

# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
_FUNCTION_ARN = re.compile(
    r"(?P<function>arn:[\w-]+:lambda:[\w-]+:\d{12}:function:(?P<name>[\w-]+))"
    r"(?::(?P<qualifier>[$\w.-]+))?",
    # ASCII only: look-alike letters of other scripts are not valid in function names.
    re.ASCII,
)
_FUNCTION_DLQ = ("RequestID", "ErrorCode", "ErrorMessage")
# The members of a notification, as a queue gets them, and their names in a function's event.
# https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
# https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
_NOTIFICATION = {
    "Type": "Type",
    "MessageId": "MessageId",
    "TopicArn": "TopicArn",
    "Subject": "Subject",
    "Message": "Message",
    "Timestamp": "Timestamp",
    "SignatureVersion": "SignatureVersion",
    "Signature": "Signature",
    "SigningCertURL": "SigningCertUrl",
    "UnsubscribeURL": "UnsubscribeUrl",
    "MessageAttributes": "MessageAttributes",
}
_REQUIRED = ("MessageId", "TopicArn", "Message", "Timestamp")
_SUBSCRIPTION_ARN = re.compile(r"arn:[\w-]+:sns:[\w-]+:\d{12}:[\w.-]+:[\w-]+", re.ASCII)
# Members that a queue does not get if they are empty, but a function does.
_OPTIONAL = {"Subject": "null", "MessageAttributes": "{}"}
# The condition of the records that a durable function's forwarder writes; Lambda writes none.
DURABLE_CONDITION = "DurableExecutionFailed"
_LATEST = "$LATEST"
# Nested envelopes, such as an SNS dead letter with a notification with an EventBridge event.
_MAX_DEPTH = 4
# Of a longer stack trace, the first and last entries are kept: one of them raised the error.
MAX_STACK_ENTRIES = 40
MAX_STACK_ENTRY_CHARACTERS = 400


class NotAFailedEvent(ValueError):  # noqa: N818 - the name says what the message is
    """The message is not a failed event; the error says what it is, in a few words."""


@dataclass(frozen=True)
class FailedEvent:
    """An event whose handling failed.

    Attributes:
        payload: The handler's input: JSON text, exactly as Lambda passed it or would have. Empty if
            the message does not contain it: Lambda leaves it out of a record that is over SNS's
            limit, and out of the record of a failed batch unless that is in S3 or Kafka.
            `fetch_records` fetches the records of a batch.
        function: ARN of the function, without a qualifier. None if the message does not say:
            dead letters of functions, queues and SNS subscriptions do not name the function.
        qualifier: The alias or version that was invoked. None for `$LATEST` or no qualifier, which
            mean the same; but `$LATEST` for a durable function, which must be invoked with it.
        source: The kind of resource that sent it to the queue.
        request_id: Lambda's id of the invocation, the same on each delivery of the message. None
            if the handler was never started, or the message does not say.
        condition: Why Lambda gave up, such as `RetriesExhausted` or `EventAgeExceeded`; of a batch,
            `RetryAttemptsExhausted`, `RecordAgeExceeded` or `MaximumPayloadSizeExceeded`; for a
            rule or schedule, why its delivery failed. None if the message does not say.
        error_type: The error's class, such as `RuntimeError`; otherwise an error code of Lambda or
            EventBridge, or `FunctionError` if a dead letter says only that its function failed; of
            a batch, whose record does not name the error, its condition. None if the message does
            not say.
        error_message: The error's text. None if the message does not say.
        attempts: How often the handler ran, according to Lambda; 0 if it was never started. None
            if the message does not say.
        timestamp: When the record was written; otherwise the schedule's planned time, or when the
            message was sent. None if the message does not say.
        payload_truncated: Whether EventBridge Scheduler truncated the payload, which is then lost.
        sender: For a message of a function's dead-letter queue, the sender's role session name
            according to SQS, which is the function's name. Others can choose the same session
            name, so it is a hint, not proof. None if the sender is not a role session.
        sender_id: For a message of a function's dead-letter queue, the id of the identity that
            sent it, according to SQS. None if the message does not say.
        rule: For a dead letter of a rule, the rule's ARN. None if the message does not say.
        subscription: For a dead letter of an SNS subscription, the subscription's ARN. None if the
            message does not say.
        queue: For a dead letter of an SQS queue that is an event source, the queue's ARN.
        copy_obstacle: Why a copy of the event could not give the missing payload. None if there is
            a payload, or no copy was looked for.
        stack_trace: The entries of the error's stack trace (`stackTrace`, or `trace` of Node), in
            the runtime's order. At most 40, the first and last 20 of a longer one, each at most 400
            characters. Empty if the message has none.
        batch: For a failed batch of a stream or of Kafka, which records it has and where they are.
        records_gone: Why the records of a batch could not be fetched. None if they were, or nobody
            tried.
        records_unread: Why the records of a batch were not read, such as a missing permission;
            they may still be there. None if they were read, or nobody tried.

    https://docs.aws.amazon.com/lambda/latest/api/API_OnFailure.html
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
    https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html
    """

    payload: str
    function: str | None
    qualifier: str | None
    source: Source
    request_id: str | None = None
    condition: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    attempts: int | None = None
    timestamp: datetime | None = None
    payload_truncated: bool = False
    sender: str | None = None
    sender_id: str | None = None
    rule: str | None = None
    subscription: str | None = None
    queue: str | None = None
    copy_obstacle: str | None = None
    stack_trace: tuple[str, ...] = field(default=(), repr=False)
    batch: FailedBatch | None = None
    records_gone: str | None = None
    records_unread: str | None = None

    @property
    def function_arn(self) -> str | None:
        """ARN of the invoked function, with its qualifier; None if the message does not say."""
        if self.function is None or self.qualifier is None:
            return self.function
        return f"{self.function}:{self.qualifier}"

    @property
    def function_name(self) -> str | None:
        """The function's name, without a qualifier; None if the message does not say."""
        return None if self.function is None else self.function.rpartition(":")[2]

    @property
    def called(self) -> str | None:
        """Name and qualifier of the invoked function: `orders` or `orders:live`."""
        name = self.function_name
        return name if name is None or self.qualifier is None else f"{name}:{self.qualifier}"

    @property
    def payload_bytes(self) -> bytes:
        """The payload in UTF-8, for Lambda."""
        return self.payload.encode()

    @property
    def obstacle(self) -> str | None:
        """Why it cannot be replayed with any function; None if it can."""
        if self.payload_truncated:
            return "EventBridge Scheduler cut its payload"
        if not self.payload and self.batch is not None:
            if self.records_gone is not None:
                return f"its records cannot be fetched: {self.records_gone}"
            if self.records_unread is not None:
                where = self.batch.where
                return f"its records were not read: {self.records_unread}; they are {where}"
            return f"its records are not fetched yet: they are {self.batch.where}"
        if not self.payload:
            why = self.copy_obstacle or "look for its copy in the channel's copy queue"
            return f"its record does not hold the payload: {why}"
        return None


def parse(message: Mapping[str, Any]) -> FailedEvent:
    """Read a failed event from a message.

    Invocation records may be raw, in an SNS envelope, in an EventBridge event, or in one inside the
    other; dead letters of functions, rules and schedules may be raw or in an SNS envelope.
    Conditions and members that this version does not know are ignored.

    A whole notification of SNS that holds none of them is taken for a dead letter of a function's
    subscription. Its payload is what SNS would have passed to the function. AWS does not document
    these dead letters: SNS writes to the queue what a queue's subscription would get.

    The record of a failed batch of an event source mapping may come from SQS, SNS, a Kafka topic, a
    channel's forwarder, or be the text of an object that Lambda wrote to S3.

    Args:
        message: A message as SQS's `ReceiveMessage` returns it with all attributes: `Body`, and
            `MessageAttributes` and `Attributes` if present. `sqs_message` converts a record that
            Lambda passes to a queue's handler.

    Returns:
        The event; its payload is an exact slice of the message. Only the payload of a batch in S3
        is decoded, from the JSON string that holds it.

    Raises:
        NotAFailedEvent: The message is not a failed event. Leave it in the queue.
    """
    attributes = _texts(message.get("MessageAttributes"))
    noted = message.get("Attributes") or {}
    body = str(message.get("Body", ""))
    try:
        event = _read(body, attributes, noted, 1)
    except NotAFailedEvent:
        notification = _of_subscription(body, noted)
        if notification is None:
            raise
        event = notification
    return _checked(event)


def parse_notification(message: Mapping[str, Any]) -> FailedEvent | None:
    """Read a message as a dead letter of a function's SNS subscription, whatever it notifies of.

    `parse` takes a notification of a failure for the failure. A function that is subscribed to the
    topic of a failure channel gets such notifications as its events.

    Args:
        message: As for `parse`.

    Returns:
        The event; None if the message is not a notification.

    Raises:
        NotAFailedEvent: Its text cannot be passed on.
    """
    noted = message.get("Attributes") or {}
    event = _of_subscription(str(message.get("Body", "")), noted)
    return None if event is None else _checked(event)


def _checked(event: FailedEvent) -> FailedEvent:
    try:
        event.payload.encode()
    except UnicodeEncodeError:
        raise NotAFailedEvent("text with half of a surrogate pair") from None
    return event


def function_and_qualifier(arn: str) -> tuple[str, str | None] | None:
    """Return the ARN of a function, and the alias or version that an ARN names.

    Args:
        arn: The ARN of a function, with or without a qualifier.

    Returns:
        Both, the second None for none or `$LATEST`; None if it is not such an ARN.
    """
    called = _FUNCTION_ARN.fullmatch(arn)
    return None if called is None else (called["function"], _qualifier(called))


def sqs_message(record: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a record of Lambda's SQS event to the form of `ReceiveMessage`.

    Args:
        record: One of `event["Records"]`.

    https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
    """
    return {
        "MessageId": record.get("messageId", ""),
        "ReceiptHandle": record.get("receiptHandle", ""),
        "Body": record.get("body", ""),
        "Attributes": dict(record.get("attributes") or {}),
        "MessageAttributes": {
            name: {key[:1].upper() + key[1:]: value for key, value in attribute.items()}
            for name, attribute in (record.get("messageAttributes") or {}).items()
        },
    }


def _read(
    text: str, attributes: Mapping[str, str], noted: Mapping[str, Any], depth: int
) -> FailedEvent:
    undelivered = _undelivered(text, attributes, noted)
    if undelivered is not None:
        return undelivered
    body = inner_members(text)
    dead_letter = all(name in attributes for name in _FUNCTION_DLQ)
    # Engines set the same three attributes on SNS's dead letters, and an event may itself be a
    # record. Only Lambda sends with a function's role; and an envelope has the attributes of the
    # publisher, so not those of a dead letter of SNS.
    of_lambda = depth > 1 or _session(noted) is not None
    if dead_letter and (of_lambda or not _looks_known(body)):
        error_type, error_message = dead_letter_error(
            attributes["ErrorCode"], attributes["ErrorMessage"]
        )
        return FailedEvent(
            payload=text,
            function=None,
            qualifier=None,
            source="function-dlq",
            request_id=attributes["RequestID"] or None,
            error_type=error_type,
            error_message=error_message,
            timestamp=_sent(noted),
            sender=_session(noted),
            sender_id=str(noted.get("SenderId") or "") or None,
        )
    if "requestContext" in body:
        return _record(body, noted)
    batch = batch_of(body)
    if batch is not None:
        # AWS leaves open whether each record of a batch has a context.
        return _of_batch(body, {}, None, batch, noted)
    if depth < _MAX_DEPTH and _looks_known(body):
        if "detail" in body:
            return _read(body["detail"], {}, noted, depth + 1)
        return _read(string(body["Message"]) or "", _of_envelope(body), noted, depth + 1)
    raise NotAFailedEvent(_kind(text, body, attributes))


def record_text(text: str, depth: int = 1) -> str | None:
    """Return the invocation record in the body of a message; None if there is none.

    Args:
        text: The body: a record, perhaps in an SNS envelope or EventBridge event.
        depth: How many envelopes are around it, this one included.
    """
    body = inner_members(text)
    if "requestContext" in body or batch_of(body) is not None:
        return text
    if depth == _MAX_DEPTH or not _looks_known(body):
        return None
    inner = body["detail"] if "detail" in body else string(body["Message"])
    return record_text(inner or "", depth + 1)


def _looks_known(body: Mapping[str, str]) -> bool:
    """Return whether a body is a record, an EventBridge event or an SNS envelope."""
    if "requestContext" in body or {"detail-type", "detail"} <= set(body):
        return True
    return string(body.get("Type")) == "Notification" and body.get("Message", "").startswith('"')


def _record(body: Mapping[str, str], noted: Mapping[str, Any]) -> FailedEvent:
    context = inner_members(body["requestContext"])
    called = _FUNCTION_ARN.fullmatch(string(context.get("functionArn")) or "")
    if called is None:
        raise NotAFailedEvent("JSON with a requestContext that does not name a function")
    condition = string(context.get("condition"))
    if condition == "Success":
        raise NotAFailedEvent("the record of a successful invocation")
    batch = batch_of(body)
    if batch is not None:
        return _of_batch(body, context, called, batch, noted)
    response = body.get("responsePayload")
    error = inner_members(response)
    return FailedEvent(
        payload=body.get("requestPayload", ""),
        function=called["function"],
        qualifier=called["qualifier"] if condition == DURABLE_CONDITION else _qualifier(called),
        source="destination",
        request_id=string(context.get("requestId")),
        condition=condition,
        error_type=string(error.get("errorType"))
        or string(inner_members(body.get("responseContext")).get("functionError"))
        or condition,
        error_message=string(error.get("errorMessage")) if error else string(response),
        attempts=count(context.get("approximateInvokeCount")),
        timestamp=time(string(body.get("timestamp"))) or _sent(noted),
        stack_trace=_stack_trace(error.get("stackTrace") or error.get("trace")),
    )


def _of_batch(
    body: Mapping[str, str],
    context: Mapping[str, str],
    called: re.Match[str] | None,
    batch: FailedBatch,
    noted: Mapping[str, Any],
) -> FailedEvent:
    condition = string(context.get("condition"))
    return FailedEvent(
        payload=payload_of(body),
        function=None if called is None else called["function"],
        qualifier=None if called is None else _qualifier(called),
        source="event-source",
        request_id=string(context.get("requestId")),
        condition=condition,
        error_type=condition
        or string(inner_members(body.get("responseContext")).get("functionError")),
        attempts=count(context.get("approximateInvokeCount")),
        timestamp=time(string(body.get("timestamp"))) or _sent(noted),
        batch=batch,
    )


def _of_subscription(text: str, noted: Mapping[str, Any]) -> FailedEvent | None:
    """Return an event that SNS could not pass to a function; None if it is not a notification."""
    body = inner_members(text)
    known = {**_OPTIONAL, **body}
    complete = all(known.get(name, "").startswith('"') for name in _REQUIRED)
    if string(body.get("Type")) != "Notification" or not complete:
        return None
    sns = ", ".join(
        f'"{_NOTIFICATION[name]}": {known[name]}' for name in _NOTIFICATION if name in known
    )
    subscription = _subscription(body)
    arn = "" if subscription is None else f'"EventSubscriptionArn": {json.dumps(subscription)}, '
    record = f'{{"EventSource": "aws:sns", "EventVersion": "1.0", {arn}"Sns": {{{sns}}}}}'
    return FailedEvent(
        payload=f'{{"Records": [{record}]}}',
        function=None,
        qualifier=None,
        source="subscription-dlq",
        attempts=0,
        timestamp=time(string(body.get("Timestamp"))) or _sent(noted),
        subscription=subscription,
    )


def _subscription(body: Mapping[str, str]) -> str | None:
    """Return the ARN of the subscription of a notification, which only one of its links names."""
    link = string(body.get("UnsubscribeURL")) or ""
    try:
        arns = parse_qs(urlsplit(link).query).get("SubscriptionArn", [])
    except ValueError:
        return None
    return next((arn for arn in arns if _SUBSCRIPTION_ARN.fullmatch(arn)), None)


def _undelivered(
    text: str, attributes: Mapping[str, str], noted: Mapping[str, Any]
) -> FailedEvent | None:
    """Return an event that a rule or schedule could not deliver; None if it is not one."""
    called = _FUNCTION_ARN.fullmatch(attributes.get("TARGET_ARN", ""))
    schedule = "SCHEDULE_ARN" in attributes
    if called is None or not (schedule or "RULE_ARN" in attributes):
        return None
    return FailedEvent(
        payload=text,
        function=called["function"],
        qualifier=_qualifier(called),
        source="schedule-dlq" if schedule else "rule-dlq",
        condition=attributes.get("EXHAUSTED_RETRY_CONDITION"),
        error_type=attributes.get("ERROR_CODE"),
        error_message=attributes.get("ERROR_MESSAGE"),
        attempts=0,
        timestamp=time(attributes.get("SCHEDULED_TIME")) or _sent(noted),
        payload_truncated=attributes.get("IS_PAYLOAD_TRUNCATED", "").lower() == "true",
        rule=None if schedule else attributes["RULE_ARN"],
    )


def _kind(text: str, body: Mapping[str, str], attributes: Mapping[str, str]) -> str:
    """Describe in a few words a message that is not a failed event."""
    if "TARGET_ARN" in attributes:
        return f"a dead letter for {attributes['TARGET_ARN']}, which is not a Lambda function"
    if "AlarmName" in body:
        return f"a CloudWatch alarm, {string(body['AlarmName'])}"
    # The detail of S3's "Object Created", which a channel's forwarder could not read.
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
    if {"bucket", "object"} <= set(body):
        bucket = string(inner_members(body["bucket"]).get("name"))
        key = string(inner_members(body["object"]).get("key"))
        return f"an announcement of an object that could not be read, s3://{bucket}/{key}"
    if body:
        return f"JSON with {', '.join(list(body)[:5])}"
    return "JSON that is not a record" if is_json(text) else "text that is not JSON"


def _texts(attributes: Any) -> dict[str, str]:
    """Return the values of message attributes that are strings."""
    if not isinstance(attributes, Mapping):
        return {}
    return {
        str(name): str(value["StringValue"])
        for name, value in attributes.items()
        if isinstance(value, Mapping) and value.get("StringValue") is not None
    }


def _of_envelope(body: Mapping[str, str]) -> dict[str, str]:
    """Return the string values of the message attributes in an SNS envelope."""
    attributes = inner_members(body.get("MessageAttributes"))
    return {
        name: string(inner_members(value).get("Value")) or "" for name, value in attributes.items()
    }


def _stack_trace(value: str | None) -> tuple[str, ...]:
    entries = elements(value)
    if len(entries) > MAX_STACK_ENTRIES:
        half = MAX_STACK_ENTRIES // 2
        entries = entries[:half] + entries[-half:]
    return tuple((string(entry) or "")[:MAX_STACK_ENTRY_CHARACTERS] for entry in entries)


def _qualifier(called: re.Match[str]) -> str | None:
    qualifier = called["qualifier"]
    return None if qualifier == _LATEST else qualifier


def _session(noted: Mapping[str, Any]) -> str | None:
    """Return the session name of the role that sent the message; None if the sender is not a role.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
    """
    return str(noted.get("SenderId", "")).partition(":")[2] or None


def _sent(noted: Mapping[str, Any]) -> datetime | None:
    return sqs_time(noted.get("SentTimestamp"))
