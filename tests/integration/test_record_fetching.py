"""Failed batches of streams on an engine: the records fetched again are those that were passed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from failure_destinations.runtime import (
    FailedEvent,
    RecordClients,
    RecordsGone,
    fetch_records,
    parse,
    records_of,
)
from failure_destinations.testing import LocalCloud

from ..testing.conftest import define_function
from ..waiting import eventually

pytestmark = pytest.mark.integration

FAILING = "def handler(event, context): raise RuntimeError('broken')"


@pytest.fixture
def clients(localemu: LocalCloud) -> RecordClients:
    """Return clients of the engine."""
    return RecordClients(
        localemu.client("s3"), localemu.client("kinesis"), localemu.client("dynamodbstreams")
    )


def fetched(cloud: LocalCloud, clients: RecordClients, event: FailedEvent) -> FailedEvent:
    """Fetch the records of an event."""
    return fetch_records(event, clients, account=cloud.account, region=cloud.region)


def destinations(cloud: LocalCloud, name: str) -> tuple[str, str, str]:
    """Create a queue and a bucket, and return the queue's URL and the ARNs of both."""
    url = cloud.client("sqs").create_queue(QueueName=f"{name}-failed")["QueueUrl"]
    cloud.client("s3").create_bucket(
        Bucket=f"{name}-failed",
        CreateBucketConfiguration={"LocationConstraint": cloud.region},
    )
    queue = f"arn:aws:sqs:{cloud.region}:{cloud.account}:{name}-failed"
    return url, queue, f"arn:aws:s3:::{name}-failed"


def stored(cloud: LocalCloud, name: str) -> tuple[str, str]:
    """Wait for the one object in a bucket, and return its key and text."""
    client = cloud.client("s3")
    (found,) = eventually(
        lambda: client.list_objects_v2(Bucket=f"{name}-failed").get("Contents", []),
        bool,
    )
    key = found["Key"]
    return key, client.get_object(Bucket=f"{name}-failed", Key=key)["Body"].read().decode()


def read(cloud: LocalCloud, url: str) -> FailedEvent:
    """Wait for the message of a failed batch, and return its event."""
    (message,) = cloud.messages(url, count=1, timeout=60)
    return parse({"Body": message.body, "Attributes": dict(message.attributes)})


def map_to_both(cloud: LocalCloud, source: str, name: str, queue: str, bucket: str) -> None:
    """Let two functions read a stream: one fails into a queue, the other into a bucket."""
    for function, destination in ((f"{name}-noted", queue), (f"{name}-stored", bucket)):
        cloud.client("lambda").create_event_source_mapping(
            EventSourceArn=source,
            FunctionName=function,
            StartingPosition="TRIM_HORIZON",
            MaximumRetryAttempts=0,
            BatchSize=3,
            DestinationConfig={"OnFailure": {"Destination": destination}},
        )


def with_object(name: str, key: str, text: str) -> FailedEvent:
    """Return the event as a channel's forwarder announces it: without its records."""
    record: dict[str, Any] = json.loads(text)
    del record["payload"]
    record["storedObject"] = {"bucket": f"{name}-failed", "key": key}
    return parse({"Body": json.dumps(record)})


def check_both(
    cloud: LocalCloud, clients: RecordClients, name: str, noted: FailedEvent
) -> tuple[FailedEvent, FailedEvent]:
    """Fetch the records of a batch from its stream and from its object."""
    key, text = stored(cloud, name)
    announced = with_object(name, key, text)
    assert (noted.payload, announced.payload) == ("", "")
    assert announced.batch is not None
    assert announced.batch.mapping is not None
    return fetched(cloud, clients, noted), fetched(cloud, clients, announced)


def without_role(payload: str) -> Any:
    """Return an event without what only the mapping knows."""
    records = json.loads(payload)["Records"]
    return [{**record, "invokeIdentityArn": ""} for record in records]


