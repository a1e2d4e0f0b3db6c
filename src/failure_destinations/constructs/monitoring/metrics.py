"""The CloudWatch metrics of each hop of a failed event, from schedule to dead-letter queue."""

from __future__ import annotations

import functools
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs

from ..called import function_and_qualifier

# The group of every schedule without a group of its own.
DEFAULT_GROUP = "default"


def events_in(queue: sqs.IQueue, **options: Any) -> cloudwatch.Metric:
    """Return the metric of the events in a queue, which SQS reports each minute."""
    return queue.metric_approximate_number_of_messages_visible(
        **{"period": _minutes(1), **options},
    )


def oldest_age_in(queue: sqs.IQueue, **options: Any) -> cloudwatch.Metric:
    """Return the metric of the oldest event's age in a queue, in seconds."""
    return queue.metric_approximate_age_of_oldest_message(**options)


def topic_metric(name: str, topic: sns.ITopic, **options: Any) -> cloudwatch.Metric:
    """Return a counting metric of a topic."""
    return topic.metric(name, **{"statistic": "Sum", **options})


def handler_metric(name: str, handler: lambda_.IFunction, **options: Any) -> cloudwatch.Metric:
    """Return a metric of a handler: of the function as a whole, or of its alias or version.

    The handler's own `metric` is not used: for versions, it uses a dimension that does not exist.
    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-view.html
    """
    function, qualifier = function_and_qualifier(handler)
    dimensions = {"FunctionName": function.function_name}
    if handler is not function:
        dimensions["Resource"] = f"{function.function_name}:{qualifier}"
    return cloudwatch.Metric(
        namespace="AWS/Lambda",
        metric_name=name,
        dimensions_map=dimensions,
        **{"statistic": "Sum", **options},
    )


def schedule_metric(name: str, group: str, **options: Any) -> cloudwatch.Metric:
    """Return a metric of a schedule group; EventBridge Scheduler has none for a single schedule.

    https://docs.aws.amazon.com/scheduler/latest/UserGuide/monitoring-cloudwatch.html
    """
    return cloudwatch.Metric(
        namespace="AWS/Scheduler",
        metric_name=name,
        dimensions_map={"ScheduleGroup": group},
        **{"statistic": "Sum", **options},
    )


def rule_metric(name: str, rule: str, **options: Any) -> cloudwatch.Metric:
    """Return a counting metric of an EventBridge rule of the default bus.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
    """
    return cloudwatch.Metric(
        namespace="AWS/Events",
        metric_name=name,
        dimensions_map={"RuleName": rule},
        **{"statistic": "Sum", **options},
    )


@functools.cache
def _minutes(minutes: int) -> Duration:
    return Duration.minutes(minutes)
