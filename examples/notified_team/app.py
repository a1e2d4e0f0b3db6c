"""A team's functions: one message for a group of failures, by e-mail and in Slack."""

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager

from failure_destinations import FailureChannel, FailureNotifier, Webhook

app = cdk.App()
stack = cdk.Stack(app, "NotifiedTeam")
channel = FailureChannel(stack, "Failures")
for id in ("Order", "Invoice"):
    handler = lambda_.Function(
        stack,
        id,
        runtime=lambda_.Runtime.PYTHON_3_14,
        handler="index.handler",
        code=lambda_.Code.from_asset(str(Path(__file__).with_name("handler"))),
    )
    channel.notify_failures_of(handler, retries=1)
    cdk.CfnOutput(stack, f"{id}Name", value=handler.function_name)

# aws secretsmanager create-secret --name team/slack --secret-string https://hooks.slack.com/…
slack = secretsmanager.Secret.from_secret_name_v2(stack, "Slack", "team/slack")
FailureNotifier(
    stack,
    "Notifier",
    channel=channel,
    emails=["developer@example.com"],
    webhooks=[Webhook.slack(slack)],
    every=cdk.Duration.minutes(15),
)
cdk.CfnOutput(stack, "QueueUrl", value=channel.queue.queue_url)

app.synth()
