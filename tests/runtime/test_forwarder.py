"""What a durable function's forwarder sends to the channel, with AWS's answers."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from failure_destinations.runtime import NotAFailedEvent, parse
from failure_destinations.runtime.forwarder import Forwarder
from failure_destinations.runtime.publishing import RecordPublisher

TOPIC = "arn:aws:sns:eu-west-1:111122223333:Failures-Topic"
QUEUE = "https://sqs.eu-west-1.amazonaws.com/111122223333/Failures-Queue"
FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:orders"
REQUEST = "14e0db71-5d35-4eb5-b481-8945cf9d10c2"
ROLE = "AROAEXAMPLEROLEIDXYZ1"
PAYLOAD = '{ "n": 1.0, "n": 12345678901234567890, "t": "\\u00fc" }'


def dead_letter(body: str = PAYLOAD, **changed: Any) -> dict[str, Any]:
    """Return a record of a queue's event with a dead letter, as Lambda passes it."""
    texts = {"RequestID": REQUEST, "ErrorCode": "200", "ErrorMessage": "Something went wrong!"}
    return {
        "messageId": "2e1424d4-f796-459a-8184-9c92662be6da",
        "body": body,
        "attributes": {"SenderId": f"{ROLE}:orders", "SentTimestamp": "1793588580123"},
        "messageAttributes": {
            name: {"dataType": "String", "stringValue": text} for name, text in texts.items()
        },
        **changed,
    }


def client(service: str) -> Any:
    """Return a client that nobody answers."""
    known: Any = boto3.client
    return known(
        service, region_name="eu-west-1", aws_access_key_id="id", aws_secret_access_key="secret"
    )


class Channel:
    """A forwarder, and what its channel gets."""

    def __init__(self, role_id: str = ROLE, qualifier: str = "live") -> None:
        sns, sqs = client("sns"), client("sqs")
        self.sns, self.sqs = Stubber(sns), Stubber(sqs)
        self.sent: list[tuple[str, str]] = []
        sns.meta.events.register("before-parameter-build.sns.Publish", self._keep)
        sqs.meta.events.register("before-parameter-build.sqs.SendMessage", self._keep)
        publisher = RecordPublisher(sns, sqs, topic_arn=TOPIC, queue_url=QUEUE)
        self.forwarder = Forwarder(
            publisher, function_arn=f"{FUNCTION}:{qualifier}", role_id=role_id
        )

    def _keep(self, params: dict[str, Any], **_given: Any) -> None:
        where = params.get("TopicArn") or params["QueueUrl"]
        self.sent.append((where, params.get("Message") or params["MessageBody"]))

    def forward(self, record: dict[str, Any]) -> list[tuple[str, str]]:
        """Forward a record, and return what was sent where."""
        with self.sns, self.sqs:
            self.forwarder.forward(record)
            self.sns.assert_no_pending_responses()
            self.sqs.assert_no_pending_responses()
        return self.sent


@pytest.mark.parametrize("qualifier", ["live", "7", "$LATEST"])
def test_sends_a_record_that_can_be_replayed(qualifier: str) -> None:
    """To the function and qualifier that failed, with the payload byte for byte."""
    channel = Channel(qualifier=qualifier)
    channel.sns.add_response("publish", {"MessageId": "1"})
    ((where, text),) = channel.forward(dead_letter())
    assert where == TOPIC
    event = parse({"Body": text})
    assert event.payload == PAYLOAD
    assert (event.function, event.qualifier) == (FUNCTION, qualifier)
    assert event.function_arn == f"{FUNCTION}:{qualifier}"
    assert (event.source, event.attempts) == ("destination", 1)
    assert event.request_id == REQUEST
    assert event.error_message == "Something went wrong!"
    assert event.timestamp is not None
    assert event.timestamp.timestamp() == 1793588580.123
    assert json.loads(text)["version"] == "1.0"


def test_needs_no_attributes() -> None:
    """The record then has the message's id, so that two deliveries are one event."""
    channel = Channel()
    channel.sns.add_response("publish", {"MessageId": "1"})
    record = dead_letter(messageAttributes={})
    ((_, text),) = channel.forward(record)
    assert parse({"Body": text}).request_id == record["messageId"]


def test_sends_to_the_queue_what_is_too_large_for_the_topic() -> None:
    """An SQS message may be larger, and the event would be lost otherwise."""
    channel = Channel()
    channel.sns.add_client_error(
        "publish", "InvalidParameter", "Invalid parameter: Message too long", http_status_code=400
    )
    channel.sqs.add_response("send_message", {"MessageId": "1"})
    *_, (where, text) = channel.forward(dead_letter())
    assert where == QUEUE
    assert parse({"Body": text}).payload == PAYLOAD


@pytest.mark.parametrize("code", ["AuthorizationError", "InvalidParameter", "NotFound"])
def test_keeps_what_it_cannot_send(code: str) -> None:
    """SQS delivers the message again, and moves it to the channel's dead-letter queue at last."""
    channel = Channel()
    channel.sns.add_client_error("publish", code, "no")
    with pytest.raises(Exception, match=code):
        channel.forward(dead_letter())


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"body": "text"}, "text that is not JSON"),
        (
            {"attributes": {"SenderId": "AROAOTHER:orders", "SentTimestamp": "1"}},
            "AROAOTHER:orders, not of the function's role",
        ),
    ],
)
def test_rejects_what_the_function_did_not_send(changed: dict[str, Any], expected: str) -> None:
    """It stays, and moves to the channel's dead-letter queue."""
    with pytest.raises(NotAFailedEvent, match=expected):
        Channel().forward(dead_letter(**changed))


def test_checks_no_sender_of_an_imported_role() -> None:
    """Its id is not known."""
    channel = Channel(role_id="")
    channel.sns.add_response("publish", {"MessageId": "1"})
    assert len(channel.forward(dead_letter())) == 1
