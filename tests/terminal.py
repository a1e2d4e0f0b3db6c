"""Runs the command in a terminal, as a person does."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path

from .waiting import PATIENCE

_ROWS = 40


def run_in_terminal(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    columns: int | None = None,
    folder: Path | None = None,
) -> tuple[int, str]:
    """Run the command, answer yes to what it asks, and return its exit status and what it printed.

    Args:
        arguments: The command's arguments.
        environment: Its environment variables.
        columns: The terminal's width. Default: what the system sets.
        folder: The working directory.
    """
    ours, theirs = pty.openpty()
    if columns is not None:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "failure_destinations", *arguments],
        env=environment,
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    printed = b""
    try:
        while chunk := os.read(ours, 4096):
            printed += chunk
            if chunk.endswith(b"[y/N]: "):
                os.write(ours, b"y\n")
    except OSError:
        # The other side is closed.
        pass
    finally:
        os.close(ours)
    return process.wait(PATIENCE), printed.decode()
