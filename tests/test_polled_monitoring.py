"""FailureMonitoring of streams and queues: alarms, where they are defined, and the dashboard."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs

from failure_destinations import FailureChannel, FailureMonitoring, MonitoringThresholds

from .conftest import define_handler
from .templates import assert_does_not_warn, assert_warns, template_of
from .test_monitoring import COMMAND, alarm_on, alarms_of, body_of, metrics_of, text_of

DAY = 24 * 60 * 60
HOUR_MS = 60 * 60 * 1000
LATEST = lambda_.StartingPosition.LATEST


@pytest.fixture
def channel(stack: cdk.Stack) -> FailureChannel:
    """A channel with a mailbox."""
    return FailureChannel(stack, "Channel", emails=["developer@example.com"])


def define_queue(
    stack: cdk.Stack, channel: FailureChannel, id: str = "Orders", **settings: Any
) -> tuple[sqs.Queue, sqs.Queue]:
    """Define a queue with a dead-letter queue in a channel, and return both."""
    queue = sqs.Queue(stack, id, **settings)
    return queue, channel.dead_letter_queue_for(queue)


def read_stream(
    channel: FailureChannel, handler: lambda_.Function, id: str = "Stream", hours: int = 24
) -> None:
    """Let a function read a Kinesis stream, with its failed batches going to a channel."""
    stream = kinesis.Stream(cdk.Stack.of(handler), id, retention_period=cdk.Duration.hours(hours))
    handler.add_event_source(
        sources.KinesisEventSource(
            stream, starting_position=LATEST, on_failure=channel.event_source_destination
        )
    )


def read_table(channel: FailureChannel, handler: lambda_.Function) -> None:
    """Let a function read the stream of a DynamoDB table."""
    table = dynamodb.Table(
        cdk.Stack.of(handler),
        "Table",
        partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
        stream=dynamodb.StreamViewType.NEW_IMAGE,
    )
    handler.add_event_source(
        sources.DynamoEventSource(
            table, starting_position=LATEST, on_failure=channel.event_source_destination
        )
    )


def read_topic(channel: FailureChannel, handler: lambda_.Function) -> None:
    """Let a function read a Kafka topic."""
    handler.add_event_source_mapping(
        "Topic",
        kafka_bootstrap_servers=["b-1:9092"],
        kafka_topic="orders",
        starting_position=LATEST,
        on_failure=channel.event_source_destination,
    )


def titles_of(stack: cdk.Stack) -> list[str]:
    """Return the titles of the dashboard's graphs."""
    return [widget["properties"]["title"] for widget in body_of(stack)["widgets"]]


@pytest.mark.parametrize("first", ["monitoring", "queue"])
def test_alarms_on_dead_letters_of_a_source_queue(
    stack: cdk.Stack, channel: FailureChannel, first: str
) -> None:
    """One message sets off an alarm until the queue is empty, whichever is defined first."""
    if first == "monitoring":
        FailureMonitoring(stack, "Monitoring", channel=channel)
    _, dead_letters = define_queue(stack, channel)
    if first == "queue":
        FailureMonitoring(stack, "Monitoring", channel=channel)
    alarm = alarm_on(stack, "ApproximateNumberOfMessagesVisible", dead_letters)
    assert (alarm["Threshold"], alarm["Statistic"], alarm["Period"]) == (1, "Maximum", 60)
    assert alarm["TreatMissingData"] == "ignore"
    assert_does_not_warn(stack)


@pytest.mark.parametrize(
    ("settings", "channels", "of_dead_letters", "of_messages"),
    [
        ({}, 14, 0.8 * 10 * DAY, 0.8 * 4 * DAY),
        ({"retention_period": cdk.Duration.days(1)}, 14, 0.8 * 13 * DAY, 0.8 * DAY),
        ({"retention_period": cdk.Duration.days(14)}, 14, 0.8 * 7 * DAY, 0.8 * 14 * DAY),
        ({"retention_period": cdk.Duration.days(2)}, 3, 0.8 * 3 * DAY, 0.8 * 2 * DAY),
        ({"fifo": True}, 14, 0.8 * 14 * DAY, 0.8 * 4 * DAY),
    ],
)
def test_alarms_before_sqs_deletes_messages(
    stack: cdk.Stack,
    settings: dict[str, Any],
    channels: int,
    of_dead_letters: float,
    of_messages: float,
) -> None:
    """SQS counts a standard queue's message from its first send, and its metric from the move."""
    channel = FailureChannel(stack, "Channel", retention=cdk.Duration.days(channels))
    queue, dead_letters = define_queue(stack, channel, **settings)
    FailureMonitoring(stack, "Monitoring", channel=channel)
    age = "ApproximateAgeOfOldestMessage"
    assert alarm_on(stack, age, dead_letters)["Threshold"] == pytest.approx(of_dead_letters)
    assert alarm_on(stack, age, queue)["Threshold"] == pytest.approx(of_messages)


