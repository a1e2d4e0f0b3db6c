"""Reads CloudWatch metrics of topics, queues and functions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from failure_destinations.alarms import (
    DESTINATION_DELIVERY_FAILURES,
    ITERATOR_AGE,
    OLDEST_EVENT_AGE,
    FailureAlarm,
)
from failure_destinations.deployed.session import Aws

from ..facts import Unknown
from .aws_reader import AwsReader

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef, MetricTypeDef

# CloudWatch keeps one-minute data points for 15 days.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html
_PEAK = timedelta(days=3)
_AGE = timedelta(hours=1)
_FAILURES = timedelta(days=14)
_MINUTE = 60
_PERIOD = 300

Points = Sequence[tuple[datetime, float]]


class Metrics:
    """Reads metrics; may be used from several threads.

    Args:
        aws: The account and Region.
        reader: The reader of AWS.
        connections: The number of threads that use it at once.
    """

    def __init__(self, aws: Aws, reader: AwsReader, *, connections: int = 10) -> None:
        self._client: CloudWatchClient = aws.client("cloudwatch", connections=connections)
        self._reader = reader

    def peak(self, topic: str) -> float | Unknown | None:
        """Return the most messages published within one minute in the last 3 days.

        https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html
        """
        metric = _metric("AWS/SNS", "NumberOfMessagesPublished", TopicName=topic)
        points = self._points(metric, "Sum", _PEAK, _MINUTE)
        if isinstance(points, Unknown):
            return points
        return max((value for _, value in points), default=None)

    def oldest(self, queue: str) -> float | Unknown | None:
        """Return the latest value of the oldest message's age, in seconds.

        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
        """
        metric = _watched(OLDEST_EVENT_AGE, QueueName=queue)
        points = self._points(metric, "Maximum", _AGE, _PERIOD)
        if isinstance(points, Unknown):
            return points
        return max(points)[1] if points else None

    def delivery_failures(self, function: str) -> Sequence[datetime] | Unknown:
        """Return when Lambda failed to send to a destination in the last 14 days.

        https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
        """
        metric = _watched(DESTINATION_DELIVERY_FAILURES, FunctionName=function)
        points = self._points(metric, "Sum", _FAILURES, _PERIOD)
        if isinstance(points, Unknown):
            return points
        return [time for time, value in points if value]

    def lag(self, function: str) -> float | Unknown | None:
        """Return how old the last record of a batch was at most in the last hour, in seconds.

        https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
        """
        metric = _watched(ITERATOR_AGE, FunctionName=function)
        points = self._points(metric, "Maximum", _AGE, _PERIOD)
        if isinstance(points, Unknown):
            return points
        # The metric is in milliseconds.
        return max(points)[1] / 1000 if points else None

    def errors(self, function: str) -> float | Unknown:
        """Return how often a function failed in the last hour.

        https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
        """
        metric = _metric("AWS/Lambda", "Errors", FunctionName=function)
        points = self._points(metric, "Sum", _AGE, _PERIOD)
        return points if isinstance(points, Unknown) else sum(value for _, value in points)

    def _points(
        self, metric: MetricTypeDef, statistic: str, past: timedelta, period: int
    ) -> Points | Unknown:
        now = datetime.now(timezone.utc)
        query: MetricDataQueryTypeDef = {
            "Id": "m",
            "MetricStat": {"Metric": metric, "Period": period, "Stat": statistic},
        }
        pages = self._client.get_paginator("get_metric_data")
        points = self._reader.read(
            "cloudwatch:GetMetricData",
            lambda: [
                (time, float(value))
                for page in pages.paginate(
                    MetricDataQueries=[query], StartTime=now - past, EndTime=now
                )
                for result in page["MetricDataResults"]
                for time, value in zip(result["Timestamps"], result["Values"], strict=True)
            ],
        )
        return points or []


def _watched(alarm: FailureAlarm, **dimensions: str) -> MetricTypeDef:
    """Return the metric that an alarm watches."""
    return _metric(alarm.namespace, alarm.metric, **dimensions)


def _metric(namespace: str, name: str, **dimensions: str) -> MetricTypeDef:
    return {
        "Namespace": namespace,
        "MetricName": name,
        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
    }
