"""What doctor says on an engine about a replayer that is switched off."""

from __future__ import annotations

import json
from uuid import uuid4

import aws_cdk as cdk
import pytest

from failure_destinations import FailureChannel, FailureReplayer
from failure_destinations.testing import LocalCloud

from .conftest import Examiner

STACK = "SwitchedOff"


@pytest.mark.integration
@pytest.mark.soak
@pytest.mark.usefixtures("credentials")
def test_warns_of_events_that_were_looked_at_often(ministack: LocalCloud) -> None:
    """The replayer would take each look for one of its attempts."""
    app = cdk.App(context={"aws:cdk:enable-path-metadata": True})
    stack = cdk.Stack(app, STACK)
    channel = FailureChannel(stack, "Failures")
    assert channel.copy_queue is not None
    FailureReplayer(stack, "Replayer", channel=channel, max_attempts=3, enabled=False)
    cdk.CfnOutput(stack, "QueueUrl", value=channel.queue.queue_url)
    cdk.CfnOutput(stack, "QueueArn", value=channel.queue.queue_arn)
    cdk.CfnOutput(stack, "CopyQueueUrl", value=channel.copy_queue.queue_url)
    outputs = ministack.deploy(app)[STACK]
    # The engine enables it whatever the template says.
    client = ministack.client("lambda")
    (mapping,) = client.list_event_source_mappings(EventSourceArn=outputs["QueueArn"])[
        "EventSourceMappings"
    ]
    client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    sqs, request = ministack.client("sqs"), str(uuid4())
    record = {
        "version": "1.0",
        "timestamp": "2026-11-02T03:03:11.412Z",
        "requestContext": {
            "requestId": request,
            "functionArn": f"arn:aws:lambda:{ministack.region}:{ministack.account}:function:f",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": {},
        "responsePayload": {"errorType": "ValueError", "errorMessage": "no"},
    }
    sqs.send_message(QueueUrl=outputs["QueueUrl"], MessageBody=json.dumps(record))
    sqs.send_message(
        QueueUrl=outputs["CopyQueueUrl"],
        MessageBody="{}",
        MessageAttributes={"RequestID": {"DataType": "String", "StringValue": request}},
    )
    doctor = Examiner(ministack, STACK, "Failures")
    found = [
        "replayer-parks-at-once" in [each.kind.id for each in doctor.problems()] for _ in range(3)
    ]
    assert found == [False, True, True]
