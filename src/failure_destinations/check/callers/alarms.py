"""CloudWatch: functions among the actions of an alarm."""

from __future__ import annotations

from ..resource import Resource


def read_alarm(resource: Resource) -> None:
    """Read an alarm's actions: CloudWatch queues the event with Lambda.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html
    """
    is_disabled = resource.is_certainly(resource.properties.get("ActionsEnabled"), "false")
    for name in ("AlarmActions", "OKActions", "InsufficientDataActions"):
        resource.calls(
            resource.properties.get(name),
            "lambda.alarms.cloudwatch",
            only_arns=True,
            # Nearly all actions are topics.
            is_sure=False,
            is_disabled=is_disabled,
        )


CALLERS = {
    "AWS::CloudWatch::Alarm": read_alarm,
    "AWS::CloudWatch::CompositeAlarm": read_alarm,
    "AWS::CloudWatch::LogAlarm": read_alarm,
}
