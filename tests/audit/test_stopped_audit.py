"""An audit as a process that is interrupted half way, against a local server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from .account_of_paper import ACCOUNT, REGION, function_arn

FUNCTIONS = 60
STOP_AT = 70
IDENTITY = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
    f"<GetCallerIdentityResult><Arn>arn:aws:iam::{ACCOUNT}:user/auditor</Arn>"
    f"<UserId>A</UserId><Account>{ACCOUNT}</Account></GetCallerIdentityResult>"
    "</GetCallerIdentityResponse>"
)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.server.note(self.path)
        name = path.split("/")[3] if path.count("/") > 2 else ""
        if path.endswith("/functions"):
            functions = [
                {"FunctionName": one, "FunctionArn": function_arn(one), "Version": "$LATEST"}
                for one in self.server.names
            ]
            self._answer(json.dumps({"Functions": functions}))
        elif path.endswith("/policy"):
            statement = {
                "Sid": "mail",
                "Effect": "Allow",
                "Principal": {"Service": "ses.amazonaws.com"},
                "Action": "lambda:InvokeFunction",
                "Resource": function_arn(name),
            }
            self._answer(json.dumps({"Policy": json.dumps({"Statement": [statement]})}))
        elif path == "/":
            self._answer("<ListAllMyBucketsResult/>", "application/xml")
        else:
            self._answer("{}")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if "GetCallerIdentity" in body:
            self._answer(IDENTITY, "text/xml")
        elif "ListSubscriptions" in body:
            result = "<ListSubscriptionsResult/>"
            self._answer(f"<ListSubscriptionsResponse>{result}</ListSubscriptionsResponse>")
        elif "Action=DescribeAlarms" in body:
            # As older versions of boto3 ask.
            result = "<DescribeAlarmsResult/>"
            self._answer(f"<DescribeAlarmsResponse>{result}</DescribeAlarmsResponse>", "text/xml")
        else:
            self._answer("{}")

    def _answer(self, body: str, kind: str = "application/json") -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *arguments: object) -> None:
        """Log nothing."""


class Server(ThreadingHTTPServer):
    """A server that answers `STOP_AT` requests, then waits until it may go on."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.names = [f"function-{i:05}" for i in range(FUNCTIONS)]
        self.asked: Counter[str] = Counter()
        self.is_half_way = threading.Event()
        self.goes_on = threading.Event()
        self._lock = threading.Lock()

    def note(self, question: str) -> None:
        """Count a question."""
        with self._lock:
            self.asked[question] += 1
            count = self.asked.total()
        if count >= STOP_AT:
            self.is_half_way.set()
            self.goes_on.wait(60)


@pytest.fixture
def server() -> Iterator[Server]:
    """Run the server for one test."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.goes_on.set()
        server.shutdown()
        thread.join()


def test_goes_on_after_ctrl_c(server: Server, tmp_path: Path) -> None:
    """It prints how to continue, and then asks only the open questions."""
    state = tmp_path / "state"
    command = [sys.executable, "-m", "failure_destinations", "audit", "--resume", str(state)]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "AWS_ACCESS_KEY_ID": "paper",
        "AWS_SECRET_ACCESS_KEY": "paper",
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }
    process = subprocess.Popen(
        command,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert server.is_half_way.wait(120)
    process.send_signal(signal.SIGINT)
    server.goes_on.set()
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert f"continue with: failure-destinations audit --resume {state}" in errors
    assert state.stat().st_mode & 0o077 == 0

    again = subprocess.run(
        [*command, "--json"],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert again.returncode == 1, again.stderr
    assert "continuing after" in again.stderr
    findings = json.loads(again.stdout)["findings"]
    assert sorted(one["logical_id"] for one in findings) == server.names
    assert set(server.asked.values()) == {1}
    assert not state.exists()
