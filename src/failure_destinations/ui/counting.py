"""Progress that a page can show: a number that another thread reads."""

from __future__ import annotations

import threading


class Counting:
    """Implements the progress protocol for any number of threads.

    Attributes:
        what: What is done now.
        done: How much of it is done.
        total: How much there is to do; None if that is not known.
        note: A remark on what was done, such as `3 failed`.
        said: Lines for the operator.
    """

    def __init__(self) -> None:
        self.what = ""
        self.done = 0
        self.total: int | None = None
        self.note = ""
        self.said: list[str] = []
        self._lock = threading.Lock()

    def start(self, what: str, total: int | None = None) -> None:
        """Begin a step, or let another thread take part in the one that runs."""
        with self._lock:
            if what != self.what:
                self.what, self.done, self.total, self.note = what, 0, 0, ""
            self.total = None if total is None or self.total is None else self.total + total

    def advance(self, count: int = 1, note: str = "") -> None:
        """Report that more is done."""
        with self._lock:
            self.done += count
            self.note = note or self.note

    def say(self, line: str) -> None:
        """Keep a line."""
        with self._lock:
            self.said.append(line)

    @property
    def share(self) -> float | None:
        """How much is done, from 0 to 1; None if that is not known."""
        return None if not self.total else min(1.0, self.done / self.total)
