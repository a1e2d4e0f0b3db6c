"""How the replayer's handler settles each message, with botocore's own clients."""

from __future__ import annotations

import io
import json
import time
from typing import Any

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from failure_destinations.runtime import FailedEvent, Outcome, lambda_client, parse, replayer
from failure_destinations.runtime.copies import Copy, NoCopy
from failure_destinations.runtime.replay import client_context
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
    """Lambda and SQS as the handler sees them: its requests in order, and the answers."""

    def __init__(
        self,
        invoker: Any,
        sqs: Any,
        monkeypatch: pytest.MonkeyPatch,
        *,
        copies: Any = None,
        batches: Any = None,
        counts: Any = None,
    ) -> None:
        self.functions, self.sqs = Stubber(invoker), Stubber(sqs)
        self.retention_known = False
        made = Replayer(
            invoker,
            sqs,
            queue_url=ENVIRONMENT["QUEUE_URL"],
            parked_queue_url=ENVIRONMENT["PARKED_QUEUE_URL"],
            max_attempts=3,
            backoff_seconds=60,
            handler_seconds=80,
            copies=copies,
            batches=batches,
            counts=counts,
        )
        monkeypatch.setattr(replayer, "default_replayer", lambda: made)

    def succeeds(self, **request: Any) -> None:
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
        self.returns_retention()
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

    def returns_retention(self, seconds: int = TWO_WEEKS) -> None:
        """Expect the one request for how long the queue keeps a message."""
        if not self.retention_known:
            self.retention_known = True
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
            {
                "FunctionName": ANY,
                "InvocationType": "RequestResponse",
                "Payload": ANY,
                "ClientContext": ANY,
                **request,
            },
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
    """Return a message as Lambda gives it to the handler of a queue.

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
    """Return message attributes as Lambda gives them to a handler."""
    return {
        name: {"stringValue": value, "stringListValues": [], "dataType": "String"}
        for name, value in values.items()
    }


def parked_attributes(aws: Aws, *records: dict[str, Any]) -> dict[str, Any]:
    """Run the handler on a record that it parks, and return the attributes that it sends."""
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
def test_invokes_the_handler_that_failed(
    aws: Aws, qualifier: str, request_qualifier: dict[str, str]
) -> None:
    """Function and qualifier get the payload byte for byte, synchronously."""
    body = messages.record(PAYLOAD, qualifier=qualifier)
    aws.functions.add_response(
        "invoke",
        {"StatusCode": 200, "Payload": StreamingBody(io.BytesIO(b"null"), 4)},
        {
            "FunctionName": messages.FUNCTION,
            "InvocationType": "RequestResponse",
            "Payload": PAYLOAD.encode(),
            "ClientContext": client_context(parse(messages.message(body)), "replayer"),
            **request_qualifier,
        },
    )
    assert aws.handle(record_of(body)) == []


@pytest.mark.parametrize(("received", "seconds"), [(1, 60), (2, 120)])
def test_waits_twice_as_long_after_each_failure(aws: Aws, received: int, seconds: int) -> None:
    """An event that fails again stays in the queue, hidden for a growing time."""
    aws.fails()
    aws.hides(seconds)
    assert aws.handle(record_of(received=received)) == ["first"]


@pytest.mark.parametrize("received", [3, 4, 9])
def test_parks_after_max_attempts(aws: Aws, received: int) -> None:
    """The last failure parks the event, but only a failure does, however often it was received."""
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


def test_parks_without_parsing_after_too_many_receives(aws: Aws) -> None:
    """A message that always kills the replayer is not tried for ever."""
    aws.parks()
    attributes = parked_attributes(aws, record_of(received=104))
    assert attributes["ReplayReason"]["StringValue"] == "ReceivedTooOften"


@pytest.mark.parametrize("name", ["not-a-failure-alarm", "not-json"])
def test_parks_a_message_that_is_not_a_failed_event(aws: Aws, name: str) -> None:
    """The parked message says what it is, and nothing is invoked."""
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
def test_parks_an_event_that_cannot_be_replayed(
    aws: Aws, attributes: dict[str, dict[str, Any]]
) -> None:
    """An event without its function or payload keeps its attributes."""
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
    """A throttle is not a failure of the handler, and does not park the event."""
    if code == "ENILimitReached":
        code += "Exception"
    aws.refuses(code, status)
    aws.hides(240)
    assert aws.handle(record_of(received=3)) == ["first"]


@pytest.mark.parametrize(
    ("code", "status"), [("ResourceNotFoundException", 404), ("AccessDeniedException", 403)]
)
def test_parks_an_event_whose_function_cannot_be_invoked(aws: Aws, code: str, status: int) -> None:
    """A deleted function, or one that is not the channel's handler, counts as a failure."""
    aws.refuses(code, status)
    aws.hides(60)
    assert aws.handle(record_of()) == ["first"]
    aws.refuses(code, status)
    aws.parks()
    attributes = parked_attributes(aws, record_of(received=3))
    assert attributes["ReplayErrorType"]["StringValue"] == code


