"""Finding a deployed channel by stack and construct path."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping

import aws_cdk as cdk
import pytest
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from failure_destinations import FailureChannel
from failure_destinations.deployed.channels import Channel, choose_channel, find_channels
from failure_destinations.deployed.queues import queue_url
from failure_destinations.deployed.session import Aws
from failure_destinations.deployed.stacks import DeployedStack
from failure_destinations.errors import CommandError
from failure_destinations.names import (
    BATCH_BUCKET,
    EVENT_SOURCE_FAILURES,
    SOURCE_DEAD_LETTER_PREFIX,
)
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
    channel = FailureChannel(stack, "Failures", emails=["developer@example.com"])
    s3.Bucket(Construct(channel, EVENT_SOURCE_FAILURES), BATCH_BUCKET)
    sqs.Queue(channel, f"{SOURCE_DEAD_LETTER_PREFIX}Orders")
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
        batch_bucket=ids["FailuresEventSourceFailuresBatches"],
        source_dead_letter_queues=(ids["FailuresSourceDeadLettersOrders"],),
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


NESTED = "Outer"


def define_nested(*, metadata: bool = True) -> cdk.App:
    """Define channels in stacks that are nested in one another; one has a queue of the outer."""
    app = cdk.App(context={"aws:cdk:enable-path-metadata": metadata})
    outer = cdk.Stack(app, NESTED if metadata else f"{NESTED}Plain")
    queue = sqs.Queue(outer, "Kept")
    inner = cdk.NestedStack(Construct(outer, "Group"), "Inner")
    channel = FailureChannel(inner, "Failures")
    sqs.Queue(channel, f"{SOURCE_DEAD_LETTER_PREFIX}Orders")
    innermost = cdk.NestedStack(inner, "Innermost")
    FailureChannel(innermost, "Failures", queue=queue)
    return app


@pytest.mark.integration
@pytest.mark.parametrize("metadata", [True, False])
def test_finds_the_channels_of_nested_stacks(
    ministack: LocalCloud, aws: Aws, *, metadata: bool
) -> None:
    """Their paths are below the outermost stack; queues of other stacks are found too."""
    app = define_nested(metadata=metadata)
    ministack.deploy(app)
    name = NESTED if metadata else f"{NESTED}Plain"
    found = find_channels(aws, DeployedStack(aws, name))
    paths = ["Group/Inner/Failures", "Group/Inner/Innermost/Failures"]
    if not metadata:
        paths = [path.replace("/", "") for path in paths]
    assert [channel.path for channel in found] == paths
    assert [len(channel.source_dead_letter_queues) for channel in found] == [1, 0]
    urls = [queue_url(aws.client("sqs"), channel.queue or "") for channel in found]
    kept = ministack.resources(name)
    assert urls[1] in kept.values()
    assert urls[0] != urls[1]
    assert all(channel.copy_queue and channel.dead_letter_queue for channel in found)
    chosen = choose_channel(found, name, "Group/Inner/Innermost/Failures")
    assert chosen == found[1]
    examined = run_cli(
        ["doctor", "--stack", name, "--quick", "--json"],
        clean_environment(**ministack.environment),
    )
    findings = [json.loads(line) for line in examined.stdout.splitlines()]
    assert {finding["channel"] for finding in findings} == set(paths), examined.stderr
