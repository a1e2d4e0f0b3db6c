"""Channels as facts, without an account: healthy, and with each thing that can be wrong.

The shapes are those of AWS's API reference for GetSubscriptionAttributes, GetTopicAttributes,
GetQueueAttributes, DescribeKey, GetKeyPolicy, GetFunctionConfiguration,
GetFunctionEventInvokeConfig, GetEventSourceMapping, DescribeAlarms and GetAlarmMuteRule.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, NamedTuple

from failure_destinations.doctor.facts import (
    Alarm,
    Channel,
    Copies,
    Copy,
    Handler,
    Key,
    Monitoring,
    MuteRule,
    Notifier,
    NotOffered,
    Permission,
    Queue,
    QueueNoun,
    Replayer,
    Subscription,
    Topic,
    Unknown,
    WebhookSecret,
)

ACCOUNT = "111122223333"
TOPIC = f"arn:aws:sns:eu-west-1:{ACCOUNT}:Failures-Topic"
ALARM_TOPIC = f"arn:aws:sns:eu-west-1:{ACCOUNT}:Monitoring-AlarmTopic"
ALARM_ARN = f"arn:aws:cloudwatch:eu-west-1:{ACCOUNT}:alarm:FailedEventsWaiting"
KEY_ARN = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ROLE = "AROAEXAMPLEROLEIDXYZ1"
UUID = "14e0db71-5d35-4eb5-b481-8945cf9d10c2"
MAILBOX = "developer@example.com"
NOW = datetime(2026, 11, 2, 3, 3, tzinfo=timezone.utc)
DENIED = Unknown("kms:GetKeyPolicy")
SAME_ACCOUNT: dict[str, Any] = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
FIFO = f"{TOPIC}.fifo"
DAY = 86_400


def queue(noun: QueueNoun, name: str, **changed: Any) -> Queue:
    """Return a healthy queue, or one with other attributes and facts."""
    arn = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:{name}"
    send = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": TOPIC}},
    }
    attributes = {
        "QueueArn": arn,
        "Policy": json.dumps({"Version": "2012-10-17", "Statement": [send]}),
        "MessageRetentionPeriod": "1209600",
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
    }
    facts = {name: changed.pop(name) for name in list(changed) if name[0].islower()}
    url = f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/{name}"
    declared = {"declared": {"MessageRetentionPeriod": "1209600"}}
    return Queue(noun, url, {**attributes, **changed}, **{**declared, **facts})


QUEUE = queue("queue", "Failures-Queue")
DEAD_LETTERS = queue("dead-letter queue", "Failures-DeadLetterQueue")
COPIES = queue("copy queue", "Failures-CopyQueue")
PARKED = queue("parked queue", "Replayer-ParkedQueue")
NO_POLICY = json.dumps({"Version": "2012-10-17", "Statement": []})


def subscription(protocol: str, endpoint: str, **changed: str) -> Subscription:
    """Return a healthy subscription of the channel's topic, or one with other attributes."""
    attributes = {
        "SubscriptionArn": f"{TOPIC}:6b0e71bd-7e97-4d97-80ce-4a0994e55286",
        "Protocol": protocol,
        "Endpoint": endpoint,
        "PendingConfirmation": "false",
        "ConfirmationWasAuthenticated": "true",
        "RawMessageDelivery": "true" if protocol == "sqs" else "false",
        "RedrivePolicy": json.dumps({"deadLetterTargetArn": DEAD_LETTERS.arn}),
        **changed,
    }
    arn = attributes["SubscriptionArn"]
    return Subscription(protocol, endpoint, arn, attributes, of_queue=protocol == "sqs")


OF_QUEUE = subscription("sqs", QUEUE.arn or "")
OF_MAILBOX = subscription("email", MAILBOX)
PENDING = subscription("email", MAILBOX, PendingConfirmation="true")
BY_LINK = subscription("email", MAILBOX, ConfirmationWasAuthenticated="false")


