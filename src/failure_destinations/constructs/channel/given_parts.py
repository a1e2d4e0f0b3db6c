"""Checks the topic, queue, key and subscriptions that a channel is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs

from ..refusals import check_one_resource, fifo_name, has_member, shown


def check_subscriptions(subscriptions: Any) -> None:
    """Raise ValueError if these are not SNS subscriptions."""
    if isinstance(subscriptions, (str, bytes)) or not isinstance(subscriptions, Sequence):
        raise ValueError(
            f"subscriptions must be a list, got {shown(subscriptions)}: write [subscription]"
        )
    for subscription in subscriptions:
        # A Lambda destination has a `bind` too.
        kind = type(subscription).__module__
        if not has_member(subscription, "bind") or kind == "aws_cdk.aws_lambda_destinations":
            raise ValueError(
                "subscriptions must hold aws_sns_subscriptions, "
                f"got {shown(subscription)}: write for example UrlSubscription(url)"
            )


def check_subscribed(subscription: sns.Subscription) -> None:
    """Raise ValueError for a FIFO queue, which is only visible once the subscription is bound."""
    resource = cast(sns.CfnSubscription, subscription.node.default_child)
    if (name := fifo_name(resource.endpoint or "")) is not None:
        raise ValueError(
            f"subscriptions must not be for FIFO queues, got {shown(name)}: "
            "a standard topic cannot send to FIFO queues"
        )


def check_key(key: Any) -> None:
    """Raise ValueError if this is not a key, or is an alias of one."""
    if key is None:
        return
    if not has_member(key, "key_arn"):
        way_out = (
            "pass Key.from_key_arn(…) of its attr_arn"
            if isinstance(key, kms.CfnKey)
            else "pass the construct, or Key.from_key_arn(…) for an existing one"
        )
        raise ValueError(f"encryption_key must be an aws_kms.IKey, got {shown(key)}: {way_out}")
    check_one_resource("encryption_key", key, key.key_arn)
    if has_member(key, "alias_name"):
        raise ValueError(
            f"encryption_key must be the key itself, got alias {shown(key.alias_name)}: "
            "permissions for an alias let nobody use its key; pass the key, or "
            "Key.from_key_arn(…)"
        )


def check_topic(topic: Any) -> None:
    """Raise ValueError if Lambda cannot send failures to this topic."""
    if topic is None:
        return
    if not has_member(topic, "topic_arn"):
        way_out = (
            "pass Topic.from_topic_arn(…) of its ref"
            if isinstance(topic, sns.CfnTopic)
            else "pass the construct"
        )
        raise ValueError(f"topic must be an aws_sns.ITopic, got {shown(topic)}: {way_out}")
    check_one_resource("topic", topic, topic.topic_arn)
    if topic.fifo or fifo_name(topic.topic_arn) is not None:
        raise ValueError(
            f"topic must be a standard topic, got FIFO topic {shown(topic.node.path)}: "
            "Lambda cannot send failures to FIFO topics"
        )


def check_queue(queue: Any) -> None:
    """Raise ValueError if SNS cannot send to this queue."""
    if queue is None:
        return
    if not has_member(queue, "queue_arn"):
        way_out = (
            "pass Queue.from_queue_arn(…) of its attr_arn"
            if isinstance(queue, sqs.CfnQueue)
            else "pass the construct"
        )
        raise ValueError(f"queue must be an aws_sqs.IQueue, got {shown(queue)}: {way_out}")
    check_one_resource("queue", queue, queue.queue_arn)
    if queue.fifo or fifo_name(queue.queue_arn) is not None:
        raise ValueError(
            f"queue must be a standard queue, got FIFO queue {shown(queue.node.path)}: "
            "a standard SNS topic cannot send to FIFO queues"
        )
    if queue.encryption_type is sqs.QueueEncryption.KMS_MANAGED:
        raise ValueError(
            f"queue must not use SQS's own KMS key, got {shown(queue.node.path)}: SNS may not use "
            "that key; encrypt the queue with QueueEncryption.SQS_MANAGED or a key of yours"
        )
