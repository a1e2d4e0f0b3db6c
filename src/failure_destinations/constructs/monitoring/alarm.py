"""Defines the alarms, all of which are in the table of `alarms.py`."""

from __future__ import annotations

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from failure_destinations import alarms

_COMPARISONS = {
    "at or above": cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
    "below": cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
}
_MISSING = {
    "as before": cloudwatch.TreatMissingData.IGNORE,
    "well": cloudwatch.TreatMissingData.NOT_BREACHING,
    "not well": cloudwatch.TreatMissingData.BREACHING,
}


def define_alarm(
    scope: Construct,
    kind: alarms.FailureAlarm,
    threshold: float,
    metric: cloudwatch.IMetric,
    description: str,
) -> cloudwatch.Alarm:
    """Define an alarm of the table."""
    return cloudwatch.Alarm(
        scope,
        kind.id,
        metric=metric,
        threshold=threshold,
        evaluation_periods=kind.periods,
        comparison_operator=_COMPARISONS[kind.goes_off],
        treat_missing_data=_MISSING[kind.missing],
        alarm_description=description,
    )
