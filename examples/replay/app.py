"""Automatic replay: switch it on once the bug is fixed, and every failed event runs again.

Failed orders wait in the channel's queue. Fix the handler, then deploy with `-c replay=on`: each
event goes to the function that failed. The replayer parks an event that fails three times.
"""

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_

from failure_destinations import FailureChannel, FailureMonitoring, FailureReplayer

app = cdk.App()
stack = cdk.Stack(app, "Replay")
replay = app.node.try_get_context("replay") == "on"

order = lambda_.Function(
    stack,
    "Order",
    runtime=lambda_.Runtime.PYTHON_3_14,
    handler="index.handler",
    code=lambda_.Code.from_asset(str(Path(__file__).with_name("handler"))),
    environment={"FIXED": str(replay).lower()},
)
channel = FailureChannel(stack, "Failures", emails=["developer@example.com"])
channel.notify_failures_of(order, retries=0)
replayer = FailureReplayer(stack, "Replayer", channel=channel, enabled=replay)
FailureMonitoring(stack, "Monitoring", channel=channel)

cdk.CfnOutput(stack, "FunctionName", value=order.function_name)
cdk.CfnOutput(stack, "QueueUrl", value=channel.queue.queue_url)
cdk.CfnOutput(stack, "ParkedQueueUrl", value=replayer.parked_queue.queue_url)

app.synth()
