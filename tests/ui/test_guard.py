"""Only the operator's own browser gets to the page."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from failure_destinations.ui.guard import Guard

PORT = 51234
HOST = f"127.0.0.1:{PORT}"
Message = MutableMapping[str, Any]


async def behind(scope: Message, receive: Any, send: Any) -> None:  # noqa: ARG001 - ASGI
    """Answer every request."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"the page"})


def ask(guard: Guard, path: str = "/", *, kind: str = "http", **headers: str) -> list[Message]:
    """Send a request, and return what comes back."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    route, _, query = path.partition("?")
    written = {"host": HOST, **headers}
    scope = {
        "type": kind,
        "method": "GET",
        "path": route,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in written.items()],
    }
    asyncio.run(guard(scope, receive, send))
    return sent


def status(answer: list[Message]) -> int:
    """Return the status of an answer."""
    return int(answer[0]["status"])


def header(answer: list[Message], name: str) -> str:
    """Return a header of an answer."""
    headers: dict[bytes, bytes] = dict(answer[0]["headers"])
    return headers[name.encode()].decode()


def enter(guard: Guard) -> str:
    """Be let in, and return the cookie."""
    answer = ask(guard, guard.invite().removeprefix(guard.url))
    assert (status(answer), header(answer, "location")) == (303, "/")
    return header(answer, "set-cookie").partition(";")[0]


@pytest.fixture
def guard() -> Guard:
    """A guard before a page."""
    return Guard(behind, PORT)


def test_lets_one_browser_in(guard: Guard) -> None:
    """The address gives a cookie that scripts cannot read, and the cookie opens the page."""
    cookie = enter(guard)
    assert status(ask(guard, cookie=cookie)) == 200
    answer = ask(guard, guard.invite().removeprefix(guard.url))
    assert "HttpOnly; SameSite=Strict" in header(answer, "set-cookie")


def test_an_address_works_once(guard: Guard) -> None:
    """Whoever finds the address later, in a history or a log, is not let in."""
    address = guard.invite().removeprefix(guard.url)
    assert status(ask(guard, address)) == 303
    assert status(ask(guard, address)) == 403


def test_a_new_address_ends_the_last(guard: Guard) -> None:
    """Of two addresses only the newer one works."""
    old, new = (guard.invite().removeprefix(guard.url) for _ in range(2))
    assert (status(ask(guard, old)), status(ask(guard, new))) == (403, 303)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"cookie": f"failure_destinations_{PORT}=guess"},
        {"cookie": f"failure_destinations_{PORT}="},
        {"cookie": "\x00=;;; broken"},
        {"cookie": "é=ü"},
    ],
)
def test_rejects_who_was_not_let_in(guard: Guard, headers: dict[str, str]) -> None:
    """Without the cookie there is nothing, not even a file of the page."""
    enter(guard)
    for path in ("/", "/_nicegui/anything.js", "/?token=", "/?token=guess"):
        assert status(ask(guard, path, **headers)) == 403


@pytest.mark.parametrize(
    "host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:1", "", "[::1]:51234"]
)
def test_rejects_other_hosts(guard: Guard, host: str) -> None:
    """A name that leads to this machine (DNS rebinding) does not lead to the page."""
    assert status(ask(guard, cookie=enter(guard), host=host)) == 403
    assert status(ask(guard, guard.invite().removeprefix(guard.url), host=host)) == 403


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
def test_rejects_other_origins(guard: Guard, origin: str, kind: str) -> None:
    """A web page in the same browser, which sends the cookie, cannot talk to the page."""
    answer = ask(guard, kind=kind, cookie=enter(guard), origin=origin)
    refused = {"type": "websocket.close", "code": 1008}
    assert answer[0] == refused if kind == "websocket" else status(answer) == 403


def test_its_own_origin_may_connect(guard: Guard) -> None:
    """The page's own requests name their origin."""
    cookie = enter(guard)
    answer = ask(guard, kind="websocket", cookie=cookie, origin=f"http://{HOST}")
    assert answer == [{"type": "websocket.accept"}]


def test_forbids_the_page_to_ask_elsewhere(guard: Guard) -> None:
    """The browser is told to load nothing from other machines, and to show it in no frame."""
    for answer in (ask(guard), ask(guard, cookie=enter(guard))):
        policy = header(answer, "content-security-policy")
        assert "default-src 'self'" in policy
        assert "connect-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "http" not in policy
        assert header(answer, "referrer-policy") == "no-referrer"
