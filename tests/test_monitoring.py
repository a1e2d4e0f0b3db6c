"""FailureMonitoring: where alarms are defined, whom they notify, metrics and dashboard."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Annotations, Match
from aws_cdk.aws_scheduler import ScheduleExpression
from aws_cdk.aws_sns_subscriptions import EmailSubscription

from failure_destinations import (
    FailureChannel,
    FailureMonitoring,
    FailureNotifiedFunction,
    FailureNotifier,
    FailureWatchdog,
    MonitoringThresholds,
)

from .conftest import define_handler
from .templates import (
    Resource,
    assert_does_not_warn,
    assert_warns,
    listed,
    logical_id,
    only,
    resources_of,
)
from .test_refusals import refusal

COMMAND = re.compile(": (aws|failure-destinations) ")
EVERY_MINUTE = ScheduleExpression.rate(cdk.Duration.minutes(1))
TOPIC_ARN = "arn:aws:sns:eu-west-1:111122223333:operators"
QUEUE_ARN = "arn:aws:sqs:eu-west-1:111122223333:failures"

OF_A_CHANNEL = {
    "ApproximateNumberOfMessagesVisible",
    "ApproximateAgeOfOldestMessage",
    "NumberOfNotificationsFailed",
}
OF_A_HANDLER = {"DestinationDeliveryFailures", "DeadLetterErrors", "AsyncEventAge"}
OF_A_SCHEDULE = {"InvocationDroppedCount", "InvocationsFailedToBeSentToDeadLetterCount"}
ALL_OFF = MonitoringThresholds(*[None] * len(dataclasses.fields(MonitoringThresholds)))


@pytest.fixture
def channel(stack: cdk.Stack) -> FailureChannel:
    """A channel with a mailbox."""
    return FailureChannel(stack, "Channel", emails=["developer@example.com"])


@pytest.fixture
def monitoring(stack: cdk.Stack, channel: FailureChannel) -> FailureMonitoring:
    """The channel's monitoring."""
    return FailureMonitoring(stack, "Monitoring", channel=channel)


def alarms_of(stack: cdk.Stack, metric: str = "") -> list[Any]:
    """Return the properties of a stack's alarms, or of those on a metric."""
    alarms = [r["Properties"] for r in resources_of(stack, "AWS::CloudWatch::Alarm").values()]
    return [alarm for alarm in alarms if metric in ("", alarm["MetricName"])]


def metrics_of(stack: cdk.Stack) -> set[str]:
    """Return the metrics that a stack has alarms on."""
    return {alarm["MetricName"] for alarm in alarms_of(stack)}


def alarm_on(stack: cdk.Stack, metric: str, queue: Any = None) -> Any:
    """Return the properties of the one alarm on a metric, or on that metric of a queue."""
    dimension = {"Fn::GetAtt": [logical_id(stack, queue), "QueueName"]} if queue else None
    (alarm,) = (
        alarm
        for alarm in alarms_of(stack, metric)
        if dimension in (None, alarm["Dimensions"][0]["Value"])
    )
    return alarm


def text_of(value: Any) -> str:
    """Return a description with each reference replaced by its id."""
    if isinstance(value, str):
        return value
    if "Fn::Join" in value:
        return "".join(text_of(part) for part in value["Fn::Join"][1])
    return str(next(iter(value.values())))


def subscriptions_of(stack: cdk.Stack, topic: Any) -> list[Resource]:
    """Return the properties of a topic's subscriptions."""
    arn = {"Ref": logical_id(stack, topic)}
    subscriptions = resources_of(stack, "AWS::SNS::Subscription").values()
    return [s["Properties"] for s in subscriptions if s["Properties"]["TopicArn"] == arn]


def body_of(stack: cdk.Stack) -> Any:
    """Return the body of a stack's dashboard."""
    _, dashboard = only(stack, "AWS::CloudWatch::Dashboard")
    return json.loads(text_of(dashboard["DashboardBody"]))


@pytest.mark.usefixtures("monitoring")
def test_alarms_on_waiting_events(stack: cdk.Stack, channel: FailureChannel) -> None:
    """One failed event in the queue sets off an alarm until the queue is empty."""
    alarm = alarm_on(stack, "ApproximateNumberOfMessagesVisible", channel.queue)
    assert (alarm["Threshold"], alarm["Statistic"], alarm["Period"]) == (1, "Maximum", 60)
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert alarm["TreatMissingData"] == "ignore"


@pytest.mark.usefixtures("monitoring")
def test_alarms_on_dead_letters(stack: cdk.Stack, channel: FailureChannel) -> None:
    """One event in the dead-letter queue sets off an alarm."""
    alarm = alarm_on(stack, "ApproximateNumberOfMessagesVisible", channel.dead_letter_queue)
    assert (alarm["Threshold"], alarm["Statistic"], alarm["Period"]) == (1, "Maximum", 60)
    assert alarm["TreatMissingData"] == "ignore"


