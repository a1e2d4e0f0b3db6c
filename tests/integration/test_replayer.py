"""FailureReplayer on an engine: one event recovers, one is parked, and each by itself."""

from __future__ import annotations

import json

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_

from failure_destinations import FailureChannel, FailureReplayer
from failure_destinations.testing import LocalCloud

from ..waiting import eventually
from .conftest import copied_event

pytestmark = pytest.mark.integration

# Fails where Lambda invokes it asynchronously, and succeeds where the replayer does, as a handler
# whose bug is fixed in between; a poison event fails for ever.
HANDLER = """
import pathlib

def handler(event, context):
    print(event)
    seen = pathlib.Path(__file__).with_name(f"seen-{event['id']}")
    if event.get("poison") or not seen.exists():
        seen.touch()
        raise RuntimeError("Something went wrong!")
"""
MAX_ATTEMPTS = 2


@pytest.fixture(scope="module")
def outputs(localemu: LocalCloud) -> dict[str, str]:
    """Deploy two functions on a channel with a replayer, and return the stack's outputs."""
    app = cdk.App()
    stack = cdk.Stack(app, "Replayed")
    channel = FailureChannel(stack, "Channel")
    for id in ("Orders", "Invoices"):
        function = lambda_.Function(
            stack,
            id,
            runtime=lambda_.Runtime.PYTHON_3_14,
            handler="index.handler",
            code=lambda_.Code.from_inline(HANDLER),
        )
        channel.notify_failures_of(function, retries=0)
        cdk.CfnOutput(stack, f"{id}Name", value=function.function_name)
    replayer = FailureReplayer(
        stack,
        "Replayer",
        channel=channel,
        max_attempts=MAX_ATTEMPTS,
        backoff=cdk.Duration.seconds(1),
    )
    assert channel.copy_queue is not None
    cdk.CfnOutput(stack, "CopyQueueUrl", value=channel.copy_queue.queue_url)
    cdk.CfnOutput(stack, "QueueUrl", value=channel.queue.queue_url)
    cdk.CfnOutput(stack, "ParkedQueueUrl", value=replayer.parked_queue.queue_url)
    cdk.CfnOutput(stack, "ReplayerName", value=replayer.function.function_name)
    return localemu.deploy(app)["Replayed"]


@pytest.mark.soak
def test_replays_and_parks(localemu: LocalCloud, outputs: dict[str, str]) -> None:
    """A fixed handler gets its event again; a poison event is parked after max_attempts."""
    poison = localemu.invoke(outputs["OrdersName"], {"id": "poison", "poison": True})
    localemu.invoke(outputs["OrdersName"], {"id": "order"})
    localemu.invoke(outputs["InvoicesName"], {"id": "invoice"})
    (parked,) = localemu.messages(outputs["ParkedQueueUrl"])
    assert parked.json()["requestContext"]["requestId"] == poison
    assert parked.message_attributes["ReplayReason"] == "MaxAttempts"
    assert parked.message_attributes["ReplayAttempts"] == str(MAX_ATTEMPTS)
    assert parked.message_attributes["ReplayErrorType"] == "RuntimeError"
    lines = localemu.logs(outputs["ReplayerName"])
    assert [lines.count(f'"outcome": "{what}"') for what in ("succeeded", "waits", "parked")] == [
        2,
        MAX_ATTEMPTS - 1,
        1,
    ]
    # Once as Lambda invoked it, and max_attempts times more.
    assert localemu.logs(outputs["OrdersName"]).count("'poison': True") == 1 + MAX_ATTEMPTS
    assert localemu.logs(outputs["OrdersName"]).count("'id': 'order'") == 2
    assert localemu.logs(outputs["InvoicesName"]).count("'id': 'invoice'") == 2
    assert localemu.messages(outputs["QueueUrl"], count=0) == []


@pytest.mark.soak
def test_replays_a_large_event_with_its_copy(localemu: LocalCloud, outputs: dict[str, str]) -> None:
    """A record without its payload gets it from the copy that Lambda sent; then both are deleted.

    The engine refuses such a record whole, so it is written here as Lambda documents it.
    https://docs.aws.amazon.com/lambda/latest/api/API_OnFailure.html
    """
    client = localemu.client("lambda")
    function = client.get_function(FunctionName=outputs["OrdersName"])["Configuration"]
    payload = {"id": "large", "data": "x" * 300_000}
    request_id = localemu.invoke(outputs["OrdersName"], payload)
    copied_event(localemu, outputs["CopyQueueUrl"], request_id)
    context = {
        "requestId": request_id,
        "functionArn": f"{function['FunctionArn']}:$LATEST",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 1,
    }
    body = json.dumps({"version": "1.0", "requestContext": context})
    localemu.client("sqs").send_message(QueueUrl=outputs["QueueUrl"], MessageBody=body)
    eventually(
        lambda: localemu.logs(outputs["OrdersName"]),
        lambda log: log.count("'id': 'large'") == 2,
    )
    ids = eventually(
        lambda: [
            message.message_attributes["RequestID"]
            for message in localemu.messages(outputs["CopyQueueUrl"], count=0)
        ],
        lambda ids: request_id not in ids,
    )
    assert request_id not in ids
    assert localemu.messages(outputs["QueueUrl"], count=0) == []
