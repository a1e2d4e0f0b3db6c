"""Failed events in every message shape, and messages that are not failed events."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given

import failure_destinations.runtime
from failure_destinations.runtime import (
    FailedEvent,
    NotAFailedEvent,
    parse,
    parse_notification,
    sqs_message,
)

from . import messages

SENT = datetime.fromtimestamp(1793588591.6, timezone.utc)
RECORDED = datetime(2026, 11, 2, 3, 3, 11, 412000, timezone.utc)
PAYLOAD = '{"veryImportantData": "this should not be lost !!!"}'
STACK_ENTRY = (
    '  File "/var/task/index.py", line 6, in handler\n'
    '    raise RuntimeError("Something went wrong!")\n'
)
DESTINATION = {
    "payload": PAYLOAD,
    "function": messages.FUNCTION,
    "qualifier": None,
    "source": "destination",
    "request_id": messages.REQUEST_ID,
    "condition": "RetriesExhausted",
    "error_type": "RuntimeError",
    "error_message": "Something went wrong!",
    "attempts": 2,
    "timestamp": RECORDED,
    "stack_trace": (STACK_ENTRY,),
}


@messages.patient
@given(messages.payloads)
@example("[" * 20_000 + "]" * 20_000)
def test_keeps_the_payload_to_the_last_character(payload: str) -> None:
    """Whatever JSON a handler got, in whatever shape it comes: that text is what it gets again."""
    # Making up a payload takes longer than parsing it in every shape.
    shapes: dict[str, Any] = messages.SHAPES
    events = {name: parse(shape(payload)) for name, shape in shapes.items()}
    kept = {name: event.payload for name, event in events.items()}
    assert kept == dict.fromkeys(messages.SHAPES, payload)
    assert {event.payload_bytes for event in events.values()} == {payload.encode()}
    assert {event.obstacle for event in events.values()} == {None}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("destination-sqs-or-sns-raw", DESTINATION),
        ("destination-sns-envelope", DESTINATION),
        ("destination-eventbridge-to-sqs", DESTINATION),
        ("destination-alias", {**DESTINATION, "qualifier": "live"}),
        (
            "destination-event-age-exceeded",
            {
                **DESTINATION,
                "condition": "EventAgeExceeded",
                "error_type": "EventAgeExceeded",
                "error_message": None,
                "attempts": 0,
                "stack_trace": (),
            },
        ),
        (
            "function-dlq",
            {
                "payload": PAYLOAD,
                "function": None,
                "qualifier": None,
                "source": "function-dlq",
                "request_id": messages.REQUEST_ID,
                "error_type": "FunctionError",
                "error_message": "Something went wrong!",
                "timestamp": SENT,
            },
        ),
        (
            "rule-target-dlq",
            {
                "payload": PAYLOAD,
                "function": messages.FUNCTION,
                "qualifier": None,
                "source": "rule-dlq",
                "condition": "NoRetriesLeft",
                "error_type": "NO_PERMISSIONS",
                "error_message": "Lambda denied the invocation.",
                "rule": "arn:aws:events:eu-west-1:111122223333:rule/nightly",
                "attempts": 0,
                "timestamp": SENT,
            },
        ),
        (
            "schedule-target-dlq",
            {
                "payload": PAYLOAD,
                "function": messages.FUNCTION,
                "qualifier": None,
                "source": "schedule-dlq",
                "condition": "MaximumRetryAttempts",
                "error_type": "AWS.Lambda.AccessDeniedException",
                "error_message": "The role may not invoke the function.",
                "attempts": 0,
                "timestamp": datetime(2026, 11, 2, 3, tzinfo=timezone.utc),
            },
        ),
    ],
)
def test_reads_what_aws_documents(name: str, expected: dict[str, Any]) -> None:
    """Every documented shape gives the function, the error and the payload."""
    assert parse(messages.stored(name)) == FailedEvent(**expected)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (messages.stored("not-json"), "text that is not JSON"),
        (messages.stored("not-a-failure-alarm"), "a CloudWatch alarm, x"),
        (messages.message(messages.record("1", condition="Success")), "successful invocation"),
        (messages.message('{"order": 1}'), "JSON with order"),
        (messages.message("[1, 2]"), "JSON that is not a record"),
        (messages.message('{"requestContext": {}}'), "does not name a function"),
        (messages.message(messages.record("1")[:-1]), "text that is not JSON"),
        (messages.message(messages.record("1") + "]"), "text that is not JSON"),
        (messages.message(messages.envelope("hello")), "text that is not JSON"),
        (messages.message('{"Type": "Notification", "Message": 1}'), "JSON with Type, Message"),
        (messages.message(messages.notification("x", TopicArn=1)), "text that is not JSON"),
        (messages.message(messages.record('"\ud83d"')), "surrogate"),
        (
            messages.message("{}", {**messages.RULE_DLQ, "TARGET_ARN": "arn:aws:sqs:eu:1:q"}),
            "not a Lambda function",
        ),
        ({}, "text that is not JSON"),
    ],
)
def test_rejects_a_message_that_is_not_a_failed_event(message: dict[str, Any], reason: str) -> None:
    """The reason says what it is instead."""
    with pytest.raises(NotAFailedEvent, match=reason):
        parse(message)


@pytest.mark.parametrize("shape", messages.SHAPES.values(), ids=messages.SHAPES)
def test_reads_the_records_of_an_sqs_event(shape: Any) -> None:
    """A record of Lambda's SQS event gives the same failed event as its message."""
    message = shape('{"a": 1.0}')
    record = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {
            name: {
                "stringValue": value["StringValue"],
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": value["DataType"],
            }
            for name, value in message["MessageAttributes"].items()
        },
        "eventSource": "aws:sqs",
    }
    assert parse(sqs_message(record)) == parse(message)
    assert sqs_message(record)["ReceiptHandle"] == message["ReceiptHandle"]


