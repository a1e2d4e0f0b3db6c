"""Reads a topic: its key, and each subscription, whether the template defines it or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..facts import Attributes, Subscription, Topic, TopicNoun, Unknown, name_of
from .keys import gather_key
from .sources import Sources

Listed = Sequence[Mapping[str, str]]


def gather_topic(
    sources: Sources, noun: TopicNoun, arn: str, *, of_queue: str | None = None
) -> Topic:
    """Return the facts about a topic.

    Args:
        sources: The sources of facts.
        noun: Its role in the channel.
        arn: Its ARN.
        of_queue: The logical id of the channel's queue subscription.
    """
    sns = sources.aws.client("sns")
    attributes = sources.reader.read(
        "sns:GetTopicAttributes",
        lambda: dict(sns.get_topic_attributes(TopicArn=arn)["Attributes"]),
    )
    listed = _listed(sources, arn)
    subscriptions = _Subscriptions(sources, arn).all(
        [] if isinstance(listed, Unknown) else listed, of_queue
    )
    known = attributes if isinstance(attributes, dict) else {}
    return Topic(
        noun=noun,
        arn=arn,
        attributes=attributes,
        subscriptions=subscriptions,
        key=gather_key(sources, known.get("KmsMasterKeyId")),
        peak=sources.metrics.peak(name_of(arn))
        if any(subscription.is_mailbox for subscription in subscriptions)
        else None,
        unlisted=listed if isinstance(listed, Unknown) else None,
    )


def _listed(sources: Sources, arn: str) -> Listed | Unknown:
    sns = sources.aws.client("sns")
    pages = sns.get_paginator("list_subscriptions_by_topic")
    listed = sources.reader.read(
        "sns:ListSubscriptionsByTopic",
        lambda: [
            {name: str(value) for name, value in subscription.items()}
            for page in pages.paginate(TopicArn=arn)
            for subscription in page["Subscriptions"]
        ],
    )
    return [] if listed is None else listed


class _Subscriptions:
    def __init__(self, sources: Sources, topic_arn: str) -> None:
        self._sources = sources
        self._topic_arn = topic_arn

    def all(self, listed: Listed, of_queue: str | None) -> list[Subscription]:
        """Return the template's subscriptions, followed by any others that SNS lists."""
        left = list(listed)
        found = []
        stack = self._sources.stack
        for id in stack.of_type("AWS::SNS::Subscription"):
            properties = stack.properties(id)
            arn = stack.physical_ids[id]
            if self._topic_arn not in (
                stack.resolve(properties.get("TopicArn")),
                arn.rpartition(":")[0],
            ):
                continue
            protocol = str(properties.get("Protocol", ""))
            endpoint = stack.resolve(properties.get("Endpoint"))
            live = _same(left, arn, protocol, endpoint)
            if live is not None:
                left.remove(live)
                arn, endpoint = live["SubscriptionArn"], live["Endpoint"]
            found.append(
                Subscription(
                    protocol=protocol,
                    endpoint=endpoint,
                    arn=arn if arn.startswith("arn:") else None,
                    attributes=self._attributes(arn),
                    of_queue=id == of_queue,
                )
            )
        return found + [
            Subscription(
                protocol=live["Protocol"],
                endpoint=live["Endpoint"],
                arn=live["SubscriptionArn"],
                attributes=self._attributes(live["SubscriptionArn"]),
                declared=False,
            )
            for live in left
        ]

    def _attributes(self, arn: str) -> Attributes | Unknown | None:
        if not arn.startswith("arn:"):
            # SNS lists unconfirmed subscriptions with this text instead of an ARN.
            return {"PendingConfirmation": "true"} if arn == "PendingConfirmation" else None
        sns = self._sources.aws.client("sns")
        return self._sources.reader.read(
            "sns:GetSubscriptionAttributes",
            lambda: dict(sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]),
        )


def _same(
    listed: Listed, arn: str, protocol: str, endpoint: str | None
) -> Mapping[str, str] | None:
    """Return the listed subscription with the ARN, or else a new one of the same endpoint."""
    by_arn = (live for live in listed if live["SubscriptionArn"] == arn)
    anew = (
        live
        for live in listed
        if live["Protocol"] == protocol and endpoint is not None and _equal(live, endpoint)
    )
    return next(by_arn, None) or next(anew, None)


def _equal(live: Mapping[str, str], endpoint: str) -> bool:
    if live["Protocol"] in ("sqs", "lambda", "firehose"):
        return name_of(live["Endpoint"]) == name_of(endpoint)
    return live["Endpoint"] == endpoint
