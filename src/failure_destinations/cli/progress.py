"""A progress bar on a terminal, or a line every few seconds in a pipe."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from failure_destinations.text import printable

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

_QUIET_SECONDS = 2.0
_LINE_SECONDS = 5.0


class ProgressBar:
    """The `Progress` of a command, shown on standard error once a step takes over two seconds.

    May be used from several threads. Shows nothing if standard error cannot be written to.

    Args:
        what: The step, such as `replaying`. Default: the argument of `start`.
        total: The approximate number of items; None if it is not known.
        at_once: Whether to show the first step's bar from the start and keep it at the end.
        quiet: Whether to show neither bar nor lines, only what `say` gets.
    """

    def __init__(
        self,
        what: str = "",
        total: int | None = None,
        *,
        at_once: bool = False,
        quiet: bool = False,
    ) -> None:
        self._lock = threading.Lock()
        self._at_once = at_once
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None
        self._next_line = 0.0
        self._begin(what, total)

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._hide_bar()

    def start(self, what: str, total: int | None = None) -> None:
        """Begin a step, such as `replaying`, of approximately `total` items."""
        with self._lock:
            self._hide_bar()
            # Only the first step is shown immediately.
            self._at_once = self._at_once and not self._what
            self._begin(what, total)

    def advance(self, count: int = 1, note: str = "") -> None:
        """Report that more items are done.

        Args:
            count: The number of further items.
            note: A remark on all items so far, such as `3 failed`.
        """
        now = time.monotonic()
        with self._lock:
            self._done += count
            if self._quiet:
                return
            if self._bar is None and self._terminal and now - self._started > _QUIET_SECONDS:
                self._show_bar()
            if self._bar is not None and self._task is not None:
                self._bar.update(self._task, completed=self._done, note=note)
            elif not self._terminal and now >= self._next_line:
                self._next_line = now + _LINE_SECONDS
                of = f" of about {self._total:,}" if self._total else ""
                _print(f"{self._what}: {self._done:,}{of}{f', {note}' if note else ''}")

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        if self._bar is None:
            _print(line)
        else:
            self._bar.console.print(printable(line), markup=False, highlight=False, soft_wrap=True)

    def _begin(self, what: str, total: int | None) -> None:
        self._what = what
        self._total = total or None
        self._done = 0
        self._started = time.monotonic()
        self._next_line = self._started + _QUIET_SECONDS
        if what and self._at_once and self._terminal and not self._quiet:
            self._show_bar()

    def _hide_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
        self._bar = None

    def _show_bar(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - start-up time
        from rich.progress import (  # noqa: PLC0415 - start-up time
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as Bar  # noqa: PLC0415 - start-up time

        self._bar = Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=Console(stderr=True),
            transient=not self._at_once,
        )
        self._task = self._bar.add_task(printable(self._what), total=self._total, note="")
        self._bar.start()


def _print(line: str) -> None:
    # If standard error is closed, nobody wants to see it.
    with suppress(OSError):
        print(printable(line), file=sys.stderr, flush=True)  # noqa: T201