def of_alarms(**attributes: str) -> list[Subscription]:
    """Return a mailbox of the alarm topic, which has no dead-letter queue."""
    known = {"Protocol": "email", "Endpoint": MAILBOX, "PendingConfirmation": "false"}
    return [Subscription("email", MAILBOX, f"{ALARM_TOPIC}:1", {**known, **attributes})]


def topic_policy(**changed: Any) -> dict[str, str]:
    """Return the attributes of a topic that CloudWatch may publish to, or other ones."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": ALARM_TOPIC,
        "Condition": SAME_ACCOUNT,
        **changed,
    }
    return {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})}


def key_policy(principal: str = "sns.amazonaws.com", **condition: Any) -> dict[str, Any]:
    """Return a key's policy that lets a service use it, on a condition."""
    delegate = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    return {
        "Statement": [
            {"Effect": "Allow", "Principal": delegate, "Action": "kms:*", "Resource": "*"},
            {
                "Effect": "Allow",
                "Principal": {"Service": principal},
                "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
                "Resource": "*",
                "Condition": condition,
            },
        ]
    }


OWNERS_POLICY = {"Statement": key_policy()["Statement"][:1]}


def key(policy: Any, state: str = "Enabled") -> Key:
    """Return a customer's key."""
    metadata = {"Arn": KEY_ARN, "KeyState": state, "KeyManager": "CUSTOMER"}
    return Key(KEY_ARN, metadata, policy)


LIVE = {
    "AlarmName": "FailedEventsWaiting",
    "AlarmArn": ALARM_ARN,
    "AlarmDescription": "Failed events wait in the queue. See them.",
    "ActionsEnabled": True,
    "OKActions": [],
    "AlarmActions": [ALARM_TOPIC],
    "StateValue": "INSUFFICIENT_DATA",
    "StateReason": "Unchecked: Initial alarm creation",
    "StateUpdatedTimestamp": datetime(2026, 11, 2, 4, 0, tzinfo=timezone.utc),
    "StateTransitionedTimestamp": datetime(2026, 11, 2, 3, 3, tzinfo=timezone.utc),
    "MetricName": "ApproximateNumberOfMessagesVisible",
    "Namespace": "AWS/SQS",
    "Statistic": "Maximum",
    "Dimensions": [{"Name": "QueueName", "Value": "Failures-Queue"}],
    "Period": 60,
    "EvaluationPeriods": 1,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    "Threshold": 1.0,
}
DECLARED = {name: LIVE[name] for name in ("AlarmName", "MetricName", "Namespace", "Statistic")} | {
    "Period": 60,
    "EvaluationPeriods": 1,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    "Threshold": 1,
}
ALARM = Alarm(
    "Monitoring/FailedEventsWaiting", "FailedEventsWaiting", LIVE, DECLARED, [ALARM_TOPIC]
)
WATCH = ALARM.name
NIGHTLY = MuteRule("Nightly", True, "cron(0 2 * * *)", "PT4H", [WATCH])
PUBLISH = Permission("sns:Publish", TOPIC, "topic")
USE_KEY = [Permission(f"kms:{each}", KEY_ARN, "topic") for each in ("Decrypt", "GenerateDataKey")]
SEND = Permission("sqs:SendMessage", COPIES.arn or "", "copy queue")
HANDLER = Handler(
    function="orders",
    qualifier="live",
    config={"MaximumRetryAttempts": 1, "DestinationConfig": {"OnFailure": {"Destination": TOPIC}}},
    settings={
        "Role": f"arn:aws:iam::{ACCOUNT}:role/service-role/orders-role",
        "DeadLetterConfig": {"TargetArn": COPIES.arn},
    },
    destination_exists=True,
    needed=[PUBLISH, *USE_KEY, SEND],
    declares_copies=True,
    role_id=ROLE,
)
OF_ALARMS = Topic("alarm topic", ALARM_TOPIC, topic_policy(), of_alarms())
CHANNEL = Channel(
    stack="Reports",
    path="Failures",
    topic=Topic("topic", TOPIC, {"TopicArn": TOPIC}, [OF_QUEUE, OF_MAILBOX], peak=3.0),
    queue=QUEUE,
    dead_letter_queue=DEAD_LETTERS,
    copy_queue=COPIES,
    handlers=[HANDLER],
    replayers=[Replayer("Replayer", {"UUID": UUID, "State": "Enabled"}, True, PARKED)],
    monitoring=Monitoring("Monitoring", OF_ALARMS, [ALARM]),
    copies=Copies((), 0),
)