@pytest.mark.usefixtures("monitoring")
def test_alarms_before_sqs_deletes_events(stack: cdk.Stack, channel: FailureChannel) -> None:
    """An alarm goes off when the oldest event reaches 80 % of the queue's 14 days."""
    alarm = alarm_on(stack, "ApproximateAgeOfOldestMessage", channel.queue)
    assert alarm["Threshold"] == 14 * 24 * 60 * 60 * 0.8
    assert (alarm["Statistic"], alarm["TreatMissingData"]) == ("Maximum", "notBreaching")


@pytest.mark.usefixtures("monitoring")
def test_alarms_on_undelivered_notifications(stack: cdk.Stack, channel: FailureChannel) -> None:
    """A failure that the channel's topic cannot deliver sets off an alarm."""
    alarm = alarm_on(stack, "NumberOfNotificationsFailed")
    topic = {"Fn::GetAtt": [logical_id(stack, channel.topic), "TopicName"]}
    assert alarm["Dimensions"] == [{"Name": "TopicName", "Value": topic}]
    assert (alarm["Threshold"], alarm["Statistic"], alarm["Period"]) == (1, "Sum", 300)
    assert alarm["TreatMissingData"] == "notBreaching"


@pytest.mark.parametrize(
    ("retention", "threshold"), [(None, 276_480), (cdk.Duration.hours(1), 2_880)]
)
def test_takes_retention_from_a_given_queue(
    stack: cdk.Stack, retention: cdk.Duration | None, threshold: int
) -> None:
    """A queue of the app keeps events as defined, else 4 days, which is SQS's default."""
    queue = sqs.Queue(stack, "Queue", retention_period=retention)
    channel = FailureChannel(stack, "Channel", queue=queue)
    FailureMonitoring(stack, "Monitoring", channel=channel)
    assert alarm_on(stack, "ApproximateAgeOfOldestMessage")["Threshold"] == threshold


def test_takes_retention_of_an_imported_queue_from_the_user(stack: cdk.Stack) -> None:
    """Only the owner knows the retention of an imported queue."""
    queue = sqs.Queue.from_queue_arn(stack, "Queue", QUEUE_ARN)
    channel = FailureChannel(stack, "Channel", queue=queue)
    FailureMonitoring(
        stack, "Monitoring", channel=channel, queue_retention=cdk.Duration.seconds(1000)
    )
    assert alarm_on(stack, "ApproximateAgeOfOldestMessage")["Threshold"] == 800


@pytest.mark.parametrize("metric", ["DestinationDeliveryFailures", "DeadLetterErrors"])
def test_alarms_on_records_that_lambda_cannot_send(
    stack: cdk.Stack, channel: FailureChannel, handler: lambda_.Function, metric: str
) -> None:
    """A handler whose destination or dead-letter queue fails sets off an alarm."""
    channel.notify_failures_of(handler)
    FailureMonitoring(stack, "Monitoring", channel=channel)
    alarm = alarm_on(stack, metric)
    function = {"Ref": logical_id(stack, handler)}
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": function}]
    assert (alarm["Threshold"], alarm["Statistic"], alarm["Period"]) == (1, "Sum", 300)
    assert alarm["TreatMissingData"] == "notBreaching"


@pytest.mark.parametrize(
    ("max_event_age", "threshold"), [(None, 17_280_000), (cdk.Duration.minutes(10), 480_000)]
)
def test_alarms_before_lambda_gives_events_up(
    stack: cdk.Stack,
    channel: FailureChannel,
    handler: lambda_.Function,
    max_event_age: cdk.Duration | None,
    threshold: int,
) -> None:
    """An event that waited 80 % of the maximum age sets off an alarm (Lambda counts in ms)."""
    channel.notify_failures_of(handler, max_event_age=max_event_age)
    FailureMonitoring(stack, "Monitoring", channel=channel)
    alarm = alarm_on(stack, "AsyncEventAge")
    assert (alarm["Threshold"], alarm["Statistic"]) == (threshold, "Maximum")


def test_watches_what_is_called(
    stack: cdk.Stack, channel: FailureChannel, handler: lambda_.Function
) -> None:
    """An alias has its own metrics, under the dimension Resource."""
    channel.notify_failures_of(handler.add_alias("live"))
    FailureMonitoring(stack, "Monitoring", channel=channel)
    function = logical_id(stack, handler)
    dimensions = alarm_on(stack, "AsyncEventAge")["Dimensions"]
    assert {d["Name"]: text_of(d["Value"]) for d in dimensions} == {
        "FunctionName": function,
        "Resource": f"{function}:live",
    }


def test_watches_versions(
    stack: cdk.Stack, monitoring: FailureMonitoring, handler: lambda_.Function
) -> None:
    """A version's dimension has function and number, where CDK would write its ARN."""
    version = handler.current_version
    metric = monitoring.metric_async_event_age(version)
    assert stack.resolve(metric.dimensions) == {
        "FunctionName": {"Ref": logical_id(stack, handler)},
        "Resource": stack.resolve(f"{handler.function_name}:{version.version}"),
    }


