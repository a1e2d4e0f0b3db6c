"""A child process that runs a function's runtime, and its Runtime API."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from .process_output import ProcessOutput
from .runtime_api import RuntimeApi, RuntimeEvent

# Linux kills these children when the *thread* that started them ends, so one thread that lives as
# long as the engine starts them all.
# https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
_STARTER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="handler-starter")
_EXEC_WITH_PARENT = Path(__file__).with_name("exec_with_parent.py")


@dataclass(frozen=True)
class ProcessExited:
    """The process has ended or was killed.

    Args:
        returncode: The exit status, or the negative number of the signal that killed it.
    """

    returncode: int


ProcessEvent = RuntimeEvent | ProcessExited


# Zombie and dead, as in /proc.
_GONE = ("Z", "X")


class HandlerProcess:
    """A runtime's process in its own process group.

    The process does not outlive the engine: on Linux, the kernel kills it with the engine;
    elsewhere, the runtime exits when its Runtime API is closed.

    Args:
        command: The absolute path of the runtime's program, and its arguments.
        environment: All of its environment variables except ``AWS_LAMBDA_RUNTIME_API``.
        directory: Its working directory.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], directory: Path
    ) -> None:
        self._events: queue.SimpleQueue[ProcessEvent] = queue.SimpleQueue()
        self.api = RuntimeApi(cast("queue.SimpleQueue[RuntimeEvent]", self._events))
        try:
            self._process, self.output = self._start(command, environment, directory)
        except BaseException:
            self.api.close()
            raise
        self._watcher = threading.Thread(target=self._watch, name="handler-watcher", daemon=True)
        self._watcher.start()

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended."""
        if self._process.returncode is None and sys.platform == "linux":
            # `wait`, which the watcher calls, returns only after the last thread has ended.
            try:
                stat = Path(f"/proc/{self._process.pid}/stat").read_text()
            except OSError:
                return True
            return stat.rpartition(")")[2].split()[0] in _GONE
        return self._process.returncode is not None

    def next_event(self, timeout_seconds: float) -> ProcessEvent | None:
        """Wait for the next event and return it; None if there is none in time."""
        try:
            return self._events.get(timeout=max(timeout_seconds, 0))
        except queue.Empty:
            return None

    def peak_memory_mb(self) -> int | None:
        """Return the process's peak memory in MB; None if there is no /proc."""
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return max(1, int(line.split()[1]) // 1024)
        return None

    def kill(self) -> None:
        """End the process, everything in its group, and its Runtime API."""
        if not self.has_ended:
            self._kill_group()
        self._watcher.join()
        self.api.close()

    def _start(
        self, command: Sequence[str], environment: Mapping[str, str], directory: Path
    ) -> tuple[subprocess.Popen[bytes], ProcessOutput]:
        if sys.platform == "linux":
            wrapper = [sys.executable, "-I", "-S", str(_EXEC_WITH_PARENT), str(os.getpid())]
            command = [*wrapper, *command]
        reading_end, writing_end = os.pipe()
        try:
            process = _STARTER.submit(
                subprocess.Popen,
                command,
                env={**environment, "AWS_LAMBDA_RUNTIME_API": self.api.address},
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=writing_end,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            ).result()
        except BaseException:
            os.close(reading_end)
            raise
        finally:
            os.close(writing_end)
        return process, ProcessOutput(reading_end)

    def _watch(self) -> None:
        returncode = self._process.wait()
        # Lambda resets the whole environment when its runtime exits.
        self._kill_group()
        self.output.wait_for_end(timeout_seconds=1)
        self._events.put(ProcessExited(returncode))

    def _kill_group(self) -> None:
        # macOS reports "not permitted" for a group whose processes have all ended.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
