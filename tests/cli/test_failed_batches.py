"""Failed batches of a stream in a deployed channel, on an engine: seen, replayed, saved, discarded.

The objects and records are written here as Lambda and the channel's forwarder write them.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

from failure_destinations import FailureChannel
from failure_destinations.deployed.queues import QueueChoice
from failure_destinations.deployed.session import Aws
from failure_destinations.names import BATCH_BUCKET, EVENT_SOURCE_FAILURES
from failure_destinations.replay.discard import Discard, DiscardOptions
from failure_destinations.replay.export import Export
from failure_destinations.replay.filters import Filter
from failure_destinations.replay.operation import ReplayOperation
from failure_destinations.replay.options import ReplayOptions
from failure_destinations.testing import LocalCloud

from ..boto3_features import needs_durable_executions
from ..replay.kinesis_batches import MAPPING, SHARD, event, number, record
from .conftest import clean_environment, run_cli

pytestmark = pytest.mark.integration
STACK = "Batches"
ABC = (("a", '{"order": 1}'), ("b", "bad"), ("a", '{"order": 3}'))
# It reports what it cannot read, and everything else is handled.
HANDLER = """
import base64

def handler(event, context):
    failed = []
    for record in event["Records"]:
        data = base64.b64decode(record["kinesis"]["data"]).decode()
        print("got", data)
        if data == "bad":
            failed.append({"itemIdentifier": record["kinesis"]["sequenceNumber"]})
    return {"batchItemFailures": failed}
