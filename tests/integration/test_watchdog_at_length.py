"""FailureWatchdog on an engine whose schedules fire: it runs by itself, and its alarm sees that."""

from __future__ import annotations

import aws_cdk as cdk
import pytest

from failure_destinations import FailureChannel, FailureWatchdog
from failure_destinations.testing import LocalCloud

from ..waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.soak]


def test_runs_by_itself_and_its_alarm_sees_that(localemu: LocalCloud) -> None:
    """The alarm is in state ALARM until the first run: missing data counts as not running."""
    app = cdk.App()
    stack = cdk.Stack(app, "WatchedAtLength")
    watchdog = FailureWatchdog(
        stack,
        "Watchdog",
        channel=FailureChannel(stack, "Failures"),
        every=cdk.Duration.minutes(1),
    )
    cdk.CfnOutput(stack, "FunctionName", value=watchdog.function.function_name)
    cdk.CfnOutput(stack, "AlarmName", value=watchdog.stopped_alarm.alarm_name)
    outputs = localemu.deploy(app)["WatchedAtLength"]
    cloudwatch = localemu.client("cloudwatch")

    def state() -> str:
        found = cloudwatch.describe_alarms(AlarmNames=[outputs["AlarmName"]])["MetricAlarms"]
        return str(found[0]["StateValue"])

    assert eventually(state, lambda seen: seen == "ALARM") == "ALARM"
    assert eventually(state, lambda seen: seen == "OK") == "OK"
    assert '{"new": 0, "over": 0, "open": 0}' in localemu.logs(outputs["FunctionName"])
