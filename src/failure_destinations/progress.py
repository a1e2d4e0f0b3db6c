"""The progress of long operations; the command line shows it as a bar."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives progress reports; several threads may call `advance` and `say` at once."""

    def start(self, what: str, total: int | None = None) -> None:
        """Begin a step, such as `replaying`; `total` is the approximate number of items."""

    def advance(self, count: int = 1, note: str = "") -> None:
        """Report that `count` more items are done; `note` is a remark such as `3 failed`."""

    def say(self, line: str) -> None:
        """Report one line, for example about an item that failed."""


class NoProgress:
    """A Progress that shows nothing."""

    def start(self, what: str, total: int | None = None) -> None:
        """Ignore it."""

    def advance(self, count: int = 1, note: str = "") -> None:
        """Ignore it."""

    def say(self, line: str) -> None:
        """Ignore it."""


NO_PROGRESS: Progress = NoProgress()
"""The default of functions that report their progress."""
