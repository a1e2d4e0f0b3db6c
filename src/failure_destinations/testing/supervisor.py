"""A program that runs one command for an owner and ends it together with the owner.

Run by file path, with only the standard library::

    python -I -S supervisor.py OWNER_PID GRACE_SECONDS DIRECTORY COMMAND [ARGUMENT ...]

The command is ended when standard input reaches its end, when the owner is no longer the parent
(both happen when the owner is killed with SIGKILL), and on SIGTERM, SIGINT or SIGHUP. It gets
SIGTERM and GRACE_SECONDS to end by itself; then it and all its descendants are killed. Finally
DIRECTORY is removed, unless it is empty text.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

_LINUX = sys.platform.startswith("linux")
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _die_with_supervisor() -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _parents() -> dict[int, int]:
    """Return each process's parent, without zombies, which cannot be killed."""
    parents: dict[int, int] = {}
    if _LINUX:
        for file in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                state, parent = file.read_bytes().rpartition(b")")[2].split()[:2]
                if state != b"Z":
                    parents[int(file.parent.name)] = int(parent)
        return parents
    command = ["/bin/ps", "-axo", "pid=,ppid=,stat="]
    listing = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    for line in listing.stdout.splitlines():
        process, parent_text, state_text = line.split(None, 2)
        if not state_text.startswith("Z"):
            parents[int(process)] = int(parent_text)
    return parents


def _descendants() -> set[int]:
    children: dict[int, list[int]] = {}
    for process, parent in _parents().items():
        children.setdefault(parent, []).append(process)
    found: set[int] = set()
    ahead = [os.getpid()]
    while ahead:
        below = children.get(ahead.pop(), [])
        found.update(below)
        ahead.extend(below)
    return found


def _signal(process: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(process, number)


class _Supervisor:
    def __init__(self, owner: int, grace: float) -> None:
        self._owner = owner
        self._grace = grace
        self._ended = False
        self._status: int | None = None
        self._child = 0

    def run(self, command: list[str]) -> int:
        wake, wake_writer = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(wake_writer, False)
        signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._end)
        if _LINUX:
            _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        try:
            # preexec_fn is safe here, because this program has no threads.
            child = subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.PIPE,
                preexec_fn=_die_with_supervisor if _LINUX else None,  # noqa: PLW1509
            )
        except OSError as error:
            sys.stderr.write(f"{command[0]}: {error.strerror}\n")
            sys.stderr.flush()
            return 127
        self._child = child.pid
        while self._status is None and not self._ended and os.getppid() == self._owner:
            # The timeout is for checking on the owner: a fork of it may keep our input open.
            ready, _, _ = select.select([0, wake], [], [], 1)
            if 0 in ready and not os.read(0, 4096):
                break
            if wake in ready:
                os.read(wake, 4096)
            self._reap()
        if self._status is None:
            _signal(self._child, signal.SIGTERM)
            self._wait(lambda: self._status is not None, self._grace)
        self._wait(self._kill_descendants, 10)
        return 128 + signal.SIGTERM if self._status is None else self._status

    def _end(self, *_: object) -> None:
        self._ended = True

    def _kill_descendants(self) -> bool:
        descendants = _descendants()
        for process in descendants:
            _signal(process, signal.SIGKILL)
        return not descendants

    def _wait(self, done: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._reap()
            if done():
                return
            time.sleep(0.02)

    def _reap(self) -> None:
        # As the subreaper, we inherit the command's orphans, so wait for any child.
        with contextlib.suppress(ChildProcessError):
            while True:
                process, status = os.waitpid(-1, os.WNOHANG)
                if process == 0:
                    return
                if process == self._child:
                    code = os.waitstatus_to_exitcode(status)
                    self._status = code if code >= 0 else 128 - code


def main(arguments: list[str]) -> int:
    """Run the command line described above and return the command's exit status."""
    owner, grace, directory, *command = arguments
    try:
        return _Supervisor(int(owner), float(grace)).run(command)
    finally:
        if directory:
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.stdout.flush()
    os._exit(main(sys.argv[1:]))
