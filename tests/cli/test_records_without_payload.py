"""Records whose payload Lambda left out, and their copies, in a deployed channel on an engine.

No engine leaves payloads out as Lambda does, so the records are written here in Lambda's shape.
https://docs.aws.amazon.com/lambda/latest/api/API_OnFailure.html
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_

from failure_destinations import FailureChannel
from failure_destinations.deployed.session import Aws
from failure_destinations.replay.copies import look_for_copies
from failure_destinations.replay.received_message import ReceivedMessage
from failure_destinations.testing import LocalCloud

from ..runtime import messages
from .conftest import clean_environment, run_cli

pytestmark = [pytest.mark.integration, pytest.mark.soak]
STACK = "Payloads"
ID = "6f1d0c0e-5a7b-4f0f-9a53-0c6a3d1c7b11"
OTHER = "7f1d0c0e-5a7b-4f0f-9a53-0c6a3d1c7b12"
LARGE = json.dumps({"data": "x" * 300_000})


@dataclass(frozen=True)
class Deployed:
    """A channel with one handler."""

    cloud: LocalCloud
    outputs: Mapping[str, str]

    def send_record(self, id: str, payload: str | None = None) -> None:
        """Put a record into the queue: without its payload, unless there is one."""
        context = {
            "requestId": id,
            "functionArn": self.outputs["HandlerArn"],
            "condition": "RetriesExhausted",
        }
        body = json.dumps({"version": "1.0", "requestContext": context})
        if payload is not None:
            body = f'{body[:-1]}, "requestPayload": {payload}}}'
        self.cloud.client("sqs").send_message(QueueUrl=self.outputs["Queue"], MessageBody=body)

    def send_copy(self, id: str, payload: str = LARGE) -> None:
        """Put a copy into the copy queue, as the account's root user, which may do anything."""
        values = {"RequestID": id, "ErrorCode": "200", "ErrorMessage": "no data"}
        self.cloud.client("sqs").send_message(
            QueueUrl=self.outputs["Copies"],
            MessageBody=payload,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in values.items()
            },
        )

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command on the channel."""
        environment = clean_environment(**self.cloud.environment)
        return run_cli([*arguments, "--stack", STACK], environment)

    def in_queue(self, queue: str) -> int:
        """Return how many messages a queue holds."""
        return len(self.cloud.messages(self.outputs[queue], count=0))

    def runs(self) -> int:
        """Return how often the handler ran so far."""
        name = self.outputs["HandlerArn"].rpartition(":")[2]
        return sum(self.cloud.runs(name).values())


@pytest.fixture(scope="module")
def stack(ministack: LocalCloud) -> Deployed:
    """Deploy the channel."""
    app = cdk.App(context={"aws:cdk:enable-path-metadata": True})
    stack = cdk.Stack(app, STACK)
    handler = lambda_.Function(
        stack,
        "Handler",
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="index.handler",
        code=lambda_.Code.from_inline("def handler(event, context): pass"),
    )
    channel = FailureChannel(stack, "Failures")
    channel.notify_failures_of(handler)
    assert channel.copy_queue is not None
    cdk.CfnOutput(stack, "Queue", value=channel.queue.queue_url)
    cdk.CfnOutput(stack, "Copies", value=channel.copy_queue.queue_url)
    cdk.CfnOutput(stack, "DeadLetters", value=channel.dead_letter_queue.queue_url)
    cdk.CfnOutput(stack, "OwnSubscription", value=_arn(channel))
    cdk.CfnOutput(stack, "HandlerArn", value=handler.function_arn)
    return Deployed(ministack, ministack.deploy(app)[STACK])


def _arn(channel: FailureChannel) -> str:
    resource: Any = channel.queue_subscription.node.default_child
    return str(resource.ref)


@pytest.fixture
def channel(stack: Deployed) -> Deployed:
    """The deployed channel, with empty queues."""
    for queue in ("Queue", "Copies"):
        stack.cloud.client("sqs").purge_queue(QueueUrl=stack.outputs[queue])
    return stack


def test_replays_a_record_with_the_payload_of_its_copy(channel: Deployed, tmp_path: Path) -> None:
    """What succeeds is deleted from both queues, and the backup has the payload."""
    channel.send_record(ID)
    channel.send_record(OTHER, '{"order": 1}')
    channel.send_copy(ID)
    channel.send_copy(OTHER, '{"order": 1}')
    before = channel.runs()
    backup = tmp_path / "backup.jsonl"
    replayed = channel.cli("replay", "--yes", "--backup", str(backup))
    assert "2 succeeded, deleted from the queue" in replayed.stdout, replayed.stderr
    assert replayed.returncode == 0
    assert channel.runs() - before == 2
    assert (channel.in_queue("Queue"), channel.in_queue("Copies")) == (0, 1)
    bodies = [json.loads(json.loads(line)["Body"]) for line in backup.read_text().splitlines()]
    assert {body["requestContext"]["requestId"] for body in bodies} == {ID, OTHER}
    assert json.loads(LARGE) in [body["requestPayload"] for body in bodies]


def test_shows_the_payload_of_the_copy(channel: Deployed) -> None:
    """`list` and `show` give the payload, and nothing is deleted."""
    channel.send_record(ID)
    channel.send_copy(ID)
    channel.send_copy(OTHER)
    listed = json.loads(channel.cli("list", "--json").stdout)
    assert (listed["payload"], listed["size"]) == (json.loads(LARGE), len(LARGE))
    assert channel.cli("show", ID[:8], "--raw").stdout == LARGE
    planned = json.loads(channel.cli("replay", "--json").stdout)
    assert [group["count"] for group in planned["would_replay"]] == [1]
    assert (channel.in_queue("Queue"), channel.in_queue("Copies")) == (1, 2)


def test_leaves_a_record_whose_copy_is_not_there(channel: Deployed) -> None:
    """It stays, with the reason and where to look."""
    channel.send_record(ID)
    channel.send_copy(OTHER)
    replayed = channel.cli("replay", "--yes")
    said = "its record does not hold the payload: the copy queue does not hold a copy of it"
    assert said[:90] in replayed.stdout
    assert replayed.returncode == 1
    assert said in channel.cli("replay").stdout
    assert (channel.in_queue("Queue"), channel.in_queue("Copies")) == (1, 1)


def test_leaves_a_record_with_two_different_copies(channel: Deployed) -> None:
    """One of them is forged, and nobody can say which one."""
    channel.send_record(ID)
    channel.send_copy(ID)
    channel.send_copy(ID, '{"forged": true}')
    replayed = channel.cli("replay", "--yes")
    assert "1 failed (left in the queue)" in replayed.stdout
    assert "the copy queue holds different copies of it" in channel.cli("replay").stdout
    assert (channel.in_queue("Queue"), channel.in_queue("Copies")) == (1, 2)


def test_reads_a_dead_letter_as_an_event_of_the_subscriber(channel: Deployed) -> None:
    """A function did not get the notification of a failure, which the main queue has already.

    The queue's own subscription is an exception, if somebody made it wrap its records.
    """
    body = messages.notification(messages.record("1"))
    subscription = messages.notification("")
    theirs = json.loads(subscription)["UnsubscribeURL"].rpartition("=")[2]
    ours = channel.outputs["OwnSubscription"]
    for sent in (body, body.replace(theirs, ours)):
        channel.cloud.client("sqs").send_message(
            QueueUrl=channel.outputs["DeadLetters"], MessageBody=sent
        )
    listed = channel.cli("list", "--from", "dead-letter", "--json").stdout.splitlines()
    found = {event["source"]: event for event in map(json.loads, listed)}
    assert set(found) == {"subscription-dlq", "destination"}
    assert found["subscription-dlq"]["subscription"] == theirs
    (record,) = found["subscription-dlq"]["payload"]["Records"]
    assert json.loads(record["Sns"]["Message"])["requestPayload"] == 1


def test_does_not_look_through_the_copies_without_need(channel: Deployed) -> None:
    """A look would count as a receive of each."""
    channel.send_record(ID, "1")
    channel.send_copy(ID)
    assert channel.cli("list").returncode == 0
    (copy,) = channel.cloud.messages(channel.outputs["Copies"])
    assert copy.attributes.get("ApproximateReceiveCount", "0") == "0"


def test_replays_other_records_where_copies_cannot_be_read(channel: Deployed) -> None:
    """A record whose copy cannot be looked for stays alone, with the reason."""
    client = channel.cloud.client("sqs")
    attributes = client.get_queue_attributes(
        QueueUrl=channel.outputs["Copies"], AttributeNames=["QueueArn"]
    )
    arn = attributes["Attributes"]["QueueArn"]
    policy = {"deadLetterTargetArn": arn, "maxReceiveCount": "3"}
    channel.send_record(ID)
    channel.send_copy(ID)
    channel.send_record(OTHER, "1")
    settings = {"QueueUrl": channel.outputs["Copies"]}
    client.set_queue_attributes(**settings, Attributes={"RedrivePolicy": json.dumps(policy)})
    try:
        replayed = channel.cli("replay", "--yes", "--all")
    finally:
        client.set_queue_attributes(**settings, Attributes={"RedrivePolicy": ""})
    assert "1 succeeded, deleted from the queue" in replayed.stdout, replayed.stderr
    assert "1 failed (left in the queue)" in replayed.stdout
    assert (channel.in_queue("Queue"), channel.in_queue("Copies")) == (1, 1)


def test_finds_the_copy_of_a_record_in_any_queue(channel: Deployed) -> None:
    """Such as the parked queue of a replayer: the function's own dead-letter queue has the copy."""
    name = channel.outputs["HandlerArn"].rpartition(":")[2]
    arn = channel.outputs["Copies"].rpartition("/")[2]
    client = channel.cloud.client("lambda")
    client.update_function_configuration(
        FunctionName=name,
        DeadLetterConfig={"TargetArn": f"arn:aws:sqs:eu-west-1:{channel.cloud.account}:{arn}"},
    )
    channel.send_record(ID)
    channel.send_copy(ID)
    queue = channel.outputs["Queue"].rpartition("/")[2]
    environment = clean_environment(**channel.cloud.environment)
    replayed = run_cli(["replay", "--queue", queue, "--yes", "--json"], environment)
    assert json.loads(replayed.stdout)["succeeded"] == 1, replayed.stderr
    assert (channel.in_queue("Queue"), channel.in_queue("Copies")) == (0, 0)


def test_says_that_the_copy_queue_is_gone(
    channel: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record has the reason as its obstacle."""
    for name, value in channel.cloud.environment.items():
        monkeypatch.setenv(name, value)
    record = messages.record("1").replace('"requestPayload": 1, ', "")
    message = ReceivedMessage.of(messages.message(record))
    gone = f"{channel.outputs['Copies']}-gone"
    with look_for_copies(Aws(), [gone], [message], []) as copies:
        event = copies.complete(message).event
    assert event is not None
    assert "the copy queue cannot be read: queue " in (event.obstacle or "")