"""


@dataclass(frozen=True)
class Deployed:
    """A channel with one handler, and with a bucket for failed batches."""

    cloud: LocalCloud
    outputs: Mapping[str, str]

    def fail(
        self, *records: tuple[str, str], start: int = 0, bucket: str = "", stored: bool = True
    ) -> str:
        """Put a failed batch into the bucket and the queue, and return its request id."""
        id = str(uuid4())
        function = self.outputs["HandlerArn"]
        bucket = bucket or self.outputs["Bucket"]
        key = f"aws/lambda/{MAPPING}/{SHARD}/2026/11/02/2026-11-02T03.03.11-{id}"
        body: dict[str, Any] = record(len(records), start=start, request_id=id, function=function)
        if stored:
            whole = {**body, "payload": event(*records, start=start)}
            self.cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=json.dumps(whole))
        body["storedObject"] = {"bucket": bucket, "key": key}
        self.cloud.client("sqs").send_message(
            QueueUrl=self.outputs["Queue"], MessageBody=json.dumps(body)
        )
        return id

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command on the channel."""
        return self.cli_without_stack(*arguments, "--stack", STACK)

    def cli_without_stack(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command in the engine."""
        return run_cli(arguments, clean_environment(**self.cloud.environment))

    def left(self) -> int:
        """Return how many messages the queue holds."""
        return len(self.cloud.messages(self.outputs["Queue"], count=0))

    def got(self) -> list[str]:
        """Return what the handler got so far."""
        logs = self.cloud.logs(self.outputs["HandlerArn"].rpartition(":")[2])
        return [line.partition("got ")[2].strip() for line in logs.splitlines() if "got " in line]


@pytest.fixture(scope="module")
def stack(ministack: LocalCloud) -> Deployed:
    """Deploy the channel."""
    app = cdk.App(context={"aws:cdk:enable-path-metadata": True})
    stack = cdk.Stack(app, STACK)
    handler = lambda_.Function(
        stack,
        "Handler",
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="index.handler",
        code=lambda_.Code.from_inline(HANDLER),
    )
    channel = FailureChannel(stack, "Failures")
    channel.notify_failures_of(handler)
    bucket = s3.Bucket(Construct(channel, EVENT_SOURCE_FAILURES), BATCH_BUCKET)
    other = s3.Bucket(stack, "Other")
    cdk.CfnOutput(stack, "Queue", value=channel.queue.queue_url)
    cdk.CfnOutput(stack, "Bucket", value=bucket.bucket_name)
    cdk.CfnOutput(stack, "OtherBucket", value=other.bucket_name)
    cdk.CfnOutput(stack, "HandlerArn", value=handler.function_arn)
    return Deployed(ministack, ministack.deploy(app)[STACK])


@pytest.fixture
def channel(stack: Deployed) -> Deployed:
    """The deployed channel, with an empty queue."""
    stack.cloud.client("sqs").purge_queue(QueueUrl=stack.outputs["Queue"])
    return stack


def test_lists_and_shows_a_batch(channel: Deployed) -> None:
    """As a row, as a group, with its records as their producer wrote them, and as JSON."""
    id = channel.fail(*ABC)
    listed = channel.cli("list")
    assert f"RetryAttemptsExhausted: 3 records of stream/orders, {SHARD}" in listed.stdout
    assert "3 records" in channel.cli("groups").stdout
    shown = channel.cli("show", id[:8])
    for line in (
        "stream      arn:aws:kinesis:eu-west-1:111122223333:stream/orders",
        f"shard       {SHARD}",
        f"sequence    {number(0)} to {number(2)}",
        f"mapping     {MAPPING}",
        f"kept        s3://{channel.outputs['Bucket']}/aws/lambda/{MAPPING}/",
        f"- {number(0)}, key a, 2026-11-02 03:03:05 UTC",
        '  {"order": 1}',
    ):
        assert line in shown.stdout, shown.stderr
    assert channel.cli("show", id[:8], "--raw").stdout == event(*ABC)
    whole = json.loads(channel.cli("list", "--json").stdout)
    assert whole["payload"] == json.loads(event(*ABC))
    assert whole["batch"]["records"] == 3
    assert [one["data"] for one in whole["records"]] == [data for _, data in ABC]
    assert channel.left() == 1


@pytest.mark.soak
def test_searches_the_records(channel: Deployed) -> None:
    """As their producer wrote them; and says which could not be read."""
    channel.fail(*ABC)
    channel.fail(("c", "other"), start=10)
    channel.fail(("d", "gone"), start=20, stored=False)
    found = channel.cli("list", "--search", '"order": 3')
    assert "1 matching failed event" in found.stderr
    assert "the records of 1 failed batch were not read: `show` says why" in found.stderr
    where = channel.cli("groups", "--where", "records[?key == 'c']", "--json")
    assert [json.loads(line)["records"] for line in where.stdout.splitlines()] == [1]


def test_replays_what_the_handler_handles(channel: Deployed) -> None:
    """A batch of which a record failed stays, and so does one whose records are gone."""
    channel.fail(*ABC)
    channel.fail(("c", "fine"), start=10)
    channel.fail(("d", "gone"), start=20, stored=False)
    planned = channel.cli("replay")
    assert "2 failed batches of stream/orders, all records: newer records of the same" in (
        planned.stdout
    )
    assert "would leave 1: its records cannot be fetched: `show` says why" in planned.stdout
    before = len(channel.got())
    replayed = channel.cli("replay", "--yes", "--all")
    assert "1 succeeded, deleted from the queue" in replayed.stdout, replayed.stderr
    assert "2 records of failed batches handled" in replayed.stdout
    assert "2 failed (left in the queue)" in replayed.stdout
    assert "1 of 3 records handled; the first that failed is" in replayed.stdout
    assert replayed.returncode == 1
    assert sorted(channel.got()[before:]) == ["bad", "fine", '{"order": 1}', '{"order": 3}']
    assert channel.left() == 2


def test_replays_single_records(channel: Deployed) -> None:
    """The message stays until all are chosen and handled."""
    id = channel.fail(("a", "1"), ("b", "2"))
    before = len(channel.got())
    one = channel.cli("replay", "--yes", "--id", id, "--record", number(1))
    assert "1 failed batch handled as far as chosen (left in the queue)" in one.stdout, one.stderr
    assert one.returncode == 0
    assert channel.got()[before:] == ["2"]
    run = next(word for word in one.stderr.split() if word.startswith("replay-")).rstrip(":")
    assert "records 2 of 2 are handled" in channel.cli_without_stack("runs", run).stdout
    both = ["--record", number(0), "--record", number(1)]
    assert channel.cli("replay", "--yes", "--id", id, *both).returncode == 0
    assert channel.left() == 0


@pytest.mark.soak
def test_replays_the_newest_record_of_each_key(channel: Deployed) -> None:
    """The batch with older ones stays."""
    channel.fail(("a", "old"), ("b", "only"))
    channel.fail(("a", "new"), start=10)
    planned = channel.cli("replay", "--only-latest")
    assert "would leave out 1 record, of whose key there is a newer one" in planned.stdout
    before = len(channel.got())
    replayed = channel.cli("replay", "--only-latest", "--yes", "--json")
    tally = json.loads(replayed.stdout)
    assert (tally["succeeded"], tally["partial"], tally["records_older"]) == (1, 1, 1)
    assert sorted(channel.got()[before:]) == ["new", "only"]
    assert channel.left() == 1
    # The new version is handled and gone: a second run must not put the old one in its place.
    planned = channel.cli("replay", "--only-latest")
    assert "would leave out 1 record, of whose key there is a newer one" in planned.stdout
    assert channel.cli("replay", "--only-latest", "--yes").returncode == 0
    assert "old" not in channel.got()[before:]
    assert channel.left() == 1


@pytest.mark.soak
def test_saves_the_records(channel: Deployed, tmp_path: Path) -> None:
    """A file holds them when the bucket has forgotten them: exported, backed up and discarded."""
    channel.fail(("a", "kept"))
    exported, backup, discarded = (tmp_path / name for name in ("e.jsonl", "b.jsonl", "d.jsonl"))
    assert channel.cli("export", str(exported)).returncode == 0
    assert channel.cli("replay", "--yes", "--backup", str(backup)).returncode == 0
    channel.fail(("a", "thrown"))
    dry = channel.cli("discard", "--everything", "--backup", str(discarded), "--dry-run")
    assert "1 failed batch would be saved with their records" in dry.stdout
    done = channel.cli("discard", "--everything", "--backup", str(discarded), "--yes")
    assert done.returncode == 0, done.stderr
    assert channel.left() == 0
    for path, data in ((exported, "kept"), (backup, "kept"), (discarded, "thrown")):
        assert event(("a", data)) == json.loads(json.loads(path.read_text())["Body"])["payload"]
    before = len(channel.got())
    replayed = channel.cli_without_stack("replay", "--from-backup", str(discarded), "--yes")
    assert replayed.returncode == 0, replayed.stderr
    assert channel.got()[before:] == ["thrown"]


def test_reads_no_other_bucket(channel: Deployed, tmp_path: Path) -> None:
    """Whoever may send to the queue can name one, which the operator may be allowed to read."""
    id = channel.fail(("a", "secret"), bucket=channel.outputs["OtherBucket"])
    shown = channel.cli("show", id[:8])
    assert "is not in the channel's bucket" in shown.stdout
    assert "records: not read" in shown.stdout
    before = channel.got()
    assert "1 failed (left in the queue)" in channel.cli("replay", "--yes").stdout
    assert channel.got() == before
    saved = channel.cli("export", str(tmp_path / "e.jsonl"), "--json")
    assert json.loads(saved.stdout)["without_records"] == 1
    assert "secret" not in (tmp_path / "e.jsonl").read_text()


def test_replays_objects_that_were_downloaded(channel: Deployed, tmp_path: Path) -> None:
    """They hold the whole batch."""
    body = record(1, function=channel.outputs["HandlerArn"])
    body["payload"] = event(("a", "downloaded"))
    (tmp_path / f"2026-11-02T03.03.11-{uuid4()}").write_text(json.dumps(body))
    before = len(channel.got())
    replayed = channel.cli_without_stack("replay", "--from-files", str(tmp_path), "--yes")
    assert replayed.returncode == 0, replayed.stderr
    assert channel.got()[before:] == ["downloaded"]


@pytest.fixture
def as_operator(channel: Deployed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Aws:
    """The engine, as the command finds it."""
    environment = {**channel.cloud.environment, "FAILURE_DESTINATIONS_STATE": str(tmp_path)}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Aws()


@pytest.mark.soak
def test_leaves_what_may_not_be_read(
    channel: Deployed, as_operator: Aws, denied: Callable[[str], None], tmp_path: Path
) -> None:
    """A batch whose records are perhaps there is not run, not deleted, and not called gone."""
    channel.fail(("a", "1"))
    denied("GetObject")
    choice = QueueChoice(STACK, None, None)
    plan = ReplayOperation(as_operator, ReplayOptions(choice), to_run=False).plan([])
    (why,) = plan.would_stay
    assert why.startswith("its records were not read: An error occurred (AccessDenied)")
    operation = ReplayOperation(as_operator, ReplayOptions(choice), to_run=True)
    assert operation.run().failed == 1
    options = DiscardOptions(choice, tmp_path / "d.jsonl", everything=True)
    discarded = Discard(as_operator, options).run()
    assert (discarded.discarded, discarded.stay, len(discarded.not_saved)) == (0, 0, 1)
    assert not discarded.complete
    exported = Export(as_operator, choice, Filter(), tmp_path / "e.jsonl").run()
    assert exported.path == tmp_path / "e.jsonl.partial"
    assert "the records of 1 failed batch were not read" in (exported.missing or "")
    searched = ReplayOptions(choice, Filter(search="x"))
    warnings: list[str] = []
    ReplayOperation(as_operator, searched, to_run=False).plan(warnings)
    assert "the records of 1 failed batch were not read: An error" in warnings[0]
    assert channel.left() == 1


@pytest.mark.soak
@pytest.mark.parametrize(
    ("options", "got", "left"),
    [
        (["--payload", "{edited}"], ["edited"], 0),
        (["--to", "{function}"], ["1", "bad"], 1),
        (["--max", "1"], ["1", "bad"], 1),
        (["--all", "--stop-at", "0"], ["1", "bad"], 1),
        (["--rate", "5", "--concurrency", "2"], ["1", "bad"], 1),
        (["--function", "*Handler*", "--since", "2026-11-01"], ["1", "bad"], 1),
    ],
)
def test_other_options_work_with_batches(
    channel: Deployed, tmp_path: Path, options: list[str], got: list[str], left: int
) -> None:
    """Each does with a batch what it does with an event."""
    edited = tmp_path / "edited.json"
    edited.write_text(event(("a", "edited")))
    id = channel.fail(("a", "1"), ("b", "bad"))
    function = channel.outputs["HandlerArn"]
    given = [one.format(edited=edited, function=function) for one in options]
    before = len(channel.got())
    channel.cli("replay", "--yes", "--id", id, *given)
    assert channel.got()[before:] == got
    assert channel.left() == left


@pytest.mark.soak
def test_goes_on_with_the_records_that_are_left(channel: Deployed) -> None:
    """The journal says which were handled: only the others run again."""
    channel.fail(("a", "1"), ("b", "bad"), ("c", "3"))
    first = channel.cli("replay", "--yes")
    run = next(word for word in first.stderr.split() if word.startswith("replay-")).rstrip(":")
    before = len(channel.got())
    resumed = channel.cli_without_stack("replay", "--resume", run, "--yes")
    assert resumed.returncode == 1, resumed.stderr
    assert channel.got()[before:] == ["bad", "3"]


@needs_durable_executions
def test_a_batch_is_never_handed_over(channel: Deployed) -> None:
    """Only the handler's answer says which records it has handled."""
    channel.fail(("a", "1"))
    refused = channel.cli("replay", "--asynchronous")
    assert "would leave 1: a batch of a stream or queue" in refused.stdout, refused.stderr
