"""Failed batches of a Kinesis stream, as a channel's forwarder announces them and S3 keeps them."""

from __future__ import annotations

import base64
import json
from typing import Any

from failure_destinations.replay.batches import message_with_records
from failure_destinations.replay.received_message import ReceivedMessage

from ..runtime import messages

STREAM = "arn:aws:kinesis:eu-west-1:111122223333:stream/orders"
SHARD = "shardId-000000000001"
MAPPING = "0f3c6c1e-93c4-4f6e-8a54-2f4c1b7d9e10"
FIRST = 49653411223344556677889900112233445566778899001122334450


def event(*records: tuple[str, str], start: int = 0, stream: str = STREAM) -> str:
    """Return the event of records, each a partition key and data."""
    written = [
        {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": key,
                "sequenceNumber": number(start + at),
                "data": base64.b64encode(data.encode()).decode(),
                "approximateArrivalTimestamp": 1793588585.1,
            },
            "eventSource": "aws:kinesis",
            "eventID": f"{SHARD}:{number(start + at)}",
            "eventSourceARN": stream,
        }
        for at, (key, data) in enumerate(records)
    ]
    return json.dumps({"Records": written})


def number(at: int) -> str:
    """Return the sequence number of a record."""
    return str(FIRST + at)


def record(
    count: int,
    *,
    start: int = 0,
    request_id: str = messages.REQUEST_ID,
    function: str = messages.FUNCTION,
    stream: str = STREAM,
    stored: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the invocation record of a batch, without its records."""
    written: dict[str, Any] = {
        "requestContext": {
            "requestId": request_id,
            "functionArn": function,
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 1,
        },
        "version": "1.0",
        "timestamp": "2026-11-02T03:03:11.412Z",
        "KinesisBatchInfo": {
            "shardId": SHARD,
            "startSequenceNumber": number(start),
            "endSequenceNumber": number(start + count - 1),
            "approximateArrivalOfFirstRecord": "2026-11-02T03:03:05.100Z",
            "approximateArrivalOfLastRecord": "2026-11-02T03:03:06.100Z",
            "batchSize": count,
            "streamArn": stream,
        },
    }
    return written if stored is None else {**written, "storedObject": stored}


def received(
    *records: tuple[str, str],
    start: int = 0,
    request_id: str = messages.REQUEST_ID,
    id: str = "1",
    function: str = messages.FUNCTION,
) -> ReceivedMessage:
    """Return a received batch with its records."""
    written = record(len(records), start=start, request_id=request_id, function=function)
    body = json.dumps(written)
    message = ReceivedMessage.of({**messages.message(body), "MessageId": id})
    return message_with_records(message, event(*records, start=start))