def test_warns_of_a_retention_that_is_not_known(stack: cdk.Stack, channel: FailureChannel) -> None:
    """CloudFormation cannot calculate a percentage of a token."""
    token = cdk.CfnParameter(stack, "Kept", type="Number").value_as_number
    define_queue(stack, channel, retention_period=cdk.Duration.seconds(token))
    FailureMonitoring(stack, "Monitoring", channel=channel)
    assert_warns(stack, "the retention of this queue is only known at deployment")


def test_alarms_on_streams(stack: cdk.Stack, channel: FailureChannel) -> None:
    """A record that has waited half of its stream's retention sets off an alarm."""
    FailureMonitoring(stack, "Monitoring", channel=channel)
    handler = define_handler(stack)
    read_stream(channel, handler, hours=48)
    (alarm,) = alarms_of(stack, "IteratorAge")
    assert alarm["Threshold"] == 24 * HOUR_MS
    assert (alarm["Statistic"], alarm["TreatMissingData"]) == ("Maximum", "notBreaching")
    assert alarm["Dimensions"] == [
        {"Name": "FunctionName", "Value": stack.resolve(handler.function_name)}
    ]
    (alarm,) = alarms_of(stack, "DestinationDeliveryFailures")
    assert (alarm["Threshold"], alarm["Statistic"]) == (1, "Sum")


def test_one_function_of_several_streams_has_one_alarm(
    stack: cdk.Stack, channel: FailureChannel
) -> None:
    """Its metric is that of all its streams, so the shortest retention counts."""
    FailureMonitoring(stack, "Monitoring", channel=channel)
    handler = define_handler(stack)
    read_stream(channel, handler, "Long", hours=168)
    read_stream(channel, handler, "Short", hours=36)
    read_table(channel, handler)
    (alarm,) = alarms_of(stack, "IteratorAge")
    assert alarm["Threshold"] == 12 * HOUR_MS
    assert len(alarms_of(stack, "DestinationDeliveryFailures")) == 1


