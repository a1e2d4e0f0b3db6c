"""What the doctor finds of the alarms that watch a channel, and of those whom they tell."""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sns as sns
from aws_cdk.aws_cloudwatch_actions import SnsAction
from click.testing import CliRunner, Result
from constructs import Construct

from failure_destinations import (
    FailureChannel,
    FailureMonitoring,
    FailureNotifiedFunction,
    FailureReplayer,
    MonitoringThresholds,
)
from failure_destinations.cli.group import cli
from failure_destinations.deployed.stacks import DeployedStack
from failure_destinations.doctor.facts import (
    Alarm,
    Channel,
    Key,
    Monitoring,
    Subscription,
    Topic,
    Unknown,
)
from failure_destinations.doctor.judge.alarms import judge_monitoring
from failure_destinations.testing import LocalCloud

from ..conftest import define_handler
from ..templates import without_hash
from .conftest import clean_environment
from .mending import mended_by

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

    def doctor(self, channel: str = "Failures") -> Result:
        """Run the command."""
        environment = clean_environment(**self.cloud.environment)
        arguments = ["doctor", "--stack", STACK, "--channel", channel, "--json"]
        return CliRunner().invoke(cli, arguments, env=environment, catch_exceptions=False)

    def findings(self, channel: str = "Failures") -> list[dict[str, Any]]:
        """Return what is found of alarms, and all that is not well otherwise."""
        found = [json.loads(line) for line in self.doctor(channel).stdout.splitlines()]
        # The engine leaves functions' dead-letter queues out.
        return [each for each in found if each["check"] != "handler-copies"]

    def problems(self, channel: str = "Failures") -> list[tuple[str, str, str]]:
        """Return severity, check and resource of all that is not well."""
        return [(each["severity"], each["check"], each["resource"]) for each in self._bad(channel)]

    def mend(self) -> None:
        """Do what mends the only finding."""
        (finding,) = self._bad("Failures")
        mended_by(self.cloud, finding["mend"])

    def _bad(self, channel: str) -> list[dict[str, Any]]:
        # Figures that other tests give the engine may have any alarm ring.
        well = ("ok", "alarm-ringing")
        return [
            each
            for each in self.findings(channel)
            if each["severity"] not in well and each["check"] not in well
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
    """The channels, and nothing that a test left to mend."""
    yield deployed
    assert deployed.problems() == []


@pytest.mark.integration
def test_finds_every_alarm_of_a_monitoring(deployed: Deployed) -> None:
    """Those about the channel, handler, schedules and replayer; not what else tells the topic."""
    found = [each for each in deployed.findings() if each["resource"].startswith("Monitoring")]
    assert [(each["severity"], each["text"]) for each in found] == [
        ("ok", "its 10 alarms are there")
    ]
    metrics = {
        alarm["MetricName"]
        for page in deployed.cloudwatch.get_paginator("describe_alarms").paginate()
        for alarm in page["MetricAlarms"]
        if deployed.topic in alarm["AlarmActions"] and alarm["Namespace"] != "Ours"
    }
    assert len(metrics) == 8
    assert deployed.problems() == []
    told = [each["text"] for each in deployed.findings() if each["resource"] == MAILBOX]
    assert told[1:] == ["email is confirmed, and told of alarms"]


@pytest.mark.integration
def test_finds_an_alarm_that_is_gone(healthy: Deployed) -> None:
    """The command defines it as the template has it, with its description."""
    before = healthy.alarm()
    healthy.cloudwatch.delete_alarms(AlarmNames=[healthy.waiting])
    assert healthy.problems() == [("error", "alarm-missing", WAITING)]
    healthy.mend()
    assert healthy.alarm() == before


@pytest.mark.integration
def test_finds_an_alarm_about_a_handler_that_is_gone(healthy: Deployed) -> None:
    """It is beside the handler, and about its alias."""
    name = healthy.ids["OrdersAliasliveFailureAlarmsDestinationDeliveryFailures"]
    healthy.cloudwatch.delete_alarms(AlarmNames=[name])
    ((severity, check, resource),) = healthy.problems()
    assert (severity, check) == ("error", "alarm-missing")
    assert resource.endswith("FailureAlarms/DestinationDeliveryFailures")
    healthy.mend()
    (alarm,) = healthy.cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    dimensions = {each["Name"]: each["Value"] for each in alarm["Dimensions"]}
    assert dimensions["Resource"] == f"{healthy.ids['Orders']}:live"


@pytest.mark.integration
def test_finds_an_alarm_that_is_silenced(healthy: Deployed) -> None:
    """Somebody switched its actions off; the command switches them on."""
    healthy.cloudwatch.disable_alarm_actions(AlarmNames=[healthy.waiting])
    assert healthy.problems() == [("warning", "alarm-silenced", WAITING)]
    healthy.mend()
    assert healthy.alarm()["ActionsEnabled"] is True


@pytest.mark.integration
def test_finds_an_alarm_that_tells_nobody(healthy: Deployed) -> None:
    """It has another action only; the command adds the topic, and leaves the rest as it is."""
    before = healthy.alarm()
    other = "arn:aws:sns:eu-west-1:000000000000:other"
    settings = {name: each for name, each in before.items() if name not in _OF_CLOUDWATCH}
    healthy.cloudwatch.put_metric_alarm(**{**settings, "AlarmActions": [other], "Threshold": 5})
    assert healthy.problems() == [("error", "alarm-without-action", WAITING)]
    healthy.mend()
    assert healthy.alarm()["AlarmActions"] == [other, healthy.topic]
    assert healthy.alarm()["Threshold"] == 5
    healthy.cloudwatch.put_metric_alarm(**settings)


_OF_CLOUDWATCH = ("AlarmArn", "StateValue", "StateReason", "StateReasonData")


@pytest.mark.integration
def test_tells_which_alarm_rings(healthy: Deployed) -> None:
    """And since when, and what that means; the alarms are well."""
    ring = {"AlarmName": healthy.waiting, "StateReason": "1 of 1"}
    healthy.cloudwatch.set_alarm_state(**ring, StateValue="ALARM")
    (alarm,) = healthy.cloudwatch.describe_alarms(AlarmNames=[healthy.waiting])["MetricAlarms"]
    since = alarm["StateUpdatedTimestamp"].astimezone(timezone.utc)
    ringing = [
        each
        for each in healthy.findings()
        if each["resource"] == WAITING or each["check"] == "alarms"
    ]
    healthy.cloudwatch.set_alarm_state(**ring, StateValue="OK")
    assert [(each["severity"], each["check"], each["text"]) for each in ringing] == [
        (
            "info",
            "alarm-ringing",
            f"rings since {since:%Y-%m-%d %H:%M} UTC: Failed events wait in the queue",
        ),
        ("ok", "alarms", "its 10 alarms are there"),
    ]


@pytest.mark.integration
def test_finds_who_unsubscribed_from_alarms(healthy: Deployed) -> None:
    """The command subscribes the mailbox to the alarm topic, and to no dead-letter queue."""
    (known,) = healthy.sns.list_subscriptions_by_topic(TopicArn=healthy.topic)["Subscriptions"]
    healthy.sns.unsubscribe(SubscriptionArn=known["SubscriptionArn"])
    assert healthy.problems() == [("error", "subscription-deleted", MAILBOX)]
    healthy.mend()
    (anew,) = healthy.sns.list_subscriptions_by_topic(TopicArn=healthy.topic)["Subscriptions"]
    assert anew["Endpoint"] == MAILBOX


@pytest.mark.integration
def test_finds_a_topic_that_cloudwatch_may_not_tell(healthy: Deployed) -> None:
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
    healthy.mend()
    mended = healthy.sns.get_topic_attributes(TopicArn=healthy.topic)["Attributes"]["Policy"]
    assert json.loads(mended)["Statement"][0] == tls


@pytest.mark.integration
def test_looks_at_a_topic_of_another_stack(deployed: Deployed) -> None:
    """Nobody is subscribed to it; somebody whom no template names is found too."""
    topic = next(iter(deployed.cloud.resources("Operators").values()))
    nobody = ("warning", "nobody-subscribed", topic.rpartition(":")[2])
    assert nobody in deployed.problems("Inner/Given")
    found = [each["text"] for each in deployed.findings("Inner/Given") if each["check"] == "alarms"]
    assert found == ["its 5 alarms are there"]
    told = deployed.sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ops@example.com")
    assert nobody not in deployed.problems("Inner/Given")
    deployed.sns.unsubscribe(SubscriptionArn=told["SubscriptionArn"])


@pytest.mark.integration
def test_looks_at_the_topic_of_alarms_that_are_off(deployed: Deployed) -> None:
    """Other stacks' alarms may tell it: the mailbox is judged, and no alarm is missed."""
    found = [each["resource"] for each in deployed.findings("Silent") if each["check"] == "topic"]
    assert found == [
        deployed.ids[id].rpartition(":")[2] for id in ("SilentTopic", "QuietAlarmTopic")
    ]
    assert deployed.problems("Silent") == [("info", "handlers-elsewhere", "Silent")]


@pytest.mark.integration
def test_knows_alarms_by_their_logical_ids(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the CLI's metadata there are no construct paths."""
    monkeypatch.setattr(DeployedStack, "path", lambda _stack, logical: without_hash(logical))
    found = [each["text"] for each in deployed.findings() if each["check"] == "alarms"]
    assert found == ["its 10 alarms are there"]


@pytest.mark.integration
def test_says_nothing_of_alarms_where_nothing_watches(deployed: Deployed) -> None:
    """Not even of those about other channels."""
    assert {each["check"] for each in deployed.findings("Unwatched")} == {
        "handlers-elsewhere",
        "topic",
        "subscription",
        "queue",
        "copies",
    }


@pytest.mark.integration
def test_goes_on_without_seeing_alarms(deployed: Deployed, denied: Callable[[str], None]) -> None:
    """One finding names the permission; whom they tell is judged all the same."""
    denied("DescribeAlarms")
    found = [each for each in deployed.findings() if each["severity"] == "unknown"]
    assert [(each["check"], each["action"]) for each in found] == [
        ("alarms", "cloudwatch:DescribeAlarms")
    ]
    assert len([each for each in deployed.findings() if each["resource"] == MAILBOX]) == 2


@pytest.mark.integration
def test_looks_at_all_alarms_at_once(deployed: Deployed, called: Counter[str]) -> None:
    """CloudWatch takes few calls a second."""
    deployed.doctor()
    assert called["cloudwatch:DescribeAlarms"] == 1


@pytest.mark.integration
@pytest.mark.parametrize("engine", ["localemu"])
def test_finds_mailboxes_that_wait_for_confirmation(
    engine: str, request: pytest.FixtureRequest
) -> None:
    """On an engine where nobody confirms: the channel's mailbox, and the alarm topic's."""
    localemu: LocalCloud = request.getfixturevalue(engine)
    app = cdk.App(context={"aws:cdk:enable-path-metadata": True})
    stack = cdk.Stack(app, "Unconfirmed")
    channel = FailureChannel(stack, "Failures", emails=[MAILBOX])
    FailureMonitoring(stack, "Monitoring", channel=channel)
    localemu.deploy(app)
    result = CliRunner().invoke(
        cli,
        ["doctor", "--stack", "Unconfirmed", "--json", "--problems"],
        env=clean_environment(**localemu.environment),
    )
    elsewhere, *found = [json.loads(line) for line in result.stdout.splitlines()]
    assert elsewhere["check"] == "handlers-elsewhere"
    assert [(each["check"], each["resource"]) for each in found] == [
        ("subscription-pending", MAILBOX)
    ] * 2
    topics = re.findall("--topic-arn (\\S+)", " ".join(each["mend"] for each in found))
    ids = {without_hash(id): arn for id, arn in localemu.resources("Unconfirmed").items()}
    assert topics == [ids["FailuresTopic"], ids["MonitoringAlarmTopic"]]
    assert "nobody is told of alarms there" in found[1]["text"]


ACCOUNT = "111122223333"
TOPIC = f"arn:aws:sns:eu-west-1:{ACCOUNT}:Monitoring-AlarmTopic"
ALARM_ARN = f"arn:aws:cloudwatch:eu-west-1:{ACCOUNT}:alarm:FailedEventsWaiting"
KEY_ARN = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
DENIED = Unknown("cloudwatch:DescribeAlarms", "not known")
# As AWS's API reference has them: DescribeAlarms, GetTopicAttributes, GetSubscriptionAttributes.
LIVE = {
    "AlarmName": "FailedEventsWaiting",
    "AlarmArn": ALARM_ARN,
    "AlarmDescription": "Failed events wait in the queue. See them.",
    "ActionsEnabled": True,
    "OKActions": [],
    "AlarmActions": [TOPIC],
    "StateValue": "INSUFFICIENT_DATA",
    "StateReason": "Unchecked: Initial alarm creation",
    "StateUpdatedTimestamp": datetime(2026, 11, 2, 4, 0, tzinfo=timezone.utc),
    "StateTransitionedTimestamp": datetime(2026, 11, 2, 3, 3, tzinfo=timezone.utc),
    "MetricName": "ApproximateNumberOfMessagesVisible",
    "Namespace": "AWS/SQS",
    "Threshold": 1.0,
}
ALARM = Alarm(WAITING, "FailedEventsWaiting", LIVE, {"AlarmName": "x"}, [TOPIC])


def subscribed(**attributes: str) -> list[Subscription]:
    """Return a mailbox of the alarm topic, which has no dead-letter queue."""
    known = {"Protocol": "email", "Endpoint": MAILBOX, "PendingConfirmation": "false"}
    return [Subscription("email", MAILBOX, f"{TOPIC}:1", {**known, **attributes})]


def policy(**changed: Any) -> dict[str, str]:
    """Return the attributes of a topic that CloudWatch may publish to, or other ones."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": TOPIC,
        "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
        **changed,
    }
    return {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})}


ALARM_TOPIC = Topic("alarm topic", TOPIC, policy(), subscribed(), peak=3.0)
CHANNEL = Channel(
    stack="Reports",
    path="Failures",
    topic=Topic("topic", "arn:aws:sns:eu-west-1:1:t", {}),
    queue=None,
    monitoring=Monitoring("Monitoring", ALARM_TOPIC, [ALARM]),
)


def alarm(declared_enabled: bool = True, **live: Any) -> dict[str, Any]:
    """Return the monitoring's alarm with other attributes."""
    changed = dataclasses.replace(ALARM, live={**LIVE, **live}, declared_enabled=declared_enabled)
    return {"alarms": [changed]}


def topic(**changed: Any) -> dict[str, Any]:
    """Return the monitoring's topic with other facts."""
    return {"topic": dataclasses.replace(ALARM_TOPIC, **changed)}


def keyed(principal: str, state: str = "Enabled") -> dict[str, Any]:
    """Return the topic with a key that a service may use."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": principal},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
    }
    metadata = {"Arn": KEY_ARN, "KeyState": state, "KeyManager": "CUSTOMER"}
    return topic(key=Key(KEY_ARN, metadata, {"Statement": [statement]}))


def judged(changed: dict[str, Any]) -> list[Any]:
    """Return what is not well once some facts of the monitoring are others."""
    monitoring = dataclasses.replace(CHANNEL.monitoring, **changed)  # type: ignore[type-var]
    channel = dataclasses.replace(CHANNEL, monitoring=monitoring)
    return [each for each in judge_monitoring(channel) if each.severity != "ok"]


# SNS gives it every topic. https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
OF_SNS = policy(
    Principal={"AWS": "*"},
    Action=["SNS:Publish", "SNS:Subscribe"],
    Condition={"StringEquals": {"AWS:SourceOwner": ACCOUNT}},
)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        alarm(StateValue="OK"),
        topic(attributes=OF_SNS),
        keyed("cloudwatch.amazonaws.com"),
        {"topic": None},
        {"alarms": []},
    ],
)
def test_finds_nothing_wrong(changed: dict[str, Any]) -> None:
    """A healthy monitoring; an alarm without figures is well, and so is a mailbox without a DLQ."""
    assert judged(changed) == []


@pytest.mark.parametrize(
    ("changed", "severity", "check"),
    [
        ({"alarms": [dataclasses.replace(ALARM, live=None)]}, "error", "alarm-missing"),
        ({"alarms": [dataclasses.replace(ALARM, live=DENIED)] * 2}, "unknown", "alarms"),
        (alarm(AlarmActions=[]), "error", "alarm-without-action"),
        (alarm(ActionsEnabled=False), "warning", "alarm-silenced"),
        (alarm(declared_enabled=False, ActionsEnabled=False), "info", "alarm-silenced"),
        (alarm(StateValue="ALARM"), "info", "alarm-ringing"),
        (topic(attributes=None), "error", "topic-missing"),
        (topic(attributes=DENIED), "unknown", "topic"),
        (topic(arn=f"{TOPIC}.fifo"), "error", "topic-fifo"),
        (topic(attributes=policy(Effect="Deny")), "error", "topic-policy"),
        (topic(attributes=policy(Principal={"Service": "x"})), "error", "topic-policy"),
        (
            topic(attributes=policy(Condition={"ArnLike": {"aws:SourceArn": f"{ALARM_ARN}x"}})),
            "error",
            "topic-policy",
        ),
        (
            topic(attributes=policy(Condition={"StringEquals": {"aws:SourceOrgID": "o-1"}})),
            "unknown",
            "topic-policy",
        ),
        (topic(key=Key("alias/aws/sns", {"KeyManager": "AWS"}, None)), "error", "key-of-aws"),
        (keyed("sns.amazonaws.com"), "error", "key-policy"),
        (keyed("cloudwatch.amazonaws.com", "Disabled"), "error", "key-disabled"),
        (topic(subscriptions=[]), "warning", "nobody-subscribed"),
        ({**topic(subscriptions=[]), "alarms": []}, "info", "nobody-subscribed"),
        (topic(subscriptions=[], unlisted=DENIED), "unknown", "nobody-subscribed"),
        (
            topic(subscriptions=subscribed(PendingConfirmation="true")),
            "error",
            "subscription-pending",
        ),
        (
            topic(subscriptions=[dataclasses.replace(subscribed()[0], attributes=None)]),
            "error",
            "subscription-deleted",
        ),
        (
            topic(subscriptions=[dataclasses.replace(subscribed()[0], attributes=DENIED)]),
            "unknown",
            "subscription",
        ),
        (topic(peak=601.0), "warning", "mail-storm"),
    ],
)
def test_finds_exactly_what_is_wrong(changed: dict[str, Any], severity: str, check: str) -> None:
    """One fact is other than in a healthy monitoring: one finding."""
    assert [(each.severity, each.check) for each in judged(changed)] == [(severity, check)]


def test_says_that_a_storm_may_have_suspended_a_mailbox_of_alarms() -> None:
    """As it does of the channel's."""
    pending = topic(subscriptions=subscribed(PendingConfirmation="true"), peak=40.0)
    assert "perhaps SNS suspended it, for 40 messages" in judged(pending)[0].text


def test_knows_since_when_an_alarm_rings() -> None:
    """Since its state changed, not since CloudWatch looked again."""
    (found,) = judged(alarm(StateValue="ALARM"))
    assert found.text == "rings since 2026-11-02 03:03 UTC: Failed events wait in the queue"


def test_says_how_to_define_an_alarm_again_whose_template_is_not_clear() -> None:
    """It refers to what only CloudFormation knows."""
    (found,) = judged({"alarms": [dataclasses.replace(ALARM, live=None, declared=None)]})
    assert found.mend == "switch its threshold off, deploy, and on again, and deploy"


@pytest.mark.parametrize(
    ("own", "mend"), [(True, "give the monitoring another id"), (False, "another topic")]
)
def test_says_how_to_replace_a_topic(own: bool, mend: str) -> None:
    """A new id makes a new topic, unless that is somebody else's."""
    (found,) = judged({**topic(attributes=None), "own_topic": own})
    assert mend in (found.mend or "")
