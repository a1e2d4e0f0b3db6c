"""A running engine, from its start to its end."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
import time
import urllib.error
from pathlib import Path

from .engines import Engine
from .engines.base import Place
from .environments import Progress, python_for
from .errors import LocalCloudError, last_lines
from .node import find_node, node_binary
from .observations import fetch_json
from .processes import Supervised

_ATTEMPTS = 5
# The paths of programs and libraries; an engine and its functions get no other variables of ours.
_INHERITED = ("PATH", "LD_LIBRARY_PATH")
_PORT_TAKEN = ("Address already in use", "address already in use", "is already in use",
               "CannotListenError", "EADDRINUSE")  # fmt: skip


class _PortTakenError(Exception):
    pass


def reserve_port() -> tuple[int, socket.socket]:
    """Return a free port of 127.0.0.1, and a socket that keeps other programs from choosing it."""
    reservation = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    reservation.bind(("127.0.0.1", 0))
    # On Linux, another socket may then be bound there and listen, since this one does not.
    reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if not sys.platform.startswith("linux"):
        reservation.close()
    return reservation.getsockname()[1], reservation


class RunningEngine:
    """An engine running in its own directory; `stop` ends it and removes the directory.

    Of this process's environment, the engine and so Lambda functions get only the paths of programs
    and libraries. They see neither other variables nor the home directory with its credentials.

    Args:
        engine: The engine.
        region: The Region to emulate if a request does not name one.
        progress: Gets lines about the start.

    Attributes:
        engine: The engine.
        place: Its address and files.

    Raises:
        LocalCloudError: It cannot be installed, or does not become ready.
    """

    def __init__(self, engine: Engine, region: str, progress: Progress) -> None:
        self.engine = engine
        python = python_for(engine, progress)
        started = time.monotonic()
        progress(f"starting {engine.name}")
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._start(python, region)
                break
            except _PortTakenError:
                if attempt == _ATTEMPTS:
                    raise LocalCloudError(
                        f"{engine.name} found its port taken {_ATTEMPTS} times in a row; "
                        "end programs that take ports of 127.0.0.1 quickly"
                    ) from None
        progress(
            f"{engine.name} was ready after {time.monotonic() - started:.1f} s at {self.place.url}"
        )

    @property
    def output(self) -> str:
        """The engine's output."""
        # Not with `seek`, because the engine writes at the file's position.
        descriptor = self._log.fileno()
        text = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        return text.decode("utf-8", errors="replace")

    @property
    def running(self) -> bool:
        """Whether the engine is still running."""
        return self._program.running

    def stop(self) -> None:
        """End the engine, its Lambda functions and everything else that it started."""
        self._program.stop()
        shutil.rmtree(self.place.state, ignore_errors=True)
        self._log.close()

    def _start(self, python: Path, region: str) -> None:
        port, reservation = reserve_port()
        state = Path(tempfile.mkdtemp(prefix=f"failure-destinations-{self.engine.name}-"))
        self.place = Place(port, state, region)
        # A file without a name, which disappears with this process.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self._program = Supervised(
                self.engine.command(python),
                environment=self._environment(),
                directory=self.place.state,
                output=self._log,
                remove=self.place.state,
            )
        except BaseException:
            shutil.rmtree(self.place.state, ignore_errors=True)
            raise
        try:
            self._await_ready()
        except BaseException:
            self.stop()
            raise
        finally:
            reservation.close()

    def _environment(self) -> dict[str, str]:
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        for name, directory in (("HOME", "home"), ("TMPDIR", "tmp")):
            (self.place.state / directory).mkdir()
            environment[name] = str(self.place.state / directory)
        try:
            node = node_binary(find_node())
        except LocalCloudError:
            # Only functions in JavaScript need Node, and their errors say so.
            pass
        else:
            environment["FAILURE_DESTINATIONS_NODE"] = str(node)
            path = environment.get("PATH", os.defpath)
            environment["PATH"] = os.pathsep.join([str(node.parent), path])
        environment.update(LANG="en_US.UTF-8", PYTHONUNBUFFERED="1")
        environment.update(self.engine.environment(self.place))
        return environment

    def _await_ready(self) -> None:
        deadline = time.monotonic() + self.engine.start_seconds
        while True:
            try:
                fetch_json(self.place.url + self.engine.health, timeout=2)
                return
            except (OSError, ValueError, urllib.error.URLError):
                pass
            output = self.output
            if any(phrase in output for phrase in _PORT_TAKEN):
                raise _PortTakenError
            if not self.running:
                raise LocalCloudError(
                    f"{self.engine.name} ended before it was ready; if the lines below do not "
                    f"say why, remove its environment from the cache{last_lines(output)}"
                )
            if time.monotonic() > deadline:
                raise LocalCloudError(
                    f"{self.engine.name} was not ready after {self.engine.start_seconds:g} "
                    f"seconds; is the machine very busy?{last_lines(output)}"
                )
            time.sleep(0.1)
