"""A thousand records in failing batches, replayed with a command that is killed again and again."""

from __future__ import annotations

import collections
import random
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources

from failure_destinations import FailureChannel
from failure_destinations.testing import LocalCloud

from ..cli.conftest import CLI, clean_environment
from .test_replay_soak import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.soak]

# One record in ten fails its batch while the flag is there. A record handled is a line.
HANDLER = """
import base64, os, pathlib, time

def handler(event, context):
    folder = pathlib.Path(os.environ["FOLDER"])
    texts = [base64.b64decode(record["kinesis"]["data"]).decode() for record in event["Records"]]
    if (folder / "broken").exists() and any(text.endswith("7") for text in texts):
        raise RuntimeError("cannot handle this batch")
    for text in texts:
        with (folder / "handled").open("a") as ledger:
            ledger.write(f"{text}\\n")
        time.sleep(0.002)
"""
RECORDS = 1_000
BATCH = 10
KILLS = 2


class Deployed(NamedTuple):
    """A stream, its reader on a channel, and what the reader writes."""

    cloud: LocalCloud
    stack: str
    outputs: dict[str, str]
    folder: Path

    def handled(self) -> collections.Counter[str]:
        """Return how often each record was handled."""
        ledger = self.folder / "handled"
        return collections.Counter(ledger.read_text().splitlines() if ledger.exists() else [])

    def waiting(self) -> int:
        """Return how many failed batches are in the channel's queue, hidden ones too."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self.cloud.client("sqs").get_queue_attributes(
            QueueUrl=self.outputs["QueueUrl"], AttributeNames=names
        )["Attributes"]
        return sum(int(attributes[name]) for name in names)

    def kept(self) -> int:
        """Return how many records are in failed batches that wait in the channel's queue."""
        messages = self.cloud.messages(self.outputs["QueueUrl"], count=0)
        return sum(message.json()["KinesisBatchInfo"]["batchSize"] for message in messages)

    def replay(self) -> subprocess.Popen[bytes]:
        """Start the command."""
        return subprocess.Popen(
            [*CLI, "replay", "--stack", self.stack, "--yes", "--concurrency", "4"],
            env=clean_environment(**self.cloud.environment),
            stdout=subprocess.DEVNULL,
        )


def deploy(cloud: LocalCloud, folder: Path, *, split: bool) -> Deployed:
    """Deploy a function that reads a stream in batches, which Lambda splits or not."""
    app = cdk.App()
    stack = cdk.Stack(app, "SplitBatches" if split else "WholeBatches")
    channel = FailureChannel(stack, "Failures")
    stream = kinesis.Stream(
        stack, "Stream", shard_count=1, stream_mode=kinesis.StreamMode.PROVISIONED
    )
    function = lambda_.Function(
        stack,
        "Reader",
        runtime=lambda_.Runtime.PYTHON_3_14,
        handler="index.handler",
        code=lambda_.Code.from_inline(HANDLER),
        environment={"FOLDER": str(folder)},
    )
    function.add_event_source(
        sources.KinesisEventSource(
            stream,
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            batch_size=BATCH,
            retry_attempts=0,
            bisect_batch_on_error=split,
            on_failure=channel.event_source_destination,
        )
    )
    cdk.CfnOutput(stack, "StreamName", value=stream.stream_name)
    cdk.CfnOutput(stack, "QueueUrl", value=channel.queue.queue_url)
    return Deployed(cloud, stack.stack_name, cloud.deploy(app)[stack.stack_name], folder)


def replay_with_kills(deployed: Deployed) -> int:
    """Replay until nothing is left, killing the command while it works; return how often."""
    generator = random.Random(7)
    kills = 0
    deadline = time.monotonic() + 1_200
    while deployed.waiting() and time.monotonic() < deadline:
        before = deployed.handled().total()
        process = deployed.replay()
        if kills < KILLS:
            enough = before + generator.randint(1, 100 // KILLS)
            wait_until(
                lambda: deployed.handled().total() >= enough or process.poll() is not None,  # noqa: B023
                60,
            )
            kills += process.poll() is None
            process.kill()
        process.wait()
        # What a killed run had received is hidden for another two minutes.
        time.sleep(1)
    return kills


@pytest.mark.parametrize("split", [False, True], ids=["whole", "split"])
def test_loses_no_record_when_the_replay_is_killed(
    localemu: LocalCloud, tmp_path: Path, capsys: pytest.CaptureFixture[str], *, split: bool
) -> None:
    """Each of 1,000 records is handled at least once: by the mapping, or by a replay."""
    (tmp_path / "broken").touch()
    deployed = deploy(localemu, tmp_path, split=split)
    texts = [f"record {number:04}" for number in range(RECORDS)]
    started = time.monotonic()
    for start in range(0, RECORDS, 500):
        localemu.client("kinesis").put_records(
            StreamName=deployed.outputs["StreamName"],
            Records=[
                {"Data": text.encode(), "PartitionKey": "one"}
                for text in texts[start : start + 500]
            ],
        )
    assert wait_until(lambda: len(deployed.handled()) + deployed.kept() >= RECORDS, 300, poll=1), (
        f"{len(deployed.handled())} handled, {deployed.kept()} kept"
    )
    batches, kept, by_mapping = deployed.waiting(), deployed.kept(), deployed.handled()
    filled = time.monotonic()

    (tmp_path / "broken").unlink()
    kills = replay_with_kills(deployed)
    ended = time.monotonic()

    handled = deployed.handled()
    repeats = handled.total() - RECORDS
    with capsys.disabled():
        print(  # noqa: T201 - who runs it wants to see
            f"\n{RECORDS} records: {len(by_mapping)} handled by the mapping, {kept} in {batches} "
            f"failed batches after {filled - started:.0f} s; replayed in {ended - filled:.0f} s "
            f"with {kills} kills: {repeats} records handled again"
        )
    assert kills == KILLS
    assert handled.keys() == set(texts)
    # The mapping splits a batch until only the bad record is left.
    assert kept == (RECORDS // 10 if split else RECORDS)
    # A kill repeats what ran then: four batches at once.
    assert repeats <= kills * 4 * (1 if split else BATCH)
