"""Failed batches whose records are only in the stream, replayed on an engine that really fails."""

from __future__ import annotations

import io
import json
import subprocess
import zipfile
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources

from failure_destinations import FailureChannel
from failure_destinations.testing import LocalCloud

from ..replay.kinesis_batches import record as batch_record
from ..testing.conftest import define_function
from ..testing.test_localemu_streams import create_mapping, create_stream, put
from ..waiting import eventually
from .conftest import clean_environment, run_cli

pytestmark = [pytest.mark.integration, pytest.mark.soak]
BROKEN = "def handler(event, context): raise RuntimeError('broken')"
FIXED = """
import base64
def handler(event, context):
    for record in event['Records']:
        about = record.get('kinesis')
        data = base64.b64decode(about['data']).decode() if about else record['dynamodb']['Keys']
        print('fixed got', data, 'of', len(event['Records']))
"""


def cli(cloud: LocalCloud, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in the engine."""
    return run_cli(arguments, clean_environment(**cloud.environment))


def update(cloud: LocalCloud, name: str, source: str) -> None:
    """Give a function another source."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("index.py", source)
    client: Any = cloud.client("lambda")
    client.update_function_code(FunctionName=name, ZipFile=archive.getvalue())
    client.get_waiter("function_updated_v2").wait(FunctionName=name)


def publish(cloud: LocalCloud, name: str) -> str:
    """Publish a version of a function, and return its number."""
    client: Any = cloud.client("lambda")
    version = str(client.publish_version(FunctionName=name)["Version"])
    client.get_waiter("published_version_active").wait(FunctionName=name, Qualifier=version)
    return version


def create_queue(cloud: LocalCloud, name: str) -> str:
    """Create a queue that gets only what describes a batch, and return its ARN."""
    cloud.client("sqs").create_queue(QueueName=name)
    return f"arn:aws:sqs:{cloud.region}:{cloud.account}:{name}"


def waiting(cloud: LocalCloud, queue: str) -> list[str]:
    """Return the messages of a queue."""
    url = cloud.client("sqs").get_queue_url(QueueName=queue)["QueueUrl"]
    return [message.body for message in cloud.messages(url, count=0)]


def delete_mapping(cloud: LocalCloud, mapping: str) -> None:
    """Delete a mapping, and wait until it reads nothing more."""
    client = cloud.client("lambda")
    client.delete_event_source_mapping(UUID=mapping)
    eventually(
        lambda: [one["UUID"] for one in client.list_event_source_mappings()["EventSourceMappings"]],
        lambda left: mapping not in left,
    )


def test_fetches_the_records_from_the_stream(localemu: LocalCloud) -> None:
    """The event is built as the mapping builds it, cut after the batch, and runs once."""
    define_function(localemu, "stream-reader", BROKEN)
    stream, queue = create_stream(localemu, "fetched"), create_queue(localemu, "fetched-failed")
    put(localemu, "fetched", "one", "two")
    mapping = create_mapping(
        localemu,
        stream,
        "stream-reader",
        StartingPosition="TRIM_HORIZON",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": queue}},
    )
    eventually(lambda: waiting(localemu, "fetched-failed"), bool)
    delete_mapping(localemu, mapping)
    put(localemu, "fetched", "later")
    listed = json.loads(cli(localemu, "list", "--queue", "fetched-failed", "--json").stdout)
    assert [one["data"] for one in listed["records"]] == ["one", "two"]
    assert listed["payload"]["Records"][0]["eventSourceARN"] == stream
    assert listed["batch"]["stored"] is None
    update(localemu, "stream-reader", FIXED)
    replayed = cli(localemu, "replay", "--queue", "fetched-failed", "--yes")
    assert "2 records of failed batches handled" in replayed.stdout, replayed.stderr
    assert replayed.returncode == 0
    logs = eventually(lambda: localemu.logs("stream-reader"), lambda text: "got two" in text)
    assert [logs.count(f"fixed got {data} of 2") for data in ("one", "two")] == [1, 1]
    assert waiting(localemu, "fetched-failed") == []


def test_fetches_the_changes_of_a_table(localemu: LocalCloud) -> None:
    """Whatever came after the batch, which the stream returns with it."""
    define_function(localemu, "changes-reader", BROKEN)
    dynamodb = localemu.client("dynamodb")
    table = dynamodb.create_table(
        TableName="changes",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    )["TableDescription"]
    mapping = create_mapping(
        localemu,
        table["LatestStreamArn"],
        "changes-reader",
        StartingPosition="TRIM_HORIZON",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": create_queue(localemu, "changes-failed")}},
    )
    dynamodb.put_item(TableName="changes", Item={"id": {"S": "1"}})
    eventually(lambda: waiting(localemu, "changes-failed"), bool)
    delete_mapping(localemu, mapping)
    dynamodb.put_item(TableName="changes", Item={"id": {"S": "2"}})
    update(localemu, "changes-reader", FIXED)
    replayed = cli(localemu, "replay", "--queue", "changes-failed", "--yes")
    assert "1 record of failed batches handled" in replayed.stdout, replayed.stderr
    logs = eventually(lambda: localemu.logs("changes-reader"), lambda text: "fixed got" in text)
    assert "fixed got {'id': {'S': '1'}} of 1" in logs
    assert "'S': '2'" not in logs


def test_invokes_the_alias_that_the_mapping_names(localemu: LocalCloud) -> None:
    """Also where it has another version by now; the function itself may be another one."""
    client: Any = localemu.client("lambda")
    define_function(localemu, "aliased", BROKEN)
    publish(localemu, "aliased")
    live = {"FunctionName": "aliased", "Name": "live"}
    alias = client.create_alias(**live, FunctionVersion="1")["AliasArn"]
    stream = create_stream(localemu, "aliased")
    put(localemu, "aliased", "one")
    localemu.client("s3").create_bucket(
        Bucket="aliased-failed", CreateBucketConfiguration={"LocationConstraint": localemu.region}
    )
    mapping = create_mapping(
        localemu,
        stream,
        alias,
        StartingPosition="TRIM_HORIZON",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": "arn:aws:s3:::aliased-failed"}},
    )
    s3 = localemu.client("s3")
    (stored,) = eventually(
        lambda: s3.list_objects_v2(Bucket="aliased-failed").get("Contents", []), bool
    )
    client.update_event_source_mapping(UUID=mapping, Enabled=False)
    record = json.load(s3.get_object(Bucket="aliased-failed", Key=stored["Key"])["Body"])
    del record["payload"]
    # AWS leaves open whether it names the alias.
    record["requestContext"]["functionArn"] = alias.rpartition(":")[0]
    record["storedObject"] = {"bucket": "aliased-failed", "key": stored["Key"]}
    url = localemu.client("sqs").create_queue(QueueName="aliased-queue")["QueueUrl"]
    localemu.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(record))
    update(localemu, "aliased", FIXED)
    client.update_alias(**live, FunctionVersion=publish(localemu, "aliased"))
    update(localemu, "aliased", BROKEN)
    planned = cli(localemu, "replay", "--queue", "aliased-queue")
    assert alias in planned.stdout, planned.stderr
    replayed = cli(localemu, "replay", "--queue", "aliased-queue", "--yes")
    assert "1 succeeded, deleted from the queue" in replayed.stdout, replayed.stderr


