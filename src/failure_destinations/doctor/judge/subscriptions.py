"""Is everybody told: is each subscription there, confirmed, and safe from suspension?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ..facts import Attributes, Channel, Queue, Subscription, Topic, Unknown
from ..findings import Finding, Severity, aws_command, not_known

# SNS suspends a mailbox that gets more than 10 messages within a second.
# https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html
MAILS_PER_SECOND = 10
_SECONDS = 60
_CALM = {
    "topic": "tell people by FailureMonitoring's alarms, which send one message, and not by "
    "emails=",
    "alarm topic": "give FailureMonitoring a topic that nothing else publishes to",
}


def judge_topic(channel: Channel) -> Iterator[Finding]:
    """Judge whether there is a topic to send to, and who listens."""
    topic = channel.topic
    if topic.attributes is None:
        yield Finding(
            "error",
            "topic-missing",
            topic.name,
            "the topic is not there: Lambda drops every record it should send",
            "delete the stack's failure channel and deploy it again; its queues stay",
        )
        return
    if isinstance(topic.attributes, Unknown):
        yield not_known("topic", topic.name, topic.attributes)
    elif topic.name.endswith(".fifo"):
        yield Finding(
            "error",
            "topic-fifo",
            topic.name,
            "is a FIFO topic: Lambda cannot send failures to it",
            "define the channel without this topic, and deploy",
        )
    else:
        yield Finding("ok", "topic", topic.name, "is there")
    yield from judge_audience(
        topic, "info", "only the queue is subscribed: people are told by alarms, or not at all"
    )


def judge_audience(topic: Topic, severity: Severity, text: str) -> Iterator[Finding]:
    """Judge whether anybody listens to a topic but the channel's queue.

    Args:
        topic: The topic.
        severity: How bad it is if nobody does.
        text: What is said then.
    """
    if any(not subscription.of_queue for subscription in topic.subscriptions):
        return
    if topic.unlisted is not None:
        yield not_known("nobody-subscribed", topic.name, topic.unlisted)
        return
    yield Finding(
        severity,
        "nobody-subscribed",
        topic.name,
        text,
        aws_command(
            "sns",
            "subscribe",
            topic_arn=topic.arn,
            protocol="email",
            notification_endpoint="ADDRESS",
        ),
    )


def judge_subscriptions(channel: Channel) -> Iterator[Finding]:
    """Judge each subscription of the channel's topic."""
    yield from judge_listeners(channel.topic, channel.dead_letter_queue)


def judge_listeners(topic: Topic, dead_letters: Queue | None = None) -> Iterator[Finding]:
    """Judge each subscription of a topic, and whether mailboxes are safe from suspension.

    Args:
        topic: The topic, the channel's or that of its alarms.
        dead_letters: Where it should put what it cannot deliver.
    """
    if topic.attributes is None:
        return
    for subscription in topic.subscriptions:
        found = list(_judge(topic, subscription, dead_letters))
        yield from found
        if not found:
            yield Finding("ok", "subscription", subscription.name, _described(topic, subscription))
    if any(subscription.is_mailbox for subscription in topic.subscriptions):
        yield from _judge_storm(topic)


def _judge(
    topic: Topic, subscription: Subscription, dead_letters: Queue | None
) -> Iterator[Finding]:
    attributes = subscription.attributes
    name = subscription.name
    if isinstance(attributes, Unknown):
        yield not_known("subscription", name, attributes)
    elif attributes is None:
        yield Finding(
            "error",
            "subscription-deleted",
            name,
            _lost(topic, subscription),
            _subscribe(topic, subscription, dead_letters),
        )
    elif subscription.pending:
        yield Finding(
            "error",
            "subscription-pending",
            name,
            _pending(topic),
            _subscribe(topic, subscription, dead_letters),
        )
    else:
        yield from _judge_delivery(subscription, attributes)
        # What an alarm says is in CloudWatch too: nothing is lost with its message.
        if topic.kind == "topic":
            yield from _judge_dead_letters(subscription, attributes, dead_letters)


