"""Defines the alarms, all of which are in the table of `alarms.py`."""

from __future__ import annotations

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from failure_destinations import alarms

# SQS sends no metrics for a queue that was not used for 6 hours, but its messages are still there.
# All other metrics have data only while there is something to report.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-monitoring-using-cloudwatch.html
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
_COUNT_OF_MESSAGES = alarms.FAILED_EVENTS_WAITING.metric


def define_alarm(
    scope: Construct,
    kind: alarms.FailureAlarm,
    threshold: float,
    metric: cloudwatch.IMetric,
    description: str,
) -> cloudwatch.Alarm:
    """Define an alarm that goes off at or above its threshold."""
    return cloudwatch.Alarm(
        scope,
        kind.id,
        metric=metric,
        threshold=threshold,
        evaluation_periods=1,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treat_missing_data=(
            cloudwatch.TreatMissingData.IGNORE
            if kind.metric == _COUNT_OF_MESSAGES
            else cloudwatch.TreatMissingData.NOT_BREACHING
        ),
        alarm_description=description,
    )
