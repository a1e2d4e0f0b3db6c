"""What doctor finds of the alarms that watch a channel, and of what they notify."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timezone
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sns as sns
from aws_cdk.aws_cloudwatch_actions import SnsAction
from constructs import Construct

from failure_destinations import (
    FailureChannel,
    FailureMonitoring,
    FailureNotifiedFunction,
    FailureReplayer,
    MonitoringThresholds,
)
from failure_destinations.deployed.stacks import DeployedStack
from failure_destinations.doctor.findings import Finding
from failure_destinations.doctor.render import sentence
from failure_destinations.testing import LocalCloud

from ..conftest import define_handler
from ..templates import without_hash
from .conftest import Examiner

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("credentials")]

STACK = "Watched"
WAITING = "Monitoring/FailedEventsWaiting"
MAILBOX = "developer@example.com"
OFF = MonitoringThresholds(*[None] * 9)


class Deployed:
    """Channels with a monitoring each, on an engine."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        self.ids = {without_hash(id): physical for id, physical in cloud.resources(STACK).items()}
        self.topic = self.ids["MonitoringAlarmTopic"]
        self.waiting = self.ids["MonitoringFailedEventsWaiting"]
        self.sns: Any = cloud.client("sns")
        self.cloudwatch: Any = cloud.client("cloudwatch")
        self.examiner = Examiner(cloud, STACK, "Failures")

    def findings(self, channel: str | None = None) -> list[Finding]:
        """Return what is found, also of what is well."""
        # The engine leaves functions' dead-letter queues out.
        found = self.examiner.findings(channel)
        return [finding for finding in found if finding.kind.id != "handler-copies"]

    def problems(self, channel: str | None = None) -> list[tuple[str, str, str]]:
        """Return severity, kind and resource of all that is not well."""
        return [(f.severity, f.kind.id, f.subject.name) for f in self._bad(channel)]

    def alarms_sentences(self, channel: str | None = None) -> list[str]:
        """Return what is said of the alarms if all are well."""
        return [sentence(f) for f in self.findings(channel) if f.kind.id == "alarms"]

    def fix(self) -> None:
        """Do what fixes the only finding."""
        (finding,) = self._bad(None)
        self.examiner.fix(finding)

    def _bad(self, channel: str | None) -> list[Finding]:
        # Figures that other tests give the engine may have any alarm go off.
        # And the engine knows no mute rules.
        well = ("ok", "alarm-ringing", "alarm-muted")
        return [
            f for f in self.findings(channel) if f.severity not in well and f.kind.id not in well
        ]

    def alarm(self) -> dict[str, Any]:
        """Return the alarm about events that wait, without times."""
        (alarm,) = self.cloudwatch.describe_alarms(AlarmNames=[self.waiting])["MetricAlarms"]
        return {name: each for name, each in alarm.items() if "Timestamp" not in name}


@pytest.fixture(scope="module")
def deployed(ministack: LocalCloud) -> Deployed:
    """Deploy them once: one with all that can be watched, and with strangers beside it."""
    if ministack.client("cloudwatch").meta.service_model.resolved_protocol == "query":
        pytest.skip("an older boto3 asks for XML, in which the engine leaves out alarms' actions")
    app = cdk.App(context={"aws:cdk:enable-path-metadata": True})
    operators = sns.Topic(cdk.Stack(app, "Operators"), "Topic")
    stack = cdk.Stack(app, STACK)
    channel = FailureChannel(stack, "Failures", emails=[MAILBOX])
    FailureNotifiedFunction(
        stack,
        "Report",
        handler=define_handler(stack, "Orders").add_alias("live"),
        channel=channel,
        schedule=scheduler.ScheduleExpression.rate(cdk.Duration.days(1)),
    )
    FailureReplayer(stack, "Replayer", channel=channel)
    monitoring = FailureMonitoring(stack, "Monitoring", channel=channel)
    stranger = cloudwatch.Alarm(
        stack,
        "Spending",
        metric=cloudwatch.Metric(namespace="Ours", metric_name="Spent"),
        threshold=1,
        evaluation_periods=1,
    )
    stranger.add_alarm_action(SnsAction(monitoring.alarm_topic))
    inner = Construct(stack, "Inner")
    given = FailureChannel(inner, "Given")
    given.notify_failures_of(define_handler(stack, "Invoices"))
    thresholds = MonitoringThresholds(oldest_event_age_percent=None, dead_letter_errors=None)
    FailureMonitoring(inner, "Watch", channel=given, alarm_topic=operators, thresholds=thresholds)
    silent = FailureChannel(stack, "Silent", emails=[MAILBOX])
    FailureMonitoring(stack, "Quiet", channel=silent, thresholds=OFF)
    FailureChannel(stack, "Unwatched", emails=[MAILBOX])
    ministack.deploy(app)
    return Deployed(ministack)


