"""A function runs every minute, fails often, and no failure is lost.

Its events are important: after one retry, a queue keeps the failed event and the developers get an
e-mail.
"""

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from aws_cdk.aws_scheduler import ScheduleExpression

from failure_destinations import FailureNotifiedFunction

app = cdk.App()
stack = cdk.Stack(app, "Article")

handler = lambda_.Function(
    stack,
    "Handler",
    runtime=lambda_.Runtime.PYTHON_3_14,
    handler="index.handler",
    code=lambda_.Code.from_asset(str(Path(__file__).with_name("handler"))),
)
notified = FailureNotifiedFunction(
    stack,
    "Notified",
    handler=handler,
    schedule=ScheduleExpression.rate(cdk.Duration.minutes(1)),
    payload={"veryImportantData": "this should not be lost !!!"},
    retries=1,
    emails=["developer@example.com"],
)
cdk.CfnOutput(stack, "QueueUrl", value=notified.queue.queue_url)
cdk.CfnOutput(stack, "FunctionName", value=handler.function_name)

app.synth()