def test_parks_at_the_first_failure_after_throttles(aws: Aws) -> None:
    """Each throttle was also a receive: the handler's first failure is the last attempt."""
    for received, seconds in ((1, 60), (2, 120)):
        aws.refuses("TooManyRequestsException", 429)
        aws.hides(seconds)
        assert aws.handle(record_of(received=received)) == ["first"]
    aws.fails()
    aws.parks()
    attributes = parked_attributes(aws, record_of(received=3))
    assert attributes["ReplayReason"]["StringValue"] == "MaxAttempts"


def test_waits_an_hour_at_most_for_a_throttle(aws: Aws) -> None:
    """When the throttling ends, the event does not stay hidden for half a day."""
    aws.refuses("TooManyRequestsException", 429)
    aws.hides(3600)
    assert aws.handle(record_of(received=103)) == ["first"]


def test_waits_for_a_handler_that_may_still_run(aws: Aws) -> None:
    """After a lost answer, the next try comes when the handler must have ended."""
    aws.refuses("ServiceException", 500)
    aws.hides(80)
    assert aws.handle(record_of()) == ["first"]


def test_parks_before_sqs_would_delete_it(aws: Aws) -> None:
    """An event whose retention ends during the wait is parked for another 14 days."""
    aws.fails()
    aws.returns_retention()
    aws.parks()
    attributes = parked_attributes(aws, record_of(sent=time.time() - TWO_WEEKS + 900))
    assert attributes["ReplayReason"]["StringValue"] == "RetentionEnds"


def test_replays_although_the_retention_is_unknown(aws: Aws) -> None:
    """A missing permission to read the queue does not stop replays."""
    aws.fails()
    aws.sqs.add_client_error("get_queue_attributes", "AccessDenied", "", 403)
    aws.retention_known = True
    aws.hides(60)
    assert aws.handle(record_of()) == ["first"]


def test_asks_again_for_a_retention_that_it_did_not_get(aws: Aws) -> None:
    """One refused request does not let SQS delete events as long as the process lives."""
    aws.fails()
    aws.sqs.add_client_error("get_queue_attributes", "RequestThrottled", "", 403)
    aws.retention_known = True
    aws.hides(60)
    assert aws.handle(record_of()) == ["first"]
    aws.retention_known = False
    aws.fails()
    aws.returns_retention()
    aws.parks()
    attributes = parked_attributes(aws, record_of(sent=time.time() - TWO_WEEKS + 900))
    assert attributes["ReplayReason"]["StringValue"] == "RetentionEnds"


def test_keeps_an_event_that_cannot_be_parked(aws: Aws) -> None:
    """If the parked queue does not accept it, the message stays, hidden for a while."""
    aws.fails()
    aws.cannot_park()
    assert aws.handle(record_of(received=3)) == ["first"]


