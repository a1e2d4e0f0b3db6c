"""Failed batches that are in the bucket, and whose announcement is lost on its way."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources

from failure_destinations import FailureChannel
from failure_destinations.testing import LocalCloud

from .polled_app import Handlers

pytestmark = [pytest.mark.integration, pytest.mark.soak]


class Announced(NamedTuple):
    """A deployed function that fails for each batch of a stream."""

    cloud: LocalCloud
    stack: str
    outputs: dict[str, str]

    def fail(self) -> None:
        """Let a batch fail."""
        self.cloud.client("kinesis").put_record(
            StreamName=self.outputs["StreamName"], Data=b"an order", PartitionKey="one"
        )

    def dead_letter(self) -> Any:
        """Wait for the one message of the channel's dead-letter queue, and return it."""
        [message] = self.cloud.messages(self.outputs["DeadLetterQueueUrl"], timeout=90)
        return message.json()

    def stored(self, announcement: Any) -> bytes:
        """Return the object that an announcement names."""
        detail = announcement["detail"]
        answer = self.cloud.client("s3").get_object(
            Bucket=detail["bucket"]["name"], Key=detail["object"]["key"]
        )
        return bytes(answer["Body"].read())


def deploy(cloud: LocalCloud, folder: Path, name: str) -> Announced:
    """Deploy the function on a channel."""
    handlers = Handlers(folder)
    handlers.breaks("Reader")
    app = cdk.App()
    stack = cdk.Stack(app, name)
    channel = FailureChannel(stack, "Failures")
    stream = kinesis.Stream(
        stack, "Stream", shard_count=1, stream_mode=kinesis.StreamMode.PROVISIONED
    )
    handlers.define(stack, "Reader").add_event_source(
        sources.KinesisEventSource(
            stream,
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            retry_attempts=0,
            on_failure=channel.event_source_destination,
        )
    )
    cdk.CfnOutput(stack, "StreamName", value=stream.stream_name)
    cdk.CfnOutput(stack, "TopicArn", value=channel.topic.topic_arn)
    cdk.CfnOutput(stack, "DeadLetterQueueUrl", value=channel.dead_letter_queue.queue_url)
    return Announced(cloud, name, cloud.deploy(app)[name])


def announcements(deployed: Announced) -> str:
    """Return the URL of the queue of announcements."""
    path = "Failures/EventSourceFailures/Announcements"
    return deployed.cloud.physical_id(deployed.stack, path)


def test_keeps_an_announcement_that_eventbridge_cannot_deliver(
    localemu: LocalCloud, tmp_path: Path
) -> None:
    """With the queue of announcements deleted, the event is a dead letter that names the object."""
    deployed = deploy(localemu, tmp_path, "Undelivered")
    localemu.client("sqs").delete_queue(QueueUrl=announcements(deployed))
    deployed.fail()
    announcement = deployed.dead_letter()
    assert announcement["detail-type"] == "Object Created"
    assert b"KinesisBatchInfo" in deployed.stored(announcement)


def test_keeps_an_announcement_that_cannot_be_sent_on(localemu: LocalCloud, tmp_path: Path) -> None:
    """With the topic deleted, the announcement is a dead letter after its last receive."""
    deployed = deploy(localemu, tmp_path, "NotSentOn")
    localemu.client("sns").delete_topic(TopicArn=deployed.outputs["TopicArn"])
    localemu.client("sqs").set_queue_attributes(
        QueueUrl=announcements(deployed), Attributes={"VisibilityTimeout": "1"}
    )
    deployed.fail()
    announcement = deployed.dead_letter()
    assert announcement["detail-type"] == "Object Created"
    assert b"KinesisBatchInfo" in deployed.stored(announcement)
