"""Runs of the watchdog with an engine's table, topic and queue, and findings on paper."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from failure_destinations.deployed.session import Aws
from failure_destinations.doctor.examine import Examination
from failure_destinations.doctor.findings import Finding
from failure_destinations.testing import LocalCloud
from failure_destinations.watchdog import handler as module
from failure_destinations.watchdog.changes import Known, Problem
from failure_destinations.watchdog.handler import Watchdog
from failure_destinations.watchdog.notice import Notice
from failure_destinations.watchdog.state import State, StateTable

from .findings import dead_letters, missing, unknown

pytestmark = pytest.mark.integration


class Killed(BaseException):
    """The function's process is gone."""


class Bench:
    """A table, a topic and a queue that hears it, on an engine."""

    def __init__(self, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cloud = cloud
        self.findings: list[Finding] = []
        self.monkeypatch = monkeypatch
        name = f"watchdog-{uuid4().hex[:8]}"
        self.dynamodb: Any = cloud.client("dynamodb")
        self.dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "Id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "Id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self.table = StateTable(self.dynamodb, name)
        sns, sqs = cloud.client("sns"), cloud.client("sqs")
        self.topic = sns.create_topic(Name=name)["TopicArn"]
        self.queue = sqs.create_queue(QueueName=name)["QueueUrl"]
        wanted = sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])
        self.queue_arn = wanted["Attributes"]["QueueArn"]
        self.settings = {
            "STACK": "Shop",
            "CHANNEL": "Failures",
            "TOPIC_ARN": self.topic,
            "TABLE_NAME": name,
        }
        monkeypatch.setattr(
            module, "examine", lambda *_, **__: [Examination("Failures", tuple(self.findings))]
        )

    def listen(self) -> None:
        """Subscribe the queue."""
        self.cloud.client("sns").subscribe(
            TopicArn=self.topic,
            Protocol="sqs",
            Endpoint=self.queue_arn,
            Attributes={"RawMessageDelivery": "true"},
        )

    def run(self, *findings: Finding) -> dict[str, Any]:
        """Run once, with these findings."""
        self.findings = list(findings)
        return self.watchdog().run(time.time() + 900)

    def watchdog(self) -> Watchdog:
        """Return the watchdog of another process."""
        return Watchdog(Aws(None, self.cloud.region, self.cloud.url), self.settings)

    def heard(self) -> list[str]:
        """Return what was published so far: `New` or `Over` of each message."""
        messages = self.cloud.messages(self.queue, count=0)
        texts = [json.loads(message.body)["text"] for message in messages]
        return [text.splitlines()[1].partition(":")[0] for text in texts]


