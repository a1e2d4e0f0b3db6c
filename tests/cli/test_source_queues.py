"""Dead letters of SQS event sources, as a process on an engine that moves them as SQS does."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs

from failure_destinations import FailureChannel
from failure_destinations.testing import LocalCloud

from ..waiting import PATIENCE, eventually
from .conftest import CLI, Orders, clean_environment, create_function, run_cli

pytestmark = pytest.mark.integration

HANDLER = """
def handler(event, context):
    (record,) = event["Records"]
    print("got", record["body"], record["eventSourceARN"].rpartition(":")[2])
    if "raise" in record["body"]:
        raise ValueError("no such order")
    if "partly" in record["body"]:
        return {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}
"""


@dataclass
class Source:
    """A queue that a function reads, and its dead-letter queue."""

    orders: Orders
    url: str
    arn: str
    function: str

    def fail(self, *bodies: str, **more: Any) -> None:
        """Have SQS move messages to the dead-letter queue, as after failures of the function."""
        sqs = self.orders.cloud.client("sqs")
        for body in bodies:
            sqs.send_message(QueueUrl=self.url, MessageBody=body, **more)
            for _ in range(2):
                sqs.receive_message(QueueUrl=self.url, VisibilityTimeout=0, MaxNumberOfMessages=10)

    def count(self) -> int:
        """Return the number of messages of the source queue, without receiving them."""
        known = self.orders.cloud.client("sqs").get_queue_attributes(
            QueueUrl=self.url, AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(known["Attributes"]["ApproximateNumberOfMessages"])

    def bodies(self) -> list[str]:
        """Return the bodies of the visible messages of the source queue."""
        return [message.body for message in self.orders.cloud.messages(self.url, count=0)]

    def logs(self) -> list[str]:
        """Return what the function printed of the messages that it got, in order."""
        lines = self.orders.cloud.logs(self.function).splitlines()
        return [line[line.index("got ") :] for line in lines if "got " in line]


@pytest.fixture(scope="session")
def stock_function(localemu: LocalCloud) -> str:
    """Create the function that reads source queues, and return its ARN."""
    return create_function(localemu, "stock", handler=HANDLER)


def define_source(cloud: LocalCloud, function: str, *, fifo: bool = False) -> Source:
    """Create a queue with a dead-letter queue, of which a function is switched off."""
    sqs: Any = cloud.client("sqs")
    suffix = ".fifo" if fifo else ""
    name = f"orders-{uuid4().hex[:8]}"
    kind = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if fifo else {}

    def create(name: str, attributes: dict[str, str]) -> tuple[str, str]:
        url = sqs.create_queue(QueueName=name, Attributes={**kind, **attributes})["QueueUrl"]
        known = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return url, known["Attributes"]["QueueArn"]

    dead, dead_arn = create(f"{name}-dlq{suffix}", {})
    policy = {"deadLetterTargetArn": dead_arn, "maxReceiveCount": 1}
    url, arn = create(f"{name}{suffix}", {"RedrivePolicy": json.dumps(policy)})
    if not fifo:
        cloud.client("lambda").create_event_source_mapping(
            EventSourceArn=arn, FunctionName=function, Enabled=False
        )
    return Source(Orders(cloud, dead, function), url, arn, "stock")


@pytest.fixture
def source(localemu: LocalCloud, stock_function: str) -> Source:
    """Return a queue of its own for each test."""
    return define_source(localemu, stock_function)


def test_reads_a_message_as_the_event_of_its_mapping(source: Source) -> None:
    """Whatever its text is; the function is the one that reads the queue that SQS names."""
    record = source.orders.record("{}", str(uuid4()))
    attributes: Any = {
        "Customer": {"DataType": "String", "StringValue": "Müller"},
        "Key": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    source.fail(record, MessageAttributes=attributes)
    listed = source.orders.cli("list", "--json")
    known = json.loads(listed.stdout)
    (got,) = known["payload"]["Records"]
    assert known["source"] == "queue-dlq"
    assert known["queue"] == source.arn == got["eventSourceARN"]
    assert known["function"] == source.orders.function
    assert known["error_type"] is None
    assert got["body"] == record
    assert got["messageId"] == known["id"]
    assert "DeadLetterQueueSourceArn" not in got["attributes"]
    assert got["messageAttributes"]["Key"]["binaryValue"] == "AP8="
    assert got["messageAttributes"]["Customer"]["stringValue"] == "Müller"
    assert (got["eventSource"], got["awsRegion"]) == ("aws:sqs", "eu-west-1")
    shown = source.orders.cli("show", known["id"])
    assert f"queue       {source.arn}" in shown.stdout
    assert "first       received 20" in shown.stdout


def test_groups_by_the_queue(source: Source) -> None:
    """SQS does not say the error, so a group is one queue's."""
    source.fail("one", "two")
    grouped = json.loads(source.orders.cli("groups", "--json").stdout)
    name = source.arn.rpartition(":")[2]
    assert (grouped["events"], grouped["message"]) == (2, f"queue/{name}")