def test_reads_a_function_dlq_whose_event_is_itself_a_record() -> None:
    """A function that handles records failed with one: that record is the payload."""
    record = messages.record('{"inner": 1}')
    event = parse(messages.message(record, messages.FUNCTION_DLQ, SenderId="AROAEX:triage"))
    assert (event.source, event.payload, event.sender) == ("function-dlq", record, "triage")


def test_reads_a_rule_dlq_whose_event_is_itself_a_record() -> None:
    """A rule could not deliver a record to its function: the whole event is the payload."""
    body = messages.of_event_bridge(messages.record("1"))
    assert parse(messages.message(body, messages.RULE_DLQ)).payload == body


def test_reads_a_function_dlq_topic_whose_event_is_itself_a_record() -> None:
    """Lambda's attributes in an envelope say that the record was the payload of who handles it."""
    record = messages.record('{"inner": 1}')
    event = parse(messages.message(messages.envelope(record, messages.FUNCTION_DLQ)))
    assert (event.source, event.payload, event.function) == ("function-dlq", record, None)


def test_reads_a_function_dlq_whose_event_is_a_notification() -> None:
    """What a function subscribed to a topic failed with is its event, not what it was notified of.

    https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
    """
    event_of_sns = parse(messages.message(messages.notification("hello"))).payload
    for body in (event_of_sns, messages.notification(messages.record("1"))):
        event = parse(messages.message(body, messages.FUNCTION_DLQ, SenderId="AROAEX:notifier"))
        assert (event.source, event.payload, event.sender) == ("function-dlq", body, "notifier")


def test_wraps_a_dead_letter_of_a_subscription_as_sns_does() -> None:
    """A function gets the notification in `Records`, with the names that SNS uses there.

    https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
    """
    attributes = {"n": {"Type": "Number", "Value": "1"}}
    body = messages.notification("hello", Subject="Hi \ud83d\ude00", MessageAttributes=attributes)
    event = parse(messages.message(body))
    sent = json.loads(body)
    assert (event.source, event.function, event.attempts) == ("subscription-dlq", None, 0)
    assert event.obstacle is None
    assert json.loads(event.payload) == {
        "Records": [
            {
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": event.subscription,
                "Sns": {
                    "Type": "Notification",
                    "MessageId": sent["MessageId"],
                    "TopicArn": sent["TopicArn"],
                    "Subject": "Hi \U0001f600",
                    "Message": "hello",
                    "Timestamp": "2026-11-02T03:03:11.600Z",
                    "SignatureVersion": "1",
                    "Signature": "EXAMPLE",
                    "SigningCertUrl": sent["SigningCertURL"],
                    "UnsubscribeUrl": sent["UnsubscribeURL"],
                    "MessageAttributes": attributes,
                },
            }
        ]
    }
    assert event.subscription == f"{sent['TopicArn']}:2bcfbf39-0c1b-5d6e-8f90-5a2b3c4d5e6f"
    assert event.timestamp == datetime(2026, 11, 2, 3, 3, 11, 600_000, timezone.utc)


def test_wraps_a_notification_without_subject_and_attributes() -> None:
    """A queue does not get these members then, but a function gets them empty."""
    event = parse(messages.message(messages.notification('{"order": 1}')))
    (record,) = json.loads(event.payload)["Records"]
    assert (record["Sns"]["Subject"], record["Sns"]["MessageAttributes"]) == (None, {})
    assert record["Sns"]["Message"] == '{"order": 1}'


