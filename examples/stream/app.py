"""A stream and a queue: what their functions cannot handle is kept, and can be replayed."""

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs

from failure_destinations import FailureChannel

app = cdk.App()
stack = cdk.Stack(app, "Stream")
channel = FailureChannel(stack, "Failures", emails=["developer@example.com"])
clicks = kinesis.Stream(stack, "Clicks", encryption=kinesis.StreamEncryption.MANAGED)
orders = sqs.Queue(stack, "Orders", enforce_ssl=True)


def function(id: str, source: lambda_.IEventSource) -> None:
    code = lambda_.Code.from_asset(str(Path(__file__).with_name("handler")))
    lambda_.Function(
        stack, id, runtime=lambda_.Runtime.PYTHON_3_14, handler="index.handler", code=code
    ).add_event_source(source)


clicks_source = sources.KinesisEventSource(
    clicks,
    starting_position=lambda_.StartingPosition.TRIM_HORIZON,
    retry_attempts=3,
    on_failure=channel.event_source_destination,
)
function("Count", clicks_source)
channel.dead_letter_queue_for(orders)
function("Ship", sources.SqsEventSource(orders))
cdk.CfnOutput(stack, "QueueUrl", value=channel.queue.queue_url)

app.synth()
