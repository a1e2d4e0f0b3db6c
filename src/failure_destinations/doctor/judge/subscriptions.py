"""Judges each subscription: whether it exists, is confirmed, and is safe from suspension."""

from __future__ import annotations

import json
from collections.abc import Iterator

from .. import kinds
from ..facts import Attributes, Channel, Queue, Subscription, Topic, Unknown
from ..findings import Finding, Subject, unreadable
from ..fixes import AwsCall, Fix
from ..kinds import Severity

# SNS suspends a mailbox that gets more than 10 messages in one second.
# https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html
MAILS_PER_SECOND = 10
_SECONDS = 60
# The placeholder in a command for a value that the operator has to fill in.
ADDRESS = "ADDRESS"
ENDPOINT = "ENDPOINT"


def judge_topic(channel: Channel) -> Iterator[Finding]:
    """Judge whether the topic exists and who is subscribed to it."""
    topic = channel.topic
    subject = Subject(topic.noun, topic.name)
    if topic.attributes is None:
        yield Finding(kinds.TOPIC_MISSING, subject)
        return
    if isinstance(topic.attributes, Unknown):
        yield unreadable(kinds.TOPIC, subject, topic.attributes)
    elif topic.name.endswith(".fifo"):
        yield Finding(kinds.TOPIC_FIFO, subject)
    else:
        yield Finding(kinds.TOPIC, subject)
    yield from judge_audience(topic, "info")


def judge_audience(topic: Topic, severity: Severity) -> Iterator[Finding]:
    """Judge whether anyone except the channel's queue is subscribed to a topic.

    Args:
        topic: The topic.
        severity: The severity of the finding that nobody is.
    """
    if any(not subscription.of_queue for subscription in topic.subscriptions):
        return
    subject = Subject(topic.noun, topic.name)
    if topic.unlisted is not None:
        yield unreadable(kinds.NOBODY_SUBSCRIBED, subject, topic.unlisted)
        return
    parameters = {"TopicArn": topic.arn, "Protocol": "email", "Endpoint": ADDRESS}
    fix = (AwsCall("sns", "Subscribe", parameters),)
    yield Finding(kinds.NOBODY_SUBSCRIBED, subject, fix=fix, given_severity=severity)


def judge_subscriptions(channel: Channel) -> Iterator[Finding]:
    """Judge each subscription of the channel's topic."""
    yield from judge_subscribers(channel.topic, channel.dead_letter_queue)


def judge_subscribers(topic: Topic, dead_letters: Queue | None = None) -> Iterator[Finding]:
    """Judge each subscription of a topic, and whether mailboxes are safe from suspension.

    Args:
        topic: The channel's topic or the alarm topic.
        dead_letters: The queue that should get messages it cannot deliver.
    """
    if topic.attributes is None:
        return
    for subscription in topic.subscriptions:
        found = list(_judge(topic, subscription, dead_letters))
        yield from found
        if not found:
            yield Finding(kinds.SUBSCRIPTION, _subject(subscription), _facts(topic, subscription))
    if any(subscription.is_mailbox for subscription in topic.subscriptions):
        yield from _judge_storm(topic)


def _judge(
    topic: Topic, subscription: Subscription, dead_letters: Queue | None
) -> Iterator[Finding]:
    attributes = subscription.attributes
    subject = _subject(subscription)
    facts = _facts(topic, subscription)
    if isinstance(attributes, Unknown):
        yield unreadable(kinds.SUBSCRIPTION, subject, attributes)
    elif attributes is None:
        fix = _subscribe(topic, subscription, dead_letters)
        yield Finding(kinds.SUBSCRIPTION_DELETED, subject, facts, fix)
    elif subscription.pending:
        if isinstance(topic.peak, (int, float)) and topic.peak > MAILS_PER_SECOND:
            facts["peak"] = int(topic.peak)
        fix = _subscribe(topic, subscription, dead_letters)
        yield Finding(kinds.SUBSCRIPTION_PENDING, subject, facts, fix)
    else:
        yield from _judge_delivery(subscription, attributes)
        if subscription.by_link:
            yield Finding(kinds.SUBSCRIPTION_BY_LINK, subject, facts)
        # An alarm's state is in CloudWatch too, so nothing is lost with its message.
        if topic.noun != "alarm topic":
            yield from _judge_dead_letters(subscription, attributes, dead_letters)


def _judge_delivery(subscription: Subscription, attributes: Attributes) -> Iterator[Finding]:
    subject = _subject(subscription)
    if subscription.of_queue and str(attributes.get("RawMessageDelivery")).lower() != "true":
        fix = _set(subscription, "RawMessageDelivery", "true")
        yield Finding(kinds.SUBSCRIPTION_NOT_RAW, subject, fix=fix)
    if subscription.of_queue and attributes.get("FilterPolicy"):
        fix = _set(subscription, "FilterPolicy", "{}")
        yield Finding(kinds.SUBSCRIPTION_FILTER, subject, fix=fix)


def _judge_dead_letters(
    subscription: Subscription, attributes: Attributes, dead_letters: Queue | None
) -> Iterator[Finding]:
    target = json.loads(attributes.get("RedrivePolicy") or "{}").get("deadLetterTargetArn")
    if target is not None:
        return
    arn = None if dead_letters is None else dead_letters.arn
    yield Finding(
        kinds.SUBSCRIPTION_NO_DEAD_LETTERS,
        _subject(subscription),
        fix=() if arn is None else _set(subscription, "RedrivePolicy", _redrive(arn)),
        given_severity=None if subscription.of_queue else "warning",
    )


def _judge_storm(topic: Topic) -> Iterator[Finding]:
    subject = Subject(topic.noun, topic.name)
    if isinstance(topic.peak, Unknown):
        yield unreadable(kinds.MAIL_STORM, subject, topic.peak)
        return
    peak = int(topic.peak or 0)
    if peak <= MAILS_PER_SECOND:
        return
    certain = peak > MAILS_PER_SECOND * _SECONDS
    severity: Severity | None = None if certain else "info"
    yield Finding(kinds.MAIL_STORM, subject, {"peak": peak}, given_severity=severity)


def _subject(subscription: Subscription) -> Subject:
    return Subject("subscription", subscription.name)


def _facts(topic: Topic, subscription: Subscription) -> dict[str, object]:
    return {
        "topic": topic.noun,
        "topic_arn": topic.arn,
        "protocol": subscription.protocol,
        "of_queue": subscription.of_queue,
        "is_mailbox": subscription.is_mailbox,
    }


def _subscribe(topic: Topic, subscription: Subscription, dead_letters: Queue | None) -> Fix:
    """Return the step that subscribes again, which sends a new confirmation e-mail."""
    attributes = {}
    if dead_letters is not None and dead_letters.arn is not None:
        attributes["RedrivePolicy"] = _redrive(dead_letters.arn)
    if subscription.of_queue:
        attributes["RawMessageDelivery"] = "true"
    parameters = {
        "TopicArn": topic.arn,
        "Protocol": subscription.protocol,
        "Endpoint": subscription.endpoint or ENDPOINT,
        **({"Attributes": attributes} if attributes else {}),
    }
    return (AwsCall("sns", "Subscribe", parameters),)


def _set(subscription: Subscription, name: str, value: str) -> Fix:
    if subscription.arn is None:
        return ()
    parameters = {
        "SubscriptionArn": subscription.arn,
        "AttributeName": name,
        "AttributeValue": value,
    }
    return (AwsCall("sns", "SetSubscriptionAttributes", parameters),)


def _redrive(arn: str) -> str:
    return json.dumps({"deadLetterTargetArn": arn})
