"""SNS: subscriptions of functions to topics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..model import NOWHERE, Destination
from ..references import DELIVERIES
from ..resource import Resource
from ..values import intrinsic, items, mapping, members


def read_subscription(resource: Resource) -> None:
    """Read a subscription: SNS queues the message with Lambda.

    https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
    """
    topics = resource.known_texts(resource.properties.get("TopicArn"))
    _read(resource, resource.properties, _dead_letter(resource), resource.origin(topics))


def read_topic(resource: Resource) -> None:
    """Read the subscriptions inside a topic, which cannot have a dead-letter queue."""
    for subscription in items(resource.properties.get("Subscription")):
        _read(resource, mapping(subscription), NOWHERE)


def _read(
    resource: Resource,
    subscription: Mapping[str, Any],
    dead_letter: Destination,
    topic: str = "",
) -> None:
    protocols = resource.known_texts(subscription.get("Protocol"))
    is_sure = any(text.lower() == "lambda" for text in protocols)
    if is_sure or not all(resource.marks.is_known(text) for text in protocols):
        resource.calls(
            subscription.get("Endpoint"),
            "sns",
            # An endpoint that is a function is called, whatever the protocol says.
            only_arns=not is_sure,
            is_sure=False,
            dead_letter=dead_letter,
            permitted=topic,
        )


def _dead_letter(resource: Resource) -> Destination:
    return resource.dead_letter(list(_targets(resource)), DELIVERIES, sender="sns")


def _targets(resource: Resource) -> Iterator[Any]:
    for policy in items(resource.properties.get("RedrivePolicy")):
        if isinstance(policy, Mapping) and intrinsic(policy) is None:
            yield from members(policy, "deadLetterTargetArn")
            continue
        # CloudFormation accepts JSON text too.
        for text in resource.known_texts(policy):
            parsed = resource.parse_json(text)
            # What is not known may name a queue.
            is_open = parsed is None and bool(resource.marks.of(text))
            yield from [policy] if is_open else members(parsed, "deadLetterTargetArn")


CALLERS = {"AWS::SNS::Subscription": read_subscription, "AWS::SNS::Topic": read_topic}
