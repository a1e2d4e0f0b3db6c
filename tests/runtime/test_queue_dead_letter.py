"""Dead letters of SQS event sources: the event that the function got, and nothing guessed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from failure_destinations.runtime import fingerprint
from failure_destinations.runtime.queue_dead_letter import (
    read_queue_dead_letter,
    source_queue,
    sqs_event,
)

QUEUE = "arn:aws:sqs:us-east-2:123456789012:my-queue"
FIFO = "arn:aws:sqs:us-east-2:123456789012:fifo.fifo"
FUNCTION = "arn:aws:lambda:us-east-2:123456789012:function:orders"

# The standard and the FIFO record of https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html,
# with attributes as in AWS's own test data of its runtime libraries.
STANDARD_RECORD: dict[str, Any] = {
    "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
    "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a...",
    "body": "Test message.",
    "attributes": {
        "ApproximateReceiveCount": "1",
        "SentTimestamp": "1545082649183",
        "SenderId": "AIDAIENQZJOLO23YVJ4VO",
        "ApproximateFirstReceiveTimestamp": "1545082649185",
    },
    "messageAttributes": {
        "myAttribute": {
            "stringValue": "myValue",
            "stringListValues": [],
            "binaryListValues": [],
            "dataType": "String",
        },
        "raw": {
            "binaryValue": "MTEwMA==",
            "stringListValues": [],
            "binaryListValues": [],
            "dataType": "Binary",
        },
    },
    "md5OfMessageAttributes": "582c92c5c5b6ac403040a4f3ab3115c9",
    "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
    "eventSource": "aws:sqs",
    "eventSourceARN": QUEUE,
    "awsRegion": "us-east-2",
}
FIFO_RECORD: dict[str, Any] = {
    "messageId": "11d6ee51-4cc7-4302-9e22-7cd8afdaadf5",
    "receiptHandle": "AQEBBX8nesZEXmkhsmZeyIE8iQAMig7qw...",
    "body": "Test message.",
    "attributes": {
        "ApproximateReceiveCount": "1",
        "SentTimestamp": "1573251510774",
        "SequenceNumber": "18849496460467696128",
        "MessageGroupId": "1",
        "SenderId": "AIDAIO23YVJENQZJOL4VO",
        "MessageDeduplicationId": "1",
        "ApproximateFirstReceiveTimestamp": "1573251510774",
    },
    "messageAttributes": {},
    "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
    "eventSource": "aws:sqs",
    "eventSourceARN": FIFO,
    "awsRegion": "us-east-2",
}
STANDARD = {
    "MessageId": STANDARD_RECORD["messageId"],
    "ReceiptHandle": STANDARD_RECORD["receiptHandle"],
    "Body": "Test message.",
    "Attributes": {**STANDARD_RECORD["attributes"], "DeadLetterQueueSourceArn": QUEUE},
    "MessageAttributes": {
        "myAttribute": {"StringValue": "myValue", "DataType": "String"},
        "raw": {"BinaryValue": b"1100", "DataType": "Binary"},
    },
    "MD5OfMessageAttributes": STANDARD_RECORD["md5OfMessageAttributes"],
    "MD5OfBody": STANDARD_RECORD["md5OfBody"],
}
ORDERED = {
    "MessageId": FIFO_RECORD["messageId"],
    "ReceiptHandle": FIFO_RECORD["receiptHandle"],
    "Body": "Test message.",
    "Attributes": {**FIFO_RECORD["attributes"], "DeadLetterQueueSourceArn": FIFO},
    "MD5OfBody": FIFO_RECORD["md5OfBody"],
}


@pytest.mark.parametrize(
    ("message", "record"),
    [(STANDARD, STANDARD_RECORD), (ORDERED, FIFO_RECORD)],
    ids=["standard", "fifo"],
)
def test_builds_the_event_of_the_mapping(message: Any, record: Any) -> None:
    """With every member that AWS documents, and not with what SQS added when it moved it."""
    assert json.loads(sqs_event(message, record["eventSourceARN"])) == {"Records": [record]}


def test_reads_the_event_that_failed() -> None:
    """SQS says neither the error nor the number of runs."""
    queue = source_queue(STANDARD)
    assert queue == QUEUE
    event = read_queue_dead_letter(STANDARD, queue=queue, function=FUNCTION, qualifier="live")
    assert (event.source, event.queue, event.called) == ("queue-dlq", QUEUE, "orders:live")
    assert (event.error_type, event.error_message, event.attempts) == (None, None, None)
    assert event.obstacle is None
    assert event.timestamp is not None
    assert event.timestamp.timestamp() == 1545082649.183


def test_a_group_is_a_function_and_a_queue() -> None:
    """Two queues of one function are two groups, whatever their messages are."""
    other = QUEUE.replace("my-queue", "other")
    events = [
        read_queue_dead_letter({**STANDARD, "Body": body}, queue=queue, function=FUNCTION)
        for body, queue in (("one", QUEUE), ("two", QUEUE), ("one", other))
    ]
    prints = [fingerprint(event) for event in events]
    assert [one.message for one in prints] == ["queue/my-queue", "queue/my-queue", "queue/other"]
    assert prints[0] == prints[1]
    assert prints[0].id != prints[2].id


@pytest.mark.parametrize(
    ("message", "member", "value"),
    [
        ({"Body": "\x00\x1b[31m\u202e\n\"}]}"}, "body", "\x00\x1b[31m\u202e\n\"}]}"),
        ({"Body": "\ud800"}, "body", "\ud800"),
        ({"Body": '{"requestContext": {"functionArn": "x"}}'}, "body",
         '{"requestContext": {"functionArn": "x"}}'),
        ({"Body": "", "MessageAttributes": {"a": "no object"}}, "messageAttributes", {}),
        ({"Body": "", "Attributes": {"SentTimestamp": "9" * 30}}, "messageId", ""),
    ],
)  # fmt: skip
def test_takes_any_text(message: Any, member: str, value: Any) -> None:
    """A message of a source queue, or of an edited backup, may be anything."""
    event = read_queue_dead_letter(message, queue=QUEUE)
    assert event.payload_bytes
    (record,) = json.loads(event.payload)["Records"]
    assert record[member] == value
    assert event.function is None
