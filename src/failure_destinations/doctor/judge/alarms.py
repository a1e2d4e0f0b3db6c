"""Is everybody told of trouble: does each alarm ring, may it tell the topic, and who hears it?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone

from ..facts import Alarm, Attributes, Channel, Monitoring, Topic, Unknown
from ..findings import Finding, aws_command, not_known
from .keys import judge_key
from .services import CLOUDWATCH, Service
from .subscriptions import judge_audience, judge_listeners

# What PutMetricAlarm takes of what DescribeAlarms tells.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
_SETTINGS = (
    "AlarmName",
    "AlarmDescription",
    "ActionsEnabled",
    "OKActions",
    "AlarmActions",
    "InsufficientDataActions",
    "MetricName",
    "Namespace",
    "Statistic",
    "ExtendedStatistic",
    "Dimensions",
    "Period",
    "Unit",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
    "EvaluateLowSampleCountPercentile",
    "Metrics",
    "ThresholdMetricId",
)


def judge_monitoring(channel: Channel) -> Iterator[Finding]:
    """Judge the alarms about the channel, their topic, and who listens to it."""
    monitoring = channel.monitoring
    if monitoring is None:
        return
    found = list(_judge_alarms(monitoring))
    yield from found
    if monitoring.alarms and all(finding.severity == "info" for finding in found):
        count = len(monitoring.alarms)
        yield Finding(
            "ok",
            "alarms",
            monitoring.path,
            "the alarm is there" if count == 1 else f"its {count} alarms are there",
        )
    if monitoring.topic is not None:
        yield from _judge_topic(monitoring, monitoring.topic)
        yield from judge_listeners(monitoring.topic)


def _judge_alarms(monitoring: Monitoring) -> Iterator[Finding]:
    for alarm in monitoring.alarms:
        if isinstance(alarm.live, Unknown):
            # They are looked at together.
            yield not_known("alarms", monitoring.path, alarm.live)
            return
        if alarm.live is None:
            yield Finding(
                "error",
                "alarm-missing",
                alarm.path,
                "the alarm is not there: nobody is told of what it watches",
                "switch its threshold off, deploy, and on again, and deploy"
                if alarm.declared is None
                else _put(alarm.declared),
            )
        else:
            yield from _judge_alarm(alarm, alarm.live)


def _judge_alarm(alarm: Alarm, live: Attributes) -> Iterator[Finding]:
    told = list(live.get("AlarmActions") or [])
    missing = [action for action in alarm.actions if action not in told]
    if missing:
        yield Finding(
            "error",
            "alarm-without-action",
            alarm.path,
            f"rings without telling {' and '.join(missing)}, as the template has it",
            _put({**live, "AlarmActions": [*told, *missing]}),
        )
    if live.get("ActionsEnabled") is False:
        yield Finding(
            "warning" if alarm.declared_enabled else "info",
            "alarm-silenced",
            alarm.path,
            "its actions are switched off: it rings, and nobody is told",
            aws_command("cloudwatch", "enable-alarm-actions", alarm_names=alarm.name),
        )
    if live.get("StateValue") == "ALARM":
        yield Finding("info", "alarm-ringing", alarm.path, _ringing(live))


def _judge_topic(monitoring: Monitoring, topic: Topic) -> Iterator[Finding]:
    if topic.attributes is None:
        yield Finding(
            "error",
            "topic-missing",
            topic.name,
            "the alarm topic is not there: alarms ring, and nobody is told",
            "give the monitoring another id and deploy; each person confirms anew"
            if monitoring.own_topic
            else "give the monitoring another topic, or none, and deploy",
        )
        return
    cloudwatch = Service("CloudWatch", CLOUDWATCH, _arns(monitoring, topic))
    found: list[Finding] = []
    if isinstance(topic.attributes, Unknown):
        found.append(not_known("topic", topic.name, topic.attributes))
    elif topic.name.endswith(".fifo"):
        found.append(
            Finding(
                "error",
                "topic-fifo",
                topic.name,
                "is a FIFO topic: no mailbox can subscribe to it",
                "define the monitoring without this topic, and deploy",
            )
        )
    elif "Policy" in topic.attributes:
        found += _judge_policy(topic, topic.attributes, cloudwatch)
    found += judge_key(topic.key, topic.name, cloudwatch)
    yield from found or [Finding("ok", "topic", topic.name, "CloudWatch may tell it of alarms")]
    yield from judge_audience(
        topic,
        "warning" if monitoring.alarms else "info",
        "nobody is subscribed to the alarm topic: alarms ring, and nobody is told",
    )


def _judge_policy(topic: Topic, attributes: Attributes, cloudwatch: Service) -> Iterator[Finding]:
    policy = json.loads(attributes["Policy"])
    allowed = cloudwatch.may(policy, "sns:Publish", topic.arn)
    if allowed is None:
        yield Finding(
            "unknown",
            "topic-policy",
            topic.name,
            "whether CloudWatch may publish depends on a condition of the alarm topic's policy "
            "that only AWS can judge",
        )
    elif not allowed:
        source = cloudwatch.sources[0]
        condition = {
            "StringEquals": {"aws:SourceAccount": source.split(":")[4]},
            "ArnLike": {"aws:SourceArn": f"{source.partition(':alarm:')[0]}:alarm:*"},
        }
        mended = cloudwatch.let(policy, "sns:Publish", topic.arn, condition)
        yield Finding(
            "error",
            "topic-policy",
            topic.name,
            "the alarm topic's policy does not let CloudWatch publish: nobody is told of alarms",
            aws_command(
                "sns",
                "set-topic-attributes",
                topic_arn=topic.arn,
                attribute_name="Policy",
                attribute_value=json.dumps(mended),
            ),
        )


def _arns(monitoring: Monitoring, topic: Topic) -> list[str]:
    _, partition, _, region, account, _ = topic.arn.split(":", 5)
    prefix = f"arn:{partition}:cloudwatch:{region}:{account}:alarm:"
    known = [
        str(alarm.live["AlarmArn"]) if isinstance(alarm.live, Mapping) else f"{prefix}{alarm.name}"
        for alarm in monitoring.alarms
    ]
    # All of them may be in other stacks.
    return known or [f"{prefix}*"]


def _put(alarm: Attributes) -> str:
    settings = {name: alarm[name] for name in _SETTINGS if alarm.get(name) not in (None, [])}
    return aws_command("cloudwatch", "put-metric-alarm", cli_input_json=settings)


def _ringing(live: Attributes) -> str:
    since = live.get("StateTransitionedTimestamp") or live.get("StateUpdatedTimestamp")
    text = "rings"
    if isinstance(since, datetime):
        text += f" since {since.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"
    what = str(live.get("AlarmDescription") or live.get("StateReason") or "").partition(". ")[0]
    return f"{text}: {what}" if what else text
