"""What the replayer's handler does with each message, with botocore's own clients."""

from __future__ import annotations

import io
import json
import time
from typing import Any

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from failure_destinations.runtime import Outcome, lambda_client, replayer
from failure_destinations.runtime.replayer import Replayer

from . import messages

ENVIRONMENT = {
    "QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/111122223333/failures",
    "PARKED_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/111122223333/parked",
    "MAX_ATTEMPTS": "3",
    "BACKOFF_SECONDS": "60",
    "HANDLER_SECONDS": "80",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "id",
    "AWS_SECRET_ACCESS_KEY": "secret",
}
TWO_WEEKS = 1_209_600
PAYLOAD = '{"n": 1.0, "secret": "of a customer"}'


class Aws:
    """Lambda and SQS as the handler sees them: what it asks for, in order, and the answers."""

    def __init__(self, invoker: Any, sqs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.functions, self.sqs = Stubber(invoker), Stubber(sqs)
        self._retention_known = False
        made = Replayer(
            invoker,
            sqs,
            queue_url=ENVIRONMENT["QUEUE_URL"],
            parked_queue_url=ENVIRONMENT["PARKED_QUEUE_URL"],
            max_attempts=3,
            backoff_seconds=60,
            handler_seconds=80,
        )
        monkeypatch.setattr(replayer, "_replayer", lambda: made)

    def succeeds(self, **request: str) -> None:
        """Expect an invocation that succeeds."""
        self._answers({}, b"null", **request)

    def fails(self, text: str = "no data") -> None:
        """Expect an invocation that ends in the handler's error."""
        error = json.dumps({"errorType": "RuntimeError", "errorMessage": text})
        self._answers({"FunctionError": "Unhandled"}, error.encode())

    def refuses(self, code: str, status: int) -> None:
        """Expect an invocation that Lambda refuses."""
        self.functions.add_client_error("invoke", code, "it cannot be", status)

    def hides(self, seconds: int) -> None:
        """Expect a message to be hidden."""
        self.tells_retention()
        self.sqs.add_response("change_message_visibility", {}, self._visibility(seconds))

    def cannot_hide(self) -> None:
        """Expect an attempt to hide a message."""
        self.sqs.add_client_error("change_message_visibility", "InternalError", "", 500)

    def parks(self, **attributes: Any) -> dict[str, Any]:
        """Expect a message to be sent to the parked queue."""
        request = {
            "QueueUrl": ENVIRONMENT["PARKED_QUEUE_URL"],
            "MessageBody": ANY,
            "MessageAttributes": ANY,
            **attributes,
        }
        self.sqs.add_response("send_message", {"MessageId": "parked"}, request)
        return request

    def cannot_park(self) -> None:
        """Expect an attempt to send a message to the parked queue, and to hide it then."""
        self.sqs.add_client_error("send_message", "QueueDoesNotExist", "", 400)
        self.sqs.add_response("change_message_visibility", {}, self._visibility(240))

    def tells_retention(self, seconds: int = TWO_WEEKS) -> None:
        """Expect the one question for how long the queue keeps a message."""
        if not self._retention_known:
            self._retention_known = True
            self.sqs.add_response(
                "get_queue_attributes",
                {"Attributes": {"MessageRetentionPeriod": str(seconds)}},
                {
                    "QueueUrl": ENVIRONMENT["QUEUE_URL"],
                    "AttributeNames": ["MessageRetentionPeriod"],
                },
            )

    def handle(self, *records: dict[str, Any]) -> list[str]:
        """Run the handler; return the ids of the messages that stay in the queue."""
        with self.functions, self.sqs:
            answer = replayer.handler({"Records": list(records)}, None)
            self.functions.assert_no_pending_responses()
            self.sqs.assert_no_pending_responses()
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def _answers(self, answer: dict[str, Any], content: bytes, **request: Any) -> None:
        self.functions.add_response(
            "invoke",
            {
                "StatusCode": 200,
                "Payload": StreamingBody(io.BytesIO(content), len(content)),
                **answer,
            },
            {"FunctionName": ANY, "InvocationType": "RequestResponse", "Payload": ANY, **request},
        )

    def _visibility(self, seconds: int) -> dict[str, Any]:
        return {
            "QueueUrl": ENVIRONMENT["QUEUE_URL"],
            "ReceiptHandle": "handle",
            "VisibilityTimeout": seconds,
        }


@pytest.fixture(scope="module")
def clients() -> tuple[Any, Any]:
    """Clients of Lambda and SQS, which take a second to make."""
    session = boto3.Session("id", "secret", region_name="eu-west-1")
    return lambda_client(session), session.client("sqs")


@pytest.fixture
def aws(clients: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> Aws:
    """Lambda and SQS."""
    return Aws(*clients, monkeypatch)


def record_of(
    body: str | None = None,
    *,
    received: int = 1,
    id: str = "first",
    sent: float | None = None,
    attributes: dict[str, dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Return a message as Lambda hands it to the handler of a queue.

    https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
    """
    return {
        "messageId": id,
        "receiptHandle": "handle",
        "body": messages.record(PAYLOAD) if body is None else body,
        "attributes": {
            "ApproximateReceiveCount": str(received),
            "SentTimestamp": str(int((time.time() if sent is None else sent) * 1000)),
        },
        "messageAttributes": attributes or {},
        "eventSource": "aws:sqs",
    }


def texts(**values: str) -> dict[str, dict[str, Any]]:
    """Return message attributes as Lambda hands them over."""
    return {
        name: {"stringValue": value, "stringListValues": [], "dataType": "String"}
        for name, value in values.items()
    }


def parked_attributes(aws: Aws, *records: dict[str, Any]) -> dict[str, Any]:
    """Run the handler on what it parks, and return the attributes that it sends."""
    sent: list[dict[str, Any]] = []

    def keep(params: dict[str, Any], **_: Any) -> None:
        sent.append(params)

    events, name = aws.sqs.client.meta.events, "provide-client-params.sqs.SendMessage"
    events.register(name, keep)
    try:
        assert aws.handle(*records) == []
    finally:
        events.unregister(name, keep)
    attributes: dict[str, Any] = sent[0]["MessageAttributes"]
    return attributes


@pytest.mark.parametrize(
    ("qualifier", "request_qualifier"), [("$LATEST", {}), ("live", {"Qualifier": "live"})]
)
def test_runs_what_failed_again(
    aws: Aws, qualifier: str, request_qualifier: dict[str, str]
) -> None:
    """The function and qualifier that failed get the payload byte for byte, and are waited for."""
    aws.functions.add_response(
        "invoke",
        {"StatusCode": 200, "Payload": StreamingBody(io.BytesIO(b"null"), 4)},
        {
            "FunctionName": messages.FUNCTION,
            "InvocationType": "RequestResponse",
            "Payload": PAYLOAD.encode(),
            **request_qualifier,
        },
    )
    assert aws.handle(record_of(messages.record(PAYLOAD, qualifier=qualifier))) == []


@pytest.mark.parametrize(("received", "seconds"), [(1, 60), (2, 120)])
def test_waits_twice_as_long_after_each_failure(aws: Aws, received: int, seconds: int) -> None:
    """An event that failed stays in the queue, hidden for a time that grows."""
    aws.fails()
    aws.hides(seconds)
    assert aws.handle(record_of(received=received)) == ["first"]


@pytest.mark.parametrize("received", [3, 4, 9])
def test_parks_after_max_attempts(aws: Aws, received: int) -> None:
    """The last failure parks it: but however often it was received, it fails here once before."""
    aws.fails()
    aws.parks(MessageBody=messages.record(PAYLOAD))
    attributes = parked_attributes(aws, record_of(received=received))
    parked_at = attributes.pop("ReplayParkedAt")["StringValue"]
    assert parked_at.startswith("20")
    assert {name: value["StringValue"] for name, value in attributes.items()} == {
        "ReplayReason": "MaxAttempts",
        "ReplayErrorType": "RuntimeError",
        "ReplayErrorMessage": "no data",
        "ReplayFunction": messages.FUNCTION,
        "ReplayAttempts": str(received),
        "ReplayMessageId": "first",
    }


def test_parks_unseen_what_was_received_too_often(aws: Aws) -> None:
    """What always ends the replayer itself is not tried for ever."""
    aws.parks()
    attributes = parked_attributes(aws, record_of(received=104))
    assert attributes["ReplayReason"]["StringValue"] == "ReceivedTooOften"


@pytest.mark.parametrize("name", ["not-a-failure-alarm", "not-json"])
def test_parks_what_is_no_failed_event(aws: Aws, name: str) -> None:
    """It is kept, with what it is, and nothing is invoked."""
    body = messages.stored(name)["Body"]
    aws.parks(MessageBody=body)
    attributes = parked_attributes(aws, record_of(body))
    assert attributes["ReplayReason"]["StringValue"] == "NotAFailedEvent"
    assert attributes["ReplayErrorMessage"]["StringValue"]


@pytest.mark.parametrize(
    "attributes",
    [
        texts(**messages.FUNCTION_DLQ),
        texts(**messages.SCHEDULE_DLQ) | texts(IS_PAYLOAD_TRUNCATED="true"),
    ],
    ids=["no function", "truncated"],
)
def test_parks_what_cannot_be_replayed(aws: Aws, attributes: dict[str, dict[str, Any]]) -> None:
    """An event without its function or payload is parked with the attributes that it had."""
    aws.parks()
    sent = parked_attributes(aws, record_of("{}", attributes=attributes))
    assert sent["ReplayReason"]["StringValue"] == "NotReplayable"
    assert {name: sent[name]["StringValue"] for name in attributes} == {
        name: attribute["stringValue"] for name, attribute in attributes.items()
    }


@pytest.mark.parametrize(
    ("code", "status"),
    [("TooManyRequestsException", 429), ("EC2ThrottledException", 502), ("ENILimitReached", 502)],
)
def test_waits_while_lambda_cannot_run_it(aws: Aws, code: str, status: int) -> None:
    """A throttle is no failure of the handler, and parks nothing."""
    if code == "ENILimitReached":
        code += "Exception"
    aws.refuses(code, status)
    aws.hides(240)
    assert aws.handle(record_of(received=3)) == ["first"]


@pytest.mark.parametrize(
    ("code", "status"), [("ResourceNotFoundException", 404), ("AccessDeniedException", 403)]
)
def test_parks_what_may_not_be_invoked(aws: Aws, code: str, status: int) -> None:
    """A function that is gone, or is none of the channel's, counts as a failure."""
    aws.refuses(code, status)
    aws.hides(60)
    assert aws.handle(record_of()) == ["first"]
    aws.refuses(code, status)
    aws.parks()
    attributes = parked_attributes(aws, record_of(received=3))
    assert attributes["ReplayErrorType"]["StringValue"] == code


def test_parks_at_the_first_failure_after_throttles(aws: Aws) -> None:
    """Each throttle was a receive, too: the handler's first failure is the last attempt."""
    for received, seconds in ((1, 60), (2, 120)):
        aws.refuses("TooManyRequestsException", 429)
        aws.hides(seconds)
        assert aws.handle(record_of(received=received)) == ["first"]
    aws.fails()
    aws.parks()
    attributes = parked_attributes(aws, record_of(received=3))
    assert attributes["ReplayReason"]["StringValue"] == "MaxAttempts"


def test_waits_an_hour_at_most_for_a_throttle(aws: Aws) -> None:
    """Once the throttle is over the event does not stay hidden half a day."""
    aws.refuses("TooManyRequestsException", 429)
    aws.hides(3600)
    assert aws.handle(record_of(received=103)) == ["first"]


def test_waits_for_a_handler_that_may_still_run(aws: Aws) -> None:
    """Without an answer, the next try comes once the handler must have ended."""
    aws.refuses("ServiceException", 500)
    aws.hides(80)
    assert aws.handle(record_of()) == ["first"]


def test_parks_before_sqs_would_delete_it(aws: Aws) -> None:
    """An event whose retention ends during the wait is parked, for 14 days more."""
    aws.fails()
    aws.tells_retention()
    aws.parks()
    attributes = parked_attributes(aws, record_of(sent=time.time() - TWO_WEEKS + 900))
    assert attributes["ReplayReason"]["StringValue"] == "RetentionEnds"


def test_replays_although_the_retention_is_unknown(aws: Aws) -> None:
    """A queue that may not be asked is no reason to stop."""
    aws.fails()
    aws.sqs.add_client_error("get_queue_attributes", "AccessDenied", "", 403)
    aws._retention_known = True
    aws.hides(60)
    assert aws.handle(record_of()) == ["first"]


def test_asks_again_for_a_retention_that_it_was_not_told(aws: Aws) -> None:
    """One refused question does not let SQS delete events for as long as the process lives."""
    aws.fails()
    aws.sqs.add_client_error("get_queue_attributes", "RequestThrottled", "", 403)
    aws._retention_known = True
    aws.hides(60)
    assert aws.handle(record_of()) == ["first"]
    aws._retention_known = False
    aws.fails()
    aws.tells_retention()
    aws.parks()
    attributes = parked_attributes(aws, record_of(sent=time.time() - TWO_WEEKS + 900))
    assert attributes["ReplayReason"]["StringValue"] == "RetentionEnds"


def test_keeps_what_cannot_be_parked(aws: Aws) -> None:
    """If the parked queue does not take it, the message stays, hidden for a while."""
    aws.fails()
    aws.cannot_park()
    assert aws.handle(record_of(received=3)) == ["first"]


def test_keeps_what_cannot_be_hidden(aws: Aws) -> None:
    """If it cannot be hidden, the message comes again at the end of the visibility timeout."""
    aws.fails()
    aws.tells_retention()
    aws.cannot_hide()
    assert aws.handle(record_of()) == ["first"]


def test_answers_for_each_record(aws: Aws) -> None:
    """In a batch one record's trouble leaves the others alone."""
    aws.fails()
    aws.hides(60)
    aws.refuses("TooManyRequestsException", 429)
    aws.cannot_hide()
    aws.succeeds()
    ids = ["failed", "throttled", "fine"]
    assert aws.handle(*(record_of(id=id) for id in ids)) == ["failed", "throttled"]


def test_cuts_the_reason_to_what_the_parked_queue_holds(aws: Aws) -> None:
    """Body and attributes stay within 1 MiB, and the body is not touched."""
    body = messages.record('"' + "ü" * 524_000 + '"')
    body += " " * (1_048_576 - len(body.encode()) - 100)
    aws.fails()
    aws.parks(MessageBody=body)
    attributes = parked_attributes(aws, record_of(body, received=3))
    size = len(body.encode()) + sum(
        len(name) + len("String") + len(attribute["StringValue"].encode())
        for name, attribute in attributes.items()
    )
    assert size <= 1_048_576
    assert attributes["ReplayReason"]["StringValue"] == "MaxAttempts"


def test_parks_a_full_message_without_a_reason(aws: Aws) -> None:
    """A message with no room left for attributes is parked all the same."""
    body = messages.record(PAYLOAD)
    body += " " * (1_048_576 - len(body.encode()))
    aws.fails()
    aws.parks(MessageBody=body)
    assert parked_attributes(aws, record_of(body, received=3)) == {}


def test_writes_what_sqs_accepts(aws: Aws) -> None:
    """Characters that SQS refuses, and long texts, do not keep an event from being parked."""
    aws.fails("\x00\ud800" + "ü" * 1000)
    aws.parks()
    attributes = parked_attributes(aws, record_of(received=3))
    text = attributes["ReplayErrorMessage"]["StringValue"]
    assert text == "\ufffd\ufffd" + "ü" * 509


def test_keeps_attributes_within_ten(aws: Aws) -> None:
    """What the message had goes before what the replayer would add; ten is SQS's limit."""
    had = texts(**messages.SCHEDULE_DLQ, A="a", B="b", C="c", D="d", E="e")
    had["D"] = {"binaryValue": "AAE=", "binaryListValues": [], "dataType": "Binary"}
    aws.fails()
    aws.parks()
    sent = parked_attributes(aws, record_of(PAYLOAD, received=3, attributes=had))
    assert sent["D"] == {"DataType": "Binary", "BinaryValue": b"\x00\x01"}
    assert sent.keys() - had.keys() == {"ReplayReason"}


def test_tells_anew_why_it_is_parked(aws: Aws) -> None:
    """What was parked, put back and failed again has the new reason."""
    old = texts(ReplayReason="RetentionEnds", ReplayErrorMessage="old", ReplayMessageId="old")
    aws.fails()
    aws.parks()
    sent = parked_attributes(aws, record_of(received=3, attributes=old))
    assert sent["ReplayReason"]["StringValue"] == "MaxAttempts"
    assert sent["ReplayMessageId"]["StringValue"] == "first"


def test_logs_no_payload(aws: Aws, caplog: pytest.LogCaptureFixture) -> None:
    """One line for each event, as JSON, without what a customer's event holds."""
    aws.fails("of a customer")
    aws.parks()
    aws.handle(record_of(received=3))
    (line,) = caplog.messages
    assert json.loads(line) == {
        "outcome": "parked",
        "messageId": "first",
        "function": messages.FUNCTION,
        "requestId": messages.REQUEST_ID,
        "received": 3,
        "errorType": "RuntimeError",
        "reason": "MaxAttempts",
    }


def test_never_sends_an_invocation_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """In Lambda it waits as long as the slowest handler, and repeats no request by itself."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    made = replayer._replayer.__wrapped__()
    config = made._invoker.meta.config
    assert (config.read_timeout, config.retries["total_max_attempts"]) == (80, 1)


def test_the_wait_has_a_bound() -> None:
    """SQS hides a message for 12 hours at most."""
    made = Replayer(
        None,
        None,
        queue_url="",
        parked_queue_url="",
        max_attempts=100,
        backoff_seconds=39_600,
        handler_seconds=890,
    )
    throttled = Outcome("not-started", "throttled")
    for outcome in (Outcome("failed"), throttled):
        assert {made._wait(outcome, received) for received in (1, 2, 99, 10_000)} == {39_600}
