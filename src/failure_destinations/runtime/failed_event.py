"""A failed event, parsed from any kind of message that holds one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Literal

from .json_text import inner_members, is_json, string

Source = Literal["destination", "function-dlq", "rule-dlq", "schedule-dlq"]
"""How the event got into the queue: through a failure destination, or as a dead letter of a
function, rule or schedule."""

# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
_FUNCTION_ARN = re.compile(
    r"(?P<function>arn:[\w-]+:lambda:[\w-]+:\d{12}:function:(?P<name>[\w-]+))"
    r"(?::(?P<qualifier>[$\w.-]+))?",
    # ASCII only: look-alike letters of other scripts are not valid in function names.
    re.ASCII,
)
_FUNCTION_DLQ = ("RequestID", "ErrorCode", "ErrorMessage")
# Nested envelopes, such as an SNS dead letter with a notification with an EventBridge event.
_MAX_DEPTH = 4


class NotAFailedEvent(ValueError):  # noqa: N818 - the name says what the message is
    """The message is not a failed event; the error says what it is, in a few words."""


@dataclass(frozen=True)
class FailedEvent:
    """An event whose handling failed.

    Attributes:
        payload: The handler's input: JSON text, exactly as Lambda passed it or would have. Empty if
            the message does not contain it.
        function: ARN of the function, without a qualifier. None if the message does not say: a
            message of a function's dead-letter queue does not name the function.
        qualifier: The alias or version that was invoked. None for `$LATEST` or no qualifier.
        source: The kind of resource that sent it to the queue.
        request_id: Lambda's id of the invocation, the same on each delivery of the message. None
            if the handler was never started, or the message does not say.
        condition: Why Lambda gave up, such as `RetriesExhausted` or `EventAgeExceeded`; for a rule
            or schedule, why its delivery failed. None if the message does not say.
        error_type: The error's class, such as `RuntimeError`; otherwise an error code of Lambda or
            EventBridge. None if the message does not say.
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

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
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
        if not self.payload:
            return "its message does not hold the payload"
        return None


def parse(message: Mapping[str, Any]) -> FailedEvent:
    """Read a failed event from a message.

    Invocation records may be raw, in an SNS envelope, in an EventBridge event, or in one inside the
    other; dead letters of functions, rules and schedules may be raw or in an SNS envelope.
    Conditions and members that this version does not know are ignored.

    Args:
        message: A message as SQS's `ReceiveMessage` returns it with all attributes: `Body`, and
            `MessageAttributes` and `Attributes` if present. `sqs_message` converts a record that
            Lambda passes to a queue's handler.

    Returns:
        The event; its payload is an exact slice of the message.

    Raises:
        NotAFailedEvent: The message is not a failed event. Leave it in the queue.
    """
    attributes = _texts(message.get("MessageAttributes"))
    noted = message.get("Attributes") or {}
    event = _read(str(message.get("Body", "")), attributes, noted, 1)
    try:
        event.payload.encode()
    except UnicodeEncodeError:
        raise NotAFailedEvent("text with half of a surrogate pair") from None
    return event


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
    # SNS sets the same three attributes on its own dead letters, and an event may itself be a
    # record. Only Lambda sends with a function's role.
    if dead_letter and (_session(noted) is not None or not _looks_known(body)):
        return FailedEvent(
            payload=text,
            function=None,
            qualifier=None,
            source="function-dlq",
            request_id=attributes["RequestID"] or None,
            error_type=attributes["ErrorCode"] or None,
            error_message=attributes["ErrorMessage"] or None,
            timestamp=_sent(noted),
            sender=_session(noted),
            sender_id=str(noted.get("SenderId") or "") or None,
        )
    if "requestContext" in body:
        return _record(body, noted)
    if depth < _MAX_DEPTH and _looks_known(body):
        if "detail" in body:
            return _read(body["detail"], {}, noted, depth + 1)
        return _read(string(body["Message"]) or "", _of_envelope(body), noted, depth + 1)
    raise NotAFailedEvent(_kind(text, body, attributes))


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
    response = body.get("responsePayload")
    error = inner_members(response)
    return FailedEvent(
        payload=body.get("requestPayload", ""),
        function=called["function"],
        qualifier=_qualifier(called),
        source="destination",
        request_id=string(context.get("requestId")),
        condition=condition,
        error_type=string(error.get("errorType"))
        or string(inner_members(body.get("responseContext")).get("functionError"))
        or condition,
        error_message=string(error.get("errorMessage")) if error else string(response),
        attempts=_count(context.get("approximateInvokeCount")),
        timestamp=_time(string(body.get("timestamp"))) or _sent(noted),
    )


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
        timestamp=_time(attributes.get("SCHEDULED_TIME")) or _sent(noted),
        payload_truncated=attributes.get("IS_PAYLOAD_TRUNCATED", "").lower() == "true",
    )


def _kind(text: str, body: Mapping[str, str], attributes: Mapping[str, str]) -> str:
    """Describe in a few words a message that is not a failed event."""
    if "TARGET_ARN" in attributes:
        return f"a dead letter for {attributes['TARGET_ARN']}, which is not a Lambda function"
    if "AlarmName" in body:
        return f"a CloudWatch alarm, {string(body['AlarmName'])}"
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


def _qualifier(called: re.Match[str]) -> str | None:
    qualifier = called["qualifier"]
    return None if qualifier == "$LATEST" else qualifier


def _session(noted: Mapping[str, Any]) -> str | None:
    """Return the session name of the role that sent the message; None if the sender is not a role.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
    """
    return str(noted.get("SenderId", "")).partition(":")[2] or None


def _count(value: str | None) -> int | None:
    return int(value) if value and re.fullmatch(r"\d{1,9}", value) else None


def _time(value: str | None) -> datetime | None:
    # Python 3.10 parses neither a Z nor fractions with other than 3 or 6 digits.
    text = re.sub(r"(\.\d{1,6})\d*", lambda match: match[1].ljust(7, "0"), str(value))
    try:
        time = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=timezone.utc)


def _sent(noted: Mapping[str, Any]) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(noted["SentTimestamp"]) / 1000, timezone.utc)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return None