def test_watches_handlers_attached_later(
    stack: cdk.Stack,
    channel: FailureChannel,
    monitoring: FailureMonitoring,
    handler: lambda_.Function,
) -> None:
    """Before or after the monitoring, every handler of the channel gets its alarms."""
    before = len(monitoring.alarms)
    channel.notify_failures_of(handler)
    assert len(monitoring.alarms) == before + 3
    assert metrics_of(stack) == OF_A_CHANNEL | OF_A_HANDLER


def test_watches_a_handler_outside_the_channel(
    stack: cdk.Stack, monitoring: FailureMonitoring, handler: lambda_.Function
) -> None:
    """A handler that the channel does not know is watched on request."""
    monitoring.watch(handler, max_event_age=cdk.Duration.seconds(100))
    assert alarm_on(stack, "AsyncEventAge")["Threshold"] == 80_000


def test_alarms_on_dropped_invocations(
    stack: cdk.Stack, channel: FailureChannel, handler: lambda_.Function
) -> None:
    """Dropped runs set off an alarm; runs that did not reach the dead-letter queue, another."""
    FailureNotifiedFunction(
        stack, "Notified", handler=handler, schedule=EVERY_MINUTE, channel=channel
    )
    FailureMonitoring(stack, "Monitoring", channel=channel)
    for metric in OF_A_SCHEDULE:
        alarm = alarm_on(stack, metric)
        assert alarm["Namespace"] == "AWS/Scheduler"
        assert alarm["Dimensions"] == [{"Name": "ScheduleGroup", "Value": "default"}]
        assert (alarm["Threshold"], alarm["Statistic"], alarm["Period"]) == (1, "Sum", 300)
        assert alarm["TreatMissingData"] == "notBreaching"


def test_watches_a_schedule_group_once(
    app: cdk.App, stack: cdk.Stack, channel: FailureChannel, monitoring: FailureMonitoring
) -> None:
    """All schedules of a group share one metric and one alarm, also those of other stacks."""
    stacks = [stack, cdk.Stack(app, "Other")]
    for each in stacks:
        handler = define_handler(each)
        FailureNotifiedFunction(
            each, "Notified", handler=handler, schedule=EVERY_MINUTE, channel=channel
        )
    dropped = [alarms_of(each, "InvocationDroppedCount") for each in stacks]
    assert [len(alarms) for alarms in dropped] == [1, 0]
    assert len(monitoring.alarms) == 4 + 2 + 3 + 3


def test_watches_a_schedule_group_of_your_own(
    app: cdk.App, stack: cdk.Stack, monitoring: FailureMonitoring
) -> None:
    """The alarms about a schedule group are defined beside the group."""
    schedules = cdk.Stack(app, "Schedules")
    group = scheduler.ScheduleGroup(schedules, "Group")
    handlers = [define_handler(schedules, id) for id in ("One", "Other")]
    for handler in handlers:
        schedule = scheduler.Schedule(
            schedules,
            f"{handler.node.id}Schedule",
            schedule=EVERY_MINUTE,
            target=targets.LambdaInvoke(handler),
            schedule_group=group,
        )
        monitoring.watch(handler, schedule=schedule)
    (alarm,) = alarms_of(schedules, "InvocationDroppedCount")
    assert alarm["Dimensions"][0]["Value"] == group.schedule_group_name
    assert metrics_of(stack) == OF_A_CHANNEL


def test_defines_no_schedule_alarm_without_a_schedule(
    stack: cdk.Stack, channel: FailureChannel, handler: lambda_.Function
) -> None:
    """Without a schedule there is no alarm about schedules."""
    channel.notify_failures_of(handler)
    FailureMonitoring(stack, "Monitoring", channel=channel)
    assert metrics_of(stack) & OF_A_SCHEDULE == set()


@pytest.mark.parametrize("attached_first", [True, False])
def test_watches_handlers_of_other_stacks(
    app: cdk.App, stack: cdk.Stack, channel: FailureChannel, attached_first: bool
) -> None:
    """A handler's alarms are in its stack, which refers to the channel's and never back."""
    handlers = cdk.Stack(app, "Handlers")
    if attached_first:
        channel.notify_failures_of(define_handler(handlers))
    FailureMonitoring(stack, "Monitoring", channel=channel)
    if not attached_first:
        channel.notify_failures_of(define_handler(handlers))
    app.synth()
    assert metrics_of(handlers) == OF_A_HANDLER
    assert metrics_of(stack) == OF_A_CHANNEL
    assert [dependency.node.id for dependency in handlers.dependencies] == ["Stack"]
    assert stack.dependencies == []


def test_watches_a_handler_that_another_stack_attaches(app: cdk.App, stack: cdk.Stack) -> None:
    """The alarms are in the construct's stack if the configuration is."""
    handlers = cdk.Stack(app, "Handlers")
    notified = FailureNotifiedFunction(stack, "Notified", handler=define_handler(handlers))
    FailureMonitoring(stack, "Monitoring", channel=notified.channel)
    app.synth()
    assert metrics_of(stack) == OF_A_CHANNEL | OF_A_HANDLER
    assert handlers.dependencies == []