def test_replays_into_the_function_that_reads_the_source(source: Source) -> None:
    """What succeeds is deleted; what fails, or is named as failed by the answer, stays."""
    source.fail("fine", "raise", "partly")
    planned = source.orders.cli("replay")
    assert f"     3  {source.orders.function}" in planned.stdout
    assert len(source.orders.bodies()) == 3
    replayed = source.orders.cli("replay", "--yes", "--all")
    assert "1 succeeded, deleted from the queue\n" in replayed.stdout
    assert "2 failed (left in the queue)\n" in replayed.stdout
    assert replayed.returncode == 1
    assert sorted(source.orders.bodies()) == ["partly", "raise"]


def test_reads_what_sqs_did_not_move_as_before(source: Source) -> None:
    """One queue may be the dead-letter queue of everything; --from source-queues reads all so."""
    source.orders.send("{}")
    known = json.loads(source.orders.cli("list", "--json").stdout)
    assert known["source"] == "destination"
    known = json.loads(source.orders.cli("list", "--json", "--from", "source-queues").stdout)
    assert (known["source"], known["queue"]) == ("queue-dlq", source.arn)


@pytest.mark.soak
def test_wants_one_function(source: Source, localemu: LocalCloud) -> None:
    """SQS does not say which of several failed: --to does."""
    other = f"other-{uuid4().hex[:8]}"
    arn = create_function(localemu, other, handler=HANDLER)
    localemu.client("lambda").create_event_source_mapping(
        EventSourceArn=source.arn, FunctionName=arn, Enabled=False
    )
    source.fail("fine")
    planned = source.orders.cli("replay")
    assert "pass --to with one of " in planned.stderr
    assert f"{other}, stock" in planned.stderr
    assert "would leave 1: without the name of a function" in planned.stdout
    assert source.orders.cli("replay", "--to", other, "--yes").returncode == 0
    assert source.orders.bodies() == []


@pytest.mark.soak
def test_a_backup_knows_the_source(source: Source, tmp_path: Path) -> None:
    """Its messages are replayed with the same event, binary attributes included."""
    attributes: Any = {"Key": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}}
    source.fail("fine", MessageAttributes=attributes)
    backup = tmp_path / "orders.jsonl"
    assert source.orders.cli("export", str(backup)).returncode == 0
    discarded = source.orders.cli(
        "discard", "--everything", "--yes", "--backup", str(tmp_path / "discarded.jsonl")
    )
    assert discarded.returncode == 0
    assert source.orders.bodies() == []
    before = len(source.logs())
    replayed = source.orders.cloud_cli("replay", "--from-backup", str(backup), "--yes")
    assert replayed.returncode == 0, replayed.stderr
    assert source.logs()[before:] == [f"got fine {source.arn.rpartition(':')[2]}"]


@pytest.mark.soak
def test_replays_a_fifo_queue_in_order(localemu: LocalCloud, stock_function: str) -> None:
    """One message of a group at a time; what fails stops its group only."""
    source = define_source(localemu, stock_function, fifo=True)
    for number in range(12):
        source.fail(f"one {number}", MessageGroupId="1")
    source.fail("two 0", "two 1 raise", "two 2", MessageGroupId="2")
    name = source.arn.rpartition(":")[2]
    looked = source.orders.cli("list")
    assert "more cannot be received now" in looked.stderr
    assert "come later in a FIFO message group" in looked.stderr
    replayed = source.orders.cli("replay", "--to", "stock", "--yes", "--all")
    assert "13 succeeded, deleted from the queue\n" in replayed.stdout
    assert "1 failed (left in the queue)\n" in replayed.stdout
    assert "1 message of 1 message group of a FIFO queue stay" in replayed.stderr
    assert replayed.returncode == 1
    lines = [line for line in source.logs() if line.endswith(name)]
    ones = [line for line in lines if " one " in line]
    assert ones == [f"got one {number} {name}" for number in range(12)]
    twos = [line for line in lines if " two " in line]
    assert twos == [f"got two 0 {name}", f"got two 1 raise {name}"]
    assert source.orders.bodies() == ["two 1 raise", "two 2"]
    other = define_source(localemu, stock_function, fifo=True)
    other.fail(*map(str, range(11)), MessageGroupId="1")
    done = other.orders.cli("replay", "--to", "stock", "--yes")
    assert (done.returncode, other.orders.bodies()) == (0, []), done.stderr


