"""What doctor finds of a notifier on an engine, once a part of it is broken, and the fixes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_secretsmanager as secretsmanager

from failure_destinations import FailureChannel, FailureNotifier, Webhook
from failure_destinations.doctor.findings import Finding
from failure_destinations.permissions import COMPARE, EXAMINE, READ_STACK
from failure_destinations.testing import LocalCloud

from .conftest import Examiner, kinds_of

pytestmark = pytest.mark.integration

STACK = "Notified"
PERSON = "developer@example.com"


class Deployed:
    """A stack with a notifier on an engine."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        secrets = cloud.client("secretsmanager")
        secrets.create_secret(Name="team/slack", SecretString="https://example.com/hook")
        app = cdk.App(context={"aws:cdk:enable-path-metadata": True})
        stack = cdk.Stack(app, STACK)
        channel = FailureChannel(stack, "Channel")
        slack = secretsmanager.Secret.from_secret_name_v2(stack, "Slack", "team/slack")
        notifier = FailureNotifier(
            stack,
            "Notifier",
            channel=channel,
            emails=[PERSON],
            webhooks=[Webhook.slack(slack)],
        )
        for name, value in {
            "TopicArn": notifier.topic.topic_arn,
            "QueueUrl": notifier.queue.queue_url,
            "DeadLetterQueueUrl": notifier.dead_letter_queue.queue_url,
            "Schedule": notifier.schedule.schedule_name,
            "Mapping": notifier.event_source.event_source_mapping_id,
        }.items():
            cdk.CfnOutput(stack, name, value=value)
        self.outputs = cloud.deploy(app)[STACK]

    def unsubscribe(self) -> None:
        """Remove the mailbox."""
        sns = self.cloud.client("sns")
        listed = sns.list_subscriptions_by_topic(TopicArn=self.outputs["TopicArn"])["Subscriptions"]
        (mailbox,) = (each for each in listed if each["Protocol"] == "email")
        sns.unsubscribe(SubscriptionArn=mailbox["SubscriptionArn"])

    def disable_schedule(self) -> None:
        """Switch the schedule off, as in the console."""
        client = self.cloud.client("scheduler")
        live: Any = client.get_schedule(Name=self.outputs["Schedule"])
        kept = ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")
        client.update_schedule(**{name: live[name] for name in kept}, State="DISABLED")

    def disable_mapping(self) -> None:
        """Switch the event source mapping off."""
        self.cloud.client("lambda").update_event_source_mapping(
            UUID=self.outputs["Mapping"], Enabled=False
        )

    def delete_secret(self) -> None:
        """Delete the secret, which can be restored."""
        self.cloud.client("secretsmanager").delete_secret(
            SecretId="team/slack", RecoveryWindowInDays=7
        )

    def remove_policy(self) -> None:
        """Remove the policy of the queue."""
        self.cloud.client("sqs").set_queue_attributes(
            QueueUrl=self.outputs["QueueUrl"], Attributes={"Policy": ""}
        )

    def send_dead_letter(self) -> None:
        """Put a message into the dead-letter queue."""
        self.cloud.client("sqs").send_message(
            QueueUrl=self.outputs["DeadLetterQueueUrl"], MessageBody="{}"
        )


@pytest.fixture(scope="module")
def deployed(ministack: LocalCloud) -> Deployed:
    """The stack, deployed once."""
    return Deployed(ministack)


@pytest.fixture
def doctor(deployed: Deployed, credentials: None) -> Examiner:  # noqa: ARG001
    """Examines the channel of the stack."""
    return Examiner(deployed.cloud, STACK, "Channel")


def of_notifier(found: list[Finding]) -> list[Finding]:
    """Return the problems, without the channel's: no handler, and copies not compared."""
    return [each for each in found if each.kind.id not in ("no-handlers", "copies-not-compared")]


def test_finds_a_notifier_well(doctor: Examiner) -> None:
    """Its mapping, schedule, queues, secret and topic, with the documented permissions."""
    assert kinds_of(of_notifier(doctor.problems(quick=True))) == []
    found = {(each.kind.id, each.subject.noun) for each in doctor.findings(quick=True)}
    assert found >= {
        ("notifier", "notifier"),
        ("webhook", "webhook"),
        ("queue", "notifier's queue"),
        ("queue", "notifier's dead-letter queue"),
        ("topic", "notifier's topic"),
        ("subscription", "subscription"),
    }
    assert doctor.called.keys() <= {*READ_STACK, *EXAMINE, *COMPARE}


@pytest.mark.parametrize(
    ("break_it", "expected"),
    [
        (Deployed.unsubscribe, ("error", "subscription-deleted")),
        (Deployed.disable_schedule, ("warning", "notifier-asleep")),
        (Deployed.disable_mapping, ("error", "notifier-off")),
        (Deployed.delete_secret, ("error", "webhook-secret")),
        (Deployed.remove_policy, ("error", "queue-policy")),
    ],
)
def test_finds_and_fixes(
    deployed: Deployed,
    doctor: Examiner,
    break_it: Callable[[Deployed], None],
    expected: tuple[str, str],
) -> None:
    """One fault is one finding, and its command leaves none."""
    break_it(deployed)
    (found,) = of_notifier(doctor.problems(quick=True))
    assert (found.severity, found.kind.id) == expected
    doctor.fix(found)
    assert kinds_of(of_notifier(doctor.problems(quick=True))) == []


def test_finds_undelivered_messages(deployed: Deployed, doctor: Examiner) -> None:
    """Whatever could not be counted or sent."""
    deployed.send_dead_letter()
    (found,) = of_notifier(doctor.problems(quick=True))
    assert (found.severity, found.kind.id) == ("warning", "notices-undelivered")
    (command,) = doctor.commands(found)
    assert command[:3] == ["failure-destinations", "list", "--queue"]
    deployed.cloud.client("sqs").purge_queue(QueueUrl=deployed.outputs["DeadLetterQueueUrl"])


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("secretsmanager:DescribeSecret", "webhook"),
        ("scheduler:GetSchedule", "notifier"),
    ],
)
def test_says_what_is_not_permitted(doctor: Examiner, action: str, kind: str) -> None:
    """And goes on."""
    doctor.deny(action)
    (found,) = of_notifier(doctor.problems(quick=True))
    assert (found.severity, found.kind.id, found.action) == ("unknown", kind, action)
