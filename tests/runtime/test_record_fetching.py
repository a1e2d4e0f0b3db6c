"""The records of a failed batch, fetched with the answers of S3, Kinesis and DynamoDB."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timezone
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from failure_destinations.runtime import (
    FailedEvent,
    RecordClients,
    RecordsGone,
    fetch_records,
    parse,
)

from . import messages

ACCOUNT, REGION = "111122223333", "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/orders"
ARRIVED = datetime(2026, 11, 2, 3, 3, 5, 100_000, timezone.utc)
STREAM = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/orders"
SHARD = "shardId-000000000001"


class Aws:
    """Clients whose answers are given one by one."""

    def __init__(self, clients: RecordClients, stack: ExitStack) -> None:
        self.clients = clients
        assert clients.s3 is not None
        self.s3, self.kinesis = Stubber(clients.s3), Stubber(clients.kinesis)
        self.dynamodb = Stubber(clients.dynamodb_streams)
        for each in (self.s3, self.kinesis, self.dynamodb):
            stack.enter_context(each)

    def fetch(self, event: FailedEvent, **more: Any) -> FailedEvent:
        """Fetch the records of an event."""
        arguments = {"account": ACCOUNT, "region": REGION, "role": ROLE, **more}
        return fetch_records(event, self.clients, **arguments)

    def all_asked(self) -> None:
        """Check that every answer was asked for."""
        for each in (self.s3, self.kinesis, self.dynamodb):
            each.assert_no_pending_responses()


@pytest.fixture(scope="module")
def clients() -> RecordClients:
    """Make the clients once."""
    session = boto3.Session("testing", "testing", region_name=REGION)
    names: list[Any] = ["s3", "kinesis", "dynamodbstreams"]
    return RecordClients(*(session.client(name) for name in names))


@pytest.fixture
def aws(clients: RecordClients) -> Iterator[Aws]:
    """Return clients, whose answers must all be asked for."""
    with ExitStack() as stack:
        made = Aws(clients, stack)
        yield made
        made.all_asked()


def read(name: str) -> FailedEvent:
    """Return the event of a stored message."""
    return parse(messages.stored(f"batch-{name}"))


FIRST, LAST = (str(getattr(read("kinesis-sqs").batch, name)) for name in ("first", "last"))


def kinesis_record(number: str, at: int = 0) -> dict[str, Any]:
    """Return a record as Kinesis returns it."""
    return {
        "SequenceNumber": number,
        "ApproximateArrivalTimestamp": ARRIVED.replace(second=5 + at),
        "Data": json.dumps({"order": 42 + at}).encode(),
        "PartitionKey": f"customer-{at}",
    }


def page(*records: dict[str, Any], behind: int = 0, more: bool = True) -> dict[str, Any]:
    """Return a page of records of Kinesis."""
    rest = {"NextShardIterator": "next"} if more else {}
    return {"Records": list(records), "MillisBehindLatest": behind, **rest}


def iterates(aws: Aws, kind: str = "AT_SEQUENCE_NUMBER", number: str = FIRST) -> None:
    """Answer with an iterator, for the expected position."""
    expected = {
        "StreamARN": STREAM,
        "ShardId": SHARD,
        "ShardIteratorType": kind,
        "StartingSequenceNumber": number,
    }
    aws.kinesis.add_response("get_shard_iterator", {"ShardIterator": "first"}, expected)


def pages(aws: Aws, *answers: dict[str, Any]) -> None:
    """Answer with pages of records."""
    for answer in answers:
        expected = {"ShardIterator": ANY, "StreamARN": STREAM}
        aws.kinesis.add_response("get_records", answer, expected)


# --- The object in S3 ----------------------------------------------------------------------------


def stored_object(text: str) -> dict[str, Any]:
    """Return S3's answer with an object."""
    content = text.encode()
    return {"Body": StreamingBody(io.BytesIO(content), len(content))}


