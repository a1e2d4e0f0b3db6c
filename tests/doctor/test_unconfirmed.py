"""What doctor finds of mailboxes on an engine where nobody confirms."""

from __future__ import annotations

import json

import aws_cdk as cdk
import pytest
from click.testing import CliRunner

from failure_destinations import FailureChannel, FailureMonitoring
from failure_destinations.cli.group import cli
from failure_destinations.testing import LocalCloud

from ..cli.conftest import clean_environment
from ..templates import without_hash

MAILBOX = "developer@example.com"


@pytest.mark.soak
@pytest.mark.integration
@pytest.mark.parametrize("engine", ["localemu"])
def test_finds_mailboxes_that_wait_for_confirmation(
    engine: str, request: pytest.FixtureRequest
) -> None:
    """The channel's mailbox, and the alarm topic's."""
    localemu: LocalCloud = request.getfixturevalue(engine)
    app = cdk.App(context={"aws:cdk:enable-path-metadata": True})
    stack = cdk.Stack(app, "Unconfirmed")
    channel = FailureChannel(stack, "Failures", emails=[MAILBOX])
    FailureMonitoring(stack, "Monitoring", channel=channel)
    localemu.deploy(app)
    result = CliRunner().invoke(
        cli,
        ["doctor", "--stack", "Unconfirmed", "--json", "--problems"],
        env=clean_environment(**localemu.environment),
    )
    findings = [json.loads(line) for line in result.stdout.splitlines()]
    # The engine has no mute rules, which doctor says.
    nobody, *found = [each for each in findings if each["kind"] != "alarm-muted"]
    assert nobody["kind"] == "no-handlers"
    assert [(each["kind"], each["resource"]) for each in found] == [
        ("subscription-pending", MAILBOX)
    ] * 2
    topics = [each["commands"][0][4] for each in found]
    ids = {without_hash(id): arn for id, arn in localemu.resources("Unconfirmed").items()}
    assert topics == [ids["FailuresTopic"], ids["MonitoringAlarmTopic"]]
    assert "nobody is notified of alarms there" in found[1]["text"]