def test_replays_through_the_channel_of_a_mapping(localemu: LocalCloud) -> None:
    """The function is a handler only because its mapping sends batches to the channel's bucket."""
    app = cdk.App()
    stack = cdk.Stack(app, "MappedOrders")
    channel = FailureChannel(stack, "Failures")
    stream = kinesis.Stream(
        stack, "Stream", shard_count=1, stream_mode=kinesis.StreamMode.PROVISIONED
    )
    handler = lambda_.Function(
        stack,
        "Orders",
        runtime=lambda_.Runtime.PYTHON_3_14,
        handler="index.handler",
        code=lambda_.Code.from_inline(BROKEN),
    )
    source = event_sources.KinesisEventSource(
        stream,
        starting_position=lambda_.StartingPosition.TRIM_HORIZON,
        retry_attempts=0,
        on_failure=channel.event_source_destination,
    )
    handler.add_event_source(source)
    cdk.CfnOutput(stack, "StreamName", value=stream.stream_name)
    cdk.CfnOutput(stack, "Name", value=handler.function_name)
    cdk.CfnOutput(stack, "Queue", value=channel.queue.queue_name)
    outputs = localemu.deploy(app)["MappedOrders"]
    put(localemu, outputs["StreamName"], "one", "two")
    # The mapping may read each record alone.
    eventually(lambda: waiting(localemu, outputs["Queue"]), bool)
    listed = cli(localemu, "list", "--stack", "MappedOrders", "--json").stdout.splitlines()
    found = [json.loads(line) for line in listed]
    assert found
    assert all(one["batch"]["stored"] and one["batch"]["mapping"] for one in found)
    assert {record["data"] for one in found for record in one["records"]} <= {"one", "two"}
    update(localemu, outputs["Name"], FIXED)
    replayed = cli(localemu, "replay", "--stack", "MappedOrders", "--yes", "--json")
    tally = json.loads(replayed.stdout)
    assert (tally["not_handlers"], tally["failed"]) == (0, 0), replayed.stderr
    assert tally["records_handled"] >= sum(one["batch"]["records"] for one in found)


