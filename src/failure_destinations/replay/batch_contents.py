"""A failed batch for people and for JSON: what it is, and its records with what producers wrote."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from failure_destinations.runtime import FailedBatch
from failure_destinations.runtime.event_records import Record, records_of
from failure_destinations.runtime.json_text import inner_members, string

# 3000-01-01: a later time is not one.
_MOST_SECONDS = 32_503_680_000


@dataclass(frozen=True)
class RecordContent:
    """One record of a batch, decoded.

    Its texts come from whoever writes to the source: they are not made fit to print.

    Attributes:
        id: Its identifier.
        key: Its partition key, the keys of its item as JSON, or its key in Kafka; None if it has
            none.
        time: When it arrived in its source; None if the event does not say.
        data: What its producer wrote: text, if it is UTF-8; for DynamoDB, the change as JSON. None
            if it is not text.
        size: The number of bytes that its producer wrote; for DynamoDB, of the change as JSON.
    """

    id: str
    key: str | None
    time: datetime | None
    data: str | None = field(repr=False)
    size: int = 0

    @property
    def shown(self) -> str:
        """The data, or how many bytes it has if they are not text."""
        return f"{self.size:,} bytes that are not text" if self.data is None else self.data

    def facts(self) -> dict[str, Any]:
        """Return all fields for JSON."""
        return {
            "id": self.id,
            "key": self.key,
            "time": None if self.time is None else self.time.isoformat(),
            "data": self.data,
            "bytes": self.size,
        }


def contents(payload: str) -> Iterator[RecordContent]:
    """Yield the records of a batch, decoded, in its order.

    Args:
        payload: The event that the function gets.
    """
    return map(_content, records_of(payload))


def batch_facts(batch: FailedBatch) -> dict[str, Any]:
    """Return all fields of a batch for JSON.

    Args:
        batch: The batch.
    """
    stored = batch.stored
    return {
        "kind": batch.kind,
        "source": batch.source,
        "shard": batch.shard,
        "first": batch.first,
        "last": batch.last,
        "offsets": [
            {"topic": one.topic, "partition": one.partition, "first": one.first, "last": one.last}
            for one in batch.offsets
        ],
        "records": batch.count,
        "first_arrival": _iso(batch.first_arrival),
        "last_arrival": _iso(batch.last_arrival),
        "mapping": batch.mapping,
        "stored": None
        if stored is None
        else {"bucket": stored.bucket, "key": stored.key, "version": stored.version},
    }


def _content(record: Record) -> RecordContent:
    known = inner_members(record.text)
    if "kinesis" in known:
        about = inner_members(known["kinesis"])
        data = _decoded(string(about.get("data")))
        return _of(record, string(about.get("partitionKey")), data, about, _ARRIVAL)
    if "dynamodb" in known:
        about = inner_members(known["dynamodb"])
        change = [("eventName", known.get("eventName"))]
        change += [(name, about.get(name)) for name in ("Keys", "NewImage", "OldImage")]
        text = ", ".join(f"{json.dumps(name)}: {value}" for name, value in change if value)
        data = f"{{{text}}}".encode(errors="replace")
        return _of(record, about.get("Keys"), data, about, _CREATION)
    key, value = string(known.get("key")), string(known.get("value"))
    data = _decoded(value)
    if data is None and value is not None:
        # A mapping with a schema registry passes values as JSON.
        data = value.encode(errors="replace")
    decoded = _decoded(key)
    shown = key if decoded is None else _text(decoded) or key
    return _of(record, shown, data, known, _TIMESTAMP)


# The member with the time, and how many of its units a second has.
_ARRIVAL = ("approximateArrivalTimestamp", 1)
_CREATION = ("ApproximateCreationDateTime", 1)
_TIMESTAMP = ("timestamp", 1000)


def _of(
    record: Record,
    key: str | None,
    data: bytes | None,
    about: dict[str, str],
    time: tuple[str, int],
) -> RecordContent:
    name, unit = time
    return RecordContent(
        record.identifier,
        key,
        _time(about.get(name), unit),
        None if data is None else _text(data),
        0 if data is None else len(data),
    )


def _decoded(value: str | None) -> bytes | None:
    try:
        return None if value is None else base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None


def _text(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _time(value: str | None, unit: int) -> datetime | None:
    try:
        seconds = float(value or "") / unit
        if not 0 <= seconds < _MOST_SECONDS:
            return None
        return datetime.fromtimestamp(seconds, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
