"""The records in the event of a batch: each as the exact text that the handler gets.

https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
https://docs.aws.amazon.com/lambda/latest/dg/with-msk.html
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .json_text import elements, inner_members, member_spans, string

# The Kinesis Producer Library packs records of many keys into one, which begins so.
# https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md
_AGGREGATED = b"\xf3\x89\x9a\xc2"
_NUMBER = re.compile(r"[0-9]{1,400}")


@dataclass(frozen=True)
class Record:
    """One record of a batch.

    The texts come from the event and may be hostile: they are not made fit to print.

    Attributes:
        identifier: What a handler's response calls it: the sequence number, or the id of a message
            of SQS; for Kafka, topic, partition and offset: `orders-0:17`. `#0` and so on if the
            record has none.
        key: What it is about, with its source: the partition key of Kinesis, the `Keys` of
            DynamoDB, topic, partition and key of Kafka, the message group of a FIFO queue. None if
            it has no key, and for a record in which the Kinesis Producer Library packed many.
        order: A number that is higher for a later record of the same key: the sequence number or
            offset; 0 if it has none.
        text: The record: an exact slice of the event.
    """

    identifier: str
    key: str | None
    order: int
    text: str


@dataclass(frozen=True)
class _List:
    """A list of records in an event: where it is in the text, and for Kafka of which partition."""

    start: int
    end: int
    partition: str | None = None


def records_of(payload: str) -> tuple[Record, ...]:
    """Return the records in the event of a batch, in its order; empty if it has none.

    Args:
        payload: The event: JSON text.
    """
    return tuple(record for each in _lists(payload) for record in _records(payload, each))


def with_records(payload: str, identifiers: Collection[str]) -> str:
    """Return the event of a batch with some of its records; all else stays byte for byte.

    Args:
        payload: The event: JSON text.
        identifiers: The `identifier` of each record to keep.

    Raises:
        ValueError: The event does not have one of them, or none is named.
    """
    wanted = set(identifiers)
    lists = [(each, _records(payload, each)) for each in _lists(payload)]
    present = {record.identifier for _, records in lists for record in records}
    if missing := sorted(wanted - present):
        raise ValueError(f"the batch has no record {missing[0]}")
    if not wanted:
        raise ValueError("a batch without records is not an event")
    if wanted == present:
        return payload
    parts: list[tuple[str | None, str]] = [
        (each.partition, f"[{','.join(texts)}]")
        for each, records in lists
        if (texts := [record.text for record in records if record.identifier in wanted])
    ]
    start, end = member_spans(payload)["Records" if parts[0][0] is None else "records"]
    if parts[0][0] is None:
        text = parts[0][1]
    else:
        # A mapping sends no partition without records.
        text = "{" + ",".join(f"{json.dumps(name)}:{texts}" for name, texts in parts) + "}"
    return payload[:start] + text + payload[end:]


def only_latest(records: Iterable[Record]) -> tuple[Record, ...]:
    """Return the newest record of each key, in the given order; records without a key all stay.

    Args:
        records: The records, of one or more batches of one function: another function that reads
            the same stream has its own position in it.
    """
    given = list(records)
    newest: dict[str, int] = {}
    for index, record in enumerate(given):
        if record.key is not None:
            known = newest.get(record.key)
            if known is None or record.order >= given[known].order:
                newest[record.key] = index
    return tuple(
        record
        for index, record in enumerate(given)
        if record.key is None or newest[record.key] == index
    )


def _lists(payload: str) -> list[_List]:
    try:
        spans = member_spans(payload)
    except ValueError:
        return []
    if "Records" in spans:
        return [_List(*spans["Records"])]
    if "records" not in spans:
        return []
    start, end = spans["records"]
    try:
        partitions = member_spans(payload[start:end])
    except ValueError:
        return []
    return [_List(start + a, start + b, name) for name, (a, b) in partitions.items()]


def _records(payload: str, place: _List) -> list[Record]:
    texts = elements(payload[place.start : place.end])
    return [_record(text, index, place.partition) for index, text in enumerate(texts)]


def _record(text: str, index: int, partition: str | None) -> Record:
    known = inner_members(text)
    if partition is not None:
        offset = string(known.get("offset"))
        identifier = f"{partition}:{index if offset is None else offset}"
        key = string(known.get("key"))
        return Record(identifier, _key(partition, key), _order(offset), text)
    source = string(known.get("eventSourceARN")) or ""
    if "kinesis" in known:
        kinesis = inner_members(known["kinesis"])
        sequence = string(kinesis.get("sequenceNumber"))
        key = None if _is_aggregated(kinesis) else string(kinesis.get("partitionKey"))
    elif "dynamodb" in known:
        stream = inner_members(known["dynamodb"])
        sequence = string(stream.get("SequenceNumber"))
        key = _canonical(stream.get("Keys"))
    else:
        attributes = inner_members(known.get("attributes"))
        number = string(attributes.get("SequenceNumber"))
        key = None if number is None else string(attributes.get("MessageGroupId"))
        identifier = string(known.get("messageId")) or f"#{index}"
        return Record(identifier, _key(source, key), _order(number), text)
    return Record(sequence or f"#{index}", _key(source, key), _order(sequence), text)


def _key(source: str, key: str | None) -> str | None:
    return None if key is None else json.dumps([source, key])


def _order(text: str | None) -> int:
    return int(text) if text is not None and _NUMBER.fullmatch(text) else 0


def _is_aggregated(kinesis: Mapping[str, str]) -> bool:
    try:
        return base64.b64decode((string(kinesis.get("data")) or "")[:8]).startswith(_AGGREGATED)
    except ValueError:
        return False


def _canonical(keys: str | None) -> str | None:
    """Return the keys of an item in one spelling; None if there are none."""
    try:
        known: Any = json.loads(keys or "")
        return json.dumps(known, sort_keys=True) if isinstance(known, dict) and known else None
    except (ValueError, RecursionError):
        return None