def gets(aws: Aws, text: str) -> None:
    """Answer with the object of the forwarded record."""
    stored = read("kinesis-forwarded").batch
    assert stored is not None
    assert stored.stored is not None
    expected = {
        "Bucket": stored.stored.bucket,
        "Key": stored.stored.key,
        "VersionId": stored.stored.version,
        "ExpectedBucketOwner": ACCOUNT,
    }
    aws.s3.add_response("get_object", stored_object(text), expected)


OBJECT = str(messages.stored("batch-kinesis-s3")["Body"])


def test_takes_the_event_from_its_object(aws: Aws) -> None:
    """Exactly as Lambda wrote it, only from a bucket of the account."""
    gets(aws, OBJECT)
    event = aws.fetch(read("kinesis-forwarded"))
    assert event.payload == json.loads(OBJECT)["payload"]
    assert event.obstacle is None


def test_fetches_nothing_that_is_there(aws: Aws) -> None:
    """A batch with its records, and an event that is not a batch."""
    for event in (read("kinesis-s3"), parse(messages.message(messages.record("1")))):
        assert aws.fetch(event) is event


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"requestId": "8b0a', '"requestId": "8b0b', "of another batch"),
        ('"endSequenceNumber": "4', '"endSequenceNumber": "5', "of another batch"),
        ("function:orders", "function:admin", "of another function"),
        (f"{ACCOUNT}:function", "999999999999:function", "of another function"),
        ("KinesisBatchInfo", "Kinesis", "is not the record of a failed batch"),
        ('"payload"', '"requestPayload"', "is not the record of a failed batch"),
        ('"payload"', '"other"', "does not hold the records"),
        ('{\\"Records', '[{\\"Records', "does not hold the records"),
        ('{\\"Records', '{\\"\\ud800\\": 1, \\"Records', "half of a surrogate pair"),
    ],
)
def test_takes_no_other_object(aws: Aws, old: str, new: str, reason: str) -> None:
    """Whoever may send to the queue can name any object."""
    text = OBJECT.replace(old, new)
    assert text != OBJECT
    gets(aws, text)
    iterates(aws)
    pages(aws, page(), page(), page(), page(), page())
    with pytest.raises(RecordsGone, match=f"{reason}; .* holds none of the records"):
        aws.fetch(read("kinesis-forwarded"), seconds=2)


def test_takes_a_batch_whose_offsets_were_left_out(aws: Aws) -> None:
    """They may be too many for a message; other offsets are another batch's."""
    body = json.loads(messages.stored("batch-msk-sqs")["Body"])
    text = str(messages.stored("batch-msk-s3")["Body"])
    stored = {"bucket": "batches", "key": "aws/lambda/1"}
    for offsets in ({}, {"orders-0": {"firstRecordOffset": "1", "lastRecordOffset": "2"}}):
        body["KafkaBatchInfo"]["recordsInfo"] = offsets
        event = parse(messages.message(json.dumps({**body, "storedObject": stored})))
        aws.s3.add_response("get_object", stored_object(text))
        if offsets:
            with pytest.raises(RecordsGone, match="of another batch"):
                aws.fetch(event)
        else:
            assert aws.fetch(event).payload == json.loads(text)["payload"]


@pytest.mark.parametrize("buckets", [[], ["another"]])
def test_reads_only_the_channels_bucket(aws: Aws, buckets: list[str]) -> None:
    """The replayer gives its channel's."""
    event = read("kinesis-forwarded")
    clients = RecordClients(aws.clients.s3)
    with pytest.raises(RecordsGone, match=r"is not in the channel's bucket; .* is not read here"):
        fetch_records(event, clients, account=ACCOUNT, region=REGION, buckets=buckets)


@pytest.mark.parametrize("code", ["NoSuchKey", "NoSuchVersion", "NoSuchBucket"])
def test_reads_the_stream_once_the_object_is_gone(aws: Aws, code: str) -> None:
    """The stream may keep its records for longer."""
    aws.s3.add_client_error("get_object", code, http_status_code=404)
    iterates(aws)
    pages(aws, page(kinesis_record(FIRST), kinesis_record(LAST, 1)))
    event = aws.fetch(read("kinesis-forwarded"))
    assert json.loads(event.payload) == json.loads(json.loads(OBJECT)["payload"])


