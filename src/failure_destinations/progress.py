"""What long operations report to; the command line shows it as a bar."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives how far an operation is. May be called from several threads."""

    def advance(self, count: int = 1, note: str = "") -> None:
        """Report that `count` more items are done; `note` is a remark such as `3 failed`."""

    def say(self, line: str) -> None:
        """Report one line, such as an item that failed."""


class NoProgress:
    """Shows nothing."""

    def advance(self, count: int = 1, note: str = "") -> None:
        """Ignore it."""

    def say(self, line: str) -> None:
        """Ignore it."""