NOTIFIER_TOPIC = f"arn:aws:sns:eu-west-1:{ACCOUNT}:Notifier-Topic"
NOTICES = queue("notifier's queue", "Notifier-NoticeQueue")
SECRET_ARN = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:team/slack-a1b2c3"
SECRET = WebhookSecret(
    webhook="1 (slack)",
    store="secret",
    name="team/slack",
    live={"ARN": SECRET_ARN, "Name": "team/slack"},
    arn=SECRET_ARN,
    decision="allowed",
    role="Notifier-WebhookRole",
)
PARAMETER = dataclasses.replace(
    SECRET,
    webhook="2 (json)",
    store="parameter",
    name="/team/json",
    live={"Name": "/team/json", "Type": "SecureString"},
    arn=f"arn:aws:ssm:eu-west-1:{ACCOUNT}:parameter/team/json",
)
SCHEDULE = {
    "Name": "Notifier-Schedule",
    "GroupName": "default",
    "Arn": f"arn:aws:scheduler:eu-west-1:{ACCOUNT}:schedule/default/Notifier-Schedule",
    "ScheduleExpression": "rate(1 minute)",
    "ScheduleExpressionTimezone": "UTC",
    "FlexibleTimeWindow": {"Mode": "OFF"},
    "State": "ENABLED",
    "CreationDate": NOW,
    "Target": {"Arn": NOTICES.arn, "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/r", "Input": "{}"},
}


def undelivered(**changed: Any) -> Queue:
    """Return a notifier's dead-letter queue, to which two topics send."""
    noun: QueueNoun = "notifier's dead-letter queue"
    policy = {
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": f"arn:aws:sqs:eu-west-1:{ACCOUNT}:Notifier-DeadLetterQueue",
                "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
            }
            for topic in (TOPIC, NOTIFIER_TOPIC)
        ]
    }
    known = {"Policy": json.dumps(policy), **changed}
    return queue(noun, "Notifier-DeadLetterQueue", **known)


NOTIFIER = Notifier(
    path="Notifier",
    topic=Topic(
        "notifier's topic", NOTIFIER_TOPIC, {"TopicArn": NOTIFIER_TOPIC}, [OF_MAILBOX], peak=1.0
    ),
    queue=NOTICES,
    dead_letter_queue=undelivered(),
    mapping={"UUID": UUID, "State": "Enabled"},
    schedule=SCHEDULE,
    webhooks=[SECRET, PARAMETER],
)

Facts = Mapping[str, Any]
"""Facts of the channel that are other than in a healthy one."""


def topic(**changed: Any) -> Facts:
    """Return the channel's topic with other facts."""
    return {"topic": dataclasses.replace(CHANNEL.topic, **changed)}


def handler(**changed: Any) -> Facts:
    """Return the channel's handler with other facts."""
    return {"handlers": [dataclasses.replace(HANDLER, **changed)]}


def replayer(state: str, *, declared: bool = True) -> Facts:
    """Return the channel's replayer with its event source mapping in a state."""
    return {"replayers": [Replayer("Replayer", {"UUID": UUID, "State": state}, declared, PARKED)]}


