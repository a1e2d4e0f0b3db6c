"""How often an asynchronous replayer hands an event over, with botocore's own clients."""

from __future__ import annotations

import os
import time
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from failure_destinations.runtime import FailedEvent, parse
from failure_destinations.runtime.copies import Copy
from failure_destinations.runtime.replay_counts import ReplayCounts
from failure_destinations.runtime.replayer import Replayer

from . import messages

TABLE = "Replayer-Counts"
QUEUE = "https://sqs.eu-west-1.amazonaws.com/111122223333/failures"
PARKED = "https://sqs.eu-west-1.amazonaws.com/111122223333/parked"
PAYLOAD = '{"n": 1.0, "n": 2}'


def client(service: str) -> Any:
    """Return a client that nobody answers."""
    known: Any = boto3.client
    return known(
        service, region_name="eu-west-1", aws_access_key_id="id", aws_secret_access_key="secret"
    )


def of_queue(body: str, receives: int = 1) -> dict[str, Any]:
    """Return a record of a queue's event, as Lambda passes it."""
    return {
        "messageId": "2e1424d4-f796-459a-8184-9c92662be6da",
        "receiptHandle": "AQEBexample",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": str(receives),
            "SentTimestamp": str(int(time.time() * 1000)),
        },
        "messageAttributes": {},
    }


class Aws:
    """What an asynchronous replayer asks of AWS, in order, and the answers."""

    def __init__(self, copies: Any = None) -> None:
        lambda_, sqs, dynamodb = client("lambda"), client("sqs"), client("dynamodb")
        self.lambda_, self.sqs, self.dynamodb = map(Stubber, (lambda_, sqs, dynamodb))
        self.replayer = Replayer(
            lambda_,
            sqs,
            queue_url=QUEUE,
            parked_queue_url=PARKED,
            max_attempts=3,
            backoff_seconds=60,
            handler_seconds=50,
            copies=copies,
            counts=ReplayCounts(dynamodb, TABLE, 43_200),
        )

    def has_count(self, count: int, *, expires: float | None = None) -> None:
        """Expect the count to be read, and answer."""
        item = {
            "count": {"N": str(count)},
            "expires": {"N": str(int(time.time() + 60 if expires is None else expires))},
        }
        self.dynamodb.add_response(
            "get_item",
            {"Item": item} if count else {},
            {"TableName": TABLE, "Key": {"event": {"S": ANY}}, "ConsistentRead": True},
        )

    def writes(self, count: int) -> None:
        """Expect a count to be written."""
        if not count:
            expected = {"TableName": TABLE, "Key": {"event": {"S": ANY}}}
            self.dynamodb.add_response("delete_item", {}, expected)
            return
        item = {"event": {"S": ANY}, "count": {"N": str(count)}, "expires": {"N": ANY}}
        self.dynamodb.add_response("put_item", {}, {"TableName": TABLE, "Item": item})

    def accepts(self, **more: str) -> None:
        """Expect an event to be handed over."""
        asked = {
            "FunctionName": messages.FUNCTION,
            "InvocationType": "Event",
            "Payload": PAYLOAD.encode(),
            **more,
        }
        self.lambda_.add_response("invoke", {"StatusCode": 202}, asked)

    def refuses(self, code: str, status: int) -> None:
        """Expect an event to be refused."""
        self.lambda_.add_client_error("invoke", code, http_status_code=status)

    def hides(self, seconds: int) -> None:
        """Expect the message to be hidden."""
        retention = {"Attributes": {"MessageRetentionPeriod": "1209600"}}
        self.sqs.add_response("get_queue_attributes", retention)
        hidden = {"QueueUrl": QUEUE, "ReceiptHandle": ANY, "VisibilityTimeout": seconds}
        self.sqs.add_response("change_message_visibility", {}, hidden)

    def parks(self) -> None:
        """Expect the message to be parked."""
        asked = {"QueueUrl": PARKED, "MessageBody": ANY, "MessageAttributes": ANY}
        self.sqs.add_response("send_message", {"MessageId": "1"}, asked)

    def finish(self, body: str, receives: int = 1) -> bool:
        """Return whether the message may be deleted, once all was asked."""
        with self.lambda_, self.sqs, self.dynamodb:
            done = self.replayer.finish(of_queue(body, receives))
            for each in (self.lambda_, self.sqs, self.dynamodb):
                each.assert_no_pending_responses()
        return done


RECORD = messages.record(PAYLOAD)


def test_hands_an_event_over_the_first_time() -> None:
    """It is counted first; its message may be deleted, since Lambda has the event."""
    aws = Aws()
    aws.has_count(0)
    aws.writes(1)
    aws.accepts()
    assert aws.finish(RECORD)


@pytest.mark.parametrize(("count", "seconds"), [(1, 60), (2, 120)])
def test_an_event_that_is_back_waits(count: int, seconds: int) -> None:
    """Twice as long each time; its count holds as long as it waits."""
    aws = Aws()
    aws.has_count(count)
    aws.writes(count)
    aws.hides(seconds)
    assert not aws.finish(RECORD)


def test_hands_it_over_again_after_its_wait() -> None:
    """SQS then delivers it once more."""
    aws = Aws()
    aws.has_count(2)
    aws.writes(3)
    aws.accepts()
    assert aws.finish(RECORD, receives=2)