def test_an_alias_has_the_metrics_of_an_alias(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Lambda counts what a mapping of an alias does for the alias."""
    FailureMonitoring(stack, "Monitoring", channel=channel)
    alias = define_handler(stack).add_alias("live")
    read_stream(channel, alias)  # type: ignore[arg-type]
    (alarm,) = alarms_of(stack, "IteratorAge")
    assert [each["Name"] for each in alarm["Dimensions"]] == ["FunctionName", "Resource"]


def test_counts_a_failed_delivery_once(stack: cdk.Stack, channel: FailureChannel) -> None:
    """A function that is also called asynchronously has the alarm already, for the same metric."""
    FailureMonitoring(stack, "Monitoring", channel=channel)
    handler = define_handler(stack)
    read_stream(channel, handler)
    channel.notify_failures_of(handler)
    assert len(alarms_of(stack, "DestinationDeliveryFailures")) == 1


@pytest.mark.parametrize(("lag", "count"), [(None, 0), (1000, 1)])
def test_alarms_on_topics(
    stack: cdk.Stack, channel: FailureChannel, lag: int | None, count: int
) -> None:
    """Kafka has an alarm on the records that wait if somebody says how many are too many."""
    thresholds = MonitoringThresholds(offset_lag=lag)
    FailureMonitoring(stack, "Monitoring", channel=channel, thresholds=thresholds)
    read_topic(channel, define_handler(stack))
    assert [alarm["Threshold"] for alarm in alarms_of(stack, "OffsetLag")] == [1000] * count
    assert alarms_of(stack, "IteratorAge") == []


def test_alarms_on_announcements(stack: cdk.Stack, channel: FailureChannel) -> None:
    """People hear if failed batches do not reach the channel, of which nobody else would know."""
    FailureMonitoring(stack, "Monitoring", channel=channel)
    read_stream(channel, define_handler(stack))
    (lost,) = alarms_of(stack, "InvocationsFailedToBeSentToDlq")
    assert lost["Namespace"] == "AWS/Events"
    assert [each["Name"] for each in lost["Dimensions"]] == ["RuleName"]
    ages = [alarm["Threshold"] for alarm in alarms_of(stack, "ApproximateAgeOfOldestMessage")]
    assert 900 in ages


@pytest.mark.parametrize("where", ["shared", "beside the function", "elsewhere"])
def test_no_stack_refers_back(app: cdk.App, where: str) -> None:
    """Functions and queues of other stacks have alarms wherever that makes no circle."""
    shared, user = cdk.Stack(app, "Shared"), cdk.Stack(app, "User")
    channel = FailureChannel(shared, "Channel")
    stack = {
        "shared": shared, "beside the function": user, "elsewhere": cdk.Stack(app, "Elsewhere")
    }[where]  # fmt: skip
    FailureMonitoring(stack, "Monitoring", channel=channel)
    define_queue(user, channel)
    define_queue(shared, channel, "Invoices")
    read_stream(channel, define_handler(user))
    read_table(channel, define_handler(shared))
    app.synth()
    assert [*shared.dependencies] == []
    metrics = [alarm["MetricName"] for each in {shared, user, stack} for alarm in alarms_of(each)]
    # Two dead-letter queues, and two ages of each of two queues beside the channel's two.
    counted = {name: metrics.count(name) for name in sorted(set(metrics))}
    assert counted == {
        "ApproximateAgeOfOldestMessage": 1 + 2 * 2 + 1,
        "ApproximateNumberOfMessagesVisible": 2 + 2,
        "DestinationDeliveryFailures": 2,
        "InvocationsFailedToBeSentToDlq": 1,
        "IteratorAge": 2,
        "NumberOfNotificationsFailed": 1,
    }


def test_without_streams_and_queues_nothing_changes(
    stack: cdk.Stack, channel: FailureChannel
) -> None:
    """Neither an alarm nor a row of the dashboard is there before they are used."""
    FailureMonitoring(stack, "Monitoring", channel=channel)
    channel.notify_failures_of(define_handler(stack))
    assert not [title for title in titles_of(stack) if title.startswith("Streams")]
    assert not metrics_of(stack) & {"IteratorAge", "OffsetLag", "InvocationsFailedToBeSentToDlq"}


def test_shows_streams_and_queues(app: cdk.App, stack: cdk.Stack, channel: FailureChannel) -> None:
    """One row shows what waits and how long, of other stacks too where that makes no circle."""
    FailureMonitoring(stack, "Monitoring", channel=channel)
    other = cdk.Stack(app, "Other")
    define_queue(stack, channel)
    define_queue(other, channel)
    read_stream(channel, define_handler(stack))
    read_topic(channel, define_handler(stack, "Reader"))
    read_stream(channel, define_handler(other))
    app.synth()
    assert [title for title in titles_of(stack) if title.startswith("Streams")] == [
        "Streams and queues: what waits",
        "Streams and queues: how long",
    ]
    shown = [
        metric[-1]["label"]
        for widget in body_of(stack)["widgets"]
        if widget["properties"]["title"].startswith("Streams")
        for metric in widget["properties"]["metrics"]
    ]
    assert sorted(shown) == sorted(
        [
            "Orders: dead letters",
            "Orders: dead letters, seconds",
            "Orders: messages",
            "Orders: messages, seconds",
            "Other--Orders: dead letters",
            "Other--Orders: dead letters, seconds",
            "Failed batches on their way",
            "Failed batches on their way, seconds",
            "Handler: batches not kept",
            "Handler: iterator age, ms",
            "Reader: batches not kept",
            "Reader: records behind",
            "Iterator age, ms:",
        ]
    )


def test_descriptions_say_what_to_do(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Each has a command, and fits into a phone's notification."""
    FailureMonitoring(
        stack, "Monitoring", channel=channel, thresholds=MonitoringThresholds(offset_lag=1)
    )
    define_queue(stack, channel)
    handler = define_handler(stack)
    read_stream(channel, handler)
    read_topic(channel, handler)
    texts = [text_of(alarm["AlarmDescription"]) for alarm in alarms_of(stack)]
    assert [text for text in texts if not COMMAND.search(text) or len(text) > 700] == []


def test_every_alarm_can_be_switched_off(stack: cdk.Stack, channel: FailureChannel) -> None:
    """None in the thresholds leaves an alarm out."""
    off = MonitoringThresholds(
        source_dead_letters=None,
        source_dead_letter_age_percent=None,
        source_message_age_percent=None,
        iterator_age_percent=None,
        batch_delivery_failures=None,
        announcement_age_seconds=None,
        announcements_lost=None,
    )
    FailureMonitoring(stack, "Monitoring", channel=channel, thresholds=off)
    before = len(alarms_of(cdk.Stack.of(channel)))
    other = cdk.Stack(cdk.App(), "Stack")
    second = FailureChannel(other, "Channel")
    FailureMonitoring(other, "Monitoring", channel=second, thresholds=off)
    define_queue(other, second)
    read_stream(second, define_handler(other))
    assert len(alarms_of(other)) == before
    assert "AWS::Kinesis::Stream" in {
        each["Type"] for each in template_of(other)["Resources"].values()
    }