def test_fetches_a_batch_of_kinesis(localemu: LocalCloud, clients: RecordClients) -> None:
    """From its object and, cut at its last record, from its stream: the same event."""
    kinesis = localemu.client("kinesis")
    kinesis.create_stream(StreamName="fetched", ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName="fetched")
    summary = kinesis.describe_stream_summary(StreamName="fetched")["StreamDescriptionSummary"]
    url, queue, bucket = destinations(localemu, "fetched")
    for function in ("fetched-noted", "fetched-stored"):
        define_function(localemu, function, FAILING)
    data = [b"\x00\xff", b"{}", "Zürich".encode()]
    kinesis.put_records(
        StreamName="fetched",
        Records=[{"Data": each, "PartitionKey": f"key-{at}"} for at, each in enumerate(data)],
    )
    map_to_both(localemu, summary["StreamARN"], "fetched", queue, bucket)
    noted = read(localemu, url)
    from_stream, from_object = check_both(localemu, clients, "fetched", noted)
    kinesis.put_record(StreamName="fetched", Data=b"later", PartitionKey="key-9")
    again = fetched(localemu, clients, noted)
    assert len(records_of(from_stream.payload)) == len(data)
    assert without_role(from_stream.payload) == without_role(from_object.payload)
    assert again.payload == from_stream.payload
    kinesis.delete_stream(StreamName="fetched", EnforceConsumerDeletion=True)
    eventually(
        lambda: kinesis.list_streams()["StreamNames"],
        lambda names: "fetched" not in names,
    )
    with pytest.raises(RecordsGone, match="ResourceNotFoundException"):
        fetched(localemu, clients, noted)


def test_fetches_a_batch_of_a_table(localemu: LocalCloud, clients: RecordClients) -> None:
    """Binary, nested and numeric values alike."""
    dynamodb = localemu.client("dynamodb")
    table = dynamodb.create_table(
        TableName="fetched-items",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )["TableDescription"]
    url, queue, bucket = destinations(localemu, "fetched-items")
    for function in ("fetched-items-noted", "fetched-items-stored"):
        define_function(localemu, function, FAILING)
    values: list[Any] = [{"B": b"\x00\xff"}, {"N": "1.50"}, {"L": [{"M": {"x": {"BS": [b"a"]}}}]}]
    for at, value in enumerate(values):
        dynamodb.put_item(TableName="fetched-items", Item={"id": {"S": str(at)}, "value": value})
    map_to_both(localemu, table["LatestStreamArn"], "fetched-items", queue, bucket)
    noted = read(localemu, url)
    from_stream, from_object = check_both(localemu, clients, "fetched-items", noted)
    assert len(records_of(from_stream.payload)) == len(values)
    assert json.loads(from_stream.payload) == json.loads(from_object.payload)


def test_says_that_an_object_is_gone(localemu: LocalCloud, clients: RecordClients) -> None:
    """The stream has the records then."""
    kinesis, s3 = localemu.client("kinesis"), localemu.client("s3")
    kinesis.create_stream(StreamName="deleted", ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName="deleted")
    summary = kinesis.describe_stream_summary(StreamName="deleted")["StreamDescriptionSummary"]
    url, queue, bucket = destinations(localemu, "deleted")
    for function in ("deleted-noted", "deleted-stored"):
        define_function(localemu, function, FAILING)
    kinesis.put_record(StreamName="deleted", Data=b"1", PartitionKey="a")
    map_to_both(localemu, summary["StreamARN"], "deleted", queue, bucket)
    key, text = stored(localemu, "deleted")
    announced = with_object("deleted", key, text)
    s3.delete_object(Bucket="deleted-failed", Key=key)
    found = fetched(localemu, clients, announced)
    assert without_role(found.payload) == without_role(json.loads(text)["payload"])
    alone = RecordClients(clients.s3)
    with pytest.raises(RecordsGone, match="no longer exists; stream/deleted is not read"):
        fetched(localemu, alone, announced)
    assert read(localemu, url).batch is not None
