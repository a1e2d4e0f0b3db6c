"""Serves the page on this machine until it is interrupted."""

from __future__ import annotations

import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
from contextlib import suppress

import uvicorn
from fastapi import FastAPI
from nicegui import ui

from failure_destinations.errors import CommandError

from .desk import Desk
from .guard import HOST, Guard
from .pages import register

_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    '<rect width="32" height="32" rx="7" fill="#b4232a"/>'
    '<path d="M9 16a7 7 0 1 1 2 5M9 22v-5h5" fill="none" stroke="#fff" stroke-width="2.6" '
    'stroke-linecap="round" stroke-linejoin="round"/></svg>'
)
_RECONNECT_SECONDS = 10


def serve(
    desk: Desk, say: Callable[[str], None], *, port: int = 0, open_browser: bool = True
) -> None:
    """Serve the page until SIGINT or SIGTERM; then stop what runs, and wait for its end.

    Args:
        desk: The state behind the page.
        say: Gets lines for the terminal, such as the page's address.
        port: The port to listen on. Default: a free one.
        open_browser: Whether to open the page in the operator's browser.

    Raises:
        CommandError: The port is taken, or not allowed.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise CommandError(
            f"--port {port} cannot be used: {error.strerror}: leave it out for a free one"
        ) from None
    # A browser that is quicker than the server waits.
    listener.listen()
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    register(desk)
    ui.run_with(
        app,
        title="Failed events",
        favicon=_ICON,
        dark=None,
        reconnect_timeout=_RECONNECT_SECONDS,
        show_welcome_message=False,
    )
    guard = Guard(app, listener.getsockname()[1])
    address = guard.invite()
    say(f"the page: {address}")
    say("it opens once, in one browser; press Enter for another address, Ctrl-C to end")
    if open_browser:
        webbrowser.open(address)
    if sys.stdin is not None and sys.stdin.isatty():
        threading.Thread(target=_invite_again, args=(guard, say), daemon=True).start()
    server = uvicorn.Server(
        uvicorn.Config(guard, log_level="error", access_log=False, timeout_graceful_shutdown=2)
    )
    desk.look()
    try:
        # Once it has ended, uvicorn raises what ended it.
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
    finally:
        listener.close()
        if desk.is_busy:
            say("ending what runs; handlers that run may finish")
        desk.close()


def _invite_again(guard: Guard, say: Callable[[str], None]) -> None:
    with suppress(OSError, ValueError):
        for _ in sys.stdin:
            say(f"the page: {guard.invite()}")