def test_keeps_an_event_that_cannot_be_hidden(aws: Aws) -> None:
    """SQS delivers the message again at the end of the visibility timeout."""
    aws.fails()
    aws.returns_retention()
    aws.cannot_hide()
    assert aws.handle(record_of()) == ["first"]


def test_answers_for_each_record(aws: Aws) -> None:
    """An error with one record of a batch does not affect the others."""
    aws.fails()
    aws.hides(60)
    aws.refuses("TooManyRequestsException", 429)
    aws.cannot_hide()
    aws.succeeds()
    ids = ["failed", "throttled", "fine"]
    assert aws.handle(*(record_of(id=id) for id in ids)) == ["failed", "throttled"]


def test_cuts_the_reason_to_the_size_limit(aws: Aws) -> None:
    """Body and attributes stay within 1 MiB, and the body stays as it is."""
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
    """A message without room for attributes is parked all the same."""
    body = messages.record(PAYLOAD)
    body += " " * (1_048_576 - len(body.encode()))
    aws.fails()
    aws.parks(MessageBody=body)
    assert parked_attributes(aws, record_of(body, received=3)) == {}


def test_writes_only_characters_that_sqs_accepts(aws: Aws) -> None:
    """Characters that SQS refuses and long texts do not prevent parking."""
    aws.fails("\x00\ud800" + "ü" * 1000)
    aws.parks()
    attributes = parked_attributes(aws, record_of(received=3))
    text = attributes["ReplayErrorMessage"]["StringValue"]
    assert text == "\ufffd\ufffd" + "ü" * 509


def test_keeps_attributes_within_ten(aws: Aws) -> None:
    """The message's own attributes come before the replayer's; ten is SQS's limit."""
    had = texts(**messages.SCHEDULE_DLQ, A="a", B="b", C="c", D="d", E="e")
    had["D"] = {"binaryValue": "AAE=", "binaryListValues": [], "dataType": "Binary"}
    aws.fails()
    aws.parks()
    sent = parked_attributes(aws, record_of(PAYLOAD, received=3, attributes=had))
    assert sent["D"] == {"DataType": "Binary", "BinaryValue": b"\x00\x01"}
    assert sent.keys() - had.keys() == {"ReplayReason"}


def test_replaces_an_old_reason(aws: Aws) -> None:
    """An event that was parked, put back and failed again has the new reason."""
    old = texts(ReplayReason="RetentionEnds", ReplayErrorMessage="old", ReplayMessageId="old")
    aws.fails()
    aws.parks()
    sent = parked_attributes(aws, record_of(received=3, attributes=old))
    assert sent["ReplayReason"]["StringValue"] == "MaxAttempts"
    assert sent["ReplayMessageId"]["StringValue"] == "first"


def test_logs_no_payload(aws: Aws, caplog: pytest.LogCaptureFixture) -> None:
    """One line of JSON for each event, without the content of a customer's event."""
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


class Copies:
    """A copy queue with one answer, which remembers what became of the copy."""

    def __init__(self, answer: Copy | NoCopy) -> None:
        self.answer = answer
        self.settled: list[str] = []

    def find(self, _event: FailedEvent) -> Copy | NoCopy:
        """Return the answer."""
        return self.answer

    def change_visibility(self, _copy: Copy, seconds: int) -> None:
        """Note for how long the copy is hidden."""
        self.settled.append(f"hidden {seconds}")

    def delete(self, _copy: Copy) -> None:
        """Note that the copy is deleted."""
        self.settled.append("deleted")


WITHOUT_PAYLOAD = messages.record("1").replace('"requestPayload": 1, ', "")


