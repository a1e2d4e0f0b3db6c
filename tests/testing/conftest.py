"""An app and a function to deploy to an engine."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from failure_destinations.testing import LocalCloud

APP = """\
import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs

app = cdk.App()
stack = cdk.Stack(app, app.node.try_get_context("name") or "Failing")
visibility = cdk.CfnParameter(stack, "Visibility", type="Number", default=30)
topic = sns.Topic(stack, "Topic")
queue = sqs.Queue(stack, "Queue")
queue.node.default_child.visibility_timeout = visibility.value_as_number
topic.add_subscription(subscriptions.SqsSubscription(queue, raw_message_delivery=True))
topic.add_subscription(subscriptions.EmailSubscription("ops@example.com"))
handler = lambda_.Function(
    stack,
    "Orders",
    runtime=lambda_.Runtime.PYTHON_3_12,
    handler="orders.handler",
    code=lambda_.Code.from_asset("orders"),
    retry_attempts=1,
    on_failure=destinations.SnsDestination(topic),
)
scheduler.Schedule(
    stack,
    "Daily",
    schedule=scheduler.ScheduleExpression.rate(cdk.Duration.days(1)),
    target=targets.LambdaInvoke(handler),
)
for name, value in {
    "FunctionName": handler.function_name,
    "QueueUrl": queue.queue_url,
    "TopicArn": topic.topic_arn,
}.items():
    cdk.CfnOutput(stack, name, value=value)
app.synth()
"""

HANDLER = """\
def handler(event, context):
    print("got", event)
    raise ValueError("no such order")
"""


@pytest.fixture(scope="session")
def failing_app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an app with one function that always fails."""
    folder = tmp_path_factory.mktemp("failing-app")
    (folder / "cdk.json").write_text('{"app": "python app.py"}')
    (folder / "app.py").write_text(APP)
    (folder / "orders").mkdir()
    (folder / "orders" / "orders.py").write_text(HANDLER)
    return folder


@pytest.fixture
def create_function() -> Callable[[LocalCloud, str, str], str]:
    """Create functions from names and sources without CDK, which is quicker."""
    return define_function


def define_function(cloud: LocalCloud, name: str, source: str) -> str:
    """Create a function and return its name once it can be invoked."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("index.py", source)
    client: Any = cloud.client("lambda")
    client.create_function(
        FunctionName=name,
        Runtime="python3.12",
        Handler="index.handler",
        Role=f"arn:aws:iam::{cloud.account}:role/any",
        Code={"ZipFile": archive.getvalue()},
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name)
    return name