def test_does_not_take_a_missing_permission_for_missing_records(aws: Aws) -> None:
    """It can be given."""
    aws.s3.add_client_error("get_object", "AccessDenied", http_status_code=403)
    with pytest.raises(ClientError, match="AccessDenied"):
        aws.fetch(read("kinesis-forwarded"))


# --- Kinesis -------------------------------------------------------------------------------------


def test_builds_the_event_as_the_mapping_does(aws: Aws) -> None:
    """From the first record to the last: the stream returns more."""
    iterates(aws)
    later = str(int(LAST) + 1)
    pages(aws, page(kinesis_record(FIRST), kinesis_record(LAST, 1), kinesis_record(later, 2)))
    event = aws.fetch(dataclasses.replace(read("kinesis-sns"), records_gone="a throttle"))
    assert json.loads(event.payload) == json.loads(json.loads(OBJECT)["payload"])
    assert event.obstacle is None


def test_names_the_consumer_of_enhanced_fan_out(aws: Aws) -> None:
    """Its ARN is the source of the event, and the stream is read."""
    consumer = f"{STREAM}/consumer/shop:1793588000"
    body = str(messages.stored("batch-kinesis-sqs")["Body"]).replace(STREAM, consumer)
    iterates(aws)
    pages(aws, page(kinesis_record(FIRST), kinesis_record(LAST)))
    records = json.loads(aws.fetch(parse(messages.message(body)), role=None).payload)["Records"]
    assert {record["eventSourceARN"] for record in records} == {consumer}
    assert {record["invokeIdentityArn"] for record in records} == {""}


def test_reads_on_through_pages_empty_and_full(aws: Aws) -> None:
    """An empty page is not the end while Kinesis is behind; a shard may be closed meanwhile."""
    iterates(aws)
    empty = [page(behind=1000)] * 8
    pages(aws, page(kinesis_record(FIRST)), *empty, page(), page(kinesis_record(LAST), more=False))
    assert len(json.loads(aws.fetch(read("kinesis-sqs"), seconds=30).payload)["Records"]) == 2


def test_goes_on_after_the_last_record_when_an_iterator_expires(aws: Aws) -> None:
    """It lives for 5 minutes."""
    iterates(aws)
    aws.kinesis.add_client_error("get_records", "ExpiredIteratorException")
    iterates(aws)
    pages(aws, page(kinesis_record(FIRST)))
    aws.kinesis.add_client_error("get_records", "ExpiredIteratorException")
    iterates(aws, "AFTER_SEQUENCE_NUMBER", FIRST)
    pages(aws, page(kinesis_record(LAST)))
    assert len(json.loads(aws.fetch(read("kinesis-sqs")).payload)["Records"]) == 2


def test_waits_while_it_is_throttled(aws: Aws) -> None:
    """Five reads a second are for all readers of a shard."""
    aws.kinesis.add_client_error("get_shard_iterator", "ProvisionedThroughputExceededException")
    iterates(aws)
    aws.kinesis.add_client_error("get_records", "ProvisionedThroughputExceededException")
    pages(aws, page(kinesis_record(FIRST), kinesis_record(LAST)))
    assert aws.fetch(read("kinesis-sqs")).payload


def test_gives_up_when_it_is_throttled_for_too_long(aws: Aws) -> None:
    """The records are not gone."""
    aws.kinesis.add_client_error("get_shard_iterator", "ProvisionedThroughputExceededException")
    with pytest.raises(ClientError, match="ProvisionedThroughputExceeded"):
        aws.fetch(read("kinesis-sqs"), seconds=0.1)


def test_does_not_read_for_ever(aws: Aws) -> None:
    """Its time ends, whatever the stream answers."""
    with pytest.raises(TimeoutError, match="took too long"):
        aws.fetch(read("kinesis-sqs"), seconds=-1)


