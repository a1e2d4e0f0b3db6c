"""The progress of long operations; the command line shows it as a bar."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Is notified how far an operation is; `advance` and `say` from several threads."""

    def start(self, what: str, total: int | None = None) -> None:
        """Begin a step: `what` is what is done, such as `replaying`; `total` roughly how much."""

    def advance(self, count: int = 1, note: str = "") -> None:
        """Report that `count` more items are done; `note` is a remark such as `3 failed`."""

    def say(self, line: str) -> None:
        """Report one line, such as an item that failed."""


class NoProgress:
    """Shows nothing."""

    def start(self, what: str, total: int | None = None) -> None:
        """Ignore it."""

    def advance(self, count: int = 1, note: str = "") -> None:
        """Ignore it."""

    def say(self, line: str) -> None:
        """Ignore it."""


NO_PROGRESS: Progress = NoProgress()
"""The default of functions that report their progress."""
