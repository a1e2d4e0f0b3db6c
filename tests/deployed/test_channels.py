"""Finding a deployed channel by stack and construct path."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping

import aws_cdk as cdk
import pytest
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from failure_destinations import FailureChannel
from failure_destinations.deployed.channels import Channel, choose_channel, find_channels
from failure_destinations.deployed.queues import queue_url
from failure_destinations.deployed.session import Aws
from failure_destinations.deployed.stacks import DeployedStack
from failure_destinations.errors import CommandError
from failure_destinations.testing import LocalCloud

from ..cli.conftest import clean_environment, run_cli
from ..templates import without_hash

STACK = "Prod-Reports"


def define_app() -> cdk.App:
    """Define a channel of its own, and one with a queue of another stack, in a stage."""
    app = cdk.App(context={"aws:cdk:enable-path-metadata": True})
    stage = cdk.Stage(app, "Prod")
    queue = sqs.Queue(cdk.Stack(stage, "Queues"), "Kept")
    stack = cdk.Stack(stage, "Reports")
    FailureChannel(stack, "Failures", emails=["developer@example.com"])
    FailureChannel(Construct(stack, "Inner"), "Other", queue=queue, keep_copies=False)
    cdk.CfnOutput(queue, "Url", value=queue.queue_url)
    return app


@pytest.fixture(scope="module")
def deployed(ministack: LocalCloud) -> Mapping[str, Mapping[str, str]]:
    """Deploy the app, and return its outputs."""
    return ministack.deploy(define_app(), stacks=["**"])


@pytest.fixture
def aws(ministack: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """The engine, as the command finds it."""
    for name, value in ministack.environment.items():
        monkeypatch.setenv(name, value)
    return Aws()


def physical_ids(cloud: LocalCloud) -> dict[str, str]:
    """Return the stack's physical ids by logical ids without their hash."""
    return {without_hash(id): physical for id, physical in cloud.resources(STACK).items()}


@pytest.mark.integration
@pytest.mark.usefixtures("deployed")
def test_finds_the_channels_of_a_stack(aws: Aws, ministack: LocalCloud) -> None:
    """They have their construct paths and all their queues."""
    own, other = find_channels(aws, DeployedStack(aws, STACK))
    ids = physical_ids(ministack)
    assert own == Channel(
        path="Failures",
        subscription_id=next(id for id in ministack.resources(STACK) if "QueueSubscription" in id),
        subscription_arn=ids["FailuresQueueSubscription"],
        topic_arn=ids["FailuresTopic"],
        queue=ids["FailuresQueue"],
        dead_letter_queue=ids["FailuresDeadLetterQueue"],
        copy_queue=ids["FailuresCopyQueue"],
    )
    assert (other.path, other.copy_queue) == ("Inner/Other", None)


@pytest.mark.integration
def test_finds_a_queue_of_another_stack(
    aws: Aws, deployed: Mapping[str, Mapping[str, str]]
) -> None:
    """SNS names the queue that the template does not."""
    _, other = find_channels(aws, DeployedStack(aws, STACK))
    assert other.queue is not None
    assert queue_url(aws.client("sqs"), other.queue) in deployed["Prod-Queues"].values()


@pytest.mark.integration
@pytest.mark.usefixtures("deployed")
def test_lists_the_queue_that_is_chosen(ministack: LocalCloud) -> None:
    """A stack, a channel and which of its queues lead to the messages in it."""
    url = physical_ids(ministack)["FailuresDeadLetterQueue"]
    ministack.client("sqs").send_message(QueueUrl=url, MessageBody="hello")
    arguments = ["list", "--stack", STACK, "--channel", "Failures", "--from", "dead-letter"]
    listed: subprocess.CompletedProcess[str] = run_cli(
        arguments, clean_environment(**ministack.environment)
    )
    assert "not a failed event: text that is not JSON" in listed.stdout
    assert listed.returncode == 0


CHANNELS = [
    Channel(path, "id", "subscription", "topic", "queue") for path in ("Failures", "Inner/Other")
]


@pytest.mark.parametrize(
    ("channels", "path", "said"),
    [
        ([], None, "stack 'S' has no failure channel: name another with --stack, or the queue"),
        (CHANNELS, None, "has several channels: choose one with --channel: Failures, Inner/Other"),
        (CHANNELS, "X", "stack 'S' has no channel 'X': it has Failures, Inner/Other"),
    ],
)
def test_rejects_a_path_that_does_not_name_a_channel(
    channels: list[Channel], path: str | None, said: str
) -> None:
    """The error lists the channels to choose from."""
    with pytest.raises(CommandError, match=said):
        choose_channel(channels, "S", path)


def test_chooses_the_only_channel_without_a_path() -> None:
    """The operator need not name it."""
    assert choose_channel(CHANNELS[:1], "S", None) is CHANNELS[0]