def _judge_delivery(subscription: Subscription, attributes: Attributes) -> Iterator[Finding]:
    name = subscription.name
    if subscription.of_queue and str(attributes.get("RawMessageDelivery")).lower() != "true":
        yield Finding(
            "warning",
            "subscription-not-raw",
            name,
            "gets each record in SNS's envelope, and not as Lambda wrote it",
            _set(subscription, "RawMessageDelivery", "true"),
        )
    if subscription.of_queue and attributes.get("FilterPolicy"):
        yield Finding(
            "error",
            "subscription-filter",
            name,
            "has a filter policy: failed events that it does not match are lost",
            _set(subscription, "FilterPolicy", "{}"),
        )


def _judge_dead_letters(
    subscription: Subscription, attributes: Attributes, dead_letters: Queue | None
) -> Iterator[Finding]:
    target = json.loads(attributes.get("RedrivePolicy") or "{}").get("deadLetterTargetArn")
    if target is None:
        yield Finding(
            "error" if subscription.of_queue else "warning",
            "subscription-no-dead-letters",
            subscription.name,
            "has no dead-letter queue: what SNS cannot deliver to it is lost",
            None
            if dead_letters is None or dead_letters.arn is None
            else _set(subscription, "RedrivePolicy", _redrive(dead_letters.arn)),
        )


def _judge_storm(topic: Topic) -> Iterator[Finding]:
    if isinstance(topic.peak, Unknown):
        yield not_known("mail-storm", topic.name, topic.peak)
        return
    peak = int(topic.peak or 0)
    if peak <= MAILS_PER_SECOND:
        return
    certain = peak > MAILS_PER_SECOND * _SECONDS
    yield Finding(
        "warning" if certain else "info",
        "mail-storm",
        topic.name,
        f"published {peak:,} messages within a minute of the last 3 days: "
        + ("" if certain else "if more than 10 came within a second, ")
        + "SNS suspends the mailboxes, and deletes their subscriptions after 48 hours",
        _CALM[topic.kind] if certain else None,
    )


def _pending(topic: Topic) -> str:
    of_what = "" if topic.kind == "topic" else " of alarms"
    text = f"is not confirmed, so that nobody is told{of_what} there; SNS deletes it after 48 hours"
    if isinstance(topic.peak, (int, float)) and topic.peak > MAILS_PER_SECOND:
        text += f"; perhaps SNS suspended it, for {int(topic.peak):,} messages within a minute"
    return text


def _lost(topic: Topic, subscription: Subscription) -> str:
    if subscription.of_queue:
        return "is not subscribed: no failed event reaches the queue"
    where = "" if topic.kind == "topic" else " to the alarm topic"
    if subscription.is_mailbox:
        return f"is not subscribed{where}: somebody unsubscribed it, or SNS deleted it unconfirmed"
    return f"is not subscribed{where}: nobody is told there"


def _described(topic: Topic, subscription: Subscription) -> str:
    if subscription.of_queue:
        return "the queue is subscribed, raw, with a dead-letter queue"
    if topic.kind == "alarm topic":
        return f"{subscription.protocol} is confirmed, and told of alarms"
    return f"{subscription.protocol} is confirmed, with a dead-letter queue"


def _subscribe(topic: Topic, subscription: Subscription, dead_letters: Queue | None) -> str:
    """Subscribe anew, which also sends a mail to confirm."""
    attributes = {}
    if dead_letters is not None and dead_letters.arn is not None:
        attributes["RedrivePolicy"] = _redrive(dead_letters.arn)
    if subscription.of_queue:
        attributes["RawMessageDelivery"] = "true"
    options: dict[str, Any] = {"attributes": attributes} if attributes else {}
    return aws_command(
        "sns",
        "subscribe",
        topic_arn=topic.arn,
        protocol=subscription.protocol,
        notification_endpoint=subscription.endpoint or "ENDPOINT",
        **options,
    )


def _set(subscription: Subscription, name: str, value: str) -> str:
    return aws_command(
        "sns",
        "set-subscription-attributes",
        subscription_arn=subscription.arn or "",
        attribute_name=name,
        attribute_value=value,
    )


def _redrive(arn: str) -> str:
    return json.dumps({"deadLetterTargetArn": arn})
