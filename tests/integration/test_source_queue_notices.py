"""What people hear of messages that SQS moved to the dead-letter queue of a source queue."""

from __future__ import annotations

import json
import uuid
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_sqs as sqs

from failure_destinations import FailureChannel, FailureNotifier
from failure_destinations.runtime.notifier import Notifier
from failure_destinations.testing import LocalCloud

from ..waiting import eventually
from .notifier_bench import Bench

pytestmark = [pytest.mark.integration, pytest.mark.soak]


class SourceQueue:
    """A queue of an engine with a dead-letter queue behind it."""

    def __init__(self, sqs: Any, *, is_fifo: bool = False) -> None:
        self._sqs = sqs
        end = ".fifo" if is_fifo else ""
        self._fifo = {"FifoQueue": "true"} if is_fifo else {}
        self.name = f"orders-{uuid.uuid4()}{end}"
        dead = f"dead-{uuid.uuid4()}{end}"
        self.dead_letters = sqs.create_queue(QueueName=dead, Attributes=self._fifo)["QueueUrl"]
        found = sqs.get_queue_attributes(QueueUrl=self.dead_letters, AttributeNames=["QueueArn"])
        redrive = {"deadLetterTargetArn": found["Attributes"]["QueueArn"], "maxReceiveCount": 1}
        attributes = {"RedrivePolicy": json.dumps(redrive), "VisibilityTimeout": "0"}
        self.url = sqs.create_queue(QueueName=self.name, Attributes=attributes | self._fifo)[
            "QueueUrl"
        ]

    def give_up(self, *bodies: str) -> None:
        """Send messages, and receive them until SQS moves them."""
        before = self.dead
        for body in bodies:
            more = {"MessageGroupId": "a", "MessageDeduplicationId": body} if self._fifo else {}
            self._sqs.send_message(QueueUrl=self.url, MessageBody=body, **more)

        def moved() -> list[int]:
            self._sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10)
            return [self.dead]

        (now,) = eventually(moved, lambda seen: seen == [before + len(bodies)])
        assert now == before + len(bodies)

    @property
    def dead(self) -> int:
        """How many messages are in the dead-letter queue."""
        name = "ApproximateNumberOfMessages"
        found = self._sqs.get_queue_attributes(QueueUrl=self.dead_letters, AttributeNames=[name])
        return int(found["Attributes"][name])

    def purge(self) -> None:
        """Empty the dead-letter queue."""
        self._sqs.purge_queue(QueueUrl=self.dead_letters)


def notifier_of(bench: Bench, *urls: str) -> Notifier:
    """Return the bench's notifier, which looks into some dead-letter queues too."""
    return bench.notifier(source_dead_letter_urls=urls)


@pytest.mark.parametrize("is_fifo", [False, True], ids=["standard", "fifo"])
def test_from_the_first_dead_letter_to_the_end_and_again(
    localemu: LocalCloud, is_fifo: bool
) -> None:
    """People hear of the queue by name, in digests, are reminded, and hear when it is over."""
    bench = Bench(localemu)
    source = SourceQueue(bench.sqs, is_fifo=is_fifo)

    def pass_time(seconds: float, step: float = 60) -> None:
        end = bench.now + seconds
        while bench.now < end:
            bench.now = min(bench.now + step, end)
            bench.run(notifier_of(bench, source.dead_letters))

    pass_time(300)
    assert bench.kinds == []
    source.give_up("1", "2")
    pass_time(60)
    (notice,) = bench.sent
    (group,) = notice["groups"]
    assert (notice["kind"], notice["failures"], notice["waiting"]) == ("failures", 2, 2)
    assert (group["queue"], group["message"]) == (
        source.name,
        source.dead_letters.rpartition("/")[2],
    )
    assert group["title"] == f"queue {source.name} dead letters"
    assert group["replayCommand"].endswith(" --stack Shop --from source-queues --to-source")
    source.give_up("3")
    pass_time(600)
    assert [each["failures"] for each in bench.sent] == [2, 1]
    pass_time(86_400, 3600)
    assert (bench.kinds[2:], bench.sent[2]["waiting"]) == (["reminder"], 3)
    source.purge()
    pass_time(900)
    assert bench.kinds[3:] == ["over"]
    source.give_up("4")
    pass_time(60)
    assert bench.kinds[4:] == ["failures"]
    assert bench.sent[-1]["groups"][0]["new"]


