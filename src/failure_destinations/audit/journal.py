"""The answers so far, in a file: an interrupted audit resumes where it stopped."""

from __future__ import annotations

import json
import os
import stat
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from failure_destinations.check.json_values import load_json
from failure_destinations.errors import FailureDestinationsError

_FORMAT = 1
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)


class JournalError(FailureDestinationsError):
    """The file cannot be used; the message is one line for people."""


class Journal:
    """A file of JSON lines: a header that identifies the audit, then the answers.

    A killed process leaves at most a broken last line, which is ignored. Only the user can read the
    file, since it shows who may call what. It is written under an unpredictable name, then replaces
    an older file, so that no link is followed.

    Args:
        path: The file. If it exists, its answers are used.
        about: Identifies the audit: account, Regions and so on.

    Raises:
        JournalError: The file cannot be read or written, or belongs to another audit.
    """

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._answers: dict[str, Any] = {}
        self.written = 0
        try:
            self._read(about)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._begin(about)
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) else error
            raise JournalError(f"cannot write {path}: {said}") from None
        self.found = self.written = len(self._answers)

    def take(self, key: str) -> Any:
        """Remove and return the answer of a key; None if the key is new."""
        with self._lock:
            return self._answers.pop(key, None)

    def add(self, key: str, answer: Any) -> None:
        """Append an answer; may be called from several threads.

        Raises:
            JournalError: It cannot be written.
        """
        line = f"{json.dumps([key, answer])}\n"
        with self._lock:
            try:
                self._file.write(line)
                self._file.flush()
            except OSError as error:
                raise JournalError(f"cannot write {self.path}: {error.strerror}") from None
            self.written += 1

    def close(self) -> None:
        """Close the file without removing it."""
        self._file.close()

    def remove(self) -> None:
        """Remove the file, since its answers become outdated."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def _begin(self, about: Mapping[str, Any]) -> TextIO:
        """Rewrite the file without a broken last line, and return it open."""
        # mkstemp() creates exclusively, with mode 0600.
        descriptor, name = tempfile.mkstemp(".new", f".{self.path.name}.", self.path.parent)
        file = os.fdopen(descriptor, "w", encoding="utf-8")
        try:
            lines = [{"audit": _FORMAT, **about}, *map(list, self._answers.items())]
            file.writelines(f"{json.dumps(line)}\n" for line in lines)
            file.flush()
            Path(name).replace(self.path)
        except BaseException:
            file.close()
            Path(name).unlink(missing_ok=True)
            raise
        return file

    def _read(self, about: Mapping[str, Any]) -> None:
        try:
            found = self.path.lstat()
        except FileNotFoundError:
            return
        if not stat.S_ISREG(found.st_mode):
            raise JournalError(f"{self.path} is not a regular file: name another file")
        if not found.st_size:
            return
        descriptor = os.open(self.path, _READ)
        with open(descriptor, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            self._read_lines(file, about)

    def _read_lines(self, file: TextIO, about: Mapping[str, Any]) -> None:
        found = _json(file.readline())
        if not isinstance(found, dict) or found.pop("audit", None) != _FORMAT:
            raise JournalError(f"{self.path} is not the file of an audit: name another file")
        for name, expected in about.items():
            if found.get(name) != expected:
                raise JournalError(
                    f"{self.path} belongs to another audit, with {name} {_shown(found.get(name))} "
                    f"and not {_shown(expected)}: name another file, or remove it"
                )
        for line in file:
            entry = _json(line)
            if isinstance(entry, list) and len(entry) == 2:  # noqa: PLR2004 - key, answer
                self._answers[str(entry[0])] = entry[1]


def _json(line: str) -> Any:
    try:
        return load_json(line)
    except (ValueError, RecursionError):
        return None


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