def test_watches_from_a_stack_of_its_own(
    app: cdk.App, stack: cdk.Stack, channel: FailureChannel, handler: lambda_.Function
) -> None:
    """The monitoring's stack has all alarms and refers to the stack of channel and handler."""
    channel.notify_failures_of(handler)
    own = cdk.Stack(app, "Own")
    monitoring = FailureMonitoring(own, "Monitoring", channel=channel)
    app.synth()
    assert len(alarms_of(own)) == len(monitoring.alarms) == 7
    assert alarms_of(stack) == []
    assert stack.dependencies == []


def test_alarms_go_to_a_topic_of_their_own(
    stack: cdk.Stack,
    channel: FailureChannel,
    monitoring: FailureMonitoring,
    handler: lambda_.Function,
) -> None:
    """Every alarm notifies the alarm topic when it goes off, and nobody otherwise."""
    channel.notify_failures_of(handler)
    topic = {"Ref": logical_id(stack, monitoring.alarm_topic)}
    actions = [alarm["AlarmActions"] for alarm in alarms_of(stack)]
    assert actions == [[topic]] * 7
    assert [a for a in alarms_of(stack) if "OKActions" in a or "InsufficientDataActions" in a] == []


def test_notifies_the_channels_mailboxes(
    stack: cdk.Stack, channel: FailureChannel, monitoring: FailureMonitoring
) -> None:
    """People notified of failures are notified of alarms, also those added later."""
    channel.add_email("operator@example.com")
    subscriptions = subscriptions_of(stack, monitoring.alarm_topic)
    assert [(s["Protocol"], s["Endpoint"]) for s in subscriptions] == [
        ("email", "developer@example.com"),
        ("email", "operator@example.com"),
    ]


def test_keeps_alarm_messages_out_of_the_channels_queues(
    stack: cdk.Stack, monitoring: FailureMonitoring
) -> None:
    """No subscription of the alarm topic leads to a queue or has a dead-letter queue."""
    subscriptions = subscriptions_of(stack, monitoring.alarm_topic)
    assert [s for s in subscriptions if s["Protocol"] == "sqs" or "RedrivePolicy" in s] == []


def test_lets_alarms_publish(stack: cdk.Stack, monitoring: FailureMonitoring) -> None:
    """Alarms of this account and Region may publish; nobody may without TLS."""
    arn = {"Ref": logical_id(stack, monitoring.alarm_topic)}
    (statements,) = (
        resource["Properties"]["PolicyDocument"]["Statement"]
        for resource in resources_of(stack, "AWS::SNS::TopicPolicy").values()
        if resource["Properties"]["Topics"] == [arn]
    )
    denial, permission = sorted(
        statements, key=lambda statement: str(statement["Effect"] != "Deny")
    )
    source = permission["Condition"].pop("ArnLike")
    permission.pop("Sid")
    assert denial["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert permission == {
        "Action": "sns:Publish",
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Resource": arn,
        "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
    }
    assert text_of(source["aws:SourceArn"]) == (
        "arn:AWS::Partition:cloudwatch:AWS::Region:AWS::AccountId:alarm:*"
    )


def test_encrypts_the_alarm_topic_with_the_channels_key() -> None:
    """CloudWatch may use the key in any stack, and the key's stack refers to no other."""
    app = cdk.App()
    keys, stack = cdk.Stack(app, "Keys"), cdk.Stack(app, "Stack")
    channel = FailureChannel(stack, "Channel", encryption_key=kms.Key(keys, "Key"))
    monitoring = FailureMonitoring(stack, "Monitoring", channel=channel)
    app.synth()
    topic = resources_of(stack)[logical_id(stack, monitoring.alarm_topic)]
    assert "KmsMasterKeyId" in topic["Properties"]
    _, key = only(keys, "AWS::KMS::Key")
    statements = [
        statement
        for statement in key["KeyPolicy"]["Statement"]
        if "cloudwatch.amazonaws.com" in listed(statement["Principal"].get("Service"))
    ]
    assert statements == [
        {
            "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
            "Effect": "Allow",
            # With the flag `minimizePolicies`, the CDK merges it with the statement for SNS.
            "Principal": statements[0]["Principal"],
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
        }
    ]
    assert keys.dependencies == []


def test_warns_of_an_imported_key(stack: cdk.Stack) -> None:
    """The library cannot change the policy of an imported key, so a warning says so."""
    arn = "arn:aws:kms:eu-west-1:111122223333:key/12345678-1234-1234-1234-123456789012"
    channel = FailureChannel(
        stack, "Channel", encryption_key=kms.Key.from_key_arn(stack, "Key", arn)
    )
    FailureMonitoring(stack, "Monitoring", channel=channel)
    assert_warns(stack, "allow cloudwatch.amazonaws.com to use kms:Decrypt")


