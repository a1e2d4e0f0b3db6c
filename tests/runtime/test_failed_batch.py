"""Failed batches of every event source, and records that somebody wrote to mislead."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest

from failure_destinations.replay.received_message import ReceivedMessage
from failure_destinations.runtime import (
    FailedBatch,
    FailedEvent,
    PartitionOffsets,
    StoredObject,
    fingerprint,
    parse,
)
from failure_destinations.runtime.failed_event import NotAFailedEvent

from . import messages

REGION = "eu-west-1:111122223333"
STREAM = f"arn:aws:kinesis:{REGION}:stream/orders"
MAPPING = "0f3c6c1e-93c4-4f6e-8a54-2f4c1b7d9e10"
FIRST = datetime(2026, 11, 2, 3, 3, 5, 100_000, timezone.utc)
LAST = datetime(2026, 11, 2, 3, 3, 6, 100_000, timezone.utc)
KINESIS = FailedBatch(
    kind="kinesis",
    source=STREAM,
    shard="shardId-000000000001",
    first="49653411223344556677889900112233445566778899001122334450",
    last="49653411223344556677889900112234654492598513630296801106",
    count=2,
    first_arrival=FIRST,
    last_arrival=LAST,
)
DYNAMODB = FailedBatch(
    kind="dynamodb",
    source=f"arn:aws:dynamodb:{REGION}:table/orders/stream/2026-10-01T08:15:30.123",
    shard="shardId-00000001793588400000-4f5a6b7c",
    first="800000000003126276362",
    last="800000000003126276362",
    count=1,
    first_arrival=FIRST.replace(microsecond=0),
    last_arrival=FIRST.replace(microsecond=0),
)
OFFSETS = (
    PartitionOffsets("orders", 0, "17", "18"),
    PartitionOffsets("order-returns", 3, "5", "5"),
)
MSK = FailedBatch(
    kind="kafka",
    source=f"arn:aws:kafka:{REGION}:cluster/shop/751d2973-a626-431c-9d4e-d7975eb44dd7-2",
    offsets=OFFSETS,
    count=3,
    first_arrival=FIRST,
    last_arrival=LAST,
)
SELF_MANAGED = FailedBatch(
    kind="kafka", offsets=OFFSETS, count=3, first_arrival=FIRST, last_arrival=LAST
)
STORED = StoredObject(
    "shop-failures-batches-1a2b3c",
    f"aws/lambda/{MAPPING}/shardId-000000000001/2026/11/02/"
    "2026-11-02T03.03.11-5b0d6a2e-1f7c-4d5b-a0f3-9c8e7d6b5a41",
    "3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY",
)


def read(name: str) -> FailedEvent:
    """Return the event of a stored message."""
    return parse(messages.stored(f"batch-{name}"))


def of(info: Any, name: str = "KinesisBatchInfo", **more: Any) -> FailedEvent:
    """Return the event of a record with a batch info that somebody wrote."""
    context = {"functionArn": messages.FUNCTION, "requestId": "1", "condition": "x"}
    return parse(messages.message(json.dumps({"requestContext": context, name: info, **more})))


def batch(info: Any, name: str = "KinesisBatchInfo", **more: Any) -> FailedBatch:
    """Return its batch."""
    found = of(info, name, **more).batch
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("kinesis-sqs", KINESIS),
        ("kinesis-sns", KINESIS),
        ("kinesis-s3", KINESIS),
        ("kinesis-age-exceeded-sqs", KINESIS),
        (
            "kinesis-forwarded",
            FailedBatch(**{**vars(KINESIS), "mapping": MAPPING, "stored": STORED}),
        ),
        ("dynamodb-sqs", DYNAMODB),
        ("dynamodb-sns", DYNAMODB),
        ("dynamodb-s3", DYNAMODB),
        ("msk-sqs", MSK),
        ("msk-sns", MSK),
        ("msk-s3", MSK),
        ("msk-too-large-sqs", MSK),
        (
            "msk-kafka",
            FailedBatch(
                kind="kafka",
                source=MSK.source,
                offsets=(PartitionOffsets("orders", 0, "17", "17"),),
                count=1,
                first_arrival=FIRST,
                last_arrival=FIRST,
            ),
        ),
        ("self-managed-kafka-sqs", SELF_MANAGED),
        ("self-managed-kafka-sns", SELF_MANAGED),
        ("self-managed-kafka-s3", SELF_MANAGED),
    ],
)
def test_reads_what_aws_documents(name: str, expected: FailedBatch) -> None:
    """Every source and destination gives the place of the records; none is an asynchronous event.

    https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
    https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    https://docs.aws.amazon.com/lambda/latest/dg/kafka-on-failure.html
    https://docs.aws.amazon.com/lambda/latest/dg/kafka-on-failure-destination.html
    """
    event = read(name)
    assert event.batch == expected
    assert (event.source, event.function_name) == ("event-source", "orders")
    assert event.qualifier == ("live" if "dynamodb" in name else None)
    assert event.request_id == "8b0a5d0e-2f53-4c6a-9a41-7f6d1e2c3b4a"
    assert event.error_type == event.condition
    assert event.timestamp == datetime(2026, 11, 2, 3, 3, 11, 412_000, timezone.utc)


@pytest.mark.parametrize("name", ["kinesis-s3", "dynamodb-s3", "msk-s3", "msk-kafka"])
def test_keeps_the_records_that_a_destination_got(name: str) -> None:
    """Objects of S3 hold the event as a JSON string, a Kafka topic as JSON."""
    event = read(name)
    body = json.loads(messages.stored(f"batch-{name}")["Body"])
    payload = body["payload"]
    assert event.payload == (payload if isinstance(payload, str) else json.dumps(payload))
    assert event.obstacle is None


def test_reads_records_wherever_lambda_may_write_them() -> None:
    """A string or an object, in the record or in its batch info."""
    texts = ['{"Records": [1]}', {"Records": [1]}]
    for payload in texts:
        assert json.loads(of({"batchSize": 1}, payload=payload).payload) == {"Records": [1]}
        inside = of({"batchSize": 1, "payload": payload}, "KafkaBatchInfo")
        assert json.loads(inside.payload) == {"Records": [1]}


@pytest.mark.parametrize("payload", ["", "text", "[1]", 7, None, [], "{", "{}"])
def test_takes_nothing_else_for_the_records(payload: Any) -> None:
    """A handler of a stream gets an object."""
    assert of({"batchSize": 1}, payload=payload).payload == ""


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("kinesis-sqs", "in stream/orders, shardId-000000000001, from 4965"),
        ("kinesis-forwarded", "in s3://shop-failures-batches-1a2b3c/aws/lambda/"),
        ("dynamodb-sqs", "in table/orders, shardId-00000001793588400000-4f5a6b7c, from 8000"),
        ("msk-sqs", "in cluster/shop, orders-0 at offsets 17 to 18; order-returns-3 at offsets 5"),
        ("self-managed-kafka-sqs", "in self-managed Kafka, orders-0 at offsets 17 to 18"),
    ],
)
def test_says_where_the_records_are(name: str, where: str) -> None:
    """Metadata alone cannot be replayed."""
    event = read(name)
    assert event.payload == ""
    assert (event.obstacle or "").startswith(f"its records are not fetched yet: they are {where}")


@pytest.mark.parametrize(
    ("name", "summary"),
    [
        ("kinesis-sqs", "2 records of stream/orders, shardId-000000000001"),
        ("dynamodb-sqs", "1 record of table/orders, shardId-00000001793588400000-4f5a6b7c"),
        ("msk-sqs", "3 records of cluster/shop, orders-0 and 1 more"),
        ("self-managed-kafka-sqs", "3 records of self-managed Kafka, orders-0 and 1 more"),
    ],
)
def test_sums_a_batch_up(name: str, summary: str) -> None:
    """Its record does not say what the error was."""
    found = read(name).batch
    assert found is not None
    assert found.summary == summary


def test_an_asynchronous_event_is_not_a_batch() -> None:
    """Its payload may be a record of a batch, and its record may have further members."""
    record = json.loads(messages.stored("batch-kinesis-sqs")["Body"])
    event = parse(messages.message(messages.record(json.dumps(record))))
    assert (event.source, event.batch) == ("destination", None)
    event = parse(messages.message(json.dumps({**record, "requestPayload": 1})))
    assert (event.source, event.batch, event.payload) == ("destination", None, "1")


@pytest.mark.parametrize(
    ("name", "source", "kind"),
    [
        ("KinesisBatchInfo", None, "kinesis"),
        ("DDBStreamBatchInfo", None, "dynamodb"),
        ("DocDBBatchInfo", None, "documentdb"),
        ("DocumentDBBatchInfo", None, "documentdb"),
        ("SelfManagedKafkaBatchInfo", None, "kafka"),
        ("NewBatchInfo", f"arn:aws:rds:{REGION}:cluster:shop", "documentdb"),
        ("NewBatchInfo", f"arn:aws:mq:{REGION}:broker:shop:b-1", "mq"),
        ("NewBatchInfo", f"arn:aws:sqs:{REGION}:orders", "other"),
        ("NewBatchInfo", None, "other"),
    ],
)
def test_reads_batches_of_other_sources(name: str, source: str | None, kind: str) -> None:
    """AWS documents no records of these: they are batches without their records all the same."""
    event = of({"batchSize": 3, "eventSourceArn": source}, name)
    assert event.batch is not None
    assert (event.batch.kind, event.batch.source, event.batch.count) == (kind, source, 3)
    assert "at places that its record does not say" in (event.obstacle or "")


def test_ignores_a_batch_info_that_is_null() -> None:
    """A record may list every kind."""
    found = batch({"batchSize": 1}, "DDBStreamBatchInfo", KinesisBatchInfo=None)
    assert found.kind == "dynamodb"


@pytest.mark.parametrize(
    ("member", "value", "attribute"),
    [
        ("batchSize", 10**400, "count"),
        ("batchSize", -1, "count"),
        ("batchSize", "500", "count"),
        ("batchSize", 1.5, "count"),
        ("batchSize", {"a": 1}, "count"),
        ("batchSize", "\u0661", "count"),
        ("shardId", "../../shard", "shard"),
        ("shardId", "shard\n1", "shard"),
        ("shardId", "s" * 129, "shard"),
        ("shardId", ["s"], "shard"),
        ("startSequenceNumber", "12a", "first"),
        ("startSequenceNumber", "-12", "first"),
        ("startSequenceNumber", "9" * 129, "first"),
        ("endSequenceNumber", "\u0661\u0662", "last"),
        ("endSequenceNumber", None, "last"),
        ("streamArn", "stream/orders", "source"),
        ("streamArn", f"{STREAM}\u202e", "source"),
        ("streamArn", f"{STREAM}\n", "source"),
        ("streamArn", STREAM + "x" * 2000, "source"),
        ("streamArn", "\ud800", "source"),
        ("approximateArrivalOfFirstRecord", "yesterday", "first_arrival"),
        ("approximateArrivalOfFirstRecord", 10**30, "first_arrival"),
        ("approximateArrivalOfLastRecord", "2026-99-99T00:00:00Z", "last_arrival"),
    ],
)
def test_leaves_out_what_cannot_be_true(member: str, value: Any, attribute: str) -> None:
    """Whoever may write to the queue may write anything."""
    assert getattr(batch({member: value}), attribute) is None


@pytest.mark.parametrize(
    "stored",
    [
        None,
        "s3://bucket/key",
        {},
        {"bucket": "bucket"},
        {"bucket": "../other", "key": "k"},
        {"bucket": "arn:aws:s3:::bucket", "key": "k"},
        {"bucket": "Bucket\n", "key": "k"},
        {"bucket": "bucket", "key": ""},
        {"bucket": "bucket", "key": 7},
        {"bucket": "bucket", "key": "k" * 1025},
        {"bucket": "bucket", "key": "\ud800"},
        {"bucket": "bucket", "key": "aws/lambda/\x1b[31m"},
        {"bucket": "bucket", "key": "aws/lambda/\u202e"},
        {"bucket": "bucket", "key": "aws/lambda/a\nb"},
    ],
)
def test_leaves_out_an_object_that_cannot_be(stored: Any) -> None:
    """Then the records are looked for in the stream."""
    assert batch({"batchSize": 1}, storedObject=stored).stored is None


def test_names_no_mapping_that_the_key_does_not_name() -> None:
    """Somebody else may have put the object."""
    found = batch({}, storedObject={"bucket": "bucket", "key": "aws/lambda/orders/1"})
    assert (found.stored, found.mapping) == (StoredObject("bucket", "aws/lambda/orders/1"), None)


def test_leaves_out_partitions_that_cannot_be() -> None:
    """A topic has a name and a number."""
    names = ["orders", "orders-", "-1", "orders-x", "a\n-1", "orders-1", "a" * 260 + "-1"]
    info = {"recordsInfo": {name: {"firstRecordOffset": "x"} for name in names}}
    found = batch(info, "KafkaBatchInfo")
    assert found.offsets == (PartitionOffsets("orders", 1, None, None),)
    assert str(found.offsets[0]) == "orders-1 at offsets ? to ?"


def test_refuses_records_that_no_handler_can_get() -> None:
    """Half of a surrogate pair is not text."""
    with pytest.raises(NotAFailedEvent, match="surrogate"):
        of({"batchSize": 1}, payload='{"a": "\ud800"}')


def test_says_what_an_announcement_is_of() -> None:
    """A channel's forwarder could not read the object."""
    detail = {"bucket": {"name": "b"}, "object": {"key": "aws/k", "size": 1}}
    body = {"detail-type": "Object Created", "source": "aws.s3", "detail": detail}
    with pytest.raises(NotAFailedEvent, match=r"could not be read, s3://b/aws/k"):
        parse(messages.message(json.dumps(body)))


