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
from failure_destinations.deployed.session import Aws
from failure_destinations.errors import CommandError
from failure_destinations.testing import LocalCloud

from ..templates import without_hash
from .conftest import clean_environment, run_cli

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
    """Deploy it, and return the outputs."""
    return ministack.deploy(define_app(), stacks=["**"])


@pytest.fixture
def aws(ministack: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """What the command sees of the engine."""
    for name, value in ministack.environment.items():
        monkeypatch.setenv(name, value)
    return Aws()


def physical_ids(cloud: LocalCloud) -> dict[str, str]:
    """Return the stack's physical ids by logical ids without their hash."""
    return {without_hash(id): physical for id, physical in cloud.resources(STACK).items()}


@pytest.mark.integration
@pytest.mark.usefixtures("deployed")
def test_finds_the_channels_of_a_stack(aws: Aws, ministack: LocalCloud) -> None:
    """By their construct paths, with all their queues."""
    own, other = find_channels(aws, STACK)
    ids = physical_ids(ministack)
    assert own == Channel(
        path="Failures",
        subscription_arn=ids["FailuresQueueSubscription"],
        topic_arn=ids["FailuresTopic"],
        queue_url=ids["FailuresQueue"],
        dead_letter_queue_url=ids["FailuresDeadLetterQueue"],
        copy_queue_url=ids["FailuresCopyQueue"],
    )
    assert (other.path, other.copy_queue_url) == ("Inner/Other", None)


@pytest.mark.integration
def test_finds_a_queue_of_another_stack(
    aws: Aws, deployed: Mapping[str, Mapping[str, str]]
) -> None:
    """What the template does not say, SNS does."""
    _, other = find_channels(aws, STACK)
    assert other.queue_url in deployed["Prod-Queues"].values()


@pytest.mark.integration
@pytest.mark.usefixtures("deployed")
def test_looks_into_the_part_that_is_chosen(ministack: LocalCloud) -> None:
    """A stack, a channel and which of its queues lead to the messages in it."""
    url = physical_ids(ministack)["FailuresDeadLetterQueue"]
    ministack.client("sqs").send_message(QueueUrl=url, MessageBody="hello")
    arguments = ["list", "--stack", STACK, "--channel", "Failures", "--from", "dead-letter"]
    listed: subprocess.CompletedProcess[str] = run_cli(
        arguments, clean_environment(**ministack.environment)
    )
    assert "no failed event: text that is no JSON" in listed.stdout
    assert listed.returncode == 0


CHANNELS = [Channel(path, "subscription", "topic", "queue") for path in ("Failures", "Inner/Other")]


@pytest.mark.parametrize(
    ("channels", "path", "said"),
    [
        ([], None, "stack 'S' has no failure channel: name another with --stack, or the queue"),
        (CHANNELS, None, "has several channels: choose one with --channel: Failures, Inner/Other"),
        (CHANNELS, "X", "stack 'S' has no channel 'X': it has Failures, Inner/Other"),
    ],
)
def test_rejects_what_names_no_channel(
    channels: list[Channel], path: str | None, said: str
) -> None:
    """The line says what there is to choose from."""
    with pytest.raises(CommandError, match=said):
        choose_channel(channels, "S", path)


def test_needs_no_path_for_the_only_channel() -> None:
    """One channel is the one that is meant."""
    assert choose_channel(CHANNELS[:1], "S", None) is CHANNELS[0]