@pytest.fixture
def healthy(deployed: Deployed) -> Iterator[Deployed]:
    """The channels, and nothing that a test left to fix."""
    yield deployed
    assert deployed.problems() == []


@pytest.mark.soak
def test_finds_every_alarm_of_a_monitoring(deployed: Deployed) -> None:
    """About the channel, handler, schedules and replayer; not what else notifies the topic."""
    found = [f for f in deployed.findings() if f.subject.name.startswith("Monitoring")]
    unseen = "whether a mute rule mutes its alarms was not checked"
    assert [(f.severity, sentence(f).partition(":")[0]) for f in found] == [
        ("info", unseen),
        ("ok", "its 10 alarms exist"),
    ]
    metrics = {
        alarm["MetricName"]
        for page in deployed.cloudwatch.get_paginator("describe_alarms").paginate()
        for alarm in page["MetricAlarms"]
        if deployed.topic in alarm["AlarmActions"] and alarm["Namespace"] != "Ours"
    }
    assert len(metrics) == 8
    assert deployed.problems() == []
    said = [sentence(f) for f in deployed.findings() if f.subject.name == MAILBOX]
    assert said[1:] == ["email is confirmed, and notified of alarms"]


@pytest.mark.soak
def test_finds_an_alarm_that_is_gone(healthy: Deployed) -> None:
    """The command defines it as the template has it, with its description."""
    before = healthy.alarm()
    healthy.cloudwatch.delete_alarms(AlarmNames=[healthy.waiting])
    assert healthy.problems() == [("error", "alarm-missing", WAITING)]
    healthy.fix()
    assert healthy.alarm() == before


@pytest.mark.soak
def test_finds_an_alarm_about_a_handler_that_is_gone(healthy: Deployed) -> None:
    """It is beside the handler, and about its alias."""
    name = healthy.ids["OrdersAliasliveFailureAlarmsDestinationDeliveryFailures"]
    healthy.cloudwatch.delete_alarms(AlarmNames=[name])
    ((severity, check, resource),) = healthy.problems()
    assert (severity, check) == ("error", "alarm-missing")
    assert resource.endswith("FailureAlarms/DestinationDeliveryFailures")
    healthy.fix()
    (alarm,) = healthy.cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    dimensions = {each["Name"]: each["Value"] for each in alarm["Dimensions"]}
    assert dimensions["Resource"] == f"{healthy.ids['Orders']}:live"


@pytest.mark.soak
def test_finds_an_alarm_that_is_silenced(healthy: Deployed) -> None:
    """Somebody switched its actions off; the command switches them on."""
    healthy.cloudwatch.disable_alarm_actions(AlarmNames=[healthy.waiting])
    assert healthy.problems() == [("warning", "alarm-silenced", WAITING)]
    healthy.fix()
    assert healthy.alarm()["ActionsEnabled"] is True


@pytest.mark.soak
def test_finds_an_alarm_that_notifies_nobody(healthy: Deployed) -> None:
    """It has another action only; the command adds the topic, and leaves the rest as it is."""
    before = healthy.alarm()
    other = "arn:aws:sns:eu-west-1:000000000000:other"
    settings = {name: each for name, each in before.items() if name not in _OF_CLOUDWATCH}
    healthy.cloudwatch.put_metric_alarm(**{**settings, "AlarmActions": [other], "Threshold": 5})
    assert healthy.problems() == [("error", "alarm-without-action", WAITING)]
    healthy.fix()
    assert healthy.alarm()["AlarmActions"] == [other, healthy.topic]
    assert healthy.alarm()["Threshold"] == 5
    healthy.cloudwatch.put_metric_alarm(**settings)


_OF_CLOUDWATCH = ("AlarmArn", "StateValue", "StateReason", "StateReasonData")


@pytest.mark.soak
def test_says_which_alarm_rings(healthy: Deployed) -> None:
    """And since when, and what that means; the alarms are well."""
    ring = {"AlarmName": healthy.waiting, "StateReason": "1 of 1"}
    healthy.cloudwatch.set_alarm_state(**ring, StateValue="ALARM")
    (alarm,) = healthy.cloudwatch.describe_alarms(AlarmNames=[healthy.waiting])["MetricAlarms"]
    since = alarm["StateUpdatedTimestamp"].astimezone(timezone.utc)
    found = healthy.findings()
    healthy.cloudwatch.set_alarm_state(**ring, StateValue="OK")
    said = [
        (f.severity, f.kind.id, sentence(f))
        for f in found
        if f.subject.name == WAITING or f.kind.id == "alarms"
    ]
    assert said == [
        (
            "info",
            "alarm-ringing",
            f"is in state ALARM since {since:%Y-%m-%d %H:%M} UTC: Failed events wait in the queue",
        ),
        ("ok", "alarms", "its 10 alarms exist"),
    ]


