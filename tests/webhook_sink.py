"""A receiver of webhooks on loopback, which answers as a test says."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Sink(ThreadingHTTPServer):
    """Keeps what is posted to it.

    Attributes:
        received: Each path and body, as they came.
        statuses: What the paths answer; 202 if they are not here.
        hanging: The paths that do not answer until `release` is set.
        dripping: The paths that answer one byte after the other, for ever.
        release: Ends all hanging answers.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receiver)
        self.received: list[tuple[str, Any]] = []
        self.statuses: dict[str, int] = {}
        self.hanging: set[str] = set()
        self.dripping: set[str] = set()
        self.release = threading.Event()

    @property
    def url(self) -> str:
        """The URL of its root, without a slash at the end."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def at(self, path: str) -> list[Any]:
        """Return what was posted to a path."""
        return [body for posted, body in [*self.received] if posted == path]


class _Receiver(BaseHTTPRequestHandler):
    server: Sink

    def do_POST(self) -> None:
        sink = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        sink.received.append((self.path, body))
        if self.path in sink.hanging:
            sink.release.wait(60)
        status = sink.statuses.get(self.path, 202)
        self.send_response(status)
        if status in (301, 307):
            self.send_header("Location", f"{sink.url}/elsewhere")
        self.end_headers()
        # Who has given up does not read.
        with suppress(ConnectionError):
            while self.path in sink.dripping and not sink.release.is_set():
                self.wfile.write(b"x")
                time.sleep(0.05)
            self.wfile.write(b"an answer\x1b[31m")

    def log_message(self, *_arguments: object) -> None:
        """Keep the output of tests readable."""


@contextmanager
def running_sink() -> Iterator[Sink]:
    """Run a receiver."""
    with Sink() as sink:
        threading.Thread(target=sink.serve_forever, daemon=True).start()
        yield sink
        sink.release.set()
        sink.shutdown()
