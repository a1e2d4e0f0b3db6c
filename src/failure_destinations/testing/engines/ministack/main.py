"""The program that runs ministack for programs on this machine, with a mailbox.

`launch.py` runs it. ministack 1.5.33 only logs that SNS would send an e-mail; this program writes
each one as a JSON line to the file that FAILURE_DESTINATIONS_MAILS names. And ministack accepts all
requests, including those of web pages; this program refuses the ones that `loopback_only` refuses.
Every other setting is ministack's own.
"""

# ministack is installed where this module runs, not where it is type-checked.
# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from ministack import app
from ministack.services import sns

from ..loopback_only import refusal

_notification = ContextVar("notification", default=("", "", ""))


class _Mailbox(logging.Handler):
    """Writes an e-mail to a file when ministack logs that it does not send it.

    By then, SNS has already applied the subscription's filter policy.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def emit(self, record: logging.LogRecord) -> None:
        if "email" not in str(record.msg) or not isinstance(record.args, tuple):
            return
        message, subject, structure = _notification.get()
        mail = {
            "to": str(record.args[0]),
            "subject": subject,
            "body": sns._resolve_message_for_protocol(message, structure, "email"),
        }
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(mail) + "\n")


def main() -> None:
    """Run ministack with these additions until it gets a signal to end."""
    _keep_mails(Path(os.environ["FAILURE_DESTINATIONS_MAILS"]))
    app.app = _refuse_foreign_requests(app.app)
    sys.argv = ["ministack"]
    app.main()


def _keep_mails(path: Path) -> None:
    fan_out = sns._fanout

    def remember(
        topic: str,
        message_id: str,
        message: str,
        subject: str,
        message_structure: str = "",
        *arguments: Any,
        **options: Any,
    ) -> None:
        token = _notification.set((message, subject or "", message_structure or ""))
        try:
            fan_out(topic, message_id, message, subject, message_structure, *arguments, **options)
        finally:
            _notification.reset(token)

    sns._fanout = remember
    sns.logger.addHandler(_Mailbox(path))


_Scope = dict[str, Any]
_Receive = Callable[[], Awaitable[dict[str, Any]]]
_Send = Callable[[dict[str, Any]], Awaitable[None]]
_Application = Callable[[_Scope, _Receive, _Send], Awaitable[None]]


def _refuse_foreign_requests(application: _Application) -> _Application:
    """Return an ASGI application that passes on only allowed requests.

    https://asgi.readthedocs.io/en/latest/specs/www.html
    """

    async def guarded(scope: _Scope, receive: _Receive, send: _Send) -> None:
        reason = None
        if scope["type"] in ("http", "websocket"):
            reason = refusal(
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in scope["headers"]
            )
        if reason is None:
            await application(scope, receive, send)
        elif scope["type"] == "websocket":
            # The server then rejects the handshake with 403.
            await send({"type": "websocket.close"})
        else:
            headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": f"{reason}\n".encode()})

    return guarded