MIDDLE = str((int(FIRST) + int(LAST)) // 2)


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        # The retention has ended: the shard begins later.
        (
            [page(kinesis_record(LAST))],
            f"no longer holds the records from {FIRST} to before {LAST}; 1 of the batch",
        ),
        ([page(kinesis_record(str(int(LAST) + 5)))], "holds none of the records from"),
        ([page(more=False)], "holds none of the records from"),
        ([page()] * 5, "holds none of the records from"),
        (
            [page(kinesis_record(FIRST), more=False)],
            f"does not hold the records after {FIRST} to {LAST}",
        ),
        (
            [page(*map(kinesis_record, (FIRST, MIDDLE, LAST)))],
            "holds more records than the 2 of the batch: filters or a Parallel",
        ),
    ],
)
def test_says_what_is_gone(aws: Aws, answers: list[dict[str, Any]], reason: str) -> None:
    """Nothing is guessed."""
    iterates(aws)
    pages(aws, *answers)
    with pytest.raises(RecordsGone, match=reason):
        aws.fetch(read("kinesis-sqs"))


def test_stops_reading_at_what_no_batch_has(aws: Aws) -> None:
    """A message may name all of a shard; nothing after the first record too many is read."""
    event = read("kinesis-sqs")
    assert event.batch is not None
    iterates(aws)
    pages(aws, page(kinesis_record(FIRST), kinesis_record(MIDDLE)), page(kinesis_record(LAST)))
    with pytest.raises(RecordsGone, match="holds 3 records, and the batch had 4"):
        aws.fetch(counted(event, 4))
    iterates(aws)
    pages(aws, page(kinesis_record(FIRST), kinesis_record(MIDDLE)))
    with pytest.raises(RecordsGone, match="holds more records than the 1 of"):
        aws.fetch(counted(event, 1))
    large = {**kinesis_record(FIRST), "Data": b"x" * 7 * 1024 * 1024}
    iterates(aws)
    pages(aws, page(large, {**large, "SequenceNumber": MIDDLE}))
    with pytest.raises(RecordsGone, match="more than a function's event can hold"):
        aws.fetch(counted(event, 999_999_999))


def test_refuses_a_batch_that_does_not_say_how_many_records_it_had(aws: Aws) -> None:
    """Lambda always says it: any range of any stream of the account would be read."""
    event = counted(read("kinesis-sqs"), None)
    with pytest.raises(RecordsGone, match="does not say how many records the batch had"):
        aws.fetch(event)
    iterates(aws)
    pages(aws, page(*map(kinesis_record, (FIRST, MIDDLE, LAST))))
    assert len(json.loads(aws.fetch(event, exact=False).payload)["Records"]) == 3


def test_asks_whether_a_stream_may_be_read(aws: Aws) -> None:
    """Before anything of it is read."""
    asked = []

    def refuse(stream: str) -> None:
        asked.append(stream)
        raise PermissionError("not that one")

    with pytest.raises(PermissionError, match="not that one"):
        aws.fetch(read("kinesis-sqs"), check_stream=refuse)
    assert asked == [STREAM]


def counted(event: FailedEvent, count: int | None) -> FailedEvent:
    """Return an event whose batch had as many records."""
    assert event.batch is not None
    return dataclasses.replace(event, batch=dataclasses.replace(event.batch, count=count))


def test_takes_all_of_the_range_when_told(aws: Aws) -> None:
    """More than the batch had, rather than nothing."""
    iterates(aws)
    pages(aws, page(*map(kinesis_record, (FIRST, MIDDLE, LAST))))
    assert len(json.loads(aws.fetch(read("kinesis-sqs"), exact=False).payload)["Records"]) == 3


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "InvalidArgumentException"])
def test_says_that_a_stream_or_shard_is_gone(aws: Aws, code: str) -> None:
    """It may be deleted, or made again with its name."""
    aws.kinesis.add_client_error("get_shard_iterator", code, "no such shard")
    with pytest.raises(RecordsGone, match=f"{code}, no such shard"):
        aws.fetch(read("kinesis-sqs"))


# --- DynamoDB ------------------------------------------------------------------------------------


