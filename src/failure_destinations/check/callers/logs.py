"""CloudWatch Logs: subscriptions to one log group, or to all log groups of an account."""

from __future__ import annotations

from collections.abc import Mapping

from ..causes import Open
from ..resource import Resource
from ..values import items, mapping


def read_subscription_filter(resource: Resource) -> None:
    """Read a subscription filter, whose target may also be a stream.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
    """
    resource.calls(resource.properties.get("DestinationArn"), "logs", only_arns=True)


def read_account_policy(resource: Resource) -> None:
    """Read a subscription to all log groups of an account, whose document is JSON."""
    if not resource.is_text(resource.properties.get("PolicyType"), "subscription_filter_policy"):
        return
    for document in items(resource.properties.get("PolicyDocument")):
        if isinstance(document, Mapping) and "DestinationArn" in document:
            resource.calls(document["DestinationArn"], "logs", only_arns=True)
            continue
        for text in resource.known_texts(document):
            parsed = resource.parse_json(text)
            if parsed is None:
                resource.leaves_open(Open.POLICY_DOCUMENT_NOT_KNOWN)
            target = mapping(parsed).get("DestinationArn")
            if isinstance(target, str):
                resource.calls_text(target, "logs", only_arns=True)


CALLERS = {
    "AWS::Logs::SubscriptionFilter": read_subscription_filter,
    "AWS::Logs::AccountPolicy": read_account_policy,
}
