"""The outcome of a replay, with Lambda's answers as botocore reads them off the wire."""

from __future__ import annotations

import base64
import dataclasses
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest

from failure_destinations.runtime import (
    BatchResult,
    FailedEvent,
    Outcome,
    lambda_client,
    parse,
    records_of,
    replay,
)
from failure_destinations.runtime.replay import MAX_CLIENT_CONTEXT_BYTES, client_context

from ..boto3_features import needs_tenants
from . import messages

PAYLOAD = '{"n": 1.0, "n": 1e-7, "big": 12345678901234567890123, "\\u00fc": "ü"}'


class Lambda(ThreadingHTTPServer):
    """A Lambda endpoint with a fixed answer, which remembers its requests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[tuple[str, bytes, dict[str, str]]] = []
        self.answer: tuple[int, dict[str, str], bytes] | None = (200, {}, b"null")

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Lambda

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, body, dict(self.headers)))
        if self.server.answer is None:
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        status, headers, content = self.server.answer
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: Any) -> None:
        """Do not log."""


@pytest.fixture
def service() -> Iterator[Lambda]:
    """A Lambda endpoint whose answer the test sets."""
    with Lambda() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def session() -> boto3.Session:
    """A session with credentials."""
    return boto3.Session("AKIAEXAMPLE", "secret", region_name="eu-west-1")


@pytest.fixture
def client(service: Lambda, session: boto3.Session) -> Any:
    """A client of that Lambda."""
    return lambda_client(session, endpoint_url=service.url)


def event(qualifier: str = "$LATEST") -> FailedEvent:
    """Return a failed event."""
    return parse(messages.message(messages.record(PAYLOAD, qualifier=qualifier)))


def test_sends_the_payload_byte_for_byte(client: Any, service: Lambda) -> None:
    """Lambda gets the same bytes, in a synchronous invocation."""
    assert replay(event(), client) == Outcome("succeeded")
    ((_, body, headers),) = service.requests
    assert body == PAYLOAD.encode()
    assert headers["X-Amz-Invocation-Type"] == "RequestResponse"


def custom_context(headers: dict[str, str]) -> Any:
    """Return what a handler finds in `context.client_context.custom`."""
    context = json.loads(base64.b64decode(headers["X-Amz-Client-Context"]))
    assert list(context) == ["custom"]
    return context["custom"]


def test_lets_the_handler_see_that_it_is_a_replay(client: Any, service: Lambda) -> None:
    """Its client context names the run and the failed invocation, and says if it was edited."""
    replay(event(), client, run="replay-1", edited=True)
    replay(event(), client)
    contexts = [custom_context(headers) for _, _, headers in service.requests]
    request_id = {"failure_destinations_request_id": messages.REQUEST_ID}
    assert contexts == [
        {
            "failure_destinations_replay": "replay-1",
            **request_id,
            "failure_destinations_edited": "true",
        },
        {"failure_destinations_replay": "replay", **request_id},
    ]


@pytest.mark.parametrize("char", ["x", "\x00", "\U0001f600"])
def test_the_client_context_fits_whatever_the_message_says(char: str) -> None:
    """Lambda would reject the invocation if it were larger."""
    for length in (0, 36, 100, 101, 100_000):
        hostile = dataclasses.replace(event(), request_id=char * length)
        context = client_context(hostile, char * length, edited=True)
        assert len(context) <= MAX_CLIENT_CONTEXT_BYTES


@pytest.mark.parametrize(("qualifier", "query"), [("live", "?Qualifier=live"), ("$LATEST", "")])
def test_invokes_the_function_and_qualifier_that_failed(
    client: Any, service: Lambda, qualifier: str, query: str
) -> None:
    """The alias that was invoked; for $LATEST, the function."""
    replay(event(qualifier), client)
    ((path, _, _),) = service.requests
    assert path.endswith(f"nightly-report/invocations{query}")


@needs_tenants
def test_invokes_for_the_tenant_that_the_caller_names(client: Any, service: Lambda) -> None:
    """Only if the caller names one: Lambda gets it in a header."""
    assert replay(event(), client, tenant_id="blue").succeeded
    assert replay(event(), client).succeeded
    (_, _, blue), (_, _, none) = service.requests
    assert (blue["X-Amz-Tenant-Id"], "X-Amz-Tenant-Id" in none) == ("blue", False)


def test_invokes_another_function_if_the_caller_names_one(client: Any, service: Lambda) -> None:
    """A dead letter of a function does not name the function."""
    letter = parse(messages.message(PAYLOAD, messages.FUNCTION_DLQ))
    assert replay(letter, client).reason == "refused"
    assert replay(letter, client, function="other").succeeded
    ((path, body, _),) = service.requests
    assert path.endswith("/functions/other/invocations")
    assert body == PAYLOAD.encode()


def test_does_not_send_a_payload_that_was_cut(client: Any, service: Lambda) -> None:
    """It is refused before Lambda is asked."""
    cut = {**messages.SCHEDULE_DLQ, "IS_PAYLOAD_TRUNCATED": "true"}
    outcome = replay(parse(messages.message('{"a', cut)), client)
    assert (outcome.status, outcome.reason) == ("not-started", "refused")
    assert service.requests == []


@pytest.mark.parametrize(
    ("response", "error_type", "error_message"),
    [
        ({"errorType": "RuntimeError", "errorMessage": "no data"}, "RuntimeError", "no data"),
        ({"errorMessage": "Task timed out"}, "Unhandled", "Task timed out"),
        ("broken", "Unhandled", '"broken"'),
    ],
)
def test_returns_a_second_failure(
    client: Any, service: Lambda, response: Any, error_type: str, error_message: str
) -> None:
    """A handler that fails again gives its error."""
    service.answer = (
        200,
        {"X-Amz-Function-Error": "Unhandled"},
        json.dumps(response).encode(),
    )
    assert replay(event(), client) == Outcome("failed", None, error_type, error_message)


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (429, "TooManyRequestsException", "throttled"),
        (404, "ResourceNotFoundException", "gone"),
        (403, "AccessDeniedException", "denied"),
        (409, "ResourceConflictException", "unavailable"),
        (502, "ENILimitReachedException", "unavailable"),
        (413, "RequestTooLargeException", "refused"),
        (400, "InvalidRequestContentException", "refused"),
    ],
)
def test_returns_why_a_handler_was_not_started(
    client: Any, service: Lambda, status: int, code: str, reason: str
) -> None:
    """Each of Lambda's refusals has a reason, and is not retried."""
    service.answer = (status, {"x-amzn-ErrorType": code}, b'{"Message": "because"}')
    outcome = replay(event(), client)
    assert (outcome.status, outcome.reason, outcome.error_type) == ("not-started", reason, code)
    assert outcome.error_message == "because"
    assert outcome.may_try_again == (reason in {"throttled", "unavailable"})
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    "answer", [(500, {"x-amzn-ErrorType": "ServiceException"}, b"{}"), (502, {}, b""), None]
)
def test_never_retries_an_invocation_that_may_have_run(
    client: Any, service: Lambda, answer: Any
) -> None:
    """After a server error or a lost answer nobody knows: the outcome is not a success."""
    service.answer = answer
    outcome = replay(event(), client)
    assert (outcome.status, outcome.may_try_again) == ("unknown", False)
    assert len(service.requests) == 1


