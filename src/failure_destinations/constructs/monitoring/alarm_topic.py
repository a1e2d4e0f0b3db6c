"""The topic that notifies people of alarms: separate from the channel's, and open to CloudWatch."""

from __future__ import annotations

import functools
from typing import Any

from aws_cdk import Annotations, Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from failure_destinations import names

from ..channel.wiring import Wiring
from ..keys import SEND, in_words, let_service_send
from ..mailbox_ids import mailbox_id
from ..refusals import check_one_resource, has_member, shown
from ..suppressions import ALARM_MAIL_HAS_NO_DLQ, TOPIC_HAS_NO_KEY, acknowledge, skip


def check_alarm_topic(topic: Any, channel_topic: sns.ITopic, name: str = "alarm_topic") -> None:
    """Raise ValueError for a topic to which alarms cannot or must not be sent.

    Args:
        topic: The topic; None for one that this library defines.
        channel_topic: The channel's topic.
        name: The parameter.
    """
    if topic is None:
        return
    if not has_member(topic, "topic_arn"):
        raise ValueError(
            f"{name} must be an aws_sns.ITopic, got {shown(topic)}: pass the construct"
        )
    check_one_resource(name, topic, topic.topic_arn)
    if topic.fifo:
        raise ValueError(
            f"{name} must be a standard topic, got FIFO topic {shown(topic.node.path)}: "
            "mailboxes cannot subscribe to FIFO topics"
        )
    if topic is channel_topic:
        raise ValueError(
            f"{name} must not be the channel's topic, got {shown(topic.node.path)}: its messages "
            "would land in the queue of failed events; leave it out for a topic of its own"
        )


def define_alarm_topic(scope: Construct, wiring: Wiring, id: str = names.ALARM_TOPIC) -> sns.Topic:
    """Define a topic that is encrypted like the channel, and subscribe the channel's mailboxes.

    Args:
        scope: The construct to define it in.
        wiring: The channel's wiring.
        id: Its construct id.
    """
    if wiring.given_key is not None:
        _let_cloudwatch_use(scope, wiring.given_key, "encryption_key of the channel")
    topic = sns.Topic(scope, id, enforce_ssl=True, master_key=wiring.key)
    if wiring.key is None:
        skip(topic, TOPIC_HAS_NO_KEY)
    _let_cloudwatch_publish(topic)
    wiring.mailboxes.observe(functools.partial(_subscribe_mailbox, scope, topic))
    return topic


def note_silence(scope: Construct, wiring: Wiring, topic: sns.ITopic, info: str, text: str) -> None:
    """Add an info if nobody is subscribed to an alarm topic; only those known here count.

    Args:
        scope: The construct that gets the info.
        wiring: The channel's wiring.
        topic: A topic of `define_alarm_topic`.
        info: The info's id.
        text: What it says.
    """
    subscribed = (isinstance(each, sns.Subscription) for each in topic.node.children)
    if not list(wiring.mailboxes) and not any(subscribed):
        Annotations.of(scope).add_info_v2(f"failure-destinations:{info}", text)


def use_alarm_topic(scope: Construct, topic: sns.ITopic, name: str = "alarm_topic") -> None:
    """Let CloudWatch publish to a given topic, or warn if its policy cannot be changed here.

    Args:
        scope: The construct that gets the warning.
        topic: The topic.
        name: The parameter.
    """
    if not _let_cloudwatch_publish(topic):
        _warn(
            scope,
            "imported-alarm-topic",
            f"{name} is imported, so its policy cannot be changed here: allow "
            "cloudwatch.amazonaws.com to use sns:Publish in that policy, or alarms notify nobody.",
        )
    if topic.master_key is not None:
        _let_cloudwatch_use(scope, topic.master_key, f"the key of {name}")


def _subscribe_mailbox(scope: Construct, topic: sns.Topic, address: str) -> None:
    # No dead-letter queue: the channel's is for events, and has an alarm of its own.
    subscription = sns.Subscription(
        scope,
        mailbox_id(scope, address),
        topic=topic,
        protocol=sns.SubscriptionProtocol.EMAIL,
        endpoint=address,
    )
    acknowledge(subscription, ALARM_MAIL_HAS_NO_DLQ)


def _let_cloudwatch_use(scope: Construct, key: kms.IKey, name: str) -> None:
    # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
    if not let_service_send(key, _cloudwatch_service()):
        _warn(
            scope,
            "imported-alarm-key",
            f"{name} is imported, so its policy cannot be changed here: allow "
            f"cloudwatch.amazonaws.com to use {in_words(SEND)} in that policy, or alarms notify "
            "nobody.",
        )


def _let_cloudwatch_publish(topic: sns.ITopic) -> bool:
    """Let the alarms of this account and Region publish; return whether that was possible.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
    """
    alarms = f"arn:{Aws.PARTITION}:cloudwatch:{Aws.REGION}:{Aws.ACCOUNT_ID}:alarm:*"
    added = topic.add_to_resource_policy(
        iam.PolicyStatement(
            actions=["sns:Publish"],
            principals=[_cloudwatch_service()],
            resources=[topic.topic_arn],
            conditions={
                "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
                "ArnLike": {"aws:SourceArn": alarms},
            },
        )
    )
    return added.statement_added


@functools.cache
def _cloudwatch_service() -> iam.ServicePrincipal:
    return iam.ServicePrincipal("cloudwatch.amazonaws.com")


def _warn(scope: Construct, name: str, text: str) -> None:
    Annotations.of(scope).add_warning_v2(f"failure-destinations:{name}", text)