def test_a_queue_that_is_gone_does_not_silence_the_others(localemu: LocalCloud) -> None:
    """The run fails, so that its alarm goes off, but people hear of what could be seen."""
    bench = Bench(localemu)
    source = SourceQueue(bench.sqs)
    source.give_up("1")
    bench.fail("no stock for order 17")
    gone = f"{source.dead_letters}-gone"
    bench.now += 300
    with pytest.raises(bench.sqs.exceptions.QueueDoesNotExist):
        bench.run(notifier_of(bench, gone, source.dead_letters))
    assert failed_groups(bench) == {"orders:live ValueError", f"queue {source.name} dead letters"}


class WithoutNames:
    """A client of SQS that may not be asked for the sources of a dead-letter queue."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        if name == "list_dead_letter_source_queues":
            raise PermissionError(name)
        return getattr(self._client, name)


def test_a_source_that_cannot_be_named_is_no_reason_to_be_silent(localemu: LocalCloud) -> None:
    """The message then names the dead-letter queue only."""
    bench = Bench(localemu)
    source = SourceQueue(bench.sqs)
    source.give_up("1")
    bench.sqs = WithoutNames(bench.sqs)
    bench.now += 300
    bench.run(notifier_of(bench, source.dead_letters))
    name = source.dead_letters.rpartition("/")[2]
    assert failed_groups(bench) == {f"queue {name} dead letters"}


def failed_groups(bench: Bench) -> set[str]:
    """Return the titles of the groups that people heard of."""
    return {group["title"] for notice in bench.sent for group in notice["groups"]}


def test_a_deployed_notifier_sees_a_deployed_queue(localemu: LocalCloud) -> None:
    """From the construct to the message: variables, permissions and the minute's tick."""
    app = cdk.App()
    stack = cdk.Stack(app, "SourceNotices")
    channel = FailureChannel(stack, "Failures", keep_copies=False)
    notifier = FailureNotifier(stack, "Notifier", channel=channel)
    orders = sqs.Queue(stack, "Orders", visibility_timeout=cdk.Duration.seconds(0))
    dead_letters = channel.dead_letter_queue_for(orders)
    for name, value in {
        "Queue": orders.queue_url,
        "DeadLetters": dead_letters.queue_url,
        "Notices": notifier.queue.queue_url,
        "Topic": notifier.topic.topic_arn,
    }.items():
        cdk.CfnOutput(stack, name, value=value)
    outputs = localemu.deploy(app)["SourceNotices"]
    client: Any = localemu.client("sqs")
    bench = Bench(localemu)
    inbox = client.get_queue_attributes(QueueUrl=bench.inbox, AttributeNames=["QueueArn"])
    localemu.client("sns").subscribe(
        TopicArn=outputs["Topic"],
        Protocol="sqs",
        Endpoint=inbox["Attributes"]["QueueArn"],
        Attributes={"RawMessageDelivery": "true"},
    )
    client.send_message(QueueUrl=outputs["Queue"], MessageBody="order 17")

    def notices() -> list[Any]:
        client.receive_message(QueueUrl=outputs["Queue"])
        found = client.receive_message(QueueUrl=bench.inbox).get("Messages", [])
        return [json.loads(each["Body"]) for each in found]

    (heard,) = eventually(notices, bool)
    (group,) = heard["groups"]
    assert (heard["kind"], heard["failures"]) == ("failures", 1)
    assert group["queue"] == outputs["Queue"].rpartition("/")[2]
    assert group["message"] == outputs["DeadLetters"].rpartition("/")[2]
