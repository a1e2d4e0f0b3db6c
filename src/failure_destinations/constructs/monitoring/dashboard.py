"""The path of a failure on one screen: schedule, handler, destination, queue, dead-letter queue."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from failure_destinations import names

from ..channel.wiring import Wiring
from . import metrics

if TYPE_CHECKING:
    from ..channel.source_queues import SourceQueue
    from ..notifier.notifier import FailureNotifier

# A dashboard is 24 units wide.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
_WIDTHS = (5, 5, 5, 5, 4)
_HEIGHT = 8
_NOTIFIER_HEIGHT = 5

_POLLED_HEIGHT = 6
_POLLED_WIDTH = sum(_WIDTHS) // 2

_DELIVERY_FAILURES_OF_ALL = (
    """SEARCH('{AWS/Lambda,FunctionName} MetricName="DestinationDeliveryFailures"', 'Sum')"""
)
_ITERATOR_AGES_OF_ALL = (
    """SEARCH('{AWS/Lambda,FunctionName} MetricName="IteratorAge"', 'Maximum')"""
)


class FailureDashboard:
    """A dashboard with one column for each hop of a failure, from left to right."""

    def __init__(
        self, scope: Construct, wiring: Wiring, alarms: Sequence[cloudwatch.IAlarm]
    ) -> None:
        """Define the dashboard; handlers and schedules are added later."""
        topic, queue, dead_letters = wiring.topic, wiring.queue, wiring.dead_letter_queue
        self._schedule = _column(
            0,
            "1 Schedule",
            *_of_schedules(metrics.DEFAULT_GROUP),
        )
        # A graph without metrics is rejected, and the topic counts given-up events of all handlers.
        self._handler = _column(
            1,
            "2 Handler",
            metrics.topic_metric("NumberOfMessagesPublished", topic, label="Given up, all"),
        )
        self._destination = _column(
            2,
            "3 Destination",
            metrics.topic_metric("NumberOfNotificationsDelivered", topic, label="Delivered"),
            metrics.topic_metric("NumberOfNotificationsFailed", topic, label="Not delivered"),
            metrics.topic_metric(
                "NumberOfNotificationsFailedToRedriveToDlq", topic, label="Lost after that"
            ),
        )
        queue_column = _column(
            3,
            "4 Queue",
            metrics.events_in(queue, label="Failed events waiting"),
        )
        if wiring.copy_queue is not None:
            queue_column.add_left_metric(metrics.events_in(wiring.copy_queue, label="Copies"))
        queue_column.add_right_metric(metrics.oldest_age_in(queue, label="Oldest, seconds"))
        dead_letter_column = _column(
            4,
            "5 Dead-letter queue",
            metrics.events_in(dead_letters, label="Events"),
        )
        self._searches = False
        self._searches_ages = False
        self.dashboard = cloudwatch.Dashboard(scope, names.DASHBOARD)
        self.dashboard.add_widgets(
            self._schedule,
            self._handler,
            self._destination,
            queue_column,
            dead_letter_column,
        )
        if alarms:
            self.dashboard.add_widgets(
                cloudwatch.AlarmStatusWidget(
                    alarms=list(alarms), title="Alarms of the channel", width=sum(_WIDTHS), height=3
                )
            )

    def add_handler(self, handler: lambda_.IFunction) -> None:
        """Show a handler, to which this stack may refer."""
        name = handler.node.path.partition("/")[2]
        for metric, label in (("Errors", "errors"), ("AsyncEventsDropped", "given up")):
            self._handler.add_left_metric(
                metrics.handler_metric(metric, handler, label=f"{name}: {label}")
            )
        self._handler.add_right_metric(
            metrics.handler_metric(
                "AsyncEventAge", handler, statistic="Maximum", label=f"{name}: event age, ms"
            )
        )
        self._destination.add_left_metric(
            metrics.handler_metric(
                "DestinationDeliveryFailures", handler, label=f"{name}: not sent"
            )
        )

    def add_handler_of_another_stack(self) -> None:
        """Show all the account's functions, since a reference to that stack would be circular."""
        if not self._searches:
            self._searches = True
            self._destination.add_left_metric(
                cloudwatch.SearchExpression(
                    expression=_DELIVERY_FAILURES_OF_ALL, label="Not sent, any function:"
                )
            )

    def add_notifier(self, notifier: FailureNotifier) -> None:
        """Show a notifier, to which this stack may refer, in a row of its own."""
        self.dashboard.add_widgets(
            cloudwatch.GraphWidget(
                title="Notifier",
                left=[
                    notifier.metric_messages_sent(label="Messages sent"),
                    notifier.metric_messages_failed(label="Messages not delivered"),
                    notifier.metric_failed_runs(label="Failed runs"),
                    notifier.metric_dead_letters(label="Dead letters"),
                ],
                right=[notifier.metric_oldest_record_age(label="Oldest record, seconds")],
                width=sum(_WIDTHS),
                height=_NOTIFIER_HEIGHT,
            )
        )

    def add_source_queue(self, source: SourceQueue, *, shows_source: bool) -> None:
        """Show a queue that feeds functions, and its dead-letter queue.

        Args:
            source: The queue.
            shows_source: Whether this stack may refer to the queue itself.
        """
        counts, ages = self._polled
        name, dead_letters = source.name, source.dead_letter_queue
        counts.add_left_metric(metrics.events_in(dead_letters, label=f"{name}: dead letters"))
        ages.add_left_metric(
            metrics.oldest_age_in(dead_letters, label=f"{name}: dead letters, seconds")
        )
        if shows_source:
            counts.add_right_metric(metrics.events_in(source.queue, label=f"{name}: messages"))
            ages.add_left_metric(
                metrics.oldest_age_in(source.queue, label=f"{name}: messages, seconds")
            )

    def add_announcements(self, queue: sqs.IQueue) -> None:
        """Show the queue of failed batches that the channel's topic has not got yet."""
        counts, ages = self._polled
        counts.add_left_metric(metrics.events_in(queue, label="Failed batches on their way"))
        ages.add_left_metric(
            metrics.oldest_age_in(queue, label="Failed batches on their way, seconds")
        )

    def add_event_source(self, handler: lambda_.IFunction | None, *, is_kafka: bool) -> None:
        """Show a function that reads a stream.

        Args:
            handler: The function; None if this stack may not refer to it.
            is_kafka: Whether it reads a Kafka topic.
        """
        counts, ages = self._polled
        if handler is None:
            if not self._searches_ages:
                self._searches_ages = True
                ages.add_right_metric(
                    cloudwatch.SearchExpression(
                        expression=_ITERATOR_AGES_OF_ALL, label="Iterator age, ms:"
                    )
                )
            return
        name = handler.node.path.partition("/")[2]
        counts.add_left_metric(
            metrics.handler_metric(
                "DestinationDeliveryFailures", handler, label=f"{name}: batches not kept"
            )
        )
        if is_kafka:
            counts.add_right_metric(
                metrics.handler_metric(
                    "OffsetLag", handler, statistic="Maximum", label=f"{name}: records behind"
                )
            )
            return
        ages.add_right_metric(
            metrics.handler_metric(
                "IteratorAge", handler, statistic="Maximum", label=f"{name}: iterator age, ms"
            )
        )

    @functools.cached_property
    def _polled(self) -> tuple[cloudwatch.GraphWidget, cloudwatch.GraphWidget]:
        """The row about streams and queues, which is there only once there is one of them."""
        counts, ages = (
            cloudwatch.GraphWidget(
                title=f"Streams and queues: {what}", width=_POLLED_WIDTH, height=_POLLED_HEIGHT
            )
            for what in ("what waits", "how long")
        )
        self.dashboard.add_widgets(counts, ages)
        return counts, ages

    def add_schedules(self, group: str) -> None:
        """Show another schedule group, to which this stack may refer."""
        for metric in _of_schedules(group):
            self._schedule.add_left_metric(metric)


def _column(place: int, title: str, *left: cloudwatch.IMetric) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title=title, left=list(left), width=_WIDTHS[place], height=_HEIGHT
    )


def _of_schedules(group: str) -> list[cloudwatch.IMetric]:
    return [
        metrics.schedule_metric(metric, group, label=f"{group}: {label}")
        for metric, label in (
            ("InvocationAttemptCount", "attempts"),
            ("InvocationDroppedCount", "dropped"),
            ("InvocationsSentToDeadLetterCount", "kept"),
            ("InvocationsFailedToBeSentToDeadLetterCount", "lost"),
        )
    ]