def test_returns_that_there_was_no_connection(session: boto3.Session) -> None:
    """Without a connection nothing ran, and a retry is safe."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        outcome = replay(event(), lambda_client(session, endpoint_url=url))
    assert (outcome.status, outcome.reason) == ("not-started", "unavailable")
    assert outcome.may_try_again


def test_returns_that_credentials_are_missing(
    service: Lambda, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent."""
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    bare = boto3.Session(region_name="eu-west-1")
    outcome = replay(event(), lambda_client(bare, endpoint_url=service.url))
    assert (outcome.reason, outcome.error_type) == ("denied", "NoCredentialsError")


def test_waits_longer_than_any_function_runs(client: Any) -> None:
    """The read timeout is over 900 seconds, and botocore does not retry by itself."""
    config = client.meta.config
    assert config.read_timeout > 900
    assert config.tcp_keepalive
    assert config.retries["total_max_attempts"] == 1


def batch_event() -> FailedEvent:
    """Return a failed batch with its two records."""
    return parse(messages.stored("batch-kinesis-s3"))


def test_sends_a_batch_as_the_mapping_did(client: Any, service: Lambda) -> None:
    """With all of its records; a handler that reports no failure has handled them."""
    outcome = replay(batch_event(), client)
    assert (outcome.succeeded, outcome.batch) == (True, BatchResult(2))
    assert service.requests[0][1] == batch_event().payload_bytes


def test_a_batch_fails_from_the_record_that_its_handler_reports(
    client: Any, service: Lambda
) -> None:
    """The handler returned, and has not handled the second record."""
    last = records_of(batch_event().payload)[1].identifier
    response = {"batchItemFailures": [{"itemIdentifier": last}]}
    service.answer = (200, {}, json.dumps(response).encode())
    outcome = replay(batch_event(), client)
    assert (outcome.status, outcome.error_type) == ("failed", "BatchItemFailures")
    assert outcome.error_message == f"1 of 2 records handled; the first that failed is {last}"
    assert outcome.batch == BatchResult(2, (last,))


def test_an_asynchronous_event_has_no_batch_to_fail(client: Any, service: Lambda) -> None:
    """Lambda ignores what its handler returns, so the event succeeded."""
    service.answer = (200, {}, b'{"batchItemFailures": [{"itemIdentifier": "1"}]}')
    assert replay(event(), client) == Outcome("succeeded")


def test_does_not_replay_a_batch_without_its_records(client: Any, service: Lambda) -> None:
    """They are fetched first."""
    outcome = replay(parse(messages.stored("batch-kinesis-forwarded")), client)
    assert (outcome.status, outcome.reason) == ("not-started", "refused")
    assert (outcome.error_message or "").startswith("its records are not fetched yet")
    assert service.requests == []