def test_reads_only_a_stream_that_is_read_for_the_channel(localemu: LocalCloud) -> None:
    """With --stack; a message that names another stream stays, until the queue itself is named."""
    app = cdk.App()
    stack = cdk.Stack(app, "StreamedOrders")
    channel = FailureChannel(stack, "Failures")
    cdk.CfnOutput(stack, "Topic", value=channel.topic.topic_arn)
    cdk.CfnOutput(stack, "Queue", value=channel.queue.queue_name)
    outputs = localemu.deploy(app)["StreamedOrders"]
    define_function(localemu, "streamed", FIXED)
    account = {}
    for name in ("streamed", "payroll"):
        account[name] = create_stream(localemu, name)
        put(localemu, name, name)
    create_mapping(
        localemu,
        account["streamed"],
        "streamed",
        StartingPosition="LATEST",
        DestinationConfig={"OnFailure": {"Destination": outputs["Topic"]}},
    )
    function = f"arn:aws:lambda:{localemu.region}:{localemu.account}:function:streamed"
    sqs, kinesis_client = localemu.client("sqs"), localemu.client("kinesis")
    url = sqs.get_queue_url(QueueName=outputs["Queue"])["QueueUrl"]
    for name, stream in account.items():
        shard = kinesis_client.list_shards(StreamName=name)["Shards"][0]["ShardId"]
        iterator = kinesis_client.get_shard_iterator(
            StreamName=name, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        (record,) = kinesis_client.get_records(ShardIterator=iterator)["Records"]
        number = record["SequenceNumber"]
        written = batch_record(1, request_id=name, function=function, stream=stream)
        written["KinesisBatchInfo"].update(
            shardId=shard, startSequenceNumber=number, endSequenceNumber=number
        )
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(written))
    replayed = cli(localemu, "replay", "--stack", "StreamedOrders", "--yes", "--json")
    tally = json.loads(replayed.stdout)
    assert (tally["succeeded"], tally["failed"]) == (1, 1), replayed.stderr
    (error,) = [one["error"] for one in tally["errors"]]
    assert f"no event source mapping of {function} and {account['payroll']} sends" in error
    assert "payroll" not in localemu.logs("streamed")
    trusted = cli(localemu, "replay", "--queue", outputs["Queue"], "--yes")
    assert "1 succeeded" in trusted.stdout, trusted.stderr