@pytest.mark.parametrize(
    "link",
    [
        "",
        "https://sns.example/?SubscriptionArn=orders",
        "https://[sns/?SubscriptionArn=x",
        "https://sns.example/?SubscriptionArn=arn:aws:sns:eu:111122223333:orders:1%1b%5b31m",
    ],
)
def test_leaves_out_a_subscription_that_a_notification_does_not_name(link: str) -> None:
    """Its link may be missing, or somebody may have written it."""
    event = parse(messages.message(messages.notification("hello", UnsubscribeURL=link)))
    assert event.subscription is None
    assert "EventSubscriptionArn" not in event.payload


@pytest.mark.parametrize(
    "text",
    [messages.record("1", condition="Success"), '{"AlarmName": "x"}', "hello", "[1]"],
    ids=["success", "alarm", "text", "list"],
)
def test_wraps_a_notification_of_anything_but_a_failure(text: str) -> None:
    """A function may be subscribed to any topic."""
    event = parse(messages.message(messages.notification(text)))
    assert event.source == "subscription-dlq"
    assert json.loads(event.payload)["Records"][0]["Sns"]["Message"] == text


def test_reads_a_notification_of_a_failure_as_either() -> None:
    """It is the failure; or an event of a function that is subscribed to failures."""
    message = messages.message(messages.notification(messages.record("1")))
    assert (parse(message).source, parse(message).payload) == ("destination", "1")
    event = parse_notification(message)
    assert event is not None
    assert event.source == "subscription-dlq"
    assert parse_notification(messages.message(messages.record("1"))) is None


def test_ignores_unknown_conditions_and_members() -> None:
    """Lambda may add some."""
    record = messages.record("1", condition="Cosmic").replace("{", '{"new": [{}], ', 1)
    assert parse(messages.message(record)).condition == "Cosmic"


def test_reads_a_record_with_only_function_and_payload() -> None:
    """The rest is optional; the queue knows when the message was sent."""
    body = json.dumps({"requestContext": {"functionArn": messages.FUNCTION}, "requestPayload": 1})
    event = parse(messages.message(body))
    assert event == FailedEvent("1", messages.FUNCTION, None, "destination", timestamp=SENT)


@pytest.mark.parametrize(
    ("response", "error_type", "error_message"),
    [
        ('{"errorMessage": "Task timed out"}', "Unhandled", "Task timed out"),
        ('"just text"', "Unhandled", "just text"),
        ("null", "Unhandled", None),
        ('{"errorType": 7, "errorMessage": {"a": 1}}', "7", '{"a": 1}'),
    ],
)
def test_reads_every_answer_of_a_runtime(
    response: str, error_type: str, error_message: str | None
) -> None:
    """Runtimes answer with an object that has an errorType, or with something else."""
    record = messages.record("1")
    body = record[: record.index('"responsePayload"')] + f'"responsePayload": {response}}}'
    event = parse(messages.message(body))
    assert (event.error_type, event.error_message) == (error_type, error_message)


def test_names_the_obstacle_to_a_replay() -> None:
    """A payload that Scheduler cut, or that is missing, cannot be replayed."""
    cut = {**messages.SCHEDULE_DLQ, "IS_PAYLOAD_TRUNCATED": "true"}
    assert parse(messages.message('{"a', cut)).obstacle == "EventBridge Scheduler cut its payload"
    body = json.dumps({"requestContext": {"functionArn": messages.FUNCTION}})
    obstacle = parse(messages.message(body)).obstacle or ""
    assert obstacle.startswith("its record does not hold the payload: look for its copy")


@pytest.mark.parametrize(
    ("qualifier", "arn", "called"),
    [
        ("$LATEST", messages.FUNCTION, "nightly-report"),
        ("live", f"{messages.FUNCTION}:live", "nightly-report:live"),
        ("7", f"{messages.FUNCTION}:7", "nightly-report:7"),
    ],
)
def test_names_function_and_qualifier(qualifier: str, arn: str, called: str) -> None:
    """They are separate, and $LATEST is not a qualifier."""
    event = parse(messages.message(messages.record("1", qualifier=qualifier)))
    assert (event.function, event.function_arn, event.called) == (messages.FUNCTION, arn, called)
    assert event.function_name == "nightly-report"


def test_runs_by_itself_under_another_name(tmp_path: Path) -> None:
    """In Lambda it is the package `runtime`, which imports only boto3, and only to invoke."""
    assert failure_destinations.runtime.__file__ is not None
    (tmp_path / "runtime").symlink_to(Path(failure_destinations.runtime.__file__).parent)
    code = (
        "import sys, runtime; "
        "print([m for m in sys.modules if m.split('.')[0] in "
        "('aws_cdk', 'jsii', 'boto3', 'botocore', 'failure_destinations')])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert printed.stdout == "[]\n"