@pytest.fixture(scope="module")
def channel(localemu: LocalCloud) -> dict[str, str]:
    """Deploy a channel with two dead-letter queues of source queues, and return the outputs."""
    app = cdk.App(context={"aws:cdk:enable-path-metadata": True})
    stack = cdk.Stack(app, "Warehouse")
    channel = FailureChannel(stack, "Failures")
    function = lambda_.Function(
        stack,
        "Handler",
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="index.handler",
        code=lambda_.Code.from_inline(HANDLER),
    )
    for name in ("Orders", "Stock"):
        queue = sqs.Queue(stack, name)
        dead = channel.dead_letter_queue_for(queue, max_receive_count=1)
        function.add_event_source(sources.SqsEventSource(queue, enabled=False))
        cdk.CfnOutput(stack, f"{name}Url", value=queue.queue_url)
        cdk.CfnOutput(stack, f"{name}DeadUrl", value=dead.queue_url)
    return localemu.deploy(app)["Warehouse"]


@pytest.mark.soak
def test_takes_all_source_queues_of_a_channel(
    localemu: LocalCloud, channel: dict[str, str], tmp_path: Path
) -> None:
    """They are listed, grouped and replayed together, each in the group of its queue."""
    for name in ("Orders", "Stock"):
        orders = Orders(localemu, channel[f"{name}DeadUrl"], "")
        Source(orders, channel[f"{name}Url"], "", "").fail(f"{name} fine", f"{name} raise")
    environment = clean_environment(**localemu.environment)

    def cli(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run_cli([*arguments, "--stack", "Warehouse"], environment)

    assert "4 messages wait in the dead-letter queues of source queues" in cli("list").stderr
    channels = run_cli(["list"], environment)
    assert channels.stdout.splitlines()[0].endswith("SOURCE-QUEUES")
    of_sources = ("--from", "source-queues")
    listed = [json.loads(line) for line in cli("list", "--json", *of_sources).stdout.splitlines()]
    assert len(listed) == 4
    groups = cli("groups", "--json", *of_sources).stdout.splitlines()
    assert [json.loads(group)["events"] for group in groups] == [2, 2]
    planned = cli("replay", *of_sources)
    # Nobody says their error, but where they come from.
    assert planned.stdout.count("queue/") == 2
    id = next(one["id"] for one in listed if one["payload"]["Records"][0]["body"] == "Stock raise")
    assert "Stock raise" in cli("show", id, *of_sources).stdout
    replayed = cli("replay", "--yes", "--all", *of_sources)
    assert "2 succeeded, deleted from the queue\n" in replayed.stdout
    assert "2 failed (left in the queue)\n" in replayed.stdout
    left = [
        message.body
        for name in ("Orders", "Stock")
        for message in localemu.messages(channel[f"{name}DeadUrl"], count=0)
    ]
    assert left == ["Orders raise", "Stock raise"]
    saved = tmp_path / "saved.jsonl"
    assert cli("export", str(saved), *of_sources).returncode == 0
    assert len(saved.read_text().splitlines()) == 2
    taken = cli("discard", "--everything", "--backup", str(saved), "--yes", *of_sources)
    assert "2 discarded" in taken.stdout
    assert "this is not all" not in taken.stderr
    assert cli("list", *of_sources).stderr.startswith("0 messages in ")


def test_moves_messages_back_to_their_source(source: Source) -> None:
    """By SQS's own task, only with --yes, and with a journal."""
    source.fail("one", "two", "three")
    counted = source.orders.cli("replay", "--to-source")
    name = source.arn.rpartition(":")[2]
    assert f"       3  {name}-dlq  {name}" in counted.stdout
    assert "would move 3 messages back; nothing was moved" in counted.stdout
    assert f"warning: no function reads {name} now" in counted.stderr
    assert counted.returncode == 0
    moved = source.orders.cli("replay", "--to-source", "--yes", "--rate", "100")
    assert f"3 moved from {name}-dlq back to {name}\n" in moved.stdout
    assert moved.returncode == 0
    assert sorted(source.bodies()) == ["one", "three", "two"]
    assert source.orders.bodies() == []
    run = next(word for word in moved.stderr.split() if word.startswith("move-"))
    shown = source.orders.cloud_cli("runs", run.rstrip(":"))
    assert "3 moved" in shown.stdout
    assert "--to-source --rate 100" in shown.stdout
    again = source.orders.cli("replay", "--to-source", "--yes")
    assert ("0 moved: there was no message" in again.stdout, again.returncode) == (True, 1)


@pytest.mark.soak
def test_cancels_the_move_when_interrupted(source: Source) -> None:
    """It says how many were moved; the others are still dead letters."""
    source.fail(*map(str, range(20)))
    command = [*CLI, "replay", "--queue", source.orders.name, "--to-source", "--yes", "--rate", "1"]
    with subprocess.Popen(
        command,
        env=source.orders.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        eventually(lambda: [source.count()], lambda counts: counts[0] >= 2)
        started = source.orders.cli("replay", "--to-source")
        running.send_signal(signal.SIGINT)
        printed, said = running.communicate(timeout=PATIENCE)
    assert f"SQS already moves the messages of {source.orders.name}, about " in started.stderr
    assert "aws sqs cancel-message-move-task --task-handle " in started.stderr
    assert started.returncode == 2
    assert running.returncode == 1
    moved = int(re.match(r"about (\d+) moved from .*, then cancelled\n", printed)[1])  # type: ignore[index]
    assert "interrupted: what SQS has moved stays moved" in said
    assert 2 <= moved < 20
    assert source.count() == moved
    assert len(source.orders.bodies()) == 20 - moved


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--function", "stock"], "SQS move all messages of a queue, got --function: leave it out"),
        (["--max", "3"], "got --max: leave it out, discard first what must not go back"),
        (["--to", "stock"], "SQS move the messages and invokes nothing: leave out --to"),
        (["--backup", "b.jsonl"], "save them first with `failure-destinations export FILE.jsonl`"),
        (
            ["--rate", "0.5"],
            "--rate must be a whole number from 1 to 500 with --to-source, got 0.5",
        ),
        (["--rate", "501"], "got 501: SQS takes no other"),
    ],
)
def test_rejects_what_sqs_cannot_obey(source: Source, options: list[str], said: str) -> None:
    """In one line that names the way out, before anything is moved."""
    refused = source.orders.cli("replay", "--to-source", *options, "--yes")
    assert said in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert refused.returncode == 2


