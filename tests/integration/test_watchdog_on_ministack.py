"""FailureWatchdog on an engine: its function runs, with its own code, and notifies people once."""

from __future__ import annotations

import json
from typing import Any

import aws_cdk as cdk
import pytest

from failure_destinations import FailureChannel, FailureMonitoring, FailureWatchdog
from failure_destinations.testing import LocalCloud, Mail

from ..conftest import define_handler

pytestmark = pytest.mark.integration

WATCHER, PERSON = "watcher@example.com", "developer@example.com"


class Deployed:
    """A stack with a watchdog on an engine.

    Attributes:
        outputs: The stack's outputs.
    """

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        app = cdk.App(context={"aws:cdk:enable-path-metadata": True})
        stack = cdk.Stack(app, "Watched")
        channel = FailureChannel(stack, "Channel", emails=[PERSON])
        handler = define_handler(stack)
        channel.notify_failures_of(handler)
        FailureMonitoring(stack, "Monitoring", channel=channel)
        watchdog = FailureWatchdog(stack, "Watchdog", channel=channel)
        for name, value in {
            "FunctionName": watchdog.function.function_name,
            "WatchdogTopicArn": watchdog.topic.topic_arn,
            "TopicArn": channel.topic.topic_arn,
            "QueueUrl": channel.queue.queue_url,
            "HandlerName": handler.function_name,
        }.items():
            cdk.CfnOutput(stack, name, value=value)
        self.outputs = cloud.deploy(app)["Watched"]
        self._sns = cloud.client("sns")
        # The engine drops a function's dead-letter queue from the template.
        copies = {
            id: value for id, value in cloud.resources("Watched").items() if "CopyQueue" in id
        }
        (copy_queue,) = (value for value in copies.values() if value.startswith("http"))
        arn = self._arn(copy_queue)
        cloud.client("lambda").update_function_configuration(
            FunctionName=self.outputs["HandlerName"], DeadLetterConfig={"TargetArn": arn}
        )
        # On the engine, every mailbox of the topic is confirmed at once.
        self._sns.subscribe(
            TopicArn=self.outputs["WatchdogTopicArn"], Protocol="email", Endpoint=WATCHER
        )

    def run(self) -> dict[str, Any]:
        """Run the watchdog's function once, as the schedule does, and return what it did."""
        answer = self.cloud.client("lambda").invoke(FunctionName=self.outputs["FunctionName"])
        assert "FunctionError" not in answer, answer["Payload"].read().decode()
        return dict(json.loads(answer["Payload"].read()))

    def mails(self) -> list[Mail]:
        """Return the mails so far to the one who is only subscribed to the watchdog's topic."""
        return self.cloud.mails(WATCHER, count=0)

    def unsubscribe(self, protocol: str) -> dict[str, Any]:
        """Remove a subscription of the channel's topic, and return it."""
        topic = self.outputs["TopicArn"]
        listed = self._sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        (found,) = [each for each in listed if each["Protocol"] == protocol]
        arn = found["SubscriptionArn"]
        attributes = self._sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
        self._sns.unsubscribe(SubscriptionArn=arn)
        return {**found, "RedrivePolicy": attributes["RedrivePolicy"]}

    def subscribe_again(self, subscription: dict[str, Any]) -> None:
        """Undo `unsubscribe`."""
        raw = {"RawMessageDelivery": "true"} if subscription["Protocol"] == "sqs" else {}
        self._sns.subscribe(
            TopicArn=self.outputs["TopicArn"],
            Protocol=subscription["Protocol"],
            Endpoint=subscription["Endpoint"],
            Attributes={"RedrivePolicy": subscription["RedrivePolicy"], **raw},
        )

    def _arn(self, queue_url: str) -> str:
        wanted = self.cloud.client("sqs").get_queue_attributes(
            QueueUrl=queue_url, AttributeNames=["QueueArn"]
        )
        return str(wanted["Attributes"]["QueueArn"])


@pytest.fixture(scope="module")
def deployed(ministack: LocalCloud) -> Deployed:
    """The stack, deployed once."""
    return Deployed(ministack)


def test_says_nothing_about_a_healthy_channel(deployed: Deployed) -> None:
    """It finds its alarms, mailboxes and queues well, also its own."""
    assert deployed.run() == {"new": 0, "over": 0, "open": 0}
    assert deployed.mails() == []


@pytest.mark.parametrize("protocol", ["sqs", "email"])
def test_notifies_of_a_broken_subscription_and_of_its_end(
    deployed: Deployed, protocol: str
) -> None:
    """Each once, however often it runs."""
    before = len(deployed.mails())
    subscription = deployed.unsubscribe(protocol)
    try:
        assert [deployed.run()["new"] for _ in range(3)] == [1, 0, 0]
    finally:
        deployed.subscribe_again(subscription)
    assert [deployed.run()["over"] for _ in range(3)] == [1, 0, 0]
    name = PERSON if protocol == "email" else deployed.outputs["QueueUrl"].rpartition("/")[2]
    new, over = deployed.mails()[before:]
    assert new.subject == f"[Watched/Channel] 1 new error: subscription-deleted {name}"[:99]
    assert f"  error   {name}: is not subscribed" in new.body
    assert "          aws sns subscribe --topic-arn" in new.body
    assert over.subject == f"[Watched/Channel] 1 over: {name}"[:99]
    assert "Nothing is left to fix." in over.body


def test_notifies_of_failed_deliveries(deployed: Deployed) -> None:
    """What waits in the dead-letter queue is a warning until it is gone."""
    queues = deployed.cloud.resources("Watched")
    (url,) = (
        value
        for id, value in queues.items()
        if "DeadLetterQueue" in id and value.startswith("http")
    )
    sqs = deployed.cloud.client("sqs")
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    assert [deployed.run()["new"] for _ in range(2)] == [1, 0]
    sqs.purge_queue(QueueUrl=url)
    assert deployed.run()["over"] == 1


def test_leaves_the_queue_of_failed_events_alone(deployed: Deployed) -> None:
    """It receives nothing, and its notices are not taken for failed events."""
    deployed.run()
    url = deployed.outputs["QueueUrl"]
    assert deployed.cloud.messages(url, count=0) == []


def test_fails_when_the_channel_is_gone(deployed: Deployed) -> None:
    """The run ends with an error, which its alarm counts."""
    client = deployed.cloud.client("lambda")
    name = deployed.outputs["FunctionName"]
    before = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    try:
        client.update_function_configuration(
            FunctionName=name, Environment={"Variables": {**before, "STACK": "Gone"}}
        )
        answer = client.invoke(FunctionName=name)
        assert answer["FunctionError"] == "Unhandled"
        assert "stack 'Gone' does not exist" in answer["Payload"].read().decode()
    finally:
        client.update_function_configuration(FunctionName=name, Environment={"Variables": before})