@pytest.mark.soak
def test_finds_who_unsubscribed_from_alarms(healthy: Deployed) -> None:
    """The command subscribes the mailbox to the alarm topic, and to no dead-letter queue."""
    (known,) = healthy.sns.list_subscriptions_by_topic(TopicArn=healthy.topic)["Subscriptions"]
    healthy.sns.unsubscribe(SubscriptionArn=known["SubscriptionArn"])
    assert healthy.problems() == [("error", "subscription-deleted", MAILBOX)]
    healthy.fix()
    (anew,) = healthy.sns.list_subscriptions_by_topic(TopicArn=healthy.topic)["Subscriptions"]
    assert anew["Endpoint"] == MAILBOX


@pytest.mark.soak
def test_finds_a_topic_that_cloudwatch_may_not_publish_to(healthy: Deployed) -> None:
    """The statement is missing; the command puts it back beside the others."""
    attributes = healthy.sns.get_topic_attributes(TopicArn=healthy.topic)["Attributes"]
    statements = json.loads(attributes["Policy"])["Statement"]
    (tls,) = [each for each in statements if each["Effect"] == "Deny"]
    policy = {"Version": "2012-10-17", "Statement": [tls]}
    healthy.sns.set_topic_attributes(
        TopicArn=healthy.topic, AttributeName="Policy", AttributeValue=json.dumps(policy)
    )
    name = healthy.topic.rpartition(":")[2]
    assert healthy.problems() == [("error", "topic-policy", name)]
    healthy.fix()
    fixed = healthy.sns.get_topic_attributes(TopicArn=healthy.topic)["Attributes"]["Policy"]
    assert json.loads(fixed)["Statement"][0] == tls


@pytest.mark.soak
def test_looks_at_a_topic_of_another_stack(deployed: Deployed) -> None:
    """Nobody is subscribed to it; somebody whom no template names is found too."""
    topic = next(iter(deployed.cloud.resources("Operators").values()))
    nobody = ("warning", "nobody-subscribed", topic.rpartition(":")[2])
    assert nobody in deployed.problems("Inner/Given")
    assert deployed.alarms_sentences("Inner/Given") == ["its 5 alarms exist"]
    anew = deployed.sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ops@example.com")
    assert nobody not in deployed.problems("Inner/Given")
    deployed.sns.unsubscribe(SubscriptionArn=anew["SubscriptionArn"])


@pytest.mark.soak
def test_looks_at_the_topic_of_alarms_that_are_off(deployed: Deployed) -> None:
    """Other stacks' alarms may notify it: the mailbox is judged, and no alarm is missed."""
    found = [f.subject.name for f in deployed.findings("Silent") if f.kind.id == "topic"]
    assert found == [
        deployed.ids[id].rpartition(":")[2] for id in ("SilentTopic", "QuietAlarmTopic")
    ]
    assert deployed.problems("Silent") == [("info", "no-handlers", "Silent")]


@pytest.mark.soak
def test_knows_alarms_by_their_logical_ids(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The template has no construct paths without the CLI's metadata."""
    monkeypatch.setattr(DeployedStack, "path", lambda _stack, logical: without_hash(logical))
    assert deployed.alarms_sentences() == ["its 10 alarms exist"]


@pytest.mark.soak
def test_says_nothing_of_alarms_where_nothing_watches(deployed: Deployed) -> None:
    """Not even of those about other channels."""
    assert {f.kind.id for f in deployed.findings("Unwatched")} == {
        "no-handlers",
        "topic",
        "subscription",
        "queue",
        "copies",
    }


@pytest.mark.soak
def test_goes_on_without_reading_alarms(deployed: Deployed) -> None:
    """One finding names the permission; what they notify is judged all the same."""
    denied = Examiner(deployed.cloud, STACK, "Failures")
    denied.deny("cloudwatch:DescribeAlarms")
    found = denied.findings()
    unknown = [(f.kind.id, f.action) for f in found if f.severity == "unknown"]
    assert unknown == [("alarms", "cloudwatch:DescribeAlarms")]
    assert len([f for f in found if f.subject.name == MAILBOX]) == 2


@pytest.mark.soak
def test_reads_all_alarms_at_once(deployed: Deployed) -> None:
    """CloudWatch takes few calls a second."""
    counting = Examiner(deployed.cloud, STACK, "Failures")
    counting.findings()
    assert counting.called["cloudwatch:DescribeAlarms"] == 1
