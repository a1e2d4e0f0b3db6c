"""Child programs that never outlive the program that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_SLACK_SECONDS = 15.0


class Supervised:
    """A program in its own session, supervised by `supervisor.py`.

    Ctrl-C in the terminal does not reach it, so it keeps running while its users clean up. It ends,
    with every process that it started, on `stop` and when this process ends for any reason.

    Args:
        command: The program and its arguments.
        environment: All of its environment variables.
        directory: Its working directory.
        output: A file, or `subprocess.PIPE`, for its standard output and error.
        grace: Seconds that it has to end after SIGTERM.
        remove: A directory to remove after it has ended.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str],
        directory: Path,
        output: IO[Any] | int,
        grace: float = 3.0,
        remove: Path | None = None,
    ) -> None:
        self._owner = os.getpid()
        self._grace = grace
        supervisor = [sys.executable, "-I", "-S", str(_SUPERVISOR), str(self._owner), str(grace)]
        self.popen = subprocess.Popen(  # noqa: S603 - the command is ours or the user's own
            [*supervisor, str(remove or ""), *map(str, command)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=directory,
            start_new_session=True,
            text=True,
            encoding="utf-8",
            errors="replace",
        )

    @property
    def running(self) -> bool:
        """Whether the program is still running."""
        return self.popen.poll() is None

    def lines(self) -> Iterator[str]:
        """Yield the lines that the program prints until it ends, if its output is a pipe."""
        if self.popen.stdout is not None:
            yield from self.popen.stdout

    def stop(self) -> None:
        """End the program and all its descendants, and wait until they have ended."""
        # A fork of the owner has a copy of this object, but must not end the program.
        if os.getpid() != self._owner:
            return
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
        if self.popen.stdin is not None:
            self.popen.stdin.close()
        try:
            self.popen.wait(self._grace + _SLACK_SECONDS)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        if self.popen.stdout is not None:
            self.popen.stdout.close()


def run(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    directory: Path,
) -> tuple[int, str]:
    """Run a program to its end, and return its exit status and output.

    Args:
        command: The program and its arguments.
        environment: All of its environment variables.
        directory: Its working directory.
    """
    program = Supervised(
        command, environment=environment, directory=directory, output=subprocess.PIPE
    )
    try:
        output = "".join(program.lines())
        return program.popen.wait(), output
    finally:
        program.stop()