def test_parks_a_poison_event() -> None:
    """It was handed over max_attempts times; whoever sends it back begins anew."""
    aws = Aws()
    aws.has_count(3)
    aws.parks()
    aws.writes(0)
    assert aws.finish(RECORD)


def test_parks_once_if_the_count_cannot_be_deleted() -> None:
    """It expires by itself."""
    aws = Aws()
    aws.has_count(3)
    aws.parks()
    aws.dynamodb.add_client_error("delete_item", "InternalServerError", http_status_code=500)
    assert aws.finish(RECORD)


def test_a_count_that_has_expired_is_none() -> None:
    """DynamoDB may take days to delete it."""
    aws = Aws()
    aws.has_count(3, expires=time.time() - 1)
    aws.writes(1)
    aws.accepts()
    assert aws.finish(RECORD)


@pytest.mark.parametrize(
    ("code", "status"), [("TooManyRequestsException", 429), ("ResourceNotFoundException", 404)]
)
def test_does_not_count_what_lambda_refused(code: str, status: int) -> None:
    """Nothing ran; the event waits as with any replayer."""
    aws = Aws()
    aws.has_count(0)
    aws.writes(1)
    aws.refuses(code, status)
    aws.writes(0)
    aws.hides(60)
    assert not aws.finish(RECORD)


def test_counts_what_lambda_may_have_accepted() -> None:
    """The answer was lost: the event may run twice, but not for ever."""
    aws = Aws()
    aws.has_count(0)
    aws.writes(1)
    aws.refuses("ServiceException", 500)
    aws.hides(60)
    assert not aws.finish(RECORD)


def test_begins_a_new_chain_of_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lambda would stop the functions after 16 invocations in one chain."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "replayer")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793;Lineage=8:1")
    aws = Aws()
    chains: list[str | None] = []
    # botocore passes the chain on from there, after this.
    aws.lambda_.client.meta.events.register(
        "before-parameter-build.lambda.Invoke",
        lambda **_: chains.append(os.environ.get("_X_AMZN_TRACE_ID")),
    )
    aws.has_count(0)
    aws.writes(1)
    aws.accepts()
    assert aws.finish(RECORD)
    assert chains == [None]


def test_names_the_qualifier() -> None:
    """A durable function is invoked as `$LATEST` only if that is named."""
    aws = Aws()
    aws.has_count(0)
    aws.writes(1)
    aws.accepts(Qualifier="$LATEST")
    assert aws.finish(messages.record(PAYLOAD, condition="DurableExecutionFailed"))


def test_counts_by_function_and_payload() -> None:
    """The record of the next failure has another request id and time."""
    seen: list[str] = []
    dynamodb = client("dynamodb")
    dynamodb.meta.events.register(
        "before-parameter-build.dynamodb.GetItem",
        lambda params, **_: seen.append(params["Key"]["event"]["S"]),
    )
    again = RECORD.replace(messages.REQUEST_ID, "another").replace("03:03:11", "04:04:12")
    other = RECORD.replace(PAYLOAD, '{"n": 2}')
    with Stubber(dynamodb) as answers:
        for body in (RECORD, again, other, messages.record(PAYLOAD, qualifier="live")):
            answers.add_response("get_item", {})
            ReplayCounts(dynamodb, TABLE, 60).read(parse({"Body": body}))
    assert seen[0] == seen[1]
    assert len(set(seen)) == 3
    assert PAYLOAD not in seen[0]


class Copies:
    """A copy queue with one copy, and what became of it."""

    def __init__(self) -> None:
        self.deleted = False
        self.hidden: list[int] = []

    def find(self, _event: FailedEvent) -> Copy:
        """Return the copy."""
        return Copy(PAYLOAD, ("AQEBcopy",))

    def change_visibility(self, _copy: Copy, seconds: int) -> None:
        """Remember how long the copy is hidden."""
        self.hidden.append(seconds)

    def delete(self, _copy: Copy) -> None:
        """Remember that the copy was deleted."""
        self.deleted = True


WITHOUT_PAYLOAD = RECORD.replace(f'"requestPayload": {PAYLOAD}, ', "")


def test_hands_a_copy_over_and_then_deletes_it() -> None:
    """The next failure has a copy of its own."""
    copies: Any = Copies()
    aws = Aws(copies)
    aws.has_count(0)
    aws.writes(1)
    aws.accepts()
    aws.sqs.add_response("delete_message", {}, {"QueueUrl": QUEUE, "ReceiptHandle": "AQEBexample"})
    assert aws.finish(WITHOUT_PAYLOAD)
    assert copies.deleted


@pytest.mark.parametrize("count", [1, 3])
def test_keeps_the_copy_of_what_it_does_not_hand_over(count: int) -> None:
    """Whether its record waits or is parked, it could not be replayed without."""
    copies: Any = Copies()
    aws = Aws(copies)
    aws.has_count(count)
    if count == 1:
        aws.writes(1)
        aws.hides(60)
    else:
        aws.parks()
        aws.writes(0)
    assert aws.finish(WITHOUT_PAYLOAD) == (count == 3)
    assert (copies.deleted, copies.hidden[-1]) == (False, 0)