def test_alarms_go_to_a_given_topic(stack: cdk.Stack, channel: FailureChannel) -> None:
    """A given topic keeps its own subscribers, and CloudWatch may publish to it."""
    topic = sns.Topic(stack, "Operators", master_key=kms.Key(stack, "Key"))
    monitoring = FailureMonitoring(stack, "Monitoring", channel=channel, alarm_topic=topic)
    arn = {"Ref": logical_id(stack, topic)}
    assert monitoring.alarm_topic is topic
    assert [alarm["AlarmActions"] for alarm in alarms_of(stack)] == [[arn]] * 4
    assert subscriptions_of(stack, topic) == []
    principals = [
        statement["Principal"]
        for resource in resources_of(stack).values()
        for policy in ("PolicyDocument", "KeyPolicy")
        for statement in resource.get("Properties", {}).get(policy, {}).get("Statement", [])
    ]
    assert principals.count({"Service": "cloudwatch.amazonaws.com"}) == 2
    assert_does_not_warn(stack)


def test_warns_of_an_imported_alarm_topic(stack: cdk.Stack, channel: FailureChannel) -> None:
    """The library cannot change the policy of an imported topic, so a warning says so."""
    topic = sns.Topic.from_topic_arn(stack, "Operators", TOPIC_ARN)
    FailureMonitoring(stack, "Monitoring", channel=channel, alarm_topic=topic)
    assert_warns(stack, "alarm_topic is imported")


def test_shares_an_alarm_topic_with_another_monitoring(stack: cdk.Stack) -> None:
    """Two channels can notify the same people through one alarm topic, encrypted or not."""
    key = kms.Key(stack, "Key")
    one, other = (FailureChannel(stack, id, encryption_key=key) for id in ("One", "Other"))
    topic = FailureMonitoring(stack, "OneMonitoring", channel=one).alarm_topic
    FailureMonitoring(stack, "OtherMonitoring", channel=other, alarm_topic=topic)
    assert_does_not_warn(stack)
    assert len(resources_of(stack, "AWS::SNS::Topic")) == 3


def test_says_what_happened_and_which_command_to_run(
    stack: cdk.Stack, channel: FailureChannel, monitoring: FailureMonitoring
) -> None:
    """Every alarm describes itself and names a command, within 1,024 characters."""
    FailureNotifiedFunction(
        stack,
        "Notified",
        handler=define_handler(stack).add_alias("live"),
        schedule=EVERY_MINUTE,
        channel=channel,
    )
    FailureNotifier(stack, "Notifier", channel=channel)
    FailureWatchdog(stack, "Watchdog", channel=channel)
    texts = [text_of(alarm["AlarmDescription"]) for alarm in alarms_of(stack)]
    assert len(texts) == len(monitoring.alarms)
    assert [text for text in texts if not COMMAND.search(text) or len(text) > 700] == []


def test_names_the_queue_and_the_alias_in_commands(
    stack: cdk.Stack, channel: FailureChannel, handler: lambda_.Function
) -> None:
    """A command can be copied from the description and run."""
    channel.notify_failures_of(handler.add_alias("live"))
    FailureMonitoring(stack, "Monitoring", channel=channel)
    waiting = alarm_on(stack, "ApproximateNumberOfMessagesVisible", channel.queue)
    assert (
        "failure-destinations list --region AWS::Region "
        f"--queue {logical_id(stack, channel.queue)}, "
    ) in text_of(waiting["AlarmDescription"])
    failures = text_of(alarm_on(stack, "DestinationDeliveryFailures")["AlarmDescription"])
    assert f"--function-name {logical_id(stack, handler)} --qualifier live" in failures


@pytest.mark.parametrize(
    ("thresholds", "expected"),
    [
        ({"failed_events_waiting": 7}, 7),
        ({"oldest_event_age_percent": 50}, 604_800),
        ({"dead_letter_events": 7}, 7),
        ({"notifications_failed": 7}, 7),
        ({"destination_delivery_failures": 7}, 7),
        ({"dead_letter_errors": 7}, 7),
        ({"async_event_age_percent": 12.5}, 2_700_000),
        ({"invocations_dropped": 7}, 7),
        ({"invocations_lost": 7}, 7),
        ({"notifier_errors": 7}, 7),
        ({"notice_age_seconds": 77}, 77),
        ({"undelivered_notices": 7}, 7),
    ],
)
def test_sets_each_threshold_and_switches_the_others_off(
    stack: cdk.Stack, handler: lambda_.Function, thresholds: dict[str, Any], expected: float
) -> None:
    """Each alarm has its own threshold, and None leaves the alarm out."""
    notified = FailureNotifiedFunction(stack, "Notified", handler=handler, schedule=EVERY_MINUTE)
    FailureNotifier(stack, "Notifier", channel=notified.channel)
    FailureMonitoring(
        stack,
        "Monitoring",
        channel=notified.channel,
        thresholds=dataclasses.replace(ALL_OFF, **thresholds),
    )
    assert [alarm["Threshold"] for alarm in alarms_of(stack)] == [expected]


