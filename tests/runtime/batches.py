"""Events of batches, as event source mappings build them."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

REGION = "eu-west-1"
ACCOUNT = "111122223333"
STREAM = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/orders"
TABLE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/orders/stream/2026-10-01T08:15:30.123"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders.fifo"
SHARD = "shardId-000000000001"


def of_kinesis(sequence: str, key: str = "k", data: bytes = b"1") -> dict[str, Any]:
    """Return a record of Kinesis."""
    return {
        "kinesis": {
            "partitionKey": key,
            "sequenceNumber": sequence,
            "data": base64.b64encode(data).decode(),
        },
        "eventSource": "aws:kinesis",
        "eventID": f"{SHARD}:{sequence}",
        "eventSourceARN": STREAM,
    }


def of_dynamodb(sequence: str, keys: dict[str, Any]) -> dict[str, Any]:
    """Return a record of a DynamoDB stream."""
    return {
        "eventID": "1",
        "eventSource": "aws:dynamodb",
        "dynamodb": {"Keys": keys, "SequenceNumber": sequence},
        "eventSourceARN": TABLE,
    }


def of_sqs(id: str, group: str | None = None, sequence: str | None = None) -> dict[str, Any]:
    """Return a message of SQS."""
    attributes = {"MessageGroupId": group, "SequenceNumber": sequence}
    return {
        "messageId": id,
        "body": "{}",
        "attributes": {name: text for name, text in attributes.items() if text is not None},
        "eventSource": "aws:sqs",
        "eventSourceARN": QUEUE,
    }


def of_kafka(offset: int, key: str | None = None) -> dict[str, Any]:
    """Return a record of Kafka."""
    return {"topic": "orders", "offset": offset, "key": key, "value": "MQ=="}


def event(records: Sequence[Any]) -> str:
    """Return the event of a stream or queue."""
    return json.dumps({"Records": list(records)})


def kafka_event(partitions: dict[str, list[Any]]) -> str:
    """Return the event of a Kafka cluster."""
    return json.dumps({"eventSource": "aws:kafka", "records": partitions})
