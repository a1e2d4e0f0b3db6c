"""Whatever a parameter of a construct is given, it is accepted or refused in one readable line."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_scheduler import ScheduleExpression

from failure_destinations import (
    FailureChannel,
    FailureDestinationCheck,
    FailureMonitoring,
    FailureNotifiedFunction,
    FailureNotifier,
    FailureReplayer,
    FailureWatchdog,
    MonitoringThresholds,
    Webhook,
)
from tests.conftest import define_handler

MAX_MESSAGE = 600

# What people put where something else belongs. Each is made in a stack of its own.
VALUES: Mapping[str, Callable[[cdk.Stack], Any]] = {
    "number parameter": lambda stack: cdk.CfnParameter(stack, "P", type="Number"),
    "text parameter": lambda stack: cdk.CfnParameter(stack, "P"),
    "number token": lambda stack: cdk.CfnParameter(stack, "P", type="Number").value_as_number,
    "text token": lambda stack: cdk.CfnParameter(stack, "P").value_as_string,
    "list token": lambda stack: (
        cdk.CfnParameter(stack, "P", type="CommaDelimitedList").value_as_list
    ),
    "resolvable": lambda _: cdk.Token.as_any({"Ref": "AWS::Region"}),
    "stack": lambda stack: stack,
    "app": lambda stack: stack.node.root,
    "duration": lambda _: cdk.Duration.hours(1),
    "queue": lambda stack: sqs.Queue(stack, "Q"),
    "class": lambda _: lambda_.Function,
    "long text": lambda _: "x" * 70_000,
    "hostile text": lambda _: "::error::\x1b]0;\u202e\x85\n'",
    "long list": lambda _: list(range(100_000)),
    "nested": lambda _: {"a": [{"b": ("c",) * 10_000}] * 1000},
    "long number": lambda _: 10**5000,
    "infinity": lambda _: math.inf,
    "nan": lambda _: math.nan,
    "bytes": lambda _: b"\xff" * 10_000,
    "bool": lambda _: True,
    "empty": lambda _: "",
    "broken repr": lambda _: BrokenRepr(),
}

SOME = ("number parameter", "list token", "stack", "long text", "hostile text", "long number")


class BrokenRepr:
    """An object that cannot even be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


def channel_of(stack: cdk.Stack) -> FailureChannel:
    """Define a channel."""
    return FailureChannel(stack, "Channel")


def notified(stack: cdk.Stack, **given: Any) -> None:
    """Define a notified function with a schedule."""
    settings: dict[str, Any] = {
        "handler": define_handler(stack),
        "schedule": ScheduleExpression.rate(cdk.Duration.hours(1)),
        **given,
    }
    FailureNotifiedFunction(stack, "Notified", **settings)


def channel(stack: cdk.Stack, **given: Any) -> None:
    """Define a channel."""
    FailureChannel(stack, "Channel", **given)


def attached(stack: cdk.Stack, **given: Any) -> None:
    """Attach a handler."""
    settings: dict[str, Any] = {"handler": define_handler(stack), **given}
    channel_of(stack).notify_failures_of(**settings)


def covered(stack: cdk.Stack, **given: Any) -> None:
    """Cover a scope."""
    channel_of(stack).cover(**{"scope": stack, **given})


def source(stack: cdk.Stack, **given: Any) -> None:
    """Give a queue a dead-letter queue."""
    settings: dict[str, Any] = {"queue": sqs.Queue(stack, "Source"), **given}
    channel_of(stack).dead_letter_queue_for(**settings)


def mailbox(stack: cdk.Stack, **given: Any) -> None:
    """Add a mailbox."""
    channel_of(stack).add_email(**given)


def subscriber(stack: cdk.Stack, **given: Any) -> None:
    """Add a subscriber."""
    channel_of(stack).add_subscription(**given)


def consumer(stack: cdk.Stack, **given: Any) -> None:
    """Let somebody consume."""
    channel_of(stack).grant_consume_failures(**given)


def monitoring(stack: cdk.Stack, **given: Any) -> None:
    """Define a monitoring."""
    FailureMonitoring(stack, "Monitoring", **{"channel": channel_of(stack), **given})


def watched(stack: cdk.Stack, **given: Any) -> None:
    """Watch a handler."""
    settings: dict[str, Any] = {"handler": define_handler(stack), **given}
    FailureMonitoring(stack, "Monitoring", channel=channel_of(stack)).watch(**settings)


def thresholds(stack: cdk.Stack, **given: Any) -> None:
    """Define a monitoring with thresholds."""
    monitoring(stack, thresholds=MonitoringThresholds(**given))


def replayer(stack: cdk.Stack, **given: Any) -> None:
    """Define a replayer."""
    FailureReplayer(stack, "Replayer", **{"channel": channel_of(stack), **given})


def notifier(stack: cdk.Stack, **given: Any) -> None:
    """Define a notifier."""
    FailureNotifier(stack, "Notifier", **{"channel": channel_of(stack), **given})


def webhook(stack: cdk.Stack, **given: Any) -> None:
    """Add a webhook."""
    secret = secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "team/slack")
    settings: dict[str, Any] = {"format": "json", "url": secret, **given}
    FailureNotifier(stack, "Notifier", channel=channel_of(stack)).add_webhook(Webhook(**settings))


