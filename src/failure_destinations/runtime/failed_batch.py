"""A failed batch of an event source mapping: where its records are, without trusting the record.

Lambda sends such a record to the `OnFailure` destination of a mapping. To SQS and SNS it sends this
metadata only; an object in S3 also has the batch, as a JSON string named `payload`; a Kafka topic
gets it as JSON.

https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
https://docs.aws.amazon.com/lambda/latest/dg/kafka-on-failure.html
https://docs.aws.amazon.com/lambda/latest/dg/kafka-on-failure-destination.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from .json_text import inner_members, string
from .record_values import count, time

Kind = Literal["kinesis", "dynamodb", "kafka", "documentdb", "mq", "other"]
"""The kind of source. AWS documents records of the first three; `other` is what it may add."""

STORED_OBJECT = "storedObject"
"""The member that a channel's forwarder adds to a record: bucket, key and version of its object."""

BATCH_INFO = "BatchInfo"
"""How the name of the member ends that says which records failed."""

MAX_OBJECT_BYTES = 40 * 1024 * 1024
"""The largest object that is read.

A function's event has at most 6 MB, and a string in JSON has at most six bytes for each of them.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

# Records of mappings with a tumbling window have this member, which AWS does not document.
# https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html
_WINDOW = "timeWindowInfo"
# By how the member's name begins, in lower case; else by the service in the source's ARN.
_KINDS: dict[str, Kind] = {
    "kinesis": "kinesis",
    "ddbstream": "dynamodb",
    "dynamodb": "dynamodb",
    "kafka": "kafka",
    "selfmanagedkafka": "kafka",
    "docdb": "documentdb",
    "documentdb": "documentdb",
    "mq": "mq",
    "amazonmq": "mq",
}
_SERVICES: dict[str, Kind] = {
    "kinesis": "kinesis",
    "dynamodb": "dynamodb",
    "kafka": "kafka",
    "rds": "documentdb",
    "docdb-elastic": "documentdb",
    "mq": "mq",
}
# https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
_SOURCE = re.compile(
    r"arn:[\w-]{1,20}:(?P<service>[\w-]{1,30}):(?P<region>[\w-]{1,40}):(?P<account>\d{12}):"
    r"(?P<resource>[\w.:/+=,@-]{1,900})",
    re.ASCII,
)
# https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetShardIterator.html
_SHARD = re.compile(r"[\w.-]{1,128}", re.ASCII)
_NUMBER = re.compile(r"\d{1,128}", re.ASCII)
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
# S3 takes any text of up to 1,024 bytes, but Lambda writes only these characters.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
_KEY_TEXT = re.compile(r"[!-~]{1,1024}")
_MAX_SHOWN = 3
# A topic has at most 249 characters, and is followed by a hyphen and the partition.
_PARTITION = re.compile(r"(?P<topic>[\w.-]{1,249})-(?P<number>\d{1,9})", re.ASCII)
# Lambda names each object aws/lambda/<UUID of the mapping>/<shard>/YYYY/MM/DD/<time>-<UUID>.
_KEY = re.compile(r"aws/lambda/(?P<mapping>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/", re.ASCII)


@dataclass(frozen=True)
class StoredObject:
    """The S3 object that holds a failed batch with its records.

    Attributes:
        bucket: The bucket's name.
        key: The object's key: printable ASCII characters.
        version: The object's version; None if its bucket has none.
    """

    bucket: str
    key: str
    version: str | None = None

    @property
    def address(self) -> str:
        """Return its address, such as `s3://bucket/key`."""
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class PartitionOffsets:
    """The records of a failed batch in one partition of Kafka.

    Attributes:
        topic: The topic's name.
        partition: The partition's number.
        first: Offset of the first record; None if the record does not say.
        last: Offset of the last record; None if the record does not say.
    """

    topic: str
    partition: int
    first: str | None
    last: str | None

    def __str__(self) -> str:
        """Return `orders-0 at offsets 17 to 42`."""
        return f"{self.topic}-{self.partition} at offsets {self.first or '?'} to {self.last or '?'}"


@dataclass(frozen=True)
class FailedBatch:
    """A batch of records that an event source mapping gave up.

    Attributes:
        kind: The kind of its source.
        source: ARN of the stream, its consumer or the cluster. None for self-managed Kafka, or if
            the record does not say.
        shard: Id of the shard; None for Kafka.
        first: Sequence number of the first record; None for Kafka.
        last: Sequence number of the last record; None for Kafka.
        offsets: For Kafka, the offsets in each partition.
        count: The number of records; None if the record does not say.
        first_arrival: About when the first record arrived in its source, in UTC.
        last_arrival: About when the last record arrived in its source, in UTC.
        mapping: UUID of the event source mapping, which only the key of a stored object names.
        stored: The object in S3 that holds the records; None if the record names none.
        has_window: Whether the batch is part of a tumbling window: only a stored object holds the
            window's state.
    """

    kind: Kind
    source: str | None = None
    shard: str | None = None
    first: str | None = None
    last: str | None = None
    offsets: tuple[PartitionOffsets, ...] = ()
    count: int | None = None
    first_arrival: datetime | None = None
    last_arrival: datetime | None = None
    mapping: str | None = None
    stored: StoredObject | None = None
    has_window: bool = False

    @property
    def source_name(self) -> str:
        """Return the source without account and Region: `stream/orders`, `table/orders/stream`."""
        found = None if self.source is None else _SOURCE.fullmatch(self.source)
        if found is None:
            return {"kafka": "self-managed Kafka"}.get(self.kind, self.kind)
        name = found["resource"].partition("/consumer/")[0]
        if self.kind == "dynamodb":
            # The label of a DynamoDB stream is the time when it was enabled.
            return name.partition("/stream/")[0]
        # The UUID of a cluster differs each time it is created.
        return "/".join(name.split("/")[:2])

    @property
    def account(self) -> str | None:
        """Return the account of the source; None if it is not known."""
        found = None if self.source is None else _SOURCE.fullmatch(self.source)
        return None if found is None else found["account"]

    @property
    def region(self) -> str | None:
        """Return the Region of the source; None if it is not known."""
        found = None if self.source is None else _SOURCE.fullmatch(self.source)
        return None if found is None else found["region"]

    @property
    def summary(self) -> str:
        """Return what it is: `500 records of stream/orders, shardId-000000000001`."""
        number = "records" if self.count is None else f"{self.count:,} records"
        if self.count == 1:
            number = "1 record"
        parts = [f"{number} of {self.source_name}"]
        if self.shard is not None:
            parts.append(self.shard)
        elif self.offsets:
            first, more = self.offsets[0], len(self.offsets) - 1
            parts.append(f"{first.topic}-{first.partition}" + (f" and {more} more" if more else ""))
        return ", ".join(parts)

    @property
    def identity(self) -> str:
        """Return a text that is the same for each record of this batch and for no other batch."""
        parts = [self.kind, self.source, self.shard, self.first, self.last, *self.offsets]
        return " ".join("-" if part is None else str(part) for part in parts)

    @property
    def where(self) -> str:
        """Say where the records are."""
        if self.stored is not None:
            return f"in {self.stored.address}"
        if self.offsets:
            shown = [str(each) for each in self.offsets[:_MAX_SHOWN]]
            if len(self.offsets) > _MAX_SHOWN:
                shown.append(f"and {len(self.offsets) - _MAX_SHOWN} partitions more")
            return f"in {self.source_name}, {'; '.join(shown)}"
        if self.shard is None or self.first is None or self.last is None:
            return f"in {self.source_name}, at places that its record does not say"
        return f"in {self.source_name}, {self.shard}, from {self.first} to {self.last}"


def batch_of(body: Mapping[str, str]) -> FailedBatch | None:
    """Return the failed batch that an invocation record describes; None if it is about an event.

    Args:
        body: The members of the record, as `json_text.members` returns them.
    """
    # Lambda writes requestPayload for an event that was invoked asynchronously, and only then.
    if "requestPayload" in body:
        return None
    name, info = next(
        (
            (name, inner_members(value))
            for name, value in body.items()
            if name.endswith(BATCH_INFO) and value.startswith("{")
        ),
        (None, {}),
    )
    if name is None:
        return None
    source = _matching(_SOURCE, info.get("streamArn") or info.get("eventSourceArn"))
    stored = _stored(body.get(STORED_OBJECT))
    key = None if stored is None else _KEY.match(stored.key)
    offsets, times = _offsets(info, payload_of(body))
    times.append(time(string(info.get("approximateArrivalOfFirstRecord"))))
    times.append(time(string(info.get("approximateArrivalOfLastRecord"))))
    known = [each for each in times if each is not None]
    return FailedBatch(
        kind=_kind(name, source),
        source=source,
        shard=_matching(_SHARD, info.get("shardId")),
        first=_matching(_NUMBER, info.get("startSequenceNumber")),
        last=_matching(_NUMBER, info.get("endSequenceNumber")),
        offsets=offsets,
        count=count(info.get("batchSize")),
        first_arrival=min(known, default=None),
        last_arrival=max(known, default=None),
        mapping=None if key is None else key["mapping"],
        stored=stored,
        has_window=body.get(_WINDOW, "null") != "null",
    )


def payload_of(body: Mapping[str, str]) -> str:
    """Return the event that a record of a failed batch holds; empty if it holds none.

    It is a string in an object of S3, and an object in a Kafka topic. AWS's page does not say
    clearly whether it is a member of the record or of its `KafkaBatchInfo`.

    Args:
        body: The members of the record.
    """
    infos = [value for name, value in body.items() if name.endswith(BATCH_INFO)]
    for text in (body.get("payload"), *(inner_members(info).get("payload") for info in infos)):
        payload = string(text) or "" if (text or "").startswith('"') else text or ""
        # A handler gets an object; anything else is not its event.
        if inner_members(payload):
            return payload
    return ""


def _kind(name: str, source: str | None) -> Kind:
    known = _KINDS.get(name[: -len(BATCH_INFO)].lower())
    if known is not None:
        return known
    found = None if source is None else _SOURCE.fullmatch(source)
    return "other" if found is None else _SERVICES.get(found["service"], "other")


def _matching(pattern: re.Pattern[str], value: str | None) -> str | None:
    text = string(value) or ""
    return text if pattern.fullmatch(text) else None


def _stored(value: str | None) -> StoredObject | None:
    found = inner_members(value)
    bucket = _matching(_BUCKET, found.get("bucket"))
    key = _key_text(found.get("key"))
    if bucket is None or key is None:
        return None
    return StoredObject(bucket, key, _key_text(found.get("versionId")))


def _key_text(value: str | None) -> str | None:
    if value is None or not value.startswith('"'):
        return None
    return _matching(_KEY_TEXT, value)


def _offsets(
    info: Mapping[str, str], payload: str
) -> tuple[tuple[PartitionOffsets, ...], list[datetime | None]]:
    """Return the offsets in each partition, and the times of first and last records."""
    found: list[PartitionOffsets] = []
    times: list[datetime | None] = []
    partitions = inner_members(info.get("recordsInfo"))
    # A record in a Kafka topic is of one record, whose partition only its payload names.
    single = inner_members(info.get("recordInfo"))
    if single:
        records = inner_members(inner_members(payload).get("records"))
        partitions = dict.fromkeys(list(records)[:1], info["recordInfo"])
    for name, value in partitions.items():
        at = inner_members(value)
        first = at.get("firstRecordOffset") or at.get("offset")
        last = at.get("lastRecordOffset") or at.get("offset")
        times.append(time(string(at.get("firstRecordTimestamp") or at.get("timestamp"))))
        times.append(time(string(at.get("lastRecordTimestamp") or at.get("timestamp"))))
        named = _PARTITION.fullmatch(name)
        if named is not None:
            found.append(
                PartitionOffsets(
                    named["topic"],
                    int(named["number"]),
                    _matching(_NUMBER, first),
                    _matching(_NUMBER, last),
                )
            )
    return tuple(found), times