def test_replays_a_record_with_its_copy(
    clients: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handler gets the copy; then the record is deleted, and then the copy."""
    copies = Copies(Copy(PAYLOAD, ("receipt",)))
    aws = Aws(*clients, monkeypatch, copies=copies)
    aws.succeeds(Payload=PAYLOAD.encode())
    deleted = {"QueueUrl": ENVIRONMENT["QUEUE_URL"], "ReceiptHandle": "handle"}
    aws.sqs.add_response("delete_message", {}, deleted)
    assert aws.handle(record_of(WITHOUT_PAYLOAD)) == []
    assert copies.settled == ["hidden 140", "deleted"]


def test_keeps_the_copy_of_a_record_that_is_not_deleted(
    clients: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it, the record could not be replayed again; the event counts as succeeded."""
    copies = Copies(Copy(PAYLOAD, ("receipt",)))
    aws = Aws(*clients, monkeypatch, copies=copies)
    aws.succeeds(Payload=PAYLOAD.encode())
    aws.sqs.add_client_error("delete_message", "InternalError", "", 500)
    assert aws.handle(record_of(WITHOUT_PAYLOAD)) == []
    assert copies.settled == ["hidden 140"]


def test_keeps_the_copy_of_an_event_that_fails_again(
    clients: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the record is parked, as it came."""
    copies = Copies(Copy(PAYLOAD, ("receipt",)))
    aws = Aws(*clients, monkeypatch, copies=copies)
    aws.fails()
    aws.hides(60)
    assert aws.handle(record_of(WITHOUT_PAYLOAD)) == ["first"]
    aws.fails()
    aws.parks(MessageBody=WITHOUT_PAYLOAD)
    attributes = parked_attributes(aws, record_of(WITHOUT_PAYLOAD, received=3))
    assert attributes["ReplayReason"]["StringValue"] == "MaxAttempts"
    assert copies.settled == ["hidden 140", "hidden 0"] * 2


def test_parks_a_record_whose_copy_does_not_come(
    clients: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may come a little later than the record, so the first look is not the last."""
    aws = Aws(*clients, monkeypatch, copies=Copies(NoCopy("there is none")))
    aws.hides(60)
    assert aws.handle(record_of(WITHOUT_PAYLOAD)) == ["first"]
    aws.parks(MessageBody=WITHOUT_PAYLOAD)
    attributes = parked_attributes(aws, record_of(WITHOUT_PAYLOAD, received=3))
    assert attributes["ReplayReason"]["StringValue"] == "NotReplayable"
    assert attributes["ReplayErrorMessage"]["StringValue"] == "there is none"


def test_waits_for_a_copy_that_another_holds(
    clients: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is not a failure of the event."""
    aws = Aws(*clients, monkeypatch, copies=Copies(NoCopy("another has it", may_come=True)))
    aws.hides(240)
    assert aws.handle(record_of(WITHOUT_PAYLOAD, received=3)) == ["first"]


def test_parks_a_record_without_payload_where_no_copies_are_kept(aws: Aws) -> None:
    """Nothing could give it one."""
    aws.parks(MessageBody=WITHOUT_PAYLOAD)
    attributes = parked_attributes(aws, record_of(WITHOUT_PAYLOAD))
    assert attributes["ReplayReason"]["StringValue"] == "NotReplayable"


def test_waits_for_the_slowest_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client of Lambda, which does not retry, waits for HANDLER_SECONDS."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    timeouts = []

    def note_timeout(*, read_timeout: float) -> None:
        timeouts.append(read_timeout)

    monkeypatch.setattr(replayer, "lambda_client", note_timeout)
    replayer.default_replayer.cache_clear()
    replayer.default_replayer()
    replayer.default_replayer.cache_clear()
    assert timeouts == [80]


def test_the_wait_has_a_bound() -> None:
    """SQS hides a message for 12 hours at most."""
    clients: Any = None
    made = Replayer(
        clients,
        clients,
        queue_url="",
        parked_queue_url="",
        max_attempts=100,
        backoff_seconds=39_600,
        handler_seconds=890,
    )
    throttled = Outcome("not-started", "throttled")
    for outcome in (Outcome("failed"), throttled):
        assert {made.wait_seconds(outcome, received) for received in (1, 2, 99, 10_000)} == {39_600}
