"""The output of a child process, kept in memory until it is taken."""

from __future__ import annotations

import os
import selectors
import threading

OUTPUT_LIMIT_BYTES = 1024 * 1024
"""The most output to keep between two calls of ``take``; the oldest is dropped first."""

_PIECE_BYTES = 64 * 1024


class ProcessOutput:
    """Empties a pipe, so that its writer never blocks.

    Args:
        descriptor: The read end of the pipe; it is closed at the end of the output.
    """

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._kept = bytearray()
        self._dropped_bytes = 0
        self._ended = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._follow, name="handler-output", daemon=True)
        self._thread.start()

    def take(self) -> str:
        """Return everything written since the last call."""
        with self._lock:
            self._read_available()
            text = self._kept.decode("utf-8", errors="replace")
            if self._dropped_bytes:
                text = f"[{self._dropped_bytes} bytes of earlier output dropped]\n{text}"
            self._kept.clear()
            self._dropped_bytes = 0
        return text

    def wait_for_end(self, timeout_seconds: float) -> None:
        """Wait until every writer has closed the pipe."""
        self._thread.join(timeout_seconds)

    def _follow(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._descriptor, selectors.EVENT_READ)
            while not self._ended:
                selector.select()
                with self._lock:
                    self._read_available()
        with self._lock:
            os.close(self._descriptor)

    def _read_available(self) -> None:
        while not self._ended:
            try:
                piece = os.read(self._descriptor, _PIECE_BYTES)
            except BlockingIOError:
                return
            self._ended = not piece
            self._kept += piece
            excess_bytes = len(self._kept) - OUTPUT_LIMIT_BYTES
            if excess_bytes > 0:
                del self._kept[:excess_bytes]
                self._dropped_bytes += excess_bytes