OF_A_NOTIFIER = {
    "Errors": 1,
    "ApproximateAgeOfOldestMessage": 900,
    "ApproximateNumberOfMessagesVisible": 1,
}


def notifiers_alarms(stack: cdk.Stack, notifier: FailureNotifier) -> dict[str, float]:
    """Return the metrics and thresholds of a stack's alarms about a notifier."""
    return {
        alarm["MetricName"]: alarm["Threshold"]
        for alarm in alarms_of(stack)
        if any(
            logical_id(cdk.Stack.of(part), part) in json.dumps(alarm["Dimensions"])
            for part in (notifier.function, notifier.queue, notifier.dead_letter_queue)
        )
    }


@pytest.mark.parametrize("first", ["monitoring", "notifier"])
def test_watches_the_notifier(stack: cdk.Stack, channel: FailureChannel, first: str) -> None:
    """Whichever of the two is defined first: that it runs, keeps up, and delivers."""
    if first == "monitoring":
        monitoring = FailureMonitoring(stack, "Monitoring", channel=channel)
    notifier = FailureNotifier(stack, "Notifier", channel=channel)
    if first == "notifier":
        monitoring = FailureMonitoring(stack, "Monitoring", channel=channel)
    assert notifiers_alarms(stack, notifier) == OF_A_NOTIFIER
    topic = [{"Ref": logical_id(stack, monitoring.alarm_topic)}]
    assert all(alarm["AlarmActions"] == topic for alarm in alarms_of(stack))


@pytest.mark.parametrize("elsewhere", ["notifier", "monitoring"])
def test_watches_a_notifier_of_another_stack(
    app: cdk.App, stack: cdk.Stack, channel: FailureChannel, elsewhere: str
) -> None:
    """Without a reference in a circle."""
    other = cdk.Stack(app, "Other")
    stacks = {"notifier": stack, "monitoring": stack, elsewhere: other}
    notifier = FailureNotifier(stacks["notifier"], "Notifier", channel=channel)
    FailureMonitoring(stacks["monitoring"], "Monitoring", channel=channel)
    app.synth()
    found = [
        alarm["MetricName"]
        for alarm in alarms_of(other)
        if elsewhere == "monitoring" or notifiers_alarms(other, notifier)
    ]
    assert set(found) >= set(OF_A_NOTIFIER)


def test_dashboard_shows_the_notifier(stack: cdk.Stack, channel: FailureChannel) -> None:
    """In a row below the others."""
    FailureNotifier(stack, "Notifier", channel=channel)
    FailureMonitoring(stack, "Monitoring", channel=channel)
    (row,) = (
        widget
        for widget in body_of(stack)["widgets"]
        if widget["properties"]["title"] == "Notifier"
    )
    assert row["width"] == 24
    assert [metric[1] for metric in row["properties"]["metrics"]] == [
        "NumberOfMessagesPublished",
        "NumberOfNotificationsFailed",
        "Errors",
        "ApproximateNumberOfMessagesVisible",
        "ApproximateAgeOfOldestMessage",
    ]


def test_dashboard_shows_each_hop(stack: cdk.Stack, channel: FailureChannel) -> None:
    """The dashboard has a column of metrics for each hop, over the whole width."""
    handler = define_handler(stack)
    FailureNotifiedFunction(
        stack, "Notified", handler=handler, schedule=EVERY_MINUTE, channel=channel
    )
    FailureMonitoring(stack, "Monitoring", channel=channel)
    columns = [widget for widget in body_of(stack)["widgets"] if widget["y"] == 0]
    columns.sort(key=lambda widget: int(widget["x"]))
    assert [column["properties"]["title"] for column in columns] == [
        "1 Schedule",
        "2 Handler",
        "3 Destination",
        "4 Queue",
        "5 Dead-letter queue",
    ]
    assert sum(column["width"] for column in columns) == 24
    shown = [{metric[1] for metric in column["properties"]["metrics"]} for column in columns]
    assert shown[0] >= OF_A_SCHEDULE
    assert shown[1] >= {"AsyncEventsDropped", "AsyncEventAge", "Errors"}
    assert shown[2] >= {"DestinationDeliveryFailures", "NumberOfNotificationsFailed"}
    assert shown[3] == {"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"}
    assert shown[4] == {"ApproximateNumberOfMessagesVisible"}


def test_shows_handlers_of_other_stacks_without_their_names(
    app: cdk.App, stack: cdk.Stack, channel: FailureChannel
) -> None:
    """One search expression finds all handlers that the dashboard cannot refer to."""
    FailureMonitoring(stack, "Monitoring", channel=channel)
    handlers = cdk.Stack(app, "Handlers")
    for id in ("One", "Other"):
        channel.notify_failures_of(define_handler(handlers, id))
    app.synth()
    expressions = [
        metric[0]["expression"]
        for widget in body_of(stack)["widgets"]
        for metric in widget["properties"].get("metrics", [])
        if isinstance(metric[0], dict)
    ]
    assert expressions == [
        """SEARCH('{AWS/Lambda,FunctionName} MetricName="DestinationDeliveryFailures"', 'Sum')"""
    ]


