"""A thousand failed events, replayed while the replayer is killed again and again: none is lost."""

from __future__ import annotations

import collections
import contextlib
import functools
import json
import os
import random
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_

from failure_destinations import FailureChannel, FailureReplayer
from failure_destinations.testing import LocalCloud, Message

pytestmark = [pytest.mark.integration, pytest.mark.soak]

# Broken until the flag is there; then each run is one line in the ledger.
HANDLER = """
import os, time

def handler(event, context):
    if not os.path.exists(os.environ["FIXED"]):
        raise RuntimeError("broken")
    with open(os.environ["LEDGER"], "a") as ledger:
        ledger.write(f"{event['id']}\\n")
    time.sleep(0.01)
    with open(os.environ["LEDGER"]) as ledger:
        runs = ledger.read().splitlines().count(event["id"])
    if event["kind"] == "poison" or event["kind"] == "flaky" and runs == 1:
        raise ValueError(event["kind"])
"""
FUNCTIONS = ("Orders", "Invoices", "Reports")
EVENTS = 1_000
REALLY_FAILED = 300
MAX_ATTEMPTS = 3
KILLS = 20
# Of 25 events: how often a fixed handler runs for each.
KINDS = ["poison"] * 2 + ["flaky"] * 3 + ["fixed"] * 20
EXPECTED_RUNS = {"fixed": 1, "flaky": 2, "poison": MAX_ATTEMPTS}