def test_rejects_a_queue_without_a_source(source: Source) -> None:
    """SQS moves back only what it moved there."""
    refused = run_cli(["replay", "--queue", source.arn, "--to-source"], source.orders.environment)
    name = source.arn.rpartition(":")[2]
    assert f"{name} is not the dead-letter queue of an SQS queue" in refused.stderr
    assert refused.returncode == 2


@pytest.mark.soak
def test_moves_all_source_queues_of_a_channel_back(
    localemu: LocalCloud, channel: dict[str, str]
) -> None:
    """Each message goes to its own queue; --to-source needs no --from."""
    for name in ("Orders", "Stock"):
        for key in (f"{name}Url", f"{name}DeadUrl"):
            localemu.client("sqs").purge_queue(QueueUrl=channel[key])
        orders = Orders(localemu, channel[f"{name}DeadUrl"], "")
        Source(orders, channel[f"{name}Url"], "", "").fail(name)
    moved = run_cli(
        ["replay", "--stack", "Warehouse", "--to-source", "--yes", "--json"],
        clean_environment(**localemu.environment),
    )
    known = json.loads(moved.stdout)
    assert [move["state"] for move in known["moves"]] == ["completed", "completed"], moved.stderr
    assert known["moved"] == 2
    for name in ("Orders", "Stock"):
        (message,) = localemu.messages(channel[f"{name}Url"])
        assert message.body == name
