"""How far it is: a bar on a terminal, a line now and then in a pipe."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

_QUIET_SECONDS = 2.0
_LINE_SECONDS = 5.0


class Progress:
    """Shown on stderr once something takes over two seconds; may be used from several threads.

    Args:
        what: What is done, such as `replaying`.
        total: About how much there is; None if nobody knows.
        at_once: Whether a bar is shown from the start.
    """

    def __init__(self, what: str, total: int | None, *, at_once: bool = False) -> None:
        self._what = what
        self._total = total or None
        self._lock = threading.Lock()
        self._done = 0
        self._stays = at_once
        self._started = time.monotonic()
        self._next_line = self._started + _QUIET_SECONDS
        self._bar: Any = None
        self._task: Any = None
        self._terminal = sys.stderr.isatty()
        if at_once and self._terminal:
            self._show_bar()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, count: int = 1, note: str = "") -> None:
        """Tell that more is done.

        Args:
            count: How much.
            note: What is to be known of it all, such as `3 failed`.
        """
        now = time.monotonic()
        with self._lock:
            self._done += count
            if self._bar is None and self._terminal and now - self._started > _QUIET_SECONDS:
                self._show_bar()
            if self._bar is not None:
                self._bar.update(self._task, completed=self._done, note=note)
            elif not self._terminal and now >= self._next_line:
                self._next_line = now + _LINE_SECONDS
                self._print_line(note)

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        if self._bar is None:
            print(line, file=sys.stderr, flush=True)  # noqa: T201
        else:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _print_line(self, note: str) -> None:
        of = f" of about {self._total:,}" if self._total else ""
        more = f", {note}" if note else ""
        print(f"{self._what}: {self._done:,}{of}{more}", file=sys.stderr, flush=True)  # noqa: T201

    def _show_bar(self) -> None:
        from rich.console import Console  # noqa: PLC0415
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as Bar  # noqa: PLC0415

        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
            transient=not self._stays,
        )
        self._task = self._bar.add_task(self._what, total=self._total, note="")
        self._bar.start()