class Deployed(NamedTuple):
    """The functions, channel and replayer, and what the handlers write."""

    cloud: LocalCloud
    outputs: dict[str, str]
    fixed: Path
    ledger: Path

    def runs(self) -> collections.Counter[str]:
        """Return how often each event was run since the handlers were fixed."""
        return collections.Counter(self.ledger.read_text().splitlines())

    def has_run(self, count: int) -> bool:
        """Return whether there were that many runs since the handlers were fixed."""
        return self.runs().total() >= count

    def parked(self) -> list[Message]:
        """Return what is parked."""
        return self.cloud.messages(self.outputs["ParkedQueueUrl"], count=0)

    def left(self) -> int:
        """Return how many events are in the channel's queue, hidden ones too."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self.cloud.client("sqs").get_queue_attributes(
            QueueUrl=self.outputs["QueueUrl"], AttributeNames=names
        )["Attributes"]
        return sum(int(attributes[name]) for name in names)

    def is_empty(self) -> bool:
        """Return whether the channel's queue stays empty: the counts are approximate.

        A message that becomes visible, or is received, is in neither count for a moment.
        """
        for _ in range(20):
            if self.left():
                return False
            time.sleep(0.1)
        return True


@pytest.fixture
def deployed(localemu: LocalCloud, tmp_path: Path) -> Deployed:
    """Deploy three functions on a channel with a replayer that is switched off."""
    fixed, ledger = tmp_path / "fixed", tmp_path / "ledger"
    ledger.touch()
    app = cdk.App()
    stack = cdk.Stack(app, "ReplaySoak")
    channel = FailureChannel(stack, "Channel")
    for id in FUNCTIONS:
        function = lambda_.Function(
            stack,
            id,
            runtime=lambda_.Runtime.PYTHON_3_14,
            handler="index.handler",
            code=lambda_.Code.from_inline(HANDLER),
            environment={"FIXED": str(fixed), "LEDGER": str(ledger)},
        )
        channel.notify_failures_of(function, retries=0)
        cdk.CfnOutput(stack, f"{id}Arn", value=function.function_arn)
    replayer = FailureReplayer(
        stack,
        "Replayer",
        channel=channel,
        max_attempts=MAX_ATTEMPTS,
        backoff=cdk.Duration.seconds(1),
        enabled=False,
    )
    cdk.CfnOutput(stack, "QueueUrl", value=channel.queue.queue_url)
    cdk.CfnOutput(stack, "ParkedQueueUrl", value=replayer.parked_queue.queue_url)
    cdk.CfnOutput(stack, "ReplayerName", value=replayer.function.function_name)
    cdk.CfnOutput(stack, "EventSourceId", value=replayer.event_source.event_source_mapping_id)
    outputs = localemu.deploy(app)["ReplaySoak"]
    return Deployed(localemu, outputs, fixed, ledger)


def fail(deployed: Deployed) -> dict[str, dict[str, str]]:
    """Fill the queue: some events fail for real, the others are their records with other ids."""
    cloud, outputs = deployed.cloud, deployed.outputs
    generator = random.Random(4)
    payloads = {
        id: {"id": id, "kind": generator.choice(KINDS), "function": FUNCTIONS[number % 3]}
        for number, id in enumerate(f"event-{number:04}" for number in range(EVENTS))
    }
    real = list(payloads.values())[:REALLY_FAILED]
    for payload in real:
        cloud.invoke(outputs[f"{payload['function']}Arn"], payload)
    messages = cloud.messages(outputs["QueueUrl"], count=REALLY_FAILED, timeout=120)
    records = {message.json()["requestPayload"]["function"]: message for message in messages}
    bodies = []
    for payload in list(payloads.values())[REALLY_FAILED:]:
        record = records[payload["function"]].json()
        record["requestPayload"] = payload
        record["requestContext"]["requestId"] = str(uuid.uuid4())
        bodies.append(json.dumps(record))
    for start in range(0, len(bodies), 10):
        cloud.client("sqs").send_message_batch(
            QueueUrl=outputs["QueueUrl"],
            Entries=[
                {"Id": str(number), "MessageBody": body}
                for number, body in enumerate(bodies[start : start + 10])
            ],
        )
    return payloads


def processes_of(function_name: str) -> Iterator[int]:
    """Find the processes that run a function."""
    wanted = f"AWS_LAMBDA_FUNCTION_NAME={function_name}".encode()
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (place / "environ").read_bytes().split(b"\0"):
                yield int(place.name)
        except OSError:
            continue


def wait_until(true: Callable[[], Any], seconds: float, poll: float = 0.05) -> bool:
    """Wait until something is true, and return whether it is."""
    deadline = time.monotonic() + seconds
    while not (answer := bool(true())) and time.monotonic() < deadline:
        time.sleep(poll)
    return answer


def kill_again_and_again(deployed: Deployed) -> int:
    """Kill the replayer at random moments of the first half, and return how often."""
    generator = random.Random(11)
    kills = 0
    for number in range(KILLS):
        enough = (number + 1) * EVENTS // 2 // KILLS
        assert wait_until(functools.partial(deployed.has_run, enough), 120)
        processes = list(processes_of(deployed.outputs["ReplayerName"]))
        assert wait_until(functools.partial(deployed.has_run, deployed.runs().total() + 1), 60, 0)
        # A handler has just begun: somewhere in its run, the parking, or the answer to Lambda.
        time.sleep(generator.random() * 0.08)
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
                kills += 1
    return kills


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the process to kill in /proc")
def test_loses_nothing_when_the_replayer_is_killed(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of 1,000 failed events each succeeds or is parked, whenever the replayer is killed."""
    sqs, outputs = deployed.cloud.client("sqs"), deployed.outputs
    started = time.monotonic()
    payloads = fail(deployed)
    assert deployed.left() == EVENTS
    filled = time.monotonic()

    # What a kill leaves hidden is to come again within this test.
    sqs.set_queue_attributes(QueueUrl=outputs["QueueUrl"], Attributes={"VisibilityTimeout": "40"})
    deployed.fixed.touch()
    deployed.cloud.client("lambda").update_event_source_mapping(
        UUID=outputs["EventSourceId"], Enabled=True
    )
    kills = kill_again_and_again(deployed)
    assert wait_until(deployed.is_empty, 900), f"{deployed.left()} are left"
    ended = time.monotonic()

    runs, parked = deployed.runs(), deployed.parked()
    parked_ids = collections.Counter(message.json()["requestPayload"]["id"] for message in parked)
    expected = {id: EXPECTED_RUNS[payload["kind"]] for id, payload in payloads.items()}
    differing = {id: runs[id] for id in payloads if runs[id] != expected[id]}
    with capsys.disabled():
        print(  # noqa: T201 - who runs it wants to see
            f"\n{EVENTS} events, {REALLY_FAILED} of them failed for real in "
            f"{filled - started:.0f} s; replayed in {ended - filled:.0f} s with {kills} kills: "
            f"{runs.total()} runs, {sum(expected.values())} expected, "
            f"{runs.total() - sum(expected.values())} extra; {len(parked)} parked, "
            f"{len(parked) - len(parked_ids)} of them twice; differing: {differing}"
        )
    assert kills >= KILLS
    poison = {id for id, payload in payloads.items() if payload["kind"] == "poison"}
    # No event is lost: each was run to its end by a fixed handler, or is parked.
    assert poison <= parked_ids.keys()
    assert all(runs[id] >= expected[id] for id in payloads.keys() - parked_ids.keys())
    # Only a kill makes a difference, and each to one event at most.
    assert sum(abs(runs[id] - expected[id]) for id in payloads) <= kills
    assert parked_ids.keys() - poison <= differing.keys()
    assert len(parked) - len(parked_ids) <= kills
    assert all(
        message.message_attributes["ReplayAttempts"] == str(MAX_ATTEMPTS)
        for message in parked
        if message.json()["requestPayload"]["id"] not in differing
    )
