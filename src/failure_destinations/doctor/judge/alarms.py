"""Judges the alarms: whether each one can notify the topic, and who is subscribed to it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime

from .. import kinds
from ..facts import Alarm, Attributes, Channel, Monitoring, MuteRule, NotOffered, Topic, Unknown
from ..findings import Finding, Subject, unreadable
from ..fixes import AddStatements, AwsCall
from .keys import judge_key
from .services import CLOUDWATCH, Service
from .subscriptions import judge_audience, judge_subscribers

# The members of a DescribeAlarms response that PutMetricAlarm accepts.
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
    """Judge the alarms about the channel, their topic and its subscriptions."""
    monitoring = channel.monitoring
    if monitoring is None:
        return
    found = [*_judge_alarms(monitoring), *_judge_mute_rules(monitoring)]
    yield from found
    if monitoring.alarms and all(finding.severity == "info" for finding in found):
        facts = {"count": len(monitoring.alarms)}
        yield Finding(kinds.ALARMS, Subject("monitoring", monitoring.path), facts)
    if monitoring.topic is not None:
        yield from _judge_topic(monitoring, monitoring.topic)
        yield from judge_subscribers(monitoring.topic)


def _judge_alarms(monitoring: Monitoring) -> Iterator[Finding]:
    for alarm in monitoring.alarms:
        if isinstance(alarm.live, Unknown):
            # One call reads all alarms.
            subject = Subject("monitoring", monitoring.path)
            yield unreadable(kinds.ALARMS, subject, alarm.live)
            return
        if alarm.live is None:
            fix = () if alarm.declared is None else (_put_metric_alarm(alarm.declared),)
            yield Finding(kinds.ALARM_MISSING, Subject("alarm", alarm.path), fix=fix)
        else:
            yield from _judge_alarm(alarm, alarm.live)


def _judge_alarm(alarm: Alarm, live: Attributes) -> Iterator[Finding]:
    subject = Subject("alarm", alarm.path)
    present = list(live.get("AlarmActions") or [])
    missing = [action for action in alarm.actions if action not in present]
    silenced = live.get("ActionsEnabled") is False
    if missing:
        # The fix writes the whole alarm, and must not undo the fix that enables its actions.
        enabled = {"ActionsEnabled": True} if silenced and alarm.declared_enabled else {}
        fix = (_put_metric_alarm({**live, **enabled, "AlarmActions": [*present, *missing]}),)
        yield Finding(kinds.ALARM_WITHOUT_ACTION, subject, {"missing": missing}, fix)
    if silenced:
        yield Finding(
            kinds.ALARM_SILENCED,
            subject,
            fix=(AwsCall("cloudwatch", "EnableAlarmActions", {"AlarmNames": [alarm.name]}),),
            given_severity=None if alarm.declared_enabled else "info",
        )
    if live.get("StateValue") == "ALARM":
        yield Finding(kinds.ALARM_RINGING, subject, _alarm_state(live))


def _judge_mute_rules(monitoring: Monitoring) -> Iterator[Finding]:
    subject = Subject("monitoring", monitoring.path)
    rules = monitoring.mute_rules
    if isinstance(rules, Unknown):
        yield unreadable(kinds.ALARM_MUTED, subject, rules)
    elif isinstance(rules, NotOffered):
        facts = {"not_offered_by": rules.by}
        yield Finding(kinds.ALARM_MUTED, subject, facts, given_severity="info")
    else:
        ours = {alarm.name for alarm in monitoring.alarms}
        for alarm in monitoring.alarms:
            for rule in rules:
                if alarm.name in rule.alarms:
                    yield _muted(alarm, rule, ours.issuperset(rule.alarms))


def _muted(alarm: Alarm, rule: MuteRule, mutes_only_ours: bool) -> Finding:
    delete = AwsCall("cloudwatch", "DeleteAlarmMuteRule", {"AlarmMuteRuleName": rule.name})
    return Finding(
        kinds.ALARM_MUTED,
        Subject("alarm", alarm.path),
        {"rule": rule},
        fix=(delete,) if rule.active and mutes_only_ours else (),
        given_severity=None if rule.active else "info",
    )


def _judge_topic(monitoring: Monitoring, topic: Topic) -> Iterator[Finding]:
    subject = Subject(topic.noun, topic.name)
    if topic.attributes is None:
        yield Finding(kinds.TOPIC_MISSING, subject, {"own": monitoring.own_topic})
        return
    cloudwatch = Service("CloudWatch", CLOUDWATCH, _arns(monitoring, topic))
    found: list[Finding] = []
    if isinstance(topic.attributes, Unknown):
        found.append(unreadable(kinds.TOPIC, subject, topic.attributes))
    elif topic.name.endswith(".fifo"):
        found.append(Finding(kinds.TOPIC_FIFO, subject))
    elif "Policy" in topic.attributes:
        found += _judge_policy(topic, topic.attributes, cloudwatch)
    found += judge_key(topic.key, subject, [cloudwatch])
    yield from found or [Finding(kinds.TOPIC, subject)]
    yield from judge_audience(topic, "warning" if monitoring.alarms else "info")


def _judge_policy(topic: Topic, attributes: Attributes, cloudwatch: Service) -> Iterator[Finding]:
    subject = Subject(topic.noun, topic.name)
    policy = json.loads(attributes["Policy"])
    allowed = cloudwatch.may(policy, "sns:Publish", topic.arn)
    if allowed is None:
        yield Finding(kinds.TOPIC_POLICY, subject, given_severity="unknown")
    elif not allowed:
        alarms = f"{cloudwatch.sources[0].partition(':alarm:')[0]}:alarm:*"
        condition = {**cloudwatch.same_account, "ArnLike": {"aws:SourceArn": alarms}}
        statement = cloudwatch.statement("sns:Publish", topic.arn, condition)
        addition = AddStatements("topic", topic.arn, policy, (statement,))
        fix = cloudwatch.fix(addition, ["sns:Publish"], topic.arn)
        yield Finding(kinds.TOPIC_POLICY, subject, fix=fix)


def _arns(monitoring: Monitoring, topic: Topic) -> list[str]:
    _, partition, _, region, account, _ = topic.arn.split(":", 5)
    prefix = f"arn:{partition}:cloudwatch:{region}:{account}:alarm:"
    known = [
        str(alarm.live["AlarmArn"]) if isinstance(alarm.live, Mapping) else f"{prefix}{alarm.name}"
        for alarm in monitoring.alarms
    ]
    # All alarms may be in other stacks.
    return known or [f"{prefix}*"]


def _put_metric_alarm(alarm: Attributes) -> AwsCall:
    settings = {name: alarm[name] for name in _SETTINGS if alarm.get(name) not in (None, [])}
    return AwsCall("cloudwatch", "PutMetricAlarm", settings)


def _alarm_state(live: Attributes) -> dict[str, object]:
    since = live.get("StateTransitionedTimestamp") or live.get("StateUpdatedTimestamp")
    return {
        "since": since if isinstance(since, datetime) else None,
        "description": str(live.get("AlarmDescription") or live.get("StateReason") or ""),
    }
