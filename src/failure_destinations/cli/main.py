"""The entry point of the command; if click is missing, it says how to install it."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, NoReturn


def main() -> None:
    """Run the command, or say how to install what it needs."""
    _open_standard_streams()
    try:
        from .group import cli  # noqa: PLC0415 - click is an extra
    except ImportError as error:
        sys.exit(
            f"failure-destinations: {error.name} is missing: "
            "pip install 'failure-destinations[cli]'"
        )
    # Received messages must be given back, however the command is stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    hangup = getattr(signal, "SIGHUP", None)
    # nohup makes processes ignore it.
    if hangup is not None and signal.getsignal(hangup) != signal.SIG_IGN:
        signal.signal(hangup, _interrupt_once)
    cli(prog_name="failure-destinations")


def _interrupt_once(number: int, _frame: Any) -> NoReturn:
    # A closed terminal may send it twice; the second one must not interrupt the cleanup.
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _open_standard_streams() -> None:
    """Open closed standard streams on the null device, so that writing to them is harmless."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # `open` returns the lowest free descriptor, so no other file takes its place.
            os.open(os.devnull, os.O_RDWR)
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
    # A terminal without UTF-8 shows other characters escaped.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
