"""`list` with a deployed channel and its replayer: all channels, and what a replayer would park."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

import aws_cdk as cdk
import pytest

from failure_destinations import FailureChannel, FailureReplayer
from failure_destinations.cli.queue_notes import warn_of_parking
from failure_destinations.deployed.replayers import AttachedReplayer
from failure_destinations.testing import LocalCloud

from ..conftest import define_handler
from .conftest import clean_environment, run_cli

pytestmark = pytest.mark.integration
STACK = "Watched"


@dataclass(frozen=True)
class Deployed:
    """A channel with a replayer that is switched off."""

    cloud: LocalCloud
    queue: str
    handler: str
    parked: str

    def send(self, count: int) -> None:
        """Put failed events into the channel's queue."""
        for _ in range(count):
            context = {"requestId": str(uuid4()), "functionArn": self.handler}
            body = {"requestContext": context, "requestPayload": {"order": 1}}
            self.cloud.client("sqs").send_message(QueueUrl=self.queue, MessageBody=json.dumps(body))


@pytest.fixture(scope="module")
def stack(ministack: LocalCloud) -> Deployed:
    """Deploy the channel, beside a stack without one."""
    app = cdk.App(context={"aws:cdk:enable-path-metadata": True})
    stack = cdk.Stack(app, STACK)
    handler = define_handler(stack)
    channel = FailureChannel(stack, "Failures")
    channel.notify_failures_of(handler)
    replayer = FailureReplayer(stack, "Replayer", channel=channel, enabled=False, max_attempts=3)
    cdk.CfnOutput(stack, "Parked", value=replayer.parked_queue.queue_url)
    cdk.CfnOutput(stack, "Queue", value=channel.queue.queue_url)
    cdk.CfnOutput(stack, "HandlerArn", value=handler.function_arn)
    cdk.CfnOutput(cdk.Stack(app, "Empty"), "Nothing", value="1")
    outputs = ministack.deploy(app)[STACK]
    return Deployed(ministack, outputs["Queue"], outputs["HandlerArn"], outputs["Parked"])


@pytest.fixture
def channel(stack: Deployed) -> Iterator[Deployed]:
    """The channel with an empty queue."""
    stack.cloud.client("sqs").purge_queue(QueueUrl=stack.queue)
    yield stack
    stack.cloud.client("sqs").purge_queue(QueueUrl=stack.queue)


def listed(channel: Deployed, *arguments: str) -> tuple[str, str]:
    """Return what `list` prints."""
    done = run_cli(["list", *arguments], clean_environment(**channel.cloud.environment))
    assert done.returncode == 0
    return done.stdout, done.stderr


def test_names_every_channel_without_a_stack(channel: Deployed) -> None:
    """With the numbers of messages in its queues; nothing is received."""
    channel.send(3)
    channel.cloud.client("sqs").receive_message(QueueUrl=channel.queue, VisibilityTimeout=600)
    printed, said = listed(channel)
    heading, *lines = printed.splitlines()
    # Another stack of the engine may have source queues, and so a column more.
    columns = ["STACK", "CHANNEL", "WAITING", "DEAD-LETTER", "COPIES", "PARKED"]
    assert [each for each in heading.split() if each != "SOURCE-QUEUES"] == columns
    (line,) = [line for line in lines if line.startswith(f"{STACK} ")]
    counts = line.split(maxsplit=1)[1].split()
    assert counts[:6] == ["Failures", "2", "(+1", "hidden)", "0", "0"]
    assert counts[6] == "0"
    assert "in eu-west-1: show one with --stack NAME" in said
    objects = [json.loads(line) for line in listed(channel, "--json")[0].splitlines()]
    (found,) = [one for one in objects if one["stack"] == STACK]
    assert found["channel"] == "Failures"
    assert found["main"] == {"visible": 2, "hidden": 1}
    assert found["dead_letter"] == found["copies"] == {"visible": 0, "hidden": 0}
    assert found["parked"] == {"visible": 0, "hidden": 0}


def test_lists_what_the_replayer_parked(channel: Deployed) -> None:
    """By the stack alone."""
    sqs = channel.cloud.client("sqs")
    sqs.send_message(QueueUrl=channel.parked, MessageBody="hello")
    printed, said = listed(channel, "--stack", STACK, "--from", "parked")
    assert "not a failed event: text that is not JSON" in printed
    assert channel.parked.rpartition("/")[2] in said
    sqs.purge_queue(QueueUrl=channel.parked)


def test_warns_of_what_the_replayer_would_park(channel: Deployed) -> None:
    """A look counts as one of its attempts; ministack takes no notice of `enabled=False`."""
    channel.send(2)
    assert "received so often" not in listed(channel, "--stack", STACK)[1]
    said = listed(channel, "--stack", STACK)[1]
    assert "warning: 2 messages were received so often, this time included, that the" in said
    assert "parks them as soon as they fail once, instead of 3 times" in said


@pytest.mark.parametrize(("enabled", "when"), [(True, ""), (False, ", once it is switched on,")])
def test_says_when_the_replayer_would_park(
    capsys: pytest.CaptureFixture[str], enabled: bool, when: str
) -> None:
    """A replayer that is switched off has not parked anything yet."""
    warn_of_parking(AttachedReplayer("Replayer", 3, enabled), 1)
    said = capsys.readouterr().err
    assert f"the replayer Replayer{when} parks them as soon as they fail once" in said


@pytest.mark.parametrize(("receives", "parks"), [(1, False), (2, True), (9, True)])
def test_parks_what_was_received_as_often_as_it_tries(receives: int, parks: bool) -> None:
    """The next receive is the third of three attempts."""
    assert AttachedReplayer("Replayer", 3, True).parks_next(receives) == parks
