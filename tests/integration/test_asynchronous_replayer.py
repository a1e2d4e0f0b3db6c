"""An asynchronous FailureReplayer on an engine: one event recovers, a poison event is parked."""

from __future__ import annotations

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_

from failure_destinations import FailureChannel, FailureReplayer
from failure_destinations.testing import LocalCloud

from .test_replayer import HANDLER

pytestmark = pytest.mark.integration

MAX_ATTEMPTS = 2


@pytest.mark.soak
def test_hands_events_over_and_parks_what_keeps_failing(localemu: LocalCloud) -> None:
    """Its failures come back as new messages, which are counted by function and payload."""
    app = cdk.App()
    stack = cdk.Stack(app, "HandedOver")
    channel = FailureChannel(stack, "Channel")
    function = lambda_.Function(
        stack,
        "Yearly",
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="index.handler",
        code=lambda_.Code.from_inline(HANDLER),
    )
    channel.notify_failures_of(function, retries=0)
    replayer = FailureReplayer(
        stack,
        "Replayer",
        channel=channel,
        max_attempts=MAX_ATTEMPTS,
        backoff=cdk.Duration.seconds(1),
        asynchronous=True,
    )
    cdk.CfnOutput(stack, "Name", value=function.function_name)
    cdk.CfnOutput(stack, "QueueUrl", value=channel.queue.queue_url)
    cdk.CfnOutput(stack, "ParkedQueueUrl", value=replayer.parked_queue.queue_url)
    outputs = localemu.deploy(app)["HandedOver"]
    localemu.invoke(outputs["Name"], {"id": "poison", "poison": True})
    localemu.invoke(outputs["Name"], {"id": "order"})
    (parked,) = localemu.messages(outputs["ParkedQueueUrl"])
    assert parked.json()["requestPayload"] == {"id": "poison", "poison": True}
    assert parked.message_attributes["ReplayReason"] == "MaxAttempts"
    assert parked.message_attributes["ReplayAttempts"] == str(MAX_ATTEMPTS)
    # Once as it was invoked first, and max_attempts times more.
    logs = localemu.logs(outputs["Name"])
    assert logs.count("'poison': True") == 1 + MAX_ATTEMPTS
    assert logs.count("'id': 'order'") == 2
    assert localemu.messages(outputs["QueueUrl"], count=0) == []
