"""The Lambda Runtime API for one execution environment, on a loopback port.

A function's runtime (AWS's ``awslambdaric`` for Python, ``node_runtime.mjs`` for Node) gets an
invocation from ``next``, runs the handler, and posts a ``response`` or an ``error``:
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import contextlib
import json
import logging
import queue
import re
import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import cast

MAX_RESPONSE_BYTES = 6 * 1024 * 1024 + 100
"""The largest response of an invocation: 6 MB and 100 bytes, as Lambda's error message says."""

_LOG = logging.getLogger(__name__)
_INVOCATION_PATH = re.compile(r"/2018-06-01/runtime/invocation/([^/]+)/(response|error)")
_LOOPBACK = "127.0.0.1"
_PIECE_BYTES = 64 * 1024


@dataclass(frozen=True)
class Invocation:
    """An invocation for a runtime.

    Args:
        request_id: The request id, the same on each of Lambda's attempts.
        function_arn: The ARN that the function was invoked with.
        payload: The event, as JSON.
        deadline_ms: When the invocation times out, in milliseconds since 1970.
        trace_id: The X-Ray trace header; not sent if empty.
        client_context: The client context, as JSON; not sent if empty.
    """

    request_id: str
    function_arn: str
    payload: bytes
    deadline_ms: int
    trace_id: str = ""
    client_context: str = ""


@dataclass(frozen=True)
class RuntimeReady:
    """The runtime asked for its next invocation."""


@dataclass(frozen=True)
class InitFailed:
    """The runtime reported that it could not load the handler."""

    payload: bytes


@dataclass(frozen=True)
class InvocationEnded:
    """The runtime posted the result of the invocation."""

    payload: bytes
    is_error: bool


RuntimeEvent = RuntimeReady | InitFailed | InvocationEnded


def error_payload(error_type: str, message: str) -> bytes:
    """Return the payload of an error that Lambda itself raises."""
    return json.dumps({"errorType": error_type, "errorMessage": message}).encode()


class RuntimeApi:
    """Serves the Runtime API to one process.

    Args:
        events: Gets an event for each request of the runtime that changes its state.
    """

    def __init__(self, events: queue.SimpleQueue[RuntimeEvent]) -> None:
        self.events = events
        self._offered: queue.SimpleQueue[Invocation | None] = queue.SimpleQueue()
        self._running: str | None = None
        self._closing = False
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._serve, name="runtime-api", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Host and port, for the environment variable ``AWS_LAMBDA_RUNTIME_API``."""
        return f"{_LOOPBACK}:{self._server.server_address[1]}"

    def offer(self, invocation: Invocation) -> None:
        """Give an invocation to the runtime when it asks for the next one."""
        self._offered.put(invocation)

    def close(self) -> None:
        """Stop listening, and close the connection of a runtime waiting for an invocation."""
        self._closing = True
        self._offered.put(None)
        # A connection wakes the accepting thread immediately, where `shutdown` would poll.
        with contextlib.suppress(OSError):
            socket.create_connection((_LOOPBACK, self._server.server_address[1]), timeout=1).close()
        self._thread.join()
        self._server.server_close()

    def take(self) -> Invocation | None:
        """Wait for an invocation and return it; None if the API was closed."""
        self.events.put(RuntimeReady())
        invocation = self._offered.get()
        if invocation is None:
            self._offered.put(None)
            return None
        self._running = invocation.request_id
        return invocation

    def finish(self, request_id: str, result: InvocationEnded) -> bool:
        """Pass on a result; return False if it is not that of the running invocation."""
        if request_id != self._running:
            return False
        self._running = None
        self.events.put(result)
        return True

    def _serve(self) -> None:
        while not self._closing:
            self._server.handle_request()


class _Server(socketserver.ThreadingTCPServer):
    # Not http.server.HTTPServer, which looks up its own name in the DNS when it binds.
    daemon_threads = True
    block_on_close = False

    def __init__(self, api: RuntimeApi) -> None:
        super().__init__((_LOOPBACK, 0), _RequestHandler)
        self.api = api

    def handle_error(self, request: object, client_address: object) -> None:
        # A runtime that is killed may close the connection in the middle of its request.
        _LOG.debug("%s from %s failed", request, client_address, exc_info=True)


class _RequestHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    @property
    def _api(self) -> RuntimeApi:
        return cast(_Server, self.server).api

    def do_GET(self) -> None:
        if self.path != "/2018-06-01/runtime/invocation/next":
            self._answer(404)
            return
        invocation = self._api.take()
        if invocation is None:
            self.close_connection = True
            return
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
        }
        if invocation.trace_id:
            headers["Lambda-Runtime-Trace-Id"] = invocation.trace_id
        if invocation.client_context:
            headers["Lambda-Runtime-Client-Context"] = invocation.client_context
        self._answer(200, invocation.payload, headers)

    def do_POST(self) -> None:
        body, size = self._read_body()
        if self.path == "/2018-06-01/runtime/init/error":
            self._api.events.put(InitFailed(body))
            self._answer(202, b'{"status":"OK"}')
            return
        match = _INVOCATION_PATH.fullmatch(self.path)
        if match is None:
            self._answer(404)
            return
        too_large = size > MAX_RESPONSE_BYTES
        if too_large:
            body = error_payload(
                "Function.ResponseSizeTooLarge",
                "Response payload size exceeded maximum allowed payload size "
                f"({MAX_RESPONSE_BYTES} bytes).",
            )
        result = InvocationEnded(body, is_error=too_large or match[2] == "error")
        if not self._api.finish(match[1], result):
            self._answer(400, error_payload("InvalidRequestID", "Invalid request ID"))
        elif too_large:
            self._answer(413, error_payload("RequestEntityTooLarge", "Response too large"))
        else:
            self._answer(202, b'{"status":"OK"}')

    def log_message(self, format: str, *args: object) -> None:
        _LOG.debug(format, *args)

    def _read_body(self) -> tuple[bytes, int]:
        """Return the request's body, truncated to the maximum response size, and its full size."""
        kept, size = bytearray(), 0
        for piece in self._pieces():
            size += len(piece)
            if size <= MAX_RESPONSE_BYTES:
                kept += piece
        return bytes(kept), size

    def _pieces(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            yield from self._read(int(self.headers.get("Content-Length", 0)))
            return
        while chunk_bytes := int(self.rfile.readline().split(b";")[0], 16):
            yield from self._read(chunk_bytes)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass

    def _read(self, length: int) -> Iterator[bytes]:
        while length > 0:
            piece = self.rfile.read(min(length, _PIECE_BYTES))
            if not piece:
                raise ConnectionError(
                    "the runtime closed the connection in the middle of its request"
                )
            length -= len(piece)
            yield piece

    def _answer(
        self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