def test_shows_a_dashboard_with_all_alarms_off(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Without alarms the dashboard still exists, and no widget on it is empty."""
    FailureMonitoring(stack, "Monitoring", channel=channel, thresholds=ALL_OFF)
    assert alarms_of(stack) == []
    assert [w for w in body_of(stack)["widgets"] if not w["properties"].get("metrics")] == []


def test_has_the_official_metrics_of_the_channel(monitoring: FailureMonitoring) -> None:
    """Each metric is CloudWatch's own, for users' alarms and dashboards."""
    metrics = [
        monitoring.metric_failed_events_waiting(),
        monitoring.metric_oldest_event_age(),
        monitoring.metric_dead_letter_events(),
        monitoring.metric_notifications_failed(),
        monitoring.metric_invocations_dropped(),
        monitoring.metric_invocations_lost("group"),
    ]
    assert [(metric.namespace, metric.metric_name) for metric in metrics] == [
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
        ("AWS/SQS", "ApproximateAgeOfOldestMessage"),
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
        ("AWS/SNS", "NumberOfNotificationsFailed"),
        ("AWS/Scheduler", "InvocationDroppedCount"),
        ("AWS/Scheduler", "InvocationsFailedToBeSentToDeadLetterCount"),
    ]


def test_has_the_official_metrics_of_a_handler(
    monitoring: FailureMonitoring, handler: lambda_.Function
) -> None:
    """The names are Lambda's."""
    metrics = [
        monitoring.metric_destination_delivery_failures(handler),
        monitoring.metric_dead_letter_errors(handler),
        monitoring.metric_async_event_age(handler),
        monitoring.metric_async_events_dropped(handler),
    ]
    assert [(metric.metric_name, metric.statistic) for metric in metrics] == [
        ("DestinationDeliveryFailures", "Sum"),
        ("DeadLetterErrors", "Sum"),
        ("AsyncEventAge", "Maximum"),
        ("AsyncEventsDropped", "Sum"),
    ]


def test_metrics_take_cdks_options(
    monitoring: FailureMonitoring, handler: lambda_.Function
) -> None:
    """Users can choose statistic, period, label and the rest, as for any CDK metric."""
    hour = cdk.Duration.hours(1)
    metrics: list[cloudwatch.Metric] = [
        monitoring.metric_failed_events_waiting(statistic="Average", period=hour),
        monitoring.metric_async_event_age(handler, statistic="Average", period=hour),
    ]
    assert [(m.statistic, m.period.to_seconds()) for m in metrics] == [("Average", 3600)] * 2


@pytest.mark.parametrize("channel", [None, "channel", 5])
def test_rejects_what_is_not_a_channel(stack: cdk.Stack, channel: Any) -> None:
    """Only a channel can be watched."""
    with refusal("channel", repr(channel)):
        FailureMonitoring(stack, "Monitoring", channel=channel)


@pytest.mark.usefixtures("monitoring")
def test_rejects_a_second_monitoring(stack: cdk.Stack, channel: FailureChannel) -> None:
    """A second monitoring would notify people twice."""
    with refusal("channel", "Stack/Monitoring"):
        FailureMonitoring(stack, "Second", channel=channel)


def test_rejects_a_fifo_alarm_topic(stack: cdk.Stack, channel: FailureChannel) -> None:
    """No mailbox can subscribe to a FIFO topic."""
    topic = sns.Topic(stack, "Topic", fifo=True)
    with refusal("alarm_topic", "Stack/Topic"):
        FailureMonitoring(stack, "Monitoring", channel=channel, alarm_topic=topic)


def test_rejects_the_channels_topic(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Alarm messages in the queue of failed events would set off the alarm again."""
    with refusal("alarm_topic", "Stack/Channel/Topic"):
        FailureMonitoring(stack, "Monitoring", channel=channel, alarm_topic=channel.topic)


def test_rejects_what_is_not_a_topic(stack: cdk.Stack, channel: FailureChannel) -> None:
    """An ARN is not a topic."""
    with refusal("alarm_topic", TOPIC_ARN):
        FailureMonitoring(stack, "Monitoring", channel=channel, alarm_topic=TOPIC_ARN)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [0, -1, True, 1.5, "1", float("nan"), float("inf"), [1]])
def test_rejects_bad_counts(value: Any) -> None:
    """A count is an int of at least 1: at 0 the alarm would always be on."""
    with refusal("failed_events_waiting", repr(value)):
        MonitoringThresholds(failed_events_waiting=value)


@pytest.mark.parametrize("value", [0, -1, 100.1, True, "80", float("nan"), float("inf")])
def test_rejects_bad_percentages(value: Any) -> None:
    """A percentage is above 0 and at most 100."""
    with refusal("oldest_event_age_percent", repr(value)):
        MonitoringThresholds(oldest_event_age_percent=value)


def test_accepts_counts_known_at_deployment(stack: cdk.Stack, channel: FailureChannel) -> None:
    """A parameter's value can be a count."""
    limit = cdk.CfnParameter(stack, "Limit", type="Number").value_as_number
    thresholds = MonitoringThresholds(failed_events_waiting=limit)  # type: ignore[arg-type]
    FailureMonitoring(stack, "Monitoring", channel=channel, thresholds=thresholds)
    alarm = alarm_on(stack, "ApproximateNumberOfMessagesVisible", channel.queue)
    assert alarm["Threshold"] == {"Ref": "Limit"}


def test_rejects_thresholds_of_another_type(stack: cdk.Stack, channel: FailureChannel) -> None:
    """A dictionary would hide a misspelt name."""
    with refusal("thresholds", "{}"):
        FailureMonitoring(stack, "Monitoring", channel=channel, thresholds={})  # type: ignore[arg-type]


def test_rejects_watching_twice(
    channel: FailureChannel, monitoring: FailureMonitoring, handler: lambda_.Function
) -> None:
    """The channel's handlers are already watched."""
    channel.notify_failures_of(handler)
    with refusal("handler", "Stack/Handler"):
        monitoring.watch(handler)


def test_rejects_watching_from_two_monitorings(
    stack: cdk.Stack, monitoring: FailureMonitoring, handler: lambda_.Function
) -> None:
    """A handler's alarms notify one alarm topic."""
    monitoring.watch(handler)
    other = FailureMonitoring(stack, "Other", channel=FailureChannel(stack, "OtherChannel"))
    with refusal("handler", "Stack/Handler"):
        other.watch(handler)


@pytest.mark.parametrize("handler", [None, "handler"])
def test_rejects_watching_a_name(monitoring: FailureMonitoring, handler: Any) -> None:
    """A name is not a handler."""
    with refusal("handler", repr(handler)):
        monitoring.watch(handler)


def test_rejects_watching_an_age_that_lambda_refuses(
    monitoring: FailureMonitoring, handler: lambda_.Function
) -> None:
    """Lambda keeps no event longer than 6 hours."""
    with refusal("max_event_age", "25200 seconds"):
        monitoring.watch(handler, max_event_age=cdk.Duration.hours(7))


def test_rejects_watching_an_expression(
    monitoring: FailureMonitoring, handler: lambda_.Function
) -> None:
    """An expression is not a schedule, and no alarm about the handler is left behind."""
    before = monitoring.alarms
    with refusal("schedule"):
        monitoring.watch(handler, schedule=EVERY_MINUTE)  # type: ignore[arg-type]
    assert monitoring.alarms == before


def test_rejects_an_age_that_is_not_known(
    stack: cdk.Stack, channel: FailureChannel, handler: lambda_.Function
) -> None:
    """CloudFormation cannot calculate 80 % of a parameter."""
    age = cdk.Duration.seconds(cdk.CfnParameter(stack, "Age", type="Number").value_as_number)
    channel.notify_failures_of(handler, max_event_age=age)
    with refusal("max_event_age", "token"):
        FailureMonitoring(stack, "Monitoring", channel=channel)


def test_rejects_an_imported_queue_of_unknown_retention(stack: cdk.Stack) -> None:
    """An alarm that might come too late is not defined silently."""
    queue = sqs.Queue.from_queue_arn(stack, "Queue", QUEUE_ARN)
    channel = FailureChannel(stack, "Channel", queue=queue)
    with refusal("queue_retention", "Stack/Queue"):
        FailureMonitoring(stack, "Monitoring", channel=channel)


def test_rejects_retention_of_a_queue_that_has_one(
    stack: cdk.Stack, channel: FailureChannel
) -> None:
    """The queue already says how long it keeps events."""
    with refusal("queue_retention", "1209600 seconds"):
        FailureMonitoring(
            stack, "Monitoring", channel=channel, queue_retention=cdk.Duration.days(1)
        )


@pytest.mark.parametrize("told_by", ["nobody", "subscription", "notifier's topic"])
def test_notes_alarms_that_reach_nobody(stack: cdk.Stack, told_by: str) -> None:
    """A channel without mailboxes has none for its alarms either."""
    channel = FailureChannel(stack, "Channel")
    notifier = FailureNotifier(stack, "Notifier", channel=channel, emails=["team@example.com"])
    topic = notifier.topic if told_by == "notifier's topic" else None
    monitoring = FailureMonitoring(stack, "Monitoring", channel=channel, alarm_topic=topic)
    if told_by == "subscription":
        monitoring.alarm_topic.add_subscription(EmailSubscription("team@example.com"))
    text = Match.string_like_regexp("nobody is subscribed to the topic of these alarms")
    found = Annotations.from_stack(stack).find_info("/Stack/Monitoring", text)
    assert len(found) == (1 if told_by == "nobody" else 0)
