"""Is everybody told: is each subscription there, confirmed, and safe from suspension?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .facts import Channel, Subscription, Unknown
from .findings import Finding, aws_command, not_known

# SNS suspends a mailbox that gets more than 10 messages within a second.
# https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html
MAILS_PER_SECOND = 10
_SECONDS = 60


def judge_topic(channel: Channel) -> Iterator[Finding]:
    """Judge whether there is a topic to send to, and who listens."""
    name = channel.topic_arn.rpartition(":")[2]
    if isinstance(channel.topic, Unknown):
        yield not_known("topic", name, channel.topic)
    elif channel.topic is None:
        yield Finding(
            "error",
            "topic-missing",
            name,
            "the topic is not there: Lambda drops every record it should send",
            "delete the stack's failure channel and deploy it again; its queues stay",
        )
        return
    elif name.endswith(".fifo"):
        yield Finding(
            "error",
            "topic-fifo",
            name,
            "is a FIFO topic: Lambda cannot send failures to it",
            "define the channel without this topic, and deploy",
        )
    else:
        yield Finding("ok", "topic", name, "is there")
    if not any(not subscription.of_queue for subscription in channel.subscriptions):
        yield Finding(
            "info",
            "nobody-subscribed",
            name,
            "only the queue is subscribed: people are told by alarms, or not at all",
            aws_command(
                "sns",
                "subscribe",
                topic_arn=channel.topic_arn,
                protocol="email",
                notification_endpoint="ADDRESS",
            ),
        )


def judge_subscriptions(channel: Channel) -> Iterator[Finding]:
    """Judge each subscription, and whether mailboxes are safe from suspension."""
    if channel.topic is None:
        return
    for subscription in channel.subscriptions:
        found = list(_judge(channel, subscription))
        yield from found
        if not found:
            yield Finding("ok", "subscription", subscription.name, _described(subscription))
    if any(subscription.is_mailbox for subscription in channel.subscriptions):
        yield from _judge_storm(channel)


def _judge(channel: Channel, subscription: Subscription) -> Iterator[Finding]:
    attributes = subscription.attributes
    name = subscription.name
    if isinstance(attributes, Unknown):
        yield not_known("subscription", name, attributes)
    elif attributes is None:
        yield Finding(
            "error",
            "subscription-deleted",
            name,
            _lost(subscription),
            _subscribe(channel, subscription),
        )
    elif subscription.pending:
        yield Finding(
            "error",
            "subscription-pending",
            name,
            _pending(channel),
            _subscribe(channel, subscription),
        )
    else:
        yield from _judge_attributes(channel, subscription, attributes)


def _judge_attributes(
    channel: Channel, subscription: Subscription, attributes: Any
) -> Iterator[Finding]:
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
    target = json.loads(attributes.get("RedrivePolicy") or "{}").get("deadLetterTargetArn")
    if target is None:
        dead_letters = channel.dead_letter_queue
        yield Finding(
            "error" if subscription.of_queue else "warning",
            "subscription-no-dead-letters",
            name,
            "has no dead-letter queue: what SNS cannot deliver to it is lost",
            None
            if dead_letters is None or dead_letters.arn is None
            else _set(subscription, "RedrivePolicy", _redrive(dead_letters.arn)),
        )


def _judge_storm(channel: Channel) -> Iterator[Finding]:
    name = channel.topic_arn.rpartition(":")[2]
    if isinstance(channel.peak, Unknown):
        yield not_known("mail-storm", name, channel.peak)
        return
    peak = int(channel.peak or 0)
    if peak <= MAILS_PER_SECOND:
        return
    certain = peak > MAILS_PER_SECOND * _SECONDS
    yield Finding(
        "warning" if certain else "info",
        "mail-storm",
        name,
        f"published {peak:,} messages within a minute of the last 3 days: "
        + ("" if certain else "if more than 10 came within a second, ")
        + "SNS suspends the mailboxes, and deletes their subscriptions after 48 hours",
        "tell people by FailureMonitoring's alarms, which send one message, and not by emails="
        if certain
        else None,
    )


def _pending(channel: Channel) -> str:
    text = "is not confirmed, so that nobody is told there; SNS deletes it after 48 hours"
    if isinstance(channel.peak, (int, float)) and channel.peak > MAILS_PER_SECOND:
        text += f"; perhaps SNS suspended it, for {int(channel.peak):,} messages within a minute"
    return text


def _lost(subscription: Subscription) -> str:
    if subscription.of_queue:
        return "is not subscribed: no failed event reaches the queue"
    if subscription.is_mailbox:
        return "is not subscribed: somebody unsubscribed it, or SNS deleted it unconfirmed"
    return "is not subscribed: nobody is told there"


def _described(subscription: Subscription) -> str:
    if subscription.of_queue:
        return "the queue is subscribed, raw, with a dead-letter queue"
    return f"{subscription.protocol} is confirmed, with a dead-letter queue"


def _subscribe(channel: Channel, subscription: Subscription) -> str:
    """Subscribe anew, which also sends a mail to confirm."""
    endpoint = subscription.endpoint or "ENDPOINT"
    attributes = {}
    dead_letters = channel.dead_letter_queue
    if dead_letters is not None and dead_letters.arn is not None:
        attributes["RedrivePolicy"] = _redrive(dead_letters.arn)
    if subscription.of_queue:
        attributes["RawMessageDelivery"] = "true"
        if channel.queue is not None and channel.queue.arn is not None:
            endpoint = channel.queue.arn
    options: dict[str, Any] = {"attributes": attributes} if attributes else {}
    return aws_command(
        "sns",
        "subscribe",
        topic_arn=channel.topic_arn,
        protocol=subscription.protocol,
        notification_endpoint=endpoint,
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
