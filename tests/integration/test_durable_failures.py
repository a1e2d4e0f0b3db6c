"""The way of a durable function's failures on an engine, from its dead-letter queue to people.

The engine runs a durable function as any other, and retries it; Lambda does not.
"""

from __future__ import annotations

import json

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_

from failure_destinations import FailureChannel
from failure_destinations.testing import LocalCloud

from ..cli.conftest import clean_environment, run_cli
from .conftest import failed_event, first

pytestmark = pytest.mark.integration

FAILING = 'def handler(event, context):\n    raise RuntimeError("Something went wrong!")\n'
PAYLOAD = {"città": ["Zürich", 1.5, 2**53 + 1]}


@pytest.fixture(scope="module")
def outputs(localemu: LocalCloud) -> dict[str, str]:
    """Deploy a durable function on a channel without copies, and return the stack's outputs."""
    app = cdk.App()
    stack = cdk.Stack(app, "Durable")
    channel = FailureChannel(stack, "Channel", emails=["durable@example.com"], keep_copies=False)
    function = lambda_.Function(
        stack,
        "Workflow",
        runtime=lambda_.Runtime.PYTHON_3_14,
        handler="index.handler",
        code=lambda_.Code.from_inline(FAILING),
        durable_config=lambda_.DurableConfig(execution_timeout=cdk.Duration.minutes(5)),
    )
    channel.notify_failures_of(function)
    cdk.CfnOutput(stack, "Name", value=function.function_name)
    cdk.CfnOutput(stack, "QueueUrl", value=channel.queue.queue_url)
    return localemu.deploy(app)["Durable"]


def test_brings_the_failures_of_a_durable_function_to_people_and_to_the_queue(
    localemu: LocalCloud, outputs: dict[str, str]
) -> None:
    """In the form of an invocation record, with the payload as it was, ready for a replay."""
    request_id = localemu.invoke(outputs["Name"], PAYLOAD)
    record = failed_event(localemu, outputs["QueueUrl"], request_id)
    assert record["requestPayload"] == PAYLOAD
    assert record["requestContext"]["functionArn"].endswith(f":{outputs['Name']}:$LATEST")
    assert record["responsePayload"]["errorMessage"] == "Something went wrong!"
    mail = first(
        lambda count: localemu.mails("durable@example.com", count=count),
        lambda mail: request_id in mail.body,
    )
    assert "Something went wrong!" in mail.body
    chosen = ["--stack", "Durable", "--id", request_id, "--json"]
    environment = clean_environment(**localemu.environment)
    listed = json.loads(run_cli(["list", *chosen], environment).stdout)
    assert listed["function"].endswith(f":{outputs['Name']}:$LATEST")
    planned = json.loads(run_cli(["replay", *chosen], environment).stdout)
    assert [group["count"] for group in planned["would_replay"]] == [1]