def test_builds_the_event_of_a_table(aws: Aws) -> None:
    """Binary is in base64, times are in seconds, and the service that expired an item is named.

    https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
    """
    event = read("dynamodb-sqs")
    assert event.batch is not None
    source, number = event.batch.source, event.batch.first
    image: dict[str, Any] = {
        "order": {"N": "42"},
        "raw": {"B": b"\x00\xff"},
        "all": {"BS": [b"a", b"b"]},
        "deep": {"L": [{"M": {"x": {"B": b"c"}, "y": {"NULL": True}}}]},
        "name": {"S": "Zürich \U0001f600"},
    }
    record = {
        "eventID": "c4ca",
        "eventName": "REMOVE",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": REGION,
        "userIdentity": {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"},
        "dynamodb": {
            "ApproximateCreationDateTime": ARRIVED.replace(microsecond=0),
            "Keys": {"order": {"N": "42"}},
            "OldImage": image,
            "SequenceNumber": number,
            "SizeBytes": 26,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    }
    expected = {
        "StreamArn": source,
        "ShardId": event.batch.shard,
        "ShardIteratorType": "AT_SEQUENCE_NUMBER",
        "SequenceNumber": number,
    }
    aws.dynamodb.add_response("get_shard_iterator", {"ShardIterator": "i" * 8}, expected)
    answers = [{"Records": [], "NextShardIterator": "n" * 8}] * 2 + [{"Records": [record]}]
    for answer in answers:
        aws.dynamodb.add_response("get_records", answer, {"ShardIterator": ANY})
    (built,) = json.loads(aws.fetch(event).payload)["Records"]
    assert built == {
        "eventID": "c4ca",
        "eventName": "REMOVE",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": REGION,
        "userIdentity": {"principalId": "dynamodb.amazonaws.com", "type": "Service"},
        "dynamodb": {
            "ApproximateCreationDateTime": 1793588585,
            "Keys": {"order": {"N": "42"}},
            "OldImage": {
                **image,
                "raw": {"B": base64.b64encode(b"\x00\xff").decode()},
                "all": {"BS": ["YQ==", "Yg=="]},
                "deep": {"L": [{"M": {"x": {"B": "Yw=="}, "y": {"NULL": True}}}]},
            },
            "SequenceNumber": number,
            "SizeBytes": 26,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": source,
    }


@pytest.mark.parametrize("code", ["TrimmedDataAccessException", "ResourceNotFoundException"])
def test_says_that_a_table_has_forgotten(aws: Aws, code: str) -> None:
    """Its stream keeps a day."""
    aws.dynamodb.add_client_error("get_shard_iterator", code, "trimmed")
    with pytest.raises(RecordsGone, match=f"no longer holds .*: {code}, trimmed"):
        aws.fetch(read("dynamodb-sns"))


# --- What is not read ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["msk-sqs", "msk-too-large-sqs", "self-managed-kafka-sns"])
def test_says_where_kafka_has_the_records(aws: Aws, name: str) -> None:
    """Only an object of S3 holds them."""
    with pytest.raises(RecordsGone, match=r"orders-0 at offsets 17 to 18; .* with a Kafka client"):
        aws.fetch(read(name))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (f"{ACCOUNT}:stream", "999999999999:stream", "is not in account 111122223333"),
        ("kinesis:eu-west-1", "kinesis:us-east-1", "is not in account .* and Region eu-west-1"),
        ('"shardId": "', '"shardId": "/', "does not say which records"),
        ("startSequenceNumber", "start", "does not say which records"),
        ("KinesisBatchInfo", "DocumentDBBatchInfo", "cannot be read again"),
        ('{"requestContext"', '{"timeWindowInfo": {"window": {}}, "requestContext"', "has a state"),
    ],
)
def test_reads_no_other_stream(aws: Aws, old: str, new: str, reason: str) -> None:
    """A message can name any."""
    body = str(messages.stored("batch-kinesis-sqs")["Body"]).replace(old, new)
    with pytest.raises(RecordsGone, match=reason):
        aws.fetch(parse(messages.message(body)))
