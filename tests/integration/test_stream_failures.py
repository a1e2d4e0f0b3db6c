"""Batches of streams that fail, and where their records are afterwards.

Kafka, DocumentDB and Amazon MQ run on no engine: their records are read as AWS documents them, in
tests/runtime, and their mappings are asserted on the template, in tests/test_event_sources.py.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import aws_cdk as cdk
import pytest
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources

from failure_destinations import FailureChannel
from failure_destinations.testing import LocalCloud

from ..cli.conftest import clean_environment, run_cli
from ..waiting import eventually
from .conftest import first
from .polled_app import Handlers, text_of

pytestmark = pytest.mark.integration

TRIM_HORIZON = lambda_.StartingPosition.TRIM_HORIZON
SOURCES = ("Kinesis", "Dynamo")


class Streams(NamedTuple):
    """The deployed functions, and what they read."""

    cloud: LocalCloud
    outputs: dict[str, str]
    handlers: Handlers

    def put(self, name: str, *texts: str) -> None:
        """Put records of one key into what a function reads, one for each text."""
        if name == "Dynamo":
            for text in texts:
                item = {"id": {"S": "one"}, "text": {"S": text}, "data": {"B": b"\x00\xff"}}
                self.cloud.client("dynamodb").put_item(TableName=self.outputs["Table"], Item=item)
            return
        records = [{"Data": text.encode(), "PartitionKey": "one"} for text in texts]
        stream = self.outputs[f"{name}Stream"]
        self.cloud.client("kinesis").put_records(StreamName=stream, Records=records)

    def failed(self, name: str, wanted: Callable[[Any], bool] = lambda _: True) -> Any:
        """Wait for the record of a function's failed batch in the channel's queue."""
        function = f":{self.outputs[f'{name}Name']}"

        def is_wanted(record: Any) -> bool:
            return bool(
                record["requestContext"]["functionArn"].endswith(function) and wanted(record)
            )

        return first(
            lambda count: self.cloud.messages(self.outputs["QueueUrl"], count=count),
            lambda message: is_wanted(message.json()),
        ).json()

    def stored(self, record: Any) -> Any:
        """Return the event in the object that a record names."""
        stored = record["storedObject"]
        answer = self.cloud.client("s3").get_object(
            Bucket=stored["bucket"], Key=stored["key"], VersionId=stored["versionId"]
        )
        return json.loads(json.load(answer["Body"])["payload"])

    def cli(self, *arguments: str) -> Any:
        """Run the command on the channel."""
        return run_cli(
            [*arguments, "--stack", "Streams"], clean_environment(**self.cloud.environment)
        )


@pytest.fixture(scope="module")
def streams(localemu: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Streams:
    """Deploy functions that read streams in each way, on one channel."""
    handlers = Handlers(tmp_path_factory.mktemp("handled"))
    app = cdk.App()
    stack = cdk.Stack(app, "Streams")
    channel = FailureChannel(stack, "Failures", emails=["streams@example.com"])
    destinations: dict[str, lambda_.IEventSourceDlq] = {
        "Kinesis": channel.event_source_destination,
        "Split": channel.event_source_destination,
        "Partial": channel.event_source_destination,
        "Old": channel.event_source_destination,
        "Metadata": sources.SqsDlq(channel.queue),
    }
    for name, destination in destinations.items():
        stream = kinesis.Stream(
            stack, f"{name}Stream", shard_count=1, stream_mode=kinesis.StreamMode.PROVISIONED
        )
        source = sources.KinesisEventSource(
            stream,
            starting_position=TRIM_HORIZON,
            retry_attempts=None if name == "Old" else 0,
            max_record_age=cdk.Duration.seconds(60) if name == "Old" else None,
            bisect_batch_on_error=name == "Split",
            report_batch_item_failures=name == "Partial",
            on_failure=destination,
        )
        function = handlers.define(stack, name, partial=name == "Partial")
        function.add_event_source(source)
        cdk.CfnOutput(stack, f"{name}StreamName", key=f"{name}Stream", value=stream.stream_name)
        cdk.CfnOutput(stack, f"{name}Name", value=function.function_name)
    table = dynamodb.Table(
        stack,
        "Items",
        partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
        stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
    )
    function = handlers.define(stack, "Dynamo")
    function.add_event_source(
        sources.DynamoEventSource(
            table,
            starting_position=TRIM_HORIZON,
            retry_attempts=0,
            on_failure=channel.event_source_destination,
        )
    )
    cdk.CfnOutput(stack, "DynamoName", value=function.function_name)
    cdk.CfnOutput(stack, "Table", value=table.table_name)
    cdk.CfnOutput(stack, "QueueUrl", value=channel.queue.queue_url)
    cdk.CfnOutput(stack, "DeadLetterQueueUrl", value=channel.dead_letter_queue.queue_url)
    return Streams(localemu, localemu.deploy(app)["Streams"], handlers)


@pytest.mark.parametrize("name", SOURCES)
def test_keeps_a_failed_batch_and_replays_it_as_it_was(streams: Streams, name: str) -> None:
    """The record is in the queue and in a mail, its records in S3, and the handler gets them."""
    streams.handlers.breaks(name)
    streams.put(name, "first", "second", "third")
    record = streams.failed(name)
    request_id = record["requestContext"]["requestId"]
    assert record["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert "payload" not in record
    event = streams.stored(record)
    assert first(
        lambda count: streams.cloud.mails("streams@example.com", count=count),
        lambda mail: request_id in mail.body,
    )
    again = streams.cli("replay", "--id", request_id, "--yes")
    assert again.returncode == 1, again.stderr
    assert streams.failed(name) == record
    streams.handlers.mend(name)
    replayed = streams.cli("replay", "--id", request_id, "--yes")
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert event in streams.handlers.handled(name)
    records = [m.json() for m in streams.cloud.messages(streams.outputs["QueueUrl"], count=0)]
    assert record not in records
    # The object stays until the bucket's lifecycle deletes it.
    assert streams.stored(record) == event


@pytest.mark.soak
def test_keeps_only_the_bad_records_of_a_batch_that_is_split(streams: Streams) -> None:
    """The mapping itself handles all the others."""
    # "bad" in base64, as the record has it.
    streams.handlers.breaks("Split", at="YmFk")
    streams.put("Split", "a", "b", "bad", "c", "d")
    event = streams.stored(streams.failed("Split"))
    assert [text_of(record) for record in event["Records"]] == ["bad"]
    eventually(lambda: streams.handlers.texts("Split"), lambda seen: {*"abcd"} <= set(seen))
    streams.handlers.mend("Split")


@pytest.mark.soak
def test_keeps_what_a_partial_response_leaves(streams: Streams) -> None:
    """The records before the first bad one are handled, and a replay reads the answer alike."""
    streams.handlers.breaks("Partial", at="YmFk")
    streams.put("Partial", "a", "b", "bad", "c")
    record = streams.failed("Partial")
    request_id = record["requestContext"]["requestId"]
    assert [text_of(each) for each in streams.stored(record)["Records"]] == ["bad", "c"]
    assert streams.handlers.texts("Partial") == ["a", "b"]
    again = streams.cli("replay", "--id", request_id, "--yes")
    assert again.returncode == 1
    assert streams.failed("Partial") == record
    streams.handlers.mend("Partial")
    replayed = streams.cli("replay", "--id", request_id, "--yes")
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert streams.handlers.texts("Partial") == ["a", "b", "bad", "c"]


@pytest.mark.soak
def test_keeps_records_that_are_too_old(streams: Streams) -> None:
    """A batch without a limit of retries blocks its shard until its age is exceeded."""
    streams.handlers.breaks("Old", at="YmFk")
    streams.put("Old", "bad")
    # The next record is to be young yet when the first is too old, however slow the machine.
    time.sleep(40)
    streams.put("Old", "next")
    time.sleep(5)
    assert streams.handlers.texts("Old") == []
    eventually(lambda: streams.handlers.texts("Old"), lambda seen: "next" in seen)
    record = streams.failed("Old")
    assert record["requestContext"]["condition"] == "RecordAgeExceeded"
    assert "responseContext" not in record
    assert [text_of(each) for each in streams.stored(record)["Records"]] == ["bad"]


@pytest.mark.soak
def test_fetches_the_records_of_a_batch_from_the_stream(streams: Streams) -> None:
    """Of a record with metadata only, and only those of the batch, though the stream has more."""
    streams.handlers.breaks("Metadata")
    streams.put("Metadata", "first", "second")
    record = streams.failed("Metadata")
    assert record["KinesisBatchInfo"]["batchSize"] == 2
    streams.handlers.mend("Metadata")
    streams.put("Metadata", "third")
    eventually(lambda: streams.handlers.texts("Metadata"), lambda seen: "third" in seen)
    replayed = streams.cli("replay", "--id", record["requestContext"]["requestId"], "--yes")
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert streams.handlers.texts("Metadata") == ["third", "first", "second"]


@pytest.mark.soak
def test_says_what_is_gone_from_the_stream(streams: Streams) -> None:
    """The record stays, and nothing runs: the rest of a batch may not be what failed."""
    streams.handlers.breaks("Metadata")
    streams.put("Metadata", "lost")
    record = streams.failed("Metadata", lambda each: each["KinesisBatchInfo"]["batchSize"] == 1)
    streams.handlers.mend("Metadata")
    handled = streams.handlers.texts("Metadata")
    streams.cloud.client("kinesis").delete_stream(StreamName=streams.outputs["MetadataStream"])
    request_id = record["requestContext"]["requestId"]
    replayed = streams.cli("replay", "--id", request_id, "--yes")
    assert replayed.returncode == 1
    assert "its records cannot be fetched" in replayed.stdout
    shown = streams.cli("show", request_id)
    assert streams.outputs["MetadataStream"] in shown.stdout, shown.stderr
    assert "its records cannot be fetched: " in " ".join(shown.stdout.split())
    records = [m.json() for m in streams.cloud.messages(streams.outputs["QueueUrl"], count=0)]
    assert record in records
    assert streams.handlers.texts("Metadata") == handled


@pytest.mark.soak
def test_replays_only_the_newest_record_of_a_key(streams: Streams) -> None:
    """So that an old version does not overwrite a newer one."""
    streams.handlers.breaks("Kinesis")
    streams.put("Kinesis", "old", "new")
    record = streams.failed("Kinesis")
    streams.handlers.mend("Kinesis")
    handled = len(streams.handlers.texts("Kinesis"))
    replayed = streams.cli(
        "replay", "--id", record["requestContext"]["requestId"], "--only-latest", "--yes"
    )
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert streams.handlers.texts("Kinesis")[handled:] == ["new"]