def test_groups_batches_by_function_source_and_condition() -> None:
    """Which shard and which records failed does not matter."""
    info = {"streamArn": STREAM, "shardId": "a", "startSequenceNumber": "1", "batchSize": 1}
    other = {**info, "shardId": "b", "startSequenceNumber": "2"}
    group = fingerprint(of(info))
    assert fingerprint(of(other)) == group
    assert (group.error_type, group.message) == ("x", "stream/orders")
    for changed in ({**info, "streamArn": f"{STREAM}2"}, {}):
        assert fingerprint(of(changed)).id != group.id


def test_batches_of_one_request_are_not_duplicates() -> None:
    """Two deliveries of one batch are; but not a message with other records in its name.

    Who may send to the queue could have the batch deleted so, once his own message has succeeded.
    """
    stored = ReceivedMessage.of(messages.stored("batch-kinesis-s3"))
    assert stored.key == ReceivedMessage.of(messages.stored("batch-kinesis-s3")).key
    forged = str(stored.message["Body"]).replace('\\"Records\\": [', '\\"Records\\": [ ')
    assert forged != stored.message["Body"]
    assert ReceivedMessage.of({**stored.message, "Body": forged}).key != stored.key
    noted = ReceivedMessage.of(messages.stored("batch-kinesis-sqs"))
    body = str(noted.message["Body"]).replace('"endSequenceNumber": "4', '"endSequenceNumber": "5')
    other = ReceivedMessage.of({**noted.message, "Body": body})
    assert other.key != noted.key
