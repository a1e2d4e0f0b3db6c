"""Builds the event of a batch from the records of a stream, as an event source mapping does.

https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from .stream_range import Range


def kinesis_event(records: Sequence[Mapping[str, Any]], span: Range, region: str, role: str) -> str:
    """Return the event that a handler gets for records of a Kinesis stream.

    Args:
        records: The records, as boto3 returns them.
        span: The range that they are of. Its source, the stream or a consumer, is in the event.
        region: The stream's Region.
        role: ARN of the function's role; empty if it is not known.
    """
    return _event(
        {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": record["PartitionKey"],
                "sequenceNumber": record["SequenceNumber"],
                "data": base64.b64encode(record["Data"]).decode(),
                "approximateArrivalTimestamp": _seconds(record["ApproximateArrivalTimestamp"]),
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{span.shard}:{record['SequenceNumber']}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": role,
            "awsRegion": region,
            "eventSourceARN": span.source,
        }
        for record in records
    )


def dynamodb_event(records: Sequence[Mapping[str, Any]], source: str, region: str) -> str:
    """Return the event that a handler gets for records of a DynamoDB stream.

    Args:
        records: The records, as boto3 returns them.
        source: ARN of the stream.
        region: The stream's Region.
    """
    return _event(
        {
            **{name: value for name, value in record.items() if name not in _RENAMED},
            "awsRegion": record.get("awsRegion", region),
            **_identity(record),
            "dynamodb": _values(record["dynamodb"]),
            "eventSourceARN": source,
        }
        for record in records
    )


_RENAMED = ("userIdentity", "dynamodb")


def _identity(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return who changed an item, if DynamoDB says it: its own expiry of items.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
    """
    known = record.get("userIdentity")
    if not known:
        return {}
    members = {"PrincipalId": "principalId", "Type": "type"}
    return {"userIdentity": {members.get(name, name): value for name, value in known.items()}}


def _seconds(time: datetime) -> float:
    return round(time.timestamp(), 3)


def _values(value: Any) -> Any:
    """Return a stream's value as JSON: binary in base64, times in seconds since 1970."""
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        seconds = _seconds(value)
        return int(seconds) if seconds.is_integer() else seconds
    if isinstance(value, Mapping):
        return {name: _values(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_values(each) for each in value]
    return value


def _event(records: Any) -> str:
    return json.dumps({"Records": list(records)}, ensure_ascii=False, separators=(",", ":"))
