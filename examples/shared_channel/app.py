"""Three functions, one channel: one queue to look into, one list of people to notify."""

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from aws_cdk.aws_scheduler import ScheduleExpression

from failure_destinations import FailureChannel, FailureNotifiedFunction

app = cdk.App()
stack = cdk.Stack(app, "SharedChannel")
channel = FailureChannel(stack, "Failures", emails=["developer@example.com"])


def function(id: str) -> lambda_.Function:
    return lambda_.Function(
        stack,
        id,
        runtime=lambda_.Runtime.PYTHON_3_14,
        handler="index.handler",
        code=lambda_.Code.from_asset(str(Path(__file__).with_name("handler"))),
    )


# One runs every night. Other programs invoke the other two.
report = function("Report")
FailureNotifiedFunction(
    stack,
    "NightlyReport",
    handler=report,
    schedule=ScheduleExpression.cron(hour="3", minute="0", time_zone=cdk.TimeZone.EUROPE_BERLIN),
    channel=channel,
)
for id in ("Order", "Invoice"):
    channel.notify_failures_of(function(id), retries=0)
cdk.CfnOutput(stack, "QueueUrl", value=channel.queue.queue_url)

app.synth()