def monitoring(**changed: Any) -> Facts:
    """Return the channel's monitoring with other facts."""
    assert CHANNEL.monitoring is not None
    return {"monitoring": dataclasses.replace(CHANNEL.monitoring, **changed)}


def alarm(**live: Any) -> Facts:
    """Return the monitoring's alarm with other attributes."""
    return monitoring(alarms=[dataclasses.replace(ALARM, live={**LIVE, **live})])


def alarm_topic(**changed: Any) -> Facts:
    """Return the monitoring's topic with other facts."""
    return monitoring(topic=dataclasses.replace(OF_ALARMS, **changed))


def notifier(**changed: Any) -> Facts:
    """Return a notifier of the channel, healthy or with other facts."""
    return {"notifiers": [dataclasses.replace(NOTIFIER, **changed)]}


def webhook(secret: WebhookSecret = SECRET, **changed: Any) -> Facts:
    """Return a notifier with one webhook, whose secret has other facts."""
    return notifier(webhooks=[dataclasses.replace(secret, **changed)])


def notifiers_topic(**changed: Any) -> Facts:
    """Return a notifier whose topic has other facts."""
    assert NOTIFIER.topic is not None
    return notifier(topic=dataclasses.replace(NOTIFIER.topic, **changed))


def durable(**changed: Any) -> Facts:
    """Return a durable function, whose failures come through its own dead-letter queue."""
    facts = {"settings": DURABLE, "config": None, "is_forwarded": True, "forwarder": FORWARDER}
    return handler(**{**facts, **changed})


def keyed(policy: Any, state: str = "Enabled") -> Facts:
    """Return the channel's queue with a key."""
    return {"queue": dataclasses.replace(QUEUE, key=key(policy, state))}


def copy(number: int, size: int, role: str | None = ROLE, session: str | None = "orders") -> Copy:
    """Return a copy that a session sent."""
    id = f"{number}" * 8 + "-1111-4111-8111-111111111111"
    return Copy(id, size, NOW, role, session)


LARGE = copy(1, 262_000)
SMALL = copy(2, 200)
FORGED = copy(3, 262_000, role="AROAANOTHERROLE", session="orders")
BY_USER = copy(4, 262_000, role=None, session=None)


class Case(NamedTuple):
    """Facts of which some are other than in a healthy channel, and the one finding of them."""

    severity: str
    kind: str
    facts: Facts


def parked(count: int) -> Facts:
    """Return the channel's replayer with parked events."""
    full = queue("parked queue", "p", ApproximateNumberOfMessagesNotVisible=str(count))
    return {"replayers": [Replayer("Replayer", {"UUID": UUID, "State": "Enabled"}, True, full)]}