def watchdog(stack: cdk.Stack, **given: Any) -> None:
    """Define a watchdog."""
    FailureWatchdog(stack, "Watchdog", **{"channel": channel_of(stack), **given})


def check(_: cdk.Stack, **given: Any) -> None:
    """Define a check."""
    FailureDestinationCheck(**given)


PARAMETERS: Mapping[Callable[..., None], tuple[str, ...]] = {
    notified: (
        "handler", "schedule", "payload", "retries", "max_event_age", "emails", "channel",
        "on_success", "delivery_retries", "max_delivery_age",
    ),
    channel: (
        "emails", "subscriptions", "topic", "queue", "retention", "encryption_key",
        "removal_policy", "keep_copies",
    ),
    attached: ("handler", "retries", "max_event_age", "on_success"),
    covered: ("scope", "retries", "max_event_age"),
    source: ("queue", "max_receive_count"),
    mailbox: ("address",),
    subscriber: ("subscription",),
    consumer: ("grantee",),
    monitoring: ("channel", "alarm_topic", "thresholds", "queue_retention"),
    watched: ("handler", "max_event_age", "schedule"),
    thresholds: (
        "failed_events_waiting", "oldest_event_age_percent", "dead_letter_events",
        "notifications_failed", "destination_delivery_failures", "dead_letter_errors",
        "async_event_age_percent", "invocations_dropped", "invocations_lost", "notifier_errors",
        "notice_age_seconds", "undelivered_notices", "source_dead_letters",
        "source_dead_letter_age_percent", "source_message_age_percent", "iterator_age_percent",
        "offset_lag", "batch_delivery_failures", "announcement_age_seconds", "announcements_lost",
    ),
    replayer: (
        "channel", "max_attempts", "backoff", "max_concurrency", "enabled", "removal_policy",
        "parked_alarm_threshold",
    ),
    notifier: (
        "channel", "emails", "chat", "webhooks", "every", "reminder", "payload", "removal_policy",
    ),
    webhook: ("format", "url"),
    watchdog: ("channel", "every", "notifier", "topic"),
    check: ("fail_on", "show"),
}  # fmt: skip


def define(app: cdk.App, use: Callable[..., None], parameter: str, value: str) -> str:
    """Give a parameter a value, and return what refuses it; empty if it is accepted."""
    stack = cdk.Stack(app, re.sub("[^a-z]", "-", value))
    given = VALUES[value](stack)
    try:
        use(stack, **{parameter: given})
    except ValueError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("use", "parameter"),
    [(use, parameter) for use, parameters in PARAMETERS.items() for parameter in parameters],
    ids=lambda item: item if isinstance(item, str) else item.__name__,
)
@pytest.mark.parametrize(
    "values", [SOME, pytest.param(tuple(VALUES), marks=pytest.mark.soak)], ids=["some", "all"]
)
def test_accepts_or_refuses_in_a_line(
    use: Callable[..., None], parameter: str, values: Collection[str]
) -> None:
    """What is accepted is synthesised; a refusal names the parameter and is short and printable."""
    app = cdk.App()
    for value in values:
        refusal = define(app, use, parameter, value)
        assert len(refusal) <= MAX_MESSAGE, (value, refusal[:MAX_MESSAGE])
        assert refusal.isprintable(), (value, refusal)
        assert refusal == "" or parameter.split("_", maxsplit=1)[0] in refusal, (value, refusal)


def imported_handler(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Attach whatever matches."""
    handler = lambda_.Function.from_function_attributes(
        stack,
        "Any",
        function_arn="arn:aws:lambda:eu-west-1:111122223333:function:*",
        role=define_handler(stack).role,
    )
    channel.notify_failures_of(handler)


def imported_topic(stack: cdk.Stack, _: FailureChannel) -> None:
    """Publish to whatever matches."""
    arn = "arn:aws:sns:eu-west-1:111122223333:fail*"
    FailureChannel(stack, "Other", topic=sns.Topic.from_topic_arn(stack, "Any", arn))


def imported_queue(stack: cdk.Stack, _: FailureChannel) -> None:
    """Send to whatever matches."""
    arn = "arn:aws:sqs:eu-west-1:111122223333:queue-?"
    FailureChannel(stack, "Other", queue=sqs.Queue.from_queue_arn(stack, "Any", arn))


def imported_key(stack: cdk.Stack, _: FailureChannel) -> None:
    """Use whatever key there is."""
    arn = "arn:aws:kms:eu-west-1:111122223333:key/*"
    FailureChannel(stack, "Other", encryption_key=kms.Key.from_key_arn(stack, "Any", arn))


def imported_alarm_topic(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Notify whoever listens."""
    arn = "arn:aws:sns:eu-west-1:111122223333:*"
    topic = sns.Topic.from_topic_arn(stack, "Any", arn)
    FailureMonitoring(stack, "Monitoring", channel=channel, alarm_topic=topic)


@pytest.mark.parametrize(
    "use",
    [imported_handler, imported_topic, imported_queue, imported_key, imported_alarm_topic],
)
def test_rejects_wildcards_in_imported_arns(
    stack: cdk.Stack, use: Callable[[cdk.Stack, FailureChannel], None]
) -> None:
    """Permissions for such an ARN would cover every resource that matches."""
    with pytest.raises(ValueError, match="must be one resource, got 'Stack/Any'"):
        use(stack, channel_of(stack))
