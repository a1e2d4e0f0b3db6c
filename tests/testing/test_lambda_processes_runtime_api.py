"""The Runtime API as a runtime sees it: plain HTTP requests."""

from __future__ import annotations

import http.client
import json
import queue
from collections.abc import Iterator

import pytest

from failure_destinations.testing.lambda_processes.runtime_api import (
    MAX_RESPONSE_BYTES,
    InitFailed,
    Invocation,
    InvocationEnded,
    RuntimeApi,
    RuntimeEvent,
    RuntimeReady,
)

ROOT = "/2018-06-01/runtime"
INVOCATION = Invocation(
    "id-1", "arn:aws:lambda:eu-west-1:1:function:f", b'{"a": 1}', 1234, "Root=1"
)


class Runtime:
    """A runtime that does what a test says."""

    def __init__(self, api: RuntimeApi) -> None:
        self.connection = http.client.HTTPConnection(api.address, timeout=60)

    def get(self, path: str) -> http.client.HTTPResponse:
        """Send a GET request."""
        self.connection.request("GET", ROOT + path)
        return self.connection.getresponse()

    def post(self, path: str, body: bytes, chunks: int = 0) -> int:
        """Send a POST request, in so many chunks or in one piece, and return the status."""
        size = -(-len(body) // chunks) if chunks else 0
        pieces = [body[at : at + size] for at in range(0, len(body), size)] if chunks else body
        self.connection.request("POST", ROOT + path, pieces, encode_chunked=bool(chunks))
        response = self.connection.getresponse()
        response.read()
        return response.status


@pytest.fixture
def api() -> Iterator[RuntimeApi]:
    """An API without requests so far."""
    api = RuntimeApi(queue.SimpleQueue[RuntimeEvent]())
    yield api
    api.close()


@pytest.fixture
def runtime(api: RuntimeApi) -> Runtime:
    """The API's client."""
    return Runtime(api)


@pytest.fixture
def busy(api: RuntimeApi, runtime: Runtime) -> Runtime:
    """The API's client with an invocation to answer."""
    api.offer(INVOCATION)
    runtime.get("/invocation/next").read()
    assert RuntimeReady() == api.events.get(timeout=60)
    return runtime


def test_next_hands_out_the_invocation(api: RuntimeApi, runtime: Runtime) -> None:
    """The event is the body, and the rest are the headers that AWS documents."""
    api.offer(INVOCATION)
    response = runtime.get("/invocation/next")

    assert response.status == 200
    assert response.read() == b'{"a": 1}'
    assert {
        "Lambda-Runtime-Aws-Request-Id": "id-1",
        "Lambda-Runtime-Deadline-Ms": "1234",
        "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:1:function:f",
        "Lambda-Runtime-Trace-Id": "Root=1",
    }.items() <= dict(response.headers).items()


def test_says_when_the_runtime_is_ready(api: RuntimeApi, busy: Runtime) -> None:
    """Each request for the next invocation is an event, even while it waits."""
    busy.post("/invocation/id-1/response", b"1")
    busy.connection.request("GET", f"{ROOT}/invocation/next")

    assert InvocationEnded(b"1", is_error=False) == api.events.get(timeout=60)
    assert RuntimeReady() == api.events.get(timeout=60)


@pytest.mark.parametrize(("kind", "is_error"), [("response", False), ("error", True)])
def test_passes_results_on_unchanged(
    api: RuntimeApi, busy: Runtime, kind: str, is_error: bool
) -> None:
    """What the runtime posts is what the caller gets, byte by byte."""
    body = '{"ü": "\\u0000💥"}'.encode()

    assert busy.post(f"/invocation/id-1/{kind}", body) == 202
    assert InvocationEnded(body, is_error) == api.events.get(timeout=60)


def test_reads_chunked_responses(api: RuntimeApi, busy: Runtime) -> None:
    """A runtime need not know the length of its response beforehand."""
    body = json.dumps("x" * 100_000).encode()

    assert busy.post("/invocation/id-1/response", body, chunks=7) == 202
    assert InvocationEnded(body, is_error=False) == api.events.get(timeout=60)


@pytest.mark.parametrize("chunks", [0, 5])
def test_response_over_the_limit_is_an_error(api: RuntimeApi, busy: Runtime, chunks: int) -> None:
    """The caller gets Lambda's error, and the runtime learns of it."""
    status = busy.post("/invocation/id-1/response", b"x" * (MAX_RESPONSE_BYTES + 1), chunks)
    result = api.events.get(timeout=60)

    assert status == 413
    assert isinstance(result, InvocationEnded)
    assert result.is_error
    assert json.loads(result.payload) == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size "
        "(6291556 bytes).",
    }


def test_accepts_the_largest_response(api: RuntimeApi, busy: Runtime) -> None:
    """The limit itself is allowed."""
    assert busy.post("/invocation/id-1/response", b"1" * MAX_RESPONSE_BYTES) == 202
    assert api.events.get(timeout=60) == InvocationEnded(b"1" * MAX_RESPONSE_BYTES, is_error=False)


@pytest.mark.parametrize("request_id", ["id-0", "id-2"])
def test_rejects_results_of_other_invocations(
    api: RuntimeApi, busy: Runtime, request_id: str
) -> None:
    """A late result cannot be taken for that of the invocation that runs."""
    assert busy.post(f"/invocation/{request_id}/response", b"1") == 400
    assert api.events.empty()


def test_rejects_a_second_result(api: RuntimeApi, busy: Runtime) -> None:
    """An invocation can end only once."""
    assert [busy.post("/invocation/id-1/response", b"1") for _ in range(2)] == [202, 400]
    assert InvocationEnded(b"1", is_error=False) == api.events.get(timeout=60)
    assert api.events.empty()


def test_passes_init_errors_on(api: RuntimeApi, runtime: Runtime) -> None:
    """A runtime that cannot load its handler says so without an invocation."""
    assert runtime.post("/init/error", b'{"errorType": "X"}') == 202
    assert InitFailed(b'{"errorType": "X"}') == api.events.get(timeout=60)


def test_unknown_paths_are_not_found(runtime: Runtime) -> None:
    """Other paths answer 404, as a runtime expects of features that are not there."""
    response = runtime.get("/restore/next")
    response.read()

    assert response.status == 404
    assert runtime.post("/invocation/id-1/other", b"") == 404


def test_closing_hangs_up_on_a_waiting_runtime(api: RuntimeApi, runtime: Runtime) -> None:
    """A runtime that waits for an invocation learns that there will be none."""
    runtime.connection.request("GET", f"{ROOT}/invocation/next")
    assert RuntimeReady() == api.events.get(timeout=60)
    api.close()

    with pytest.raises(http.client.RemoteDisconnected):
        runtime.connection.getresponse()
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection(api.address, timeout=60).connect()
