"""Messages of queues that functions read and cannot handle, and where they are afterwards."""

from __future__ import annotations

from typing import Any, NamedTuple

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs

from failure_destinations import FailureChannel
from failure_destinations.testing import LocalCloud

from ..cli.conftest import clean_environment, run_cli
from ..waiting import eventually
from .polled_app import Handlers

pytestmark = pytest.mark.integration

KINDS = ("Standard", "Fifo")


class Queues(NamedTuple):
    """The deployed functions, and the queues that they read."""

    cloud: LocalCloud
    outputs: dict[str, str]
    handlers: Handlers

    def send(self, name: str, *texts: str) -> None:
        """Send messages to the queue that a function reads."""
        fifo = {"MessageGroupId": "orders"} if name == "Fifo" else {}
        for text in texts:
            self.cloud.client("sqs").send_message(
                QueueUrl=self.outputs[f"{name}Url"], MessageBody=text, **fifo
            )

    def cli(self, *arguments: str) -> Any:
        """Run the command on the dead letters of the channel's source queues."""
        return run_cli(
            [*arguments, "--stack", "Queues", "--from", "source-queues"],
            clean_environment(**self.cloud.environment),
        )


@pytest.fixture(scope="module")
def queues(localemu: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Queues:
    """Deploy functions that read queues with dead-letter queues of one channel."""
    handlers = Handlers(tmp_path_factory.mktemp("handled"))
    app = cdk.App()
    stack = cdk.Stack(app, "Queues")
    channel = FailureChannel(stack, "Failures", emails=["queues@example.com"])
    for name in KINDS:
        queue = sqs.Queue(
            stack,
            f"{name}Source",
            fifo=True if name == "Fifo" else None,
            content_based_deduplication=True if name == "Fifo" else None,
            # Shorter than it should be, so that messages move soon.
            visibility_timeout=cdk.Duration.seconds(2),
        )
        dead_letters = channel.dead_letter_queue_for(queue, max_receive_count=1)
        function = handlers.define(stack, name, timeout=cdk.Duration.seconds(1))
        function.add_event_source(sources.SqsEventSource(queue))
        cdk.CfnOutput(stack, f"{name}Url", value=queue.queue_url)
        cdk.CfnOutput(stack, f"{name}DeadLettersUrl", value=dead_letters.queue_url)
    return Queues(localemu, localemu.deploy(app)["Queues"], handlers)


@pytest.mark.parametrize("name", KINDS)
def test_keeps_a_message_and_replays_it_into_its_function(queues: Queues, name: str) -> None:
    """After its last receive the message is in the dead-letter queue, and the handler gets it."""
    queues.handlers.breaks(name)
    queues.send(name, "order 1")
    [message] = queues.cloud.messages(queues.outputs[f"{name}DeadLettersUrl"], timeout=60)
    assert message.body == "order 1"
    queues.handlers.mend(name)
    replayed = queues.cli("replay", "--yes")
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert queues.handlers.texts(name) == ["order 1"]
    assert queues.cloud.messages(queues.outputs[f"{name}DeadLettersUrl"], count=0) == []


@pytest.mark.soak
@pytest.mark.parametrize("name", KINDS)
def test_moves_messages_back_to_their_queue(queues: Queues, name: str) -> None:
    """From where the mapping reads them as if they had just been sent."""
    queues.handlers.breaks(name)
    queues.send(name, "order 2")
    queues.cloud.messages(queues.outputs[f"{name}DeadLettersUrl"], timeout=60)
    queues.handlers.mend(name)
    moved = queues.cli("replay", "--to-source", "--yes")
    assert moved.returncode == 0, moved.stdout + moved.stderr
    handled = eventually(lambda: queues.handlers.texts(name), lambda seen: "order 2" in seen)
    assert handled.count("order 2") == 1
    assert queues.cloud.messages(queues.outputs[f"{name}DeadLettersUrl"], count=0) == []


@pytest.mark.soak
def test_loses_a_message_of_a_queue_without_a_dead_letter_queue(
    localemu: LocalCloud, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """It returns until the retention of its queue ends, here after the shortest, and is gone."""
    handlers = Handlers(tmp_path_factory.mktemp("lost"))
    handlers.breaks("Lost")
    app = cdk.App()
    stack = cdk.Stack(app, "WithoutDeadLetters")
    queue = sqs.Queue(
        stack,
        "Source",
        visibility_timeout=cdk.Duration.seconds(6),
        retention_period=cdk.Duration.minutes(1),
    )
    function = handlers.define(stack, "Lost", timeout=cdk.Duration.seconds(1))
    function.add_event_source(sources.SqsEventSource(queue))
    cdk.CfnOutput(stack, "Name", value=function.function_name)
    cdk.CfnOutput(stack, "Url", value=queue.queue_url)
    outputs = localemu.deploy(app)["WithoutDeadLetters"]
    client = localemu.client("sqs")
    client.send_message(QueueUrl=outputs["Url"], MessageBody="lost")
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def left() -> list[str]:
        answer = client.get_queue_attributes(QueueUrl=outputs["Url"], AttributeNames=names)
        return [name for name in names if answer["Attributes"][name] != "0"]

    assert left()
    eventually(left, lambda seen: not seen)
    handlers.mend("Lost")
    assert len(localemu.runs(outputs["Name"])) > 2
    assert handlers.texts("Lost") == []
