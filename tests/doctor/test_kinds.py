"""The registry of kinds, the table in the docs, and the names that doctor looks for."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs

from failure_destinations import (
    FailureChannel,
    FailureMonitoring,
    FailureNotifiedFunction,
    FailureNotifier,
    FailureReplayer,
    FailureWatchdog,
    MonitoringThresholds,
)
from failure_destinations.alarms import ALARMS, FailureAlarm
from failure_destinations.doctor import kinds
from failure_destinations.doctor.findings import Finding, Subject
from failure_destinations.doctor.judge.channel import judge
from failure_destinations.doctor.render import fix, sentence

from ..conftest import define_handler
from .cases import CASES
from .paper import CHANNEL, DAY, Facts, queue, replayer

ROOT = Path(__file__).parents[2]
SUBJECT = Subject("queue", "orders")
STREAM_ARN = "arn:aws:kinesis:eu-west-1:111122223333:stream/orders"


def test_docs_have_the_table_of_kinds() -> None:
    """docs/doctor.md holds it as the registry writes it; else: make reference."""
    page = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
    _, _, rest = page.partition("<!-- written by make reference -->\n\n")
    table, _, _ = rest.partition("\n<!-- end of what is written -->")
    assert table == kinds.as_markdown()


@pytest.mark.parametrize("kind", kinds.KINDS.values(), ids=lambda kind: kind.id)
def test_says_what_a_kind_is(kind: kinds.Kind) -> None:
    """Each has a title, a page of AWS's, and severities that differ."""
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.id)
    assert kind.page.startswith("https://docs.aws.amazon.com/")
    assert kind.title
    assert kind.otherwise is None or kind.otherwise[0] != kind.severity


def test_rejects_a_finding_of_a_kind_that_is_not_registered() -> None:
    """Also one that only looks like a registered kind."""
    for kind in (
        dataclasses.replace(kinds.QUEUE, id="queue-tired"),
        dataclasses.replace(kinds.QUEUE, title="a queue"),
    ):
        with pytest.raises(ValueError, match=re.escape("must be one of kinds.KINDS")):
            Finding(kind, SUBJECT)


def test_rejects_a_severity_that_a_kind_does_not_have() -> None:
    """The docs say which it has."""
    with pytest.raises(ValueError, match="severity of queue-missing must be one of error, unknown"):
        Finding(kinds.QUEUE_MISSING, SUBJECT, given_severity="info")


(_OFF,) = replayer("Disabled")["replayers"]
PARKS_AT_ONCE = {
    "replayers": [dataclasses.replace(_OFF, max_attempts=3)],
    "queue": queue("queue", "q", seen_receives={2: 1}),
}


def findings() -> list[Finding]:
    """Return the findings of all that can be wrong, and of what is well."""
    expires = queue("queue", "q", ApproximateNumberOfMessages="3", oldest_seconds=13.0 * DAY)
    facts: list[Facts] = [
        {},
        {"queue": expires},
        PARKS_AT_ONCE,
        *(case.facts for case in CASES),
    ]
    channels = [dataclasses.replace(CHANNEL, **changed) for changed in facts]
    return [finding for channel in channels for finding in judge(channel)]


def test_finds_every_kind_in_every_severity() -> None:
    """What the docs list is found somewhere."""
    listed = {
        (kind.id, severity)
        for kind in kinds.KINDS.values()
        for severity in (kind.severity, *(kind.otherwise or ())[:1])
    }
    assert listed - {(finding.kind.id, finding.severity) for finding in findings()} == set()


def test_says_each_finding_in_one_line() -> None:
    """Whatever the facts are."""
    for finding in findings():
        assert re.fullmatch(r"\S.*\S", sentence(finding))


def test_offers_a_fix_where_the_docs_say_so() -> None:
    """Each kind with a fix gives a command or advice, and no other does."""
    fixed = {finding.kind.id for finding in findings() if fix(finding, [])}
    assert fixed == {kind.id for kind in kinds.KINDS.values() if kind.fix}


def defined_alarms() -> list[dict[str, Any]]:
    """Return the alarms of a monitoring that watches all that can be watched."""
    app = cdk.App(context={"aws:cdk:enable-path-metadata": True})
    stack = cdk.Stack(app, "Stack")
    channel = FailureChannel(stack, "Failures")
    FailureNotifiedFunction(
        stack,
        "Report",
        handler=define_handler(stack),
        channel=channel,
        schedule=scheduler.ScheduleExpression.rate(cdk.Duration.days(1)),
    )
    FailureReplayer(stack, "Replayer", channel=channel)
    channel.dead_letter_queue_for(sqs.Queue(stack, "Orders"))
    reader = define_handler(stack, "Reader")
    for id, source in (
        ("Stream", {"event_source_arn": STREAM_ARN}),
        ("Topic", {"kafka_bootstrap_servers": ["b-1:9092"], "kafka_topic": "orders"}),
    ):
        reader.add_event_source_mapping(
            id,
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            on_failure=channel.event_source_destination,
            **source,
        )
    FailureMonitoring(
        stack, "Monitoring", channel=channel, thresholds=MonitoringThresholds(offset_lag=1000)
    )
    FailureNotifier(stack, "Notifier", channel=channel)
    FailureWatchdog(stack, "Watchdog", channel=channel)
    template = app.synth().get_stack_by_name("Stack").template
    resources = json.loads(json.dumps(template))["Resources"].values()
    return [each for each in resources if each["Type"] == "AWS::CloudWatch::Alarm"]


def test_constructs_define_the_alarms_of_the_table() -> None:
    """Each has its metric and statistic, and doctor knows all of them."""
    defined = {
        (
            alarm["Metadata"]["aws:cdk:path"].removesuffix("/Resource").rpartition("/")[2],
            alarm["Properties"]["Namespace"],
            alarm["Properties"]["MetricName"],
            alarm["Properties"]["Statistic"],
            alarm["Properties"]["Period"],
        )
        for alarm in defined_alarms()
    }
    assert defined == {
        (each.id, each.namespace, each.metric, each.statistic, (each.period_minutes or 60) * 60)
        for each in ALARMS
    }


def test_thresholds_are_those_of_the_table() -> None:
    """Each field of MonitoringThresholds sets one alarm of the table; others set their own."""
    fields = [field.name for field in dataclasses.fields(MonitoringThresholds)]
    assert [alarm.threshold for alarm in ALARMS] == [*fields, None, None, None]


@pytest.mark.parametrize("alarm", ALARMS, ids=lambda alarm: alarm.id)
def test_names_of_alarms_do_not_end_in_each_other(alarm: FailureAlarm) -> None:
    """Without construct paths, doctor knows alarms by how their logical ids end."""
    assert [each.id for each in ALARMS if alarm.id.endswith(each.id)] == [alarm.id]