@pytest.fixture
def bench(ministack: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A table and a topic of its own for each test."""
    for name, value in ministack.environment.items():
        monkeypatch.setenv(name, value)
    bench = Bench(ministack, monkeypatch)
    bench.listen()
    yield bench
    bench.dynamodb.delete_table(TableName=bench.settings["TABLE_NAME"])


def test_publishes_once(bench: Bench) -> None:
    """What is new, and what is over."""
    assert bench.run(missing()) == {"new": 1, "over": 0, "open": 1}
    assert bench.run(missing()) == {"new": 0, "over": 0, "open": 1}
    assert bench.run() == {"new": 0, "over": 1, "open": 0}
    assert bench.run() == {"new": 0, "over": 0, "open": 0}
    assert bench.heard() == ["New", "Over"]


def test_remembers_what_it_could_not_read(bench: Bench) -> None:
    """The second time, it says so."""
    assert [bench.run(unknown())["new"] for _ in range(3)] == [0, 1, 0]
    assert bench.heard() == ["New"]


def test_waits_until_somebody_is_subscribed(bench: Bench) -> None:
    """A message that nobody gets is not published."""
    sns = bench.cloud.client("sns")
    (listed,) = sns.list_subscriptions_by_topic(TopicArn=bench.topic)["Subscriptions"]
    sns.unsubscribe(SubscriptionArn=listed["SubscriptionArn"])
    assert bench.run(missing(), unknown())["waits"] == "nobody is subscribed to the topic"
    assert bench.run(missing(), unknown())["new"] == 2
    bench.listen()
    assert bench.run(missing(), unknown()) == {"new": 2, "over": 0, "open": 2}
    assert bench.heard() == ["New"]


def test_loses_nothing_when_sns_fails(bench: Bench) -> None:
    """The run fails, and Lambda's next try publishes."""
    aws = Aws(None, bench.cloud.region, bench.cloud.url)
    watchdog = Watchdog(aws, {**bench.settings, "TOPIC_ARN": f"{bench.topic}-gone"})
    bench.findings = [missing()]
    with pytest.raises(ClientError):
        watchdog.run(time.time() + 900)
    assert bench.heard() == []
    assert bench.run(missing(), dead_letters()) == {"new": 1, "over": 0, "open": 2}
    assert bench.heard() == ["New", "New"]


@pytest.mark.parametrize("published", [False, True])
def test_loses_nothing_when_killed(bench: Bench, published: bool) -> None:
    """Before or after it published: the run after its time is up publishes, at worst again."""
    sns: Any = Aws(None, bench.cloud.region, bench.cloud.url).client("sns")

    def die(**message: Any) -> None:
        if published:
            sns.publish(**message)
        raise Killed

    watchdog = bench.watchdog()
    client: Any = watchdog._aws.client("sns")  # noqa: SLF001
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "publish", die)
        bench.findings = [missing()]
        with pytest.raises(Killed):
            watchdog.run(time.time() - 1)
    assert bench.run(missing()) == {"new": 0, "over": 0, "open": 1}
    assert bench.run(missing()) == {"new": 0, "over": 0, "open": 1}
    assert bench.heard() == ["New"] * (1 + published)


def test_leaves_publishing_to_a_run_that_is_at_it(bench: Bench) -> None:
    """Only once its time is up, another run does it."""
    state = State(
        Known({"a": Problem("queue", "orders", "error", "gone", "2026-11-02T03:03:00")}),
        Notice("subject", "The channel:\n\nNew:\n"),
        time.time() + 60,
    )
    assert bench.table.save(state) is not None
    assert bench.run() == {"skipped": "another run publishes"}
    assert bench.heard() == []


def test_publishes_once_in_two_runs_at_once(bench: Bench) -> None:
    """The slower one finds that the state has changed, and leaves."""
    slow = bench.watchdog()
    load = StateTable.load

    def load_then_wait(table: StateTable) -> State:
        state = load(table)
        bench.monkeypatch.setattr(StateTable, "load", load)
        assert bench.run(missing()) == {"new": 1, "over": 0, "open": 1}
        return state

    bench.monkeypatch.setattr(StateTable, "load", load_then_wait)
    assert slow.run(time.time() + 900) == {"skipped": "another run was faster"}
    assert bench.heard() == ["New"]


def test_publishes_again_when_the_state_is_lost(bench: Bench) -> None:
    """One notice too many, never one too few."""
    bench.run(missing())
    bench.dynamodb.delete_item(TableName=bench.settings["TABLE_NAME"], Key={"Id": {"S": "state"}})
    assert bench.run(missing()) == {"new": 1, "over": 0, "open": 1}
    assert bench.heard() == ["New", "New"]


@pytest.mark.parametrize(
    "damage", [b"", b"x", b"x\x9c\xabV*I-.Q\xb2R*I-.Q\xaa\x05\x00,\xc8\x05\x87"]
)
def test_survives_a_damaged_state(bench: Bench, damage: bytes) -> None:
    """As if it were lost."""
    bench.dynamodb.put_item(
        TableName=bench.settings["TABLE_NAME"],
        Item={"Id": {"S": "state"}, "Version": {"N": "7"}, "State": {"B": damage}},
    )
    assert bench.run(missing()) == {"new": 1, "over": 0, "open": 1}
    assert bench.run(missing()) == {"new": 0, "over": 0, "open": 1}


def test_remembers_thousands_of_findings(bench: Bench) -> None:
    """In one item; the sentences go first where there is no room."""
    many = [missing(f"{uuid4()}{uuid4()}") for _ in range(3000)]
    assert bench.run(*many)["new"] == 3000
    assert bench.run(*many) == {"new": 0, "over": 0, "open": 3000}
    assert bench.run()["over"] == 3000
