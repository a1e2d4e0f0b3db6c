"""FailureReplayer on an engine: batches of a stream are replayed, or parked with a reason."""

from __future__ import annotations

import base64
import json

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources

from failure_destinations import FailureChannel, FailureReplayer
from failure_destinations.runtime import parse
from failure_destinations.testing import LocalCloud

from ..waiting import eventually

pytestmark = pytest.mark.integration

# Fails where the mapping invokes it, as a handler whose bug is fixed before the replay. A poison
# record fails for ever; the handler reports it.
HANDLER = """
import base64

def handler(event, context):
    records = [record["kinesis"] for record in event["Records"]]
    texts = [base64.b64decode(record["data"]).decode() for record in records]
    if not getattr(context, "client_context", None):
        print("mapped", *texts)
        raise RuntimeError("Something went wrong!")
    print("replayed", *texts)
    failed = [record for record, text in zip(records, texts) if text == "poison"]
    return {"batchItemFailures": [{"itemIdentifier": each["sequenceNumber"]} for each in failed]}
"""
MAX_ATTEMPTS = 2


@pytest.fixture(scope="module")
def outputs(localemu: LocalCloud) -> dict[str, str]:
    """Deploy a function that reads a stream, a channel and its replayer; return the outputs."""
    app = cdk.App()
    stack = cdk.Stack(app, "ReplayedBatches")
    channel = FailureChannel(stack, "Channel", keep_copies=False)
    stream = kinesis.Stream(
        stack, "Stream", shard_count=1, stream_mode=kinesis.StreamMode.PROVISIONED
    )
    function = lambda_.Function(
        stack,
        "Reader",
        runtime=lambda_.Runtime.PYTHON_3_14,
        handler="index.handler",
        code=lambda_.Code.from_inline(HANDLER),
    )
    function.add_event_source(
        sources.KinesisEventSource(
            stream,
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            batch_size=3,
            retry_attempts=0,
            on_failure=channel.event_source_destination,
        )
    )
    replayer = FailureReplayer(
        stack,
        "Replayer",
        channel=channel,
        max_attempts=MAX_ATTEMPTS,
        backoff=cdk.Duration.seconds(1),
    )
    for id, value in {
        "StreamName": stream.stream_name,
        "ReaderName": function.function_name,
        "QueueUrl": channel.queue.queue_url,
        "ParkedQueueUrl": replayer.parked_queue.queue_url,
    }.items():
        cdk.CfnOutput(stack, id, value=value)
    return localemu.deploy(app)["ReplayedBatches"]


@pytest.mark.soak
def test_replays_and_parks_batches(localemu: LocalCloud, outputs: dict[str, str]) -> None:
    """Each from the channel's bucket, in each attempt with all of its records first."""
    client = localemu.client("kinesis")
    for texts in (("a", "b"), ("c", "poison", "d")):
        client.put_records(
            StreamName=outputs["StreamName"],
            Records=[{"Data": text.encode(), "PartitionKey": "all"} for text in texts],
        )
        eventually(
            lambda: localemu.logs(outputs["ReaderName"]),
            lambda log, last=texts[-1]: f"{last}\n" in log,  # type: ignore[misc]
        )
    (parked,) = localemu.messages(outputs["ParkedQueueUrl"], count=1, timeout=120)
    assert parked.message_attributes["ReplayReason"] == "MaxAttempts"
    assert parked.message_attributes["ReplayErrorType"] == "BatchItemFailures"
    reported = parked.message_attributes["ReplayErrorMessage"]
    assert "records handled; the first that failed is" in reported
    event = parse({"Body": parked.body})
    assert event.batch is not None
    assert event.batch.stored is not None
    stored = event.batch.stored
    answer = localemu.client("s3").get_object(Bucket=stored.bucket, Key=stored.key)
    records = json.loads(json.load(answer["Body"])["payload"])["Records"]
    kept = [base64.b64decode(record["kinesis"]["data"]).decode() for record in records]
    assert "poison" in kept
    log = localemu.logs(outputs["ReaderName"])
    assert log.count(f"replayed {' '.join(kept)}\n") == MAX_ATTEMPTS
    assert log.count("mapped") >= 1
    assert {text for text in "abcd" if f" {text}" in log.replace("mapped", "")} == set("abcd")
    assert localemu.messages(outputs["QueueUrl"], count=0) == []
