"""How localemu handles failed batches of streams and queues, which follows AWS."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from failure_destinations.testing import LocalCloud

from ..waiting import eventually

pytestmark = pytest.mark.integration

CreateFunction = Callable[[LocalCloud, str, str], str]

FAILING = "def handler(event, context): raise RuntimeError('broken')"
FAILING_AT_BAD = """
import base64
def handler(event, context):
    records = [base64.b64decode(record['kinesis']['data']).decode() for record in event['Records']]
    print('read', *records)
    if 'bad' in records:
        raise RuntimeError('broken')
"""


def create_bucket(cloud: LocalCloud, name: str) -> str:
    """Create a bucket, and return its ARN."""
    cloud.client("s3").create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": cloud.region}
    )
    return f"arn:aws:s3:::{name}"


def create_stream(cloud: LocalCloud, name: str) -> str:
    """Create a Kinesis stream with one shard, and return its ARN."""
    kinesis = cloud.client("kinesis")
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=name)
    return str(
        kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]
    )


def create_mapping(cloud: LocalCloud, source: str, function: str, **settings: Any) -> str:
    """Let a function read a stream or queue, and return the mapping's UUID."""
    client = cloud.client("lambda")
    created = client.create_event_source_mapping(
        EventSourceArn=source, FunctionName=function, **settings
    )
    return str(created["UUID"])


def put(cloud: LocalCloud, stream: str, *texts: str) -> None:
    """Put records of one partition key into a stream at once."""
    records = [{"Data": text.encode(), "PartitionKey": "all"} for text in texts]
    cloud.client("kinesis").put_records(StreamName=stream, Records=records)


def objects(cloud: LocalCloud, bucket: str, count: int) -> list[tuple[str, Any]]:
    """Wait for that many objects, and return the key and JSON of each."""
    client = cloud.client("s3")
    listed = eventually(
        lambda: client.list_objects_v2(Bucket=bucket).get("Contents", []),
        lambda found: len(found) >= count,
    )
    return [
        (each["Key"], json.load(client.get_object(Bucket=bucket, Key=each["Key"])["Body"]))
        for each in listed
    ]


def test_splits_a_failed_batch_until_the_bad_record_is_alone(
    localemu: LocalCloud, create_function: CreateFunction
) -> None:
    """S3 gets the record of that one, with the event as text, below the mapping's UUID.

    https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
    """
    stream, name = create_stream(localemu, "split"), "split-reader"
    create_function(localemu, name, FAILING_AT_BAD)
    put(localemu, "split", "a", "b", "c", "bad", "d")
    mapping = create_mapping(
        localemu,
        stream,
        name,
        StartingPosition="TRIM_HORIZON",
        MaximumRetryAttempts=0,
        BisectBatchOnFunctionError=True,
        DestinationConfig={"OnFailure": {"Destination": create_bucket(localemu, "split-failed")}},
    )
    [(key, record)] = objects(localemu, "split-failed", 1)
    assert key.startswith(f"aws/lambda/{mapping}/shardId-000000000000/")
    assert record["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert record["KinesisBatchInfo"]["batchSize"] == 1
    [kept] = json.loads(record["payload"])["Records"]
    assert kept["kinesis"]["data"] == "YmFk"
    assert kept["kinesis"]["sequenceNumber"] == record["KinesisBatchInfo"]["startSequenceNumber"]
    assert eventually(lambda: localemu.logs(name), lambda text: "read d" in text)


@pytest.mark.soak
def test_a_stopped_mapping_goes_on_where_it_was(
    localemu: LocalCloud, create_function: CreateFunction
) -> None:
    """A batch that was being retried comes again, and nothing that was handled."""
    stream, name = create_stream(localemu, "stopped"), "stopped-reader"
    create_function(localemu, name, FAILING_AT_BAD)
    mapping = create_mapping(localemu, stream, name, StartingPosition="TRIM_HORIZON")
    put(localemu, "stopped", "first")
    eventually(lambda: localemu.logs(name), lambda text: "read first" in text)
    put(localemu, "stopped", "bad")
    eventually(lambda: localemu.logs(name), lambda text: "read bad" in text)
    client = localemu.client("lambda")
    for enabled, state in ((False, "Disabled"), (True, "Enabled")):
        client.update_event_source_mapping(UUID=mapping, Enabled=enabled)
        eventually(
            lambda: client.get_event_source_mapping(UUID=mapping)["State"],
            lambda seen, state=state: seen == state,  # type: ignore[misc]
        )
        if not enabled:
            before = localemu.logs(name).count("read bad")
    eventually(lambda: localemu.logs(name), lambda text: text.count("read bad") > before)
    client.delete_event_source_mapping(UUID=mapping)
    assert localemu.logs(name).count("read first") == 1


@pytest.mark.soak
def test_keeps_the_item_of_a_table_with_its_binary_attributes(
    localemu: LocalCloud, create_function: CreateFunction
) -> None:
    """As base64 in S3; and the stream returns it again by its sequence number."""
    dynamodb, streams = localemu.client("dynamodb"), localemu.client("dynamodbstreams")
    table = dynamodb.create_table(
        TableName="binary",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]
    create_function(localemu, "table-reader", FAILING)
    create_mapping(
        localemu,
        table["LatestStreamArn"],
        "table-reader",
        StartingPosition="TRIM_HORIZON",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": create_bucket(localemu, "binary-failed")}},
    )
    dynamodb.put_item(TableName="binary", Item={"id": {"S": "1"}, "data": {"B": b"\x00\xff"}})
    [(_, record)] = objects(localemu, "binary-failed", 1)
    batch = record["DDBStreamBatchInfo"]
    [kept] = json.loads(record["payload"])["Records"]
    assert kept["dynamodb"]["NewImage"]["data"] == {"B": "AP8="}
    iterator = streams.get_shard_iterator(
        StreamArn=batch["streamArn"],
        ShardId=batch["shardId"],
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        SequenceNumber=batch["startSequenceNumber"],
    )["ShardIterator"]
    [again] = streams.get_records(ShardIterator=iterator)["Records"]
    assert again["dynamodb"]["NewImage"]["data"] == {"B": b"\x00\xff"}


@pytest.mark.soak
def test_a_function_reads_a_fifo_queue(
    localemu: LocalCloud, create_function: CreateFunction
) -> None:
    """What it cannot handle is in the queue's dead-letter queue, and can be moved back."""
    client = localemu.client("sqs")
    fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true", "VisibilityTimeout": "1"}
    dead = client.create_queue(QueueName="dead.fifo", Attributes=fifo)["QueueUrl"]
    arn = f"arn:aws:sqs:{localemu.region}:{localemu.account}"
    redrive = {"deadLetterTargetArn": f"{arn}:dead.fifo", "maxReceiveCount": 1}
    source = client.create_queue(
        QueueName="source.fifo", Attributes={**fifo, "RedrivePolicy": json.dumps(redrive)}
    )["QueueUrl"]
    create_function(localemu, "fifo-reader", FAILING)
    create_mapping(localemu, f"{arn}:source.fifo", "fifo-reader")
    client.send_message(QueueUrl=source, MessageBody="order 1", MessageGroupId="a")
    [message] = localemu.messages(dead, count=1, timeout=60)
    assert message.body == "order 1"
    assert message.attributes["DeadLetterQueueSourceArn"] == f"{arn}:source.fifo"
    client.start_message_move_task(SourceArn=f"{arn}:dead.fifo")
    assert len(localemu.runs("fifo-reader", count=2)) == 2
