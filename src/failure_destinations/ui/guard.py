"""Lets only the operator's own browser reach the page."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HOST = "127.0.0.1"
TOKEN = "token"  # noqa: S105 - the parameter's name
_SECRET_BYTES = 32
_POLICY_VIOLATION = 1008
# Vue compiles templates in the page, and NiceGUI writes its start into it.
_CONTENT_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'self'; "
    "object-src 'none'"
)
_HEADERS = [
    (b"content-security-policy", _CONTENT_POLICY.encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
]


class Guard:
    """An ASGI application that lets requests of one browser through to another application.

    A browser is let in by an address with a token, which works once; the browser gets a cookie
    for it. Every request needs this cookie, a `Host` of this machine, and no `Origin` but the
    page's own: so neither other users of the machine, nor web pages, nor names that lead here
    (DNS rebinding) reach the page.

    Args:
        app: The application behind it.
        port: The port that it listens on.

    Attributes:
        url: The address without a token, such as `http://127.0.0.1:51234`.
    """

    def __init__(self, app: App, port: int) -> None:
        self.url = f"http://{HOST}:{port}"
        self._app = app
        self._hosts = {f"{HOST}:{port}", f"localhost:{port}"}
        self._origins = {f"http://{host}" for host in self._hosts}
        # Cookies do not know ports: two pages on one machine need cookies of two names.
        self._cookie = f"failure_destinations_{port}"
        self._secret = secrets.token_urlsafe(_SECRET_BYTES)
        self._token: str | None = None

    def invite(self) -> str:
        """Return an address that lets one browser in, once; earlier ones no longer do."""
        self._token = secrets.token_urlsafe(_SECRET_BYTES)
        return f"{self.url}/?{TOKEN}={self._token}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        if not self._is_from_here(headers):
            await _refuse(scope, send, "this page answers only on this machine")
        elif self._has_cookie(headers):
            await self._app(scope, receive, _with_headers(send))
        elif scope["type"] == "http" and self._redeem(scope):
            await self._let_in(send)
        else:
            await _refuse(
                scope,
                send,
                "open the address that `failure-destinations ui` printed; it works once, in one "
                "browser: press Enter there for a new one",
            )

    def _is_from_here(self, headers: dict[str, str]) -> bool:
        origin = headers.get("origin")
        return headers.get("host") in self._hosts and (origin is None or origin in self._origins)

    def _has_cookie(self, headers: dict[str, str]) -> bool:
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return False
        return found is not None and _same(found.value, self._secret)

    def _redeem(self, scope: Scope) -> bool:
        given = parse_qs(scope["query_string"].decode("latin-1")).get(TOKEN, [""])[0]
        if self._token is None or scope["method"] != "GET" or not _same(given, self._token):
            return False
        self._token = None
        return True

    async def _let_in(self, send: Send) -> None:
        cookie = f"{self._cookie}={self._secret}; HttpOnly; SameSite=Strict; Path=/"
        headers = [(b"location", b"/"), (b"set-cookie", cookie.encode())]
        await _answer(_with_headers(send), 303, headers, b"")


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


async def _refuse(scope: Scope, send: Send, why: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await _answer(_with_headers(send), 403, headers, f"{why}\n".encode())


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _with_headers(send: Send) -> Send:
    async def add(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *_HEADERS]
        await send(message)

    return add
