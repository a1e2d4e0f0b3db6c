"""A notifier on an engine's queues, topic and table, whose clock and deliveries a test controls."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from failure_destinations.runtime.notice_place import NoticePlace
from failure_destinations.runtime.notifier import TICK, Notifier
from failure_destinations.runtime.notifier_table import NotifierTable
from failure_destinations.testing import LocalCloud

from ..runtime.notices import START, record

# The inbox takes what any topic sends.
OPEN = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": "*",
        }
    ],
}


class Killed(BaseException):
    """The process ends here, and cleans up nothing."""


class Killer:
    """A client whose process is killed before or after one of its calls.

    Args:
        client: A boto3 client.
        calls: Counts the calls of all clients.
        at: The number of the call.
        after: Whether AWS still does what it was asked for.
    """

    def __init__(self, client: Any, calls: Iterator[int], at: int, *, after: bool) -> None:
        self._client = client
        self._calls = calls
        self._at = at
        self._after = after
        self.exceptions = client.exceptions

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(**arguments: Any) -> Any:
            is_last = next(self._calls) == self._at
            if is_last and not self._after:
                raise Killed
            answer = method(**arguments)
            if is_last:
                raise Killed
            return answer

        return call


class Published:
    """A client of SNS, and what it has published.

    Args:
        client: A boto3 client.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self.exceptions = client.exceptions
        self.ids: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def publish(self, **arguments: Any) -> Any:
        """Publish a message."""
        answer = self._client.publish(**arguments)
        self.ids.append(answer["MessageId"])
        return answer


class Bench:
    """A notifier's surroundings on an engine.

    Attributes:
        now: The notifier's time, in seconds since 1970.
    """

    def __init__(self, cloud: LocalCloud) -> None:
        self.now = START
        self.sqs: Any = cloud.client("sqs")
        self.sns: Any = Published(cloud.client("sns"))
        self.dynamodb: Any = cloud.client("dynamodb")
        name = f"bench-{uuid.uuid4()}"
        self.notices = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        self.waiting = self.sqs.create_queue(QueueName=f"{name}-waiting")["QueueUrl"]
        self.inbox = self.sqs.create_queue(
            QueueName=f"{name}-inbox", Attributes={"Policy": json.dumps(OPEN)}
        )["QueueUrl"]
        self.topic = self.sns.create_topic(Name=name)["TopicArn"]
        attributes = self.sqs.get_queue_attributes(QueueUrl=self.inbox, AttributeNames=["QueueArn"])
        self.subscribe(attributes["Attributes"]["QueueArn"])
        self.table = name
        self.dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "Id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "Id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self.received: list[dict[str, Any]] = []
        self._handles: list[str] = []

    def subscribe(self, queue_arn: str) -> None:
        """Subscribe a queue to what people get."""
        self.sns.subscribe(
            TopicArn=self.topic,
            Protocol="sqs",
            Endpoint=queue_arn,
            Attributes={"RawMessageDelivery": "true"},
        )

    def notifier(
        self,
        killer: tuple[Iterator[int], int, bool] | None = None,
        source_dead_letter_urls: Sequence[str] = (),
        *,
        with_payload: bool = True,
    ) -> Notifier:
        """Return a notifier as a new process has it."""
        clients = [self.dynamodb, self.sqs, self.sns]
        if killer is not None:
            calls, at, after = killer
            clients = [Killer(client, calls, at, after=after) for client in clients]
        dynamodb, sqs, sns = clients
        return Notifier(
            NotifierTable(dynamodb, self.table),
            sqs,
            sns,
            place=NoticePlace(
                "Shop", "Shop/Failures", "aws", "eu-west-1", "000000000000", self.waiting
            ),
            queue_url=self.notices,
            topic_arn=self.topic,
            waiting_queue_urls=[self.waiting],
            source_dead_letter_urls=source_dead_letter_urls,
            every=300,
            reminder=86_400,
            with_payload=with_payload,
            for_chat=True,
            now=lambda: self.now,
        )

    def fail(self, *messages: str, type: str = "ValueError") -> None:
        """Let events fail: records reach the queue in which they wait, and the notifier's."""
        bodies = [record(message, type, at=self.now) for message in messages]
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.waiting, MessageBody=body)
            self.sqs.send_message(QueueUrl=self.notices, MessageBody=body)

    def replay(self) -> None:
        """Replay or delete every event that waits."""
        while found := self.sqs.receive_message(QueueUrl=self.waiting, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for message in found:
                self.sqs.delete_message(
                    QueueUrl=self.waiting, ReceiptHandle=message["ReceiptHandle"]
                )

    def receive(self) -> list[dict[str, Any]]:
        """Receive what is in the notifier's queue, as Lambda passes it."""
        records = []
        while found := self.sqs.receive_message(
            QueueUrl=self.notices,
            MaxNumberOfMessages=10,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        ).get("Messages"):
            records += found
        self._handles += [message["ReceiptHandle"] for message in records]
        return [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "messageAttributes": {},
            }
            for message in records
        ]

    def run(self, notifier: Notifier | None = None) -> None:
        """Let a process handle what is in the queue, and a tick."""
        (notifier or self.notifier()).run([*self.receive(), _tick()])

    def pass_time(self, seconds: float, step: float = 60) -> None:
        """Let time pass, with a run after each step."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(self.now + step, end)
            self.run()

    def deliver_again(self) -> None:
        """Let the messages of a killed run come again, as when their visibility timeout ends."""
        for handle in self._handles:
            # The answer names a message that the run has deleted among those that failed.
            self.sqs.change_message_visibility_batch(
                QueueUrl=self.notices,
                Entries=[{"Id": "0", "ReceiptHandle": handle, "VisibilityTimeout": 0}],
            )
        self._handles = []

    @property
    def sent(self) -> list[dict[str, Any]]:
        """What people got: the plain facts of each message that was published so far."""
        while len(self.received) < len(self.sns.ids):
            found = self.sqs.receive_message(
                QueueUrl=self.inbox, MaxNumberOfMessages=10, WaitTimeSeconds=20
            )
            for message in found["Messages"]:
                self.received.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=self.inbox, ReceiptHandle=message["ReceiptHandle"])
        return sorted(self.received, key=lambda each: str(each["time"]))

    @property
    def kinds(self) -> list[str]:
        """The kinds of what people got so far."""
        return [each["kind"] for each in self.sent]


def failures_in(notices: Iterable[dict[str, Any]]) -> int:
    """Return how many failures people heard of, each notice counted once."""
    once = {each["id"]: each["failures"] for each in notices if each["kind"] == "failures"}
    return sum(once.values())


def _tick() -> dict[str, Any]:
    return {"messageId": str(uuid.uuid4()), "receiptHandle": "tick", "body": json.dumps(TICK)}
