"""The commands of the runbook, the alarms and `doctor`, run as they are written."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_

from failure_destinations import FailureChannel, FailureMonitoring, FailureReplayer
from failure_destinations.runtime import fingerprint, parse
from failure_destinations.testing import LocalCloud

from ..cli.conftest import clean_environment
from ..terminal import run_in_terminal
from ..written_commands import NAME, commands_in, in_description

pytestmark = [pytest.mark.integration, pytest.mark.soak]

RUNBOOK = Path(__file__).parents[2] / "docs" / "howto" / "replay-after-an-incident.md"
CODE = """
def handler(event, context):
    if event.get("fail"):
        raise ValueError("no such order")
"""
# The ids that the page uses.
EVENT = "87675696-0bb0-4f4f-b6db-3e068701fd03"
COPY = "d3b07384-d9a0-4c1b-9f5e-2f6b3c1a0e55"


@dataclass(frozen=True)
class Incident:
    """A stack with failed events, and a folder to work in."""

    cloud: LocalCloud
    folder: Path
    outputs: dict[str, str]

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the operator."""
        editor = self.folder / "editor"
        editor.write_text('#!/bin/sh\necho \'{"edited": true}\' > "$1"\n')
        editor.chmod(0o700)
        state = str(self.folder / "state")
        return clean_environment(
            **self.cloud.environment,
            EDITOR=str(editor),
            FAILURE_DESTINATIONS_STATE=state,
            TERM="dumb",
        )

    def record(self, request_id: str) -> str:
        """Write the record of a failed event."""
        context = {
            "requestId": request_id,
            "functionArn": f"{self.outputs['FunctionArn']}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        }
        error = {"errorType": "KeyError", "errorMessage": "'order'"}
        return json.dumps(
            {
                "version": "1.0",
                "timestamp": "2026-11-29T03:03:11.412Z",
                "requestContext": context,
                "requestPayload": {"order": request_id},
                "responsePayload": error,
            }
        )

    def fail(self) -> None:
        """Have events in each queue."""
        sqs = self.cloud.client("sqs")
        for request_id in (EVENT, "another-event"):
            sqs.send_message(QueueUrl=self.outputs["Queue"], MessageBody=self.record(request_id))
        for output in ("DeadLetters", "Parked"):
            sqs.send_message(
                QueueUrl=self.outputs[output], MessageBody=self.record(f"{output}-event")
            )
        sqs.send_message(QueueUrl=self.outputs["Queue"], MessageBody="not an event")
        values = {"RequestID": COPY, "ErrorCode": "200", "ErrorMessage": "'order'"}
        sqs.send_message(
            QueueUrl=self.outputs["Copies"],
            MessageBody="{}",
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in values.items()
            },
        )

    def run(self, command: Sequence[str]) -> tuple[int, str]:
        """Run a command of this program in a terminal, and answer yes to what it asks."""
        return run_in_terminal(command[1:], self.environment, folder=self.folder)


@pytest.fixture(scope="module")
def incident(ministack: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Incident:
    """Deploy the stack of the runbook."""
    app = cdk.App(context={"aws:cdk:enable-path-metadata": True})
    stack = cdk.Stack(app, "Reports")
    function = lambda_.Function(
        stack,
        "Report",
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="index.handler",
        code=lambda_.Code.from_inline(CODE),
    )
    channel = FailureChannel(stack, "Failures")
    channel.notify_failures_of(function)
    replayer = FailureReplayer(stack, "Replayer", channel=channel, enabled=False)
    FailureMonitoring(stack, "Monitoring", channel=channel)
    assert channel.copy_queue is not None
    for name, value in {
        "Queue": channel.queue.queue_url,
        "DeadLetters": channel.dead_letter_queue.queue_url,
        "Copies": channel.copy_queue.queue_url,
        "Parked": replayer.parked_queue.queue_url,
        "FunctionArn": function.function_arn,
    }.items():
        cdk.CfnOutput(stack, name, value=value)
    outputs = ministack.deploy(app)["Reports"]
    folder = tmp_path_factory.mktemp("incident")
    (folder / "fixed.json").write_text('{"fixed": true}')
    return Incident(ministack, folder, outputs)


def assert_runs(incident: Incident, command: Sequence[str]) -> str:
    """Assert that a command does something, and return what it printed."""
    status, printed = incident.run(command)
    assert status in (0, 1), (shlex.join(command), printed)
    assert re.search("^(Error|Usage): ", printed, re.MULTILINE) is None, printed
    return printed


def test_the_runbook_runs_as_it_is_written(incident: Incident) -> None:
    """Every command in its order, with the names of this stack; each event ends as it says."""
    text = RUNBOOK.read_text(encoding="utf-8")
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    commands = [command for block in blocks for command in commands_in(block)]
    assert len(commands) > 20
    event = parse({"Body": incident.record(EVENT)})
    run = ""
    for command in commands:
        incident.fail()
        for page, here in {
            "c2b81f7d04": fingerprint(event).id,
            "replay-20261129-030512-7f3a2c": run,
            "Reports-ReplayerParkedQueue": incident.outputs["Parked"].rpartition("/")[2],
            "--function-name Reports-Report": f"--function-name {event.function_name}",
        }.items():
            command = command.replace(page, here)  # noqa: PLW2901 - as the reader does
        if "--from-backup replayed.jsonl" in command:
            (incident.folder / "replayed.jsonl.done").unlink()
        printed = assert_runs(incident, shlex.split(command))
        found = re.search(r"the run is (replay-[\w-]+)", printed)
        run = found[1] if found else run
        if "--id" in command and "replay" in command:
            assert "1 succeeded, deleted from the queue" in printed, command
        if "discard" in command:
            assert "discarded: deleted from" in printed, command
    assert {path.name for path in incident.folder.glob("*.jsonl")} == {
        "incident.jsonl",
        "replayed.jsonl",
        "discarded.jsonl",
    }


def test_the_commands_of_the_alarms_run(incident: Incident) -> None:
    """As the alarms of the deployed stack have them, with the names of their queues."""
    incident.fail()
    alarms = incident.cloud.client("cloudwatch").describe_alarms()["MetricAlarms"]
    commands = {
        command
        for alarm in alarms
        if alarm["AlarmName"].startswith("Reports-")
        for command in in_description(alarm["AlarmDescription"])
    }
    assert {shlex.split(command)[1] for command in commands} == {"list", "replay", "export"}
    for command in sorted(commands):
        printed = assert_runs(incident, shlex.split(command))
        assert re.search("would replay|saved to|in Reports", printed), printed


def test_the_commands_of_doctor_run(incident: Incident) -> None:
    """Those that are its own: the others are the AWS CLI's."""
    incident.fail()
    _, printed = incident.run([NAME, "doctor", "--stack", "Reports"])
    commands = {one.strip() for one in printed.splitlines() if one.strip().startswith(f"{NAME} ")}
    assert {shlex.split(command)[1] for command in commands} >= {"list", "replay"}
    for command in sorted(commands):
        assert_runs(incident, shlex.split(command))
