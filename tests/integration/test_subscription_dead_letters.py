"""Dead letters of a function's SNS subscription, on an engine: replayed as SNS passes them on."""

from __future__ import annotations

import json

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions

from failure_destinations import FailureChannel
from failure_destinations.testing import LocalCloud

from ..cli.conftest import clean_environment, run_cli
from ..waiting import eventually

pytestmark = pytest.mark.integration

HANDLER = """
import json

def handler(event, context):
    print("got", json.dumps(event, sort_keys=True))
"""


@pytest.fixture(scope="module")
def outputs(localemu: LocalCloud) -> dict[str, str]:
    """Deploy two functions that are subscribed to a topic, and return the stack's outputs."""
    app = cdk.App(context={"aws:cdk:enable-path-metadata": True})
    stack = cdk.Stack(app, "Subscribed")
    channel = FailureChannel(stack, "Channel")
    topic = sns.Topic(stack, "Orders")
    for id in ("Gone", "Kept"):
        function = lambda_.Function(
            stack,
            id,
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="index.handler",
            code=lambda_.Code.from_inline(HANDLER),
        )
        topic.add_subscription(
            subscriptions.LambdaSubscription(function, dead_letter_queue=channel.dead_letter_queue)
        )
        cdk.CfnOutput(stack, f"{id}Name", value=function.function_name)
    cdk.CfnOutput(stack, "TopicArn", value=topic.topic_arn)
    cdk.CfnOutput(stack, "DeadLetterQueueUrl", value=channel.dead_letter_queue.queue_url)
    return localemu.deploy(app)["Subscribed"]


@pytest.mark.soak
def test_passes_a_dead_letter_on_as_sns_does(localemu: LocalCloud, outputs: dict[str, str]) -> None:
    """The successor of a deleted function gets the same event as a function that is still there."""
    localemu.client("lambda").delete_function(FunctionName=outputs["GoneName"])
    localemu.client("sns").publish(
        TopicArn=outputs["TopicArn"],
        Message='{"order": 1}',
        Subject="Ordered",
        MessageAttributes={"shop": {"DataType": "String", "StringValue": "north"}},
    )
    assert localemu.messages(outputs["DeadLetterQueueUrl"])
    replayed = run_cli(
        [
            "replay",
            *("--stack", "Subscribed", "--from", "dead-letter"),
            *("--function-name", outputs["KeptName"], "--yes", "--json"),
        ],
        clean_environment(**localemu.environment),
    )
    assert json.loads(replayed.stdout)["succeeded"] == 1, replayed.stderr
    log = eventually(
        lambda: localemu.logs(outputs["KeptName"]), lambda log: log.count("got {") == 2
    )
    delivered, passed_on = (
        json.loads(line.partition("got ")[2])["Records"][0]
        for line in log.splitlines()
        if "got {" in line
    )
    assert passed_on["EventSource"] == "aws:sns"
    assert set(passed_on) == set(delivered)
    ours, theirs = passed_on["Sns"], delivered["Sns"]
    for member in ("Type", "MessageId", "TopicArn", "Subject", "Message", "MessageAttributes"):
        assert ours[member] == theirs[member], member
