"""A replacement for awslambdaric's HTTP client, which that package has only on Linux.

awslambdaric imports it by this name: on other systems, this folder is last on the handler's path.
"""

from __future__ import annotations

import http.client
import os
from collections.abc import Mapping
from email.message import Message as Headers

_connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])


def initialize_client(user_agent: str) -> None:
    """Do nothing: the Runtime API does not use the user agent."""


def next() -> tuple[bytes, Headers]:
    """Wait for an invocation, and return its event and headers."""
    return _request("GET", "next")


def post_invocation_result(
    request_id: str, payload: bytes, content_type: str, _invocation_id: str | None = None
) -> None:
    """Post the handler's response."""
    _request("POST", f"{request_id}/response", payload, {"Content-Type": content_type})


def post_error(
    request_id: str, payload: str, _xray_fault: str, _invocation_id: str | None = None
) -> None:
    """Post the handler's error."""
    _request("POST", f"{request_id}/error", payload.encode())


def _request(
    method: str, resource: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[bytes, Headers]:
    path = f"/2018-06-01/runtime/invocation/{resource}"
    _connection.request(method, path, body, dict(headers or {}))
    response = _connection.getresponse()
    answer = response.read()
    if response.status >= http.client.BAD_REQUEST:
        raise RuntimeError(f"{method} {path} failed with status {response.status}")
    return answer, response.headers
