"""Judges the notifier: whether it is awake, may read its secrets, and whom it notifies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .. import kinds
from ..facts import OFF, Channel, Notifier, Unknown, WebhookSecret
from ..findings import Finding, Subject, unreadable
from ..fixes import AwsCall, Fix, OwnCommand, grant_to_role
from .keys import judge_key
from .queues import judge_queue
from .services import SNS, Service
from .subscriptions import judge_audience, judge_subscribers

# The members of a GetSchedule response that UpdateSchedule accepts, without its dates: the
# notifier's schedule has none.
# https://docs.aws.amazon.com/scheduler/latest/APIReference/API_UpdateSchedule.html
_SCHEDULE = (
    "Name",
    "GroupName",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "FlexibleTimeWindow",
    "Target",
    "Description",
    "KmsKeyArn",
)
_READS = {"secret": "secretsmanager:GetSecretValue", "parameter": "ssm:GetParameter"}


def judge_notifiers(channel: Channel) -> Iterator[Finding]:
    """Judge the channel's notifiers: their queues, functions, webhooks and topics."""
    for notifier in channel.notifiers:
        found = [*_judge_mapping(notifier), *_judge_schedule(notifier)]
        yield from found
        if not found:
            yield Finding(kinds.NOTIFIER, Subject("notifier", notifier.path))
        yield from _judge_queues(channel, notifier)
        yield from _judge_webhooks(notifier)
        yield from _judge_topic(notifier)


def _judge_mapping(notifier: Notifier) -> Iterator[Finding]:
    subject, mapping = Subject("notifier", notifier.path), notifier.mapping
    if isinstance(mapping, Unknown):
        yield unreadable(kinds.NOTIFIER, subject, mapping)
    elif mapping is None:
        yield Finding(kinds.NOTIFIER_MISSING, subject, {"what": "event source mapping"})
    elif mapping.get("State") in OFF:
        parameters = {"UUID": str(mapping.get("UUID", "")), "Enabled": True}
        fix = (AwsCall("lambda", "UpdateEventSourceMapping", parameters),)
        yield Finding(kinds.NOTIFIER_OFF, subject, fix=fix)


def _judge_schedule(notifier: Notifier) -> Iterator[Finding]:
    subject, schedule = Subject("notifier", notifier.path), notifier.schedule
    if isinstance(schedule, Unknown):
        yield unreadable(kinds.NOTIFIER, subject, schedule)
    elif schedule is None:
        yield Finding(kinds.NOTIFIER_MISSING, subject, {"what": "schedule"})
    elif schedule.get("State") == "DISABLED":
        kept = {name: schedule[name] for name in _SCHEDULE if schedule.get(name)}
        fix = (AwsCall("scheduler", "UpdateSchedule", {**kept, "State": "ENABLED"}),)
        yield Finding(kinds.NOTIFIER_ASLEEP, subject, fix=fix)


def _judge_queues(channel: Channel, notifier: Notifier) -> Iterator[Finding]:
    if notifier.queue is not None:
        yield from judge_queue(notifier.queue, [Service("SNS", SNS, [channel.topic.arn])])
    dead_letters = notifier.dead_letter_queue
    if dead_letters is None:
        return
    own = () if notifier.topic is None else (notifier.topic.arn,)
    yield from judge_queue(dead_letters, [Service("SNS", SNS, [channel.topic.arn, *own])])
    if dead_letters.waiting:
        yield Finding(
            kinds.NOTICES_UNDELIVERED,
            Subject(dead_letters.noun, dead_letters.name),
            {"count": dead_letters.waiting},
            (OwnCommand("list", [("queue", dead_letters.name)]),),
        )


def _judge_webhooks(notifier: Notifier) -> Iterator[Finding]:
    if isinstance(notifier.webhooks, Unknown):
        yield unreadable(kinds.WEBHOOK, Subject("notifier", notifier.path), notifier.webhooks)
        return
    for webhook in notifier.webhooks:
        yield _judge_webhook(webhook)


def _judge_webhook(webhook: WebhookSecret) -> Finding:
    subject = Subject("webhook", webhook.webhook)
    facts = {"store": webhook.store, "name": webhook.name}
    if isinstance(webhook.live, Unknown):
        return unreadable(kinds.WEBHOOK, subject, webhook.live)
    if webhook.live is None:
        return Finding(kinds.WEBHOOK_SECRET, subject, {**facts, "state": "missing"})
    state = _state(webhook)
    if state is not None:
        return Finding(kinds.WEBHOOK_SECRET, subject, {**facts, "state": state}, _restore(webhook))
    if isinstance(webhook.decision, Unknown):
        return unreadable(kinds.WEBHOOK_PERMISSION, subject, webhook.decision)
    if webhook.decision not in (None, "allowed"):
        facts["action"] = _READS[webhook.store]
        return Finding(kinds.WEBHOOK_PERMISSION, subject, facts, _grant(webhook))
    return Finding(kinds.WEBHOOK, subject, facts)


def _state(webhook: WebhookSecret) -> str | None:
    """Return what is wrong with a secret that exists; None if nothing is."""
    live = webhook.live if isinstance(webhook.live, Mapping) else {}
    if live.get("DeletedDate"):
        return "deleted"
    if webhook.store == "parameter" and live.get("Type", "SecureString") != "SecureString":
        return "readable"
    return None


def _restore(webhook: WebhookSecret) -> Fix:
    if _state(webhook) != "deleted":
        return ()
    return (AwsCall("secretsmanager", "RestoreSecret", {"SecretId": webhook.name}),)


def _grant(webhook: WebhookSecret) -> Fix:
    if webhook.role is None or webhook.arn is None or webhook.decision == "explicitDeny":
        return ()
    return (grant_to_role(webhook.role, [_READS[webhook.store]], webhook.arn),)


def _judge_topic(notifier: Notifier) -> Iterator[Finding]:
    topic = notifier.topic
    if topic is None:
        return
    subject = Subject(topic.noun, topic.name)
    if topic.attributes is None:
        yield Finding(kinds.TOPIC_MISSING, subject)
        return
    if isinstance(topic.attributes, Unknown):
        yield unreadable(kinds.TOPIC, subject, topic.attributes)
    else:
        yield Finding(kinds.TOPIC, subject)
    yield from judge_key(topic.key, subject)
    yield from judge_audience(topic, "warning")
    yield from judge_subscribers(topic, notifier.dead_letter_queue)