DURABLE = {**HANDLER.settings, "DurableConfig": {"ExecutionTimeout": 3600}}  # type: ignore[dict-item]
FORWARDER = {"UUID": UUID, "State": "Enabled"}
AWS_KEY = Key("alias/aws/sqs", {"KeyManager": "AWS"}, None)
SHORT = {"MessageRetentionPeriod": "3600"}
CASES = [
    Case("info", "no-handlers", {"handlers": []}),
    Case("unknown", "no-handlers", {"unlisted": DENIED}),
    Case("unknown", "no-handlers", {"handlers": [], "unlisted": DENIED}),
    Case("error", "handler-missing", handler(settings=None)),
    Case("error", "handler-destination", handler(config=None)),
    Case("error", "handler-destination", handler(config={"MaximumRetryAttempts": 1})),
    Case("error", "handler-destination", handler(destination_exists=False)),
    Case("error", "handler-destination", handler(settings=DURABLE)),
    Case("unknown", "handler-destination", handler(settings=DURABLE, is_forwarded=DENIED)),
    Case("error", "handler-destination", durable(forwarder=None)),
    Case("error", "handler-destination", durable(forwarder={**FORWARDER, "State": "Disabled"})),
    Case("unknown", "handler-destination", durable(forwarder=DENIED)),
    Case("error", "handler-permission", handler(denied=[PUBLISH])),
    Case("error", "handler-permission", handler(denied=USE_KEY[:1])),
    Case("error", "handler-permission", handler(denied=[PUBLISH, *USE_KEY])),
    Case("warning", "handler-copy-permission", handler(denied=[SEND])),
    Case("unknown", "handler-permission", handler(denied=DENIED)),
    Case("warning", "handler-copies", handler(settings={"Role": "arn:aws:iam::1:role/orders"})),
    Case(
        "info",
        "handler-copies",
        handler(settings={"DeadLetterConfig": {"TargetArn": "x"}}, declares_copies=False),
    ),
    Case("error", "topic-missing", topic(attributes=None)),
    Case("info", "nobody-subscribed", topic(subscriptions=[OF_QUEUE])),
    Case("info", "mail-storm", topic(peak=11.0)),
    Case("warning", "mail-storm", topic(peak=601.0)),
    Case("error", "subscription-pending", topic(subscriptions=[OF_QUEUE, PENDING])),
    Case("info", "subscription-by-link", topic(subscriptions=[OF_QUEUE, BY_LINK])),
    Case(
        "error",
        "subscription-deleted",
        topic(subscriptions=[OF_QUEUE, dataclasses.replace(OF_MAILBOX, attributes=None)]),
    ),
    Case(
        "error",
        "subscription-filter",
        topic(subscriptions=[subscription("sqs", "q", FilterPolicy='{"a": ["b"]}'), OF_MAILBOX]),
    ),
    Case(
        "warning",
        "subscription-not-raw",
        topic(subscriptions=[subscription("sqs", "q", RawMessageDelivery="false"), OF_MAILBOX]),
    ),
    Case(
        "error",
        "subscription-no-dead-letters",
        topic(subscriptions=[subscription("sqs", "q", RedrivePolicy="{}"), OF_MAILBOX]),
    ),
    Case(
        "warning",
        "subscription-no-dead-letters",
        topic(subscriptions=[OF_QUEUE, subscription("email", MAILBOX, RedrivePolicy="{}")]),
    ),
    Case("error", "queue-missing", {"queue": Queue("queue", QUEUE.url, None)}),
    Case("error", "queue-policy", {"queue": queue("queue", "q", Policy=NO_POLICY)}),
    Case("error", "queue-fifo", {"queue": queue("queue", "Failures.fifo")}),
    Case("error", "key-of-aws", {"queue": dataclasses.replace(QUEUE, key=AWS_KEY)}),
    Case("error", "key-disabled", keyed(key_policy(), "PendingDeletion")),
    Case("error", "key-disabled", keyed(key_policy(), "deleted")),
    Case("error", "key-disabled", topic(key=key(key_policy(), "Disabled"))),
    Case("error", "key-policy", keyed(OWNERS_POLICY)),
    Case("error", "key-policy", keyed(key_policy(StringEquals={"aws:SourceAccount": "9"}))),
    Case("unknown", "key-policy", keyed(key_policy(StringEquals={"aws:SourceOrgID": "o-1"}))),
    Case("unknown", "key-policy", keyed(DENIED)),
    Case("unknown", "key", topic(key=DENIED)),
    Case("info", "retention-short", {"queue": queue("queue", "q", declared=SHORT, **SHORT)}),
    Case("warning", "retention-short", {"queue": queue("queue", "q", declared={}, **SHORT)}),
    Case("warning", "retention-shortened", {"queue": queue("queue", "q", **SHORT)}),
    Case("info", "events-waiting", {"queue": queue("queue", "q", ApproximateNumberOfMessages="3")}),
    Case(
        "warning",
        "dead-letters",
        {"dead_letter_queue": queue("dead-letter queue", "q", ApproximateNumberOfMessages="3")},
    ),
    Case("warning", "events-parked", parked(2)),
    Case(
        "info",
        "events-expire",
        {
            "copy_queue": queue(
                "copy queue",
                "Failures-CopyQueue",
                ApproximateNumberOfMessages="1",
                oldest_seconds=13.0 * DAY,
            )
        },
    ),
    Case("warning", "replayer-off", replayer("Disabled")),
    Case("info", "replayer-off", replayer("Disabled", declared=False)),
    Case("error", "replayer-missing", {"replayers": [Replayer("R", None, True, PARKED)]}),
    Case("info", "copies-not-compared", {"copies": None}),
    Case("error", "copies-lost-on-the-way", {"copies": Copies([LARGE], 1)}),
    Case("info", "copies-without-record", {"copies": Copies([SMALL], 1)}),
    Case("unknown", "copies", {"copies": Copies([SMALL], 1, gap="2 hidden")}),
    Case("info", "copies-not-compared", {"copies": Copies([SMALL], 1, drained_by="r")}),
    Case("unknown", "copies", {"copies": DENIED}),
    Case("warning", "copies-not-trusted", {"copies": Copies([FORGED], 1)}),
    Case("warning", "copies-not-trusted", {"copies": Copies([BY_USER], 1)}),
    Case(
        "unknown",
        "copies-not-trusted",
        {"copies": Copies([LARGE], 1), **handler(role_id=Unknown("iam:GetRole"))},
    ),
    Case("error", "alarm-missing", monitoring(alarms=[dataclasses.replace(ALARM, live=None)])),
    Case(
        "error",
        "alarm-missing",
        monitoring(alarms=[dataclasses.replace(ALARM, live=None, declared=None)]),
    ),
    Case("unknown", "alarms", monitoring(alarms=[dataclasses.replace(ALARM, live=DENIED)] * 2)),
    Case("error", "alarm-without-action", alarm(AlarmActions=[])),
    Case("warning", "alarm-silenced", alarm(ActionsEnabled=False)),
    Case(
        "info",
        "alarm-silenced",
        monitoring(
            alarms=[
                dataclasses.replace(
                    ALARM, live={**LIVE, "ActionsEnabled": False}, declared_enabled=False
                )
            ]
        ),
    ),
    Case("warning", "alarm-muted", monitoring(mute_rules=[NIGHTLY])),
    Case("warning", "alarm-muted", monitoring(mute_rules=[NIGHTLY._replace(alarms=["a", WATCH])])),
    Case("info", "alarm-muted", monitoring(mute_rules=[NIGHTLY._replace(active=False)])),
    Case("info", "alarm-muted", monitoring(mute_rules=NotOffered("the installed boto3"))),
    Case("unknown", "alarm-muted", monitoring(mute_rules=DENIED)),
    Case("info", "alarm-ringing", alarm(StateValue="ALARM")),
    Case("error", "topic-missing", alarm_topic(attributes=None)),
    Case("unknown", "topic", alarm_topic(attributes=DENIED)),
    Case("error", "topic-fifo", alarm_topic(arn=f"{ALARM_TOPIC}.fifo")),
    Case("error", "topic-policy", alarm_topic(attributes=topic_policy(Effect="Deny"))),
    Case("error", "topic-policy", alarm_topic(attributes=topic_policy(Principal={"Service": "x"}))),
    Case(
        "error",
        "topic-policy",
        alarm_topic(
            attributes=topic_policy(Condition={"ArnLike": {"aws:SourceArn": f"{ALARM_ARN}x"}})
        ),
    ),
    Case(
        "unknown",
        "topic-policy",
        alarm_topic(attributes=topic_policy(Condition={"StringEquals": {"aws:SourceOrgID": "o"}})),
    ),
    Case(
        "error",
        "key-of-aws",
        alarm_topic(key=Key("alias/aws/sns", {"KeyManager": "AWS"}, None)),
    ),
    Case("error", "key-policy", alarm_topic(key=key(key_policy(**SAME_ACCOUNT)))),
    Case(
        "error",
        "key-disabled",
        alarm_topic(key=key(key_policy("cloudwatch.amazonaws.com", **SAME_ACCOUNT), "Disabled")),
    ),
    Case("warning", "nobody-subscribed", alarm_topic(subscriptions=[])),
    Case(
        "info",
        "nobody-subscribed",
        monitoring(alarms=[], topic=dataclasses.replace(OF_ALARMS, subscriptions=[])),
    ),
    Case("unknown", "nobody-subscribed", alarm_topic(subscriptions=[], unlisted=DENIED)),
    Case(
        "error",
        "subscription-pending",
        alarm_topic(subscriptions=of_alarms(PendingConfirmation="true")),
    ),
    Case(
        "error",
        "subscription-deleted",
        alarm_topic(subscriptions=[dataclasses.replace(of_alarms()[0], attributes=None)]),
    ),
    Case(
        "unknown",
        "subscription",
        alarm_topic(subscriptions=[dataclasses.replace(of_alarms()[0], attributes=DENIED)]),
    ),
    Case("warning", "mail-storm", alarm_topic(peak=601.0)),
    Case("error", "notifier-off", notifier(mapping={"UUID": UUID, "State": "Disabled"})),
    Case("error", "notifier-missing", notifier(mapping=None)),
    Case("unknown", "notifier", notifier(mapping=DENIED)),
    Case("warning", "notifier-asleep", notifier(schedule={**SCHEDULE, "State": "DISABLED"})),
    Case("error", "notifier-missing", notifier(schedule=None)),
    Case("unknown", "notifier", notifier(schedule=DENIED)),
    Case(
        "error",
        "queue-missing",
        notifier(queue=Queue("notifier's queue", NOTICES.url, None)),
    ),
    Case(
        "error",
        "queue-policy",
        notifier(queue=queue("notifier's queue", "q", Policy=NO_POLICY)),
    ),
    Case("error", "queue-policy", notifier(dead_letter_queue=undelivered(Policy=NO_POLICY))),
    Case(
        "warning",
        "notices-undelivered",
        notifier(dead_letter_queue=undelivered(ApproximateNumberOfMessages="2")),
    ),
    Case("unknown", "webhook", notifier(webhooks=DENIED)),
    Case("error", "webhook-secret", webhook(live=None)),
    Case("error", "webhook-secret", webhook(live={"ARN": SECRET_ARN, "DeletedDate": NOW})),
    Case("error", "webhook-secret", webhook(PARAMETER, live=None)),
    Case("error", "webhook-secret", webhook(PARAMETER, live={"Type": "String"})),
    Case("unknown", "webhook", webhook(live=DENIED)),
    Case("error", "webhook-permission", webhook(decision="implicitDeny")),
    Case("error", "webhook-permission", webhook(PARAMETER, decision="explicitDeny")),
    Case("unknown", "webhook-permission", webhook(decision=DENIED)),
    Case("error", "topic-missing", notifiers_topic(attributes=None)),
    Case("unknown", "topic", notifiers_topic(attributes=DENIED)),
    Case("warning", "nobody-subscribed", notifiers_topic(subscriptions=[])),
    Case("error", "subscription-pending", notifiers_topic(subscriptions=[PENDING])),
    Case("info", "subscription-by-link", notifiers_topic(subscriptions=[BY_LINK])),
    Case(
        "error",
        "subscription-deleted",
        notifiers_topic(subscriptions=[dataclasses.replace(OF_MAILBOX, attributes=None)]),
    ),
    Case(
        "warning",
        "subscription-no-dead-letters",
        notifiers_topic(subscriptions=[subscription("email", MAILBOX, RedrivePolicy="{}")]),
    ),
    Case("warning", "mail-storm", notifiers_topic(peak=601.0)),
]
