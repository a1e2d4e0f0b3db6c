"""The article's app with its TypeScript handler, bundled by esbuild.

Besides the Python packages it needs esbuild: run `npm ci` in this folder.
"""

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_nodejs as nodejs
from aws_cdk.aws_scheduler import ScheduleExpression

from failure_destinations import FailureNotifiedFunction

here = Path(__file__).parent
app = cdk.App()
stack = cdk.Stack(app, "TypescriptHandler")

handler = nodejs.NodejsFunction(
    stack,
    "Handler",
    runtime=lambda_.Runtime.NODEJS_24_X,
    entry=str(here / "handler" / "index.ts"),
    project_root=str(here),
    deps_lock_file_path=str(here / "package-lock.json"),
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
