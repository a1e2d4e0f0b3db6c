"""The journal of a run: who started it, when and with which options, and what became of each event.

It is a file of JSON lines that is only added to. A killed process leaves at most a broken last
line, which readers skip.
"""

from __future__ import annotations

import getpass
import json
import os
import platform
import secrets
import threading
import time
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

from failure_destinations.errors import CommandError

from .private_files import lock, open_to_append, write
from .received_message import ReceivedMessage
from .state_folder import make_private_folder, runs_folder

FORMAT = 1
SUFFIX = ".jsonl"
NEWEST = "newest"
"""The member of lines that hold what `NewestRecords.notes` yields."""
_SYNC_SECONDS = 1.0
_MAX_ERROR = 500
_LOCK_TRIES = 10
_LOCK_WAIT_SECONDS = 0.05

Kind = Literal["replay", "discard", "move"]
Became = Literal[
    "started",
    "succeeded",
    "partial",
    "handed-over",
    "failed",
    "not-started",
    "unknown",
    "left",
    "discarded",
]
"""What became of an event. `started`: nothing more is known, so it may have run. `handed-over`:
Lambda accepted it for an asynchronous invocation. `not-started`: Lambda refused. `unknown`: its
answer was lost. `left`: the first one of its group failed. `partial`: the chosen records of a batch
are handled, and its message stays."""

DONE = ("succeeded", "handed-over")
"""What became of events that are not to be run again."""


class Journal:
    """The journal of one run, which is written while the run goes on.

    A written line survives the end of the process at once, and that of the machine within a second.
    May be used from several threads. If it can no longer be written, it ends; the run goes on.

    Args:
        path: The file.

    Attributes:
        name: The name of the run.
        problem: Why it could not be written to the end; None if it was.

    Raises:
        CommandError: It cannot be written, or the run is still going on.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.name.removesuffix(SUFFIX)
        self.problem: str | None = None
        self._path = path
        # Of a new run: those of a resumed one begin in another process.
        self._counts: Counter[str] | None = None
        self._started: set[str] = set()
        self._lock = threading.Lock()
        self._synced = time.monotonic()
        try:
            make_private_folder(path.parent)
            self._descriptor = open_to_append(path)
        except OSError as error:
            raise CommandError(f"cannot write {path}: {error.strerror}") from None
        if not self._locked():
            os.close(self._descriptor)
            raise CommandError(f"{self.name} is still running: wait until it has ended")

    def _locked(self) -> bool:
        # Whoever lists the runs locks each journal for a moment.
        for _ in range(_LOCK_TRIES):
            if lock(self._descriptor):
                return True
            time.sleep(_LOCK_WAIT_SECONDS)
        return False

    @classmethod
    def begin(cls, kind: Kind, about: Mapping[str, Any]) -> Journal:
        """Begin the journal of a new run, with a new name.

        Args:
            kind: What the run does.
            about: Its options, and what it works on.

        Raises:
            CommandError: It cannot be written.
        """
        now = datetime.now(timezone.utc)
        name = f"{kind}-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        journal = cls(runs_folder() / f"{name}{SUFFIX}")
        journal._counts = Counter()
        journal.note(
            {"run": name, "format": FORMAT, "kind": kind, "started": _time(), **_who(), **about}
        )
        journal.sync()
        return journal

    @classmethod
    def try_to_begin(
        cls, kind: Kind, about: Mapping[str, Any]
    ) -> tuple[Journal | None, str | None]:
        """Begin the journal of a new run, or return why the run has none.

        A run that nobody can look up is better than none at 3 a.m. on a full disk.

        Args:
            kind: What the run does.
            about: Its options, and what it works on.
        """
        try:
            return cls.begin(kind, about), None
        except CommandError as error:
            return None, f"this run has no journal: {error}"

    @property
    def gap(self) -> str | None:
        """Why it does not have all of the run; None if it has."""
        if self.problem is None:
            return None
        return f"the journal of this run is not complete: {self.problem}"

    @classmethod
    def resume(cls, path: Path, about: Mapping[str, Any]) -> Journal:
        """Add to the journal of a run that has ended.

        Args:
            path: The file.
            about: What is different from the first time.

        Raises:
            CommandError: It cannot be written, or the run is still going on.
        """
        journal = cls(path)
        # The run may have been killed within a line.
        journal.write("\n")
        journal.note({"resumed": _time(), **_who(), **about})
        journal.sync()
        return journal

    def event(
        self, message: ReceivedMessage, became: Became, error: str | None = None, **more: Any
    ) -> None:
        """Record what became of an event.

        Args:
            message: The event's message.
            became: What became of it.
            error: Why, as one text.
            **more: Further members of the line.
        """
        line: dict[str, Any] = {"at": _time(), "id": message.id, "became": became, **more}
        if became in DONE or "handled" in more:
            # The same event may be delivered again, with another id.
            line["key"] = message.key.hex()
        if error:
            line["error"] = error[:_MAX_ERROR]
        self.note(line)
        with self._lock:
            self._count(message.id, became)

    def end(self, about: Mapping[str, Any]) -> None:
        """Record the end of the run, and close the file.

        Args:
            about: The counts, and why it ended. Default of `counts`: those of the events.
        """
        if self._counts is not None and "counts" not in about:
            about = {**about, "counts": dict(self._counts + Counter(started=len(self._started)))}
        self.note({"ended": _time(), **about})
        self.sync()
        os.close(self._descriptor)

    def _count(self, id: str, became: Became) -> None:
        if self._counts is None:
            return
        if became == "started":
            self._started.add(id)
        else:
            self._started.discard(id)
            self._counts[became] += 1

    def note(self, line: Mapping[str, Any]) -> None:
        """Add a line."""
        self.write(f"{json.dumps(line)}\n")
        if time.monotonic() - self._synced > _SYNC_SECONDS:
            self.sync()

    def write(self, text: str) -> None:
        """Add text."""
        with self._lock:
            try:
                if self.problem is None:
                    write(self._descriptor, text.encode(), self._path)
            except OSError as error:
                self.problem = f"cannot write {self._path}: {error.strerror}"

    def sync(self) -> None:
        """Have all lines on the disk."""
        self._synced = time.monotonic()
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            self.problem = self.problem or f"cannot write {self._path}: {error.strerror}"


def _time() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def _who() -> dict[str, str | None]:
    user: str | None
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        # Containers run with user ids that have no name.
        user = str(os.getuid()) if hasattr(os, "getuid") else None
    return {"user": user, "host": platform.node() or None}
