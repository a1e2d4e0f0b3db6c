"""What was answered so far, in a file: an audit that is stopped goes on where it was."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from failure_destinations.errors import FailureDestinationsError

_FORMAT = 1
# It tells who may call what.
_MODE = 0o600


class JournalError(FailureDestinationsError):
    """The file cannot be used; the message is for people, and one line."""


class Journal:
    """Lines of JSON: whose audit it is, then each answer.

    A process that is killed leaves at most a broken last line, which is passed over.

    Args:
        path: The file. If it exists, its answers are known already.
        about: Whose audit it is: account, Regions and so on.

    Raises:
        JournalError: It cannot be read or written, or is of another audit.
    """

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._answers: dict[str, Any] = {}
        self.written = 0
        try:
            self._read(about)
            path.parent.mkdir(parents=True, exist_ok=True)
            # Whatever is broken at its end goes.
            lines = [
                {"audit": _FORMAT, **about},
                *([key, one] for key, one in self._answers.items()),
            ]
            beginning = path.with_name(f"{path.name}.new")
            beginning.touch(_MODE)
            with beginning.open("w", encoding="utf-8") as file:
                file.writelines(f"{json.dumps(line)}\n" for line in lines)
            beginning.replace(path)
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise JournalError(f"cannot write {path}: {error.strerror}") from None
        self.found = self.written = len(self._answers)

    def take(self, key: str) -> Any:
        """Return the answer to a question and forget it; None if it was not asked yet."""
        with self._lock:
            return self._answers.pop(key, None)

    def add(self, key: str, answer: Any) -> None:
        """Note an answer; may be called from several threads.

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
        """Close the file, and keep it."""
        self._file.close()

    def remove(self) -> None:
        """Remove the file: what it holds will be old."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def _read(self, about: Mapping[str, Any]) -> None:
        if not self.path.exists() or not self.path.stat().st_size:
            return
        with self.path.open(encoding="utf-8", errors="replace") as file:
            found = _json(file.readline())
            if not isinstance(found, dict) or found.pop("audit", None) != _FORMAT:
                raise JournalError(f"{self.path} is not what an audit left: name another file")
            for name, expected in about.items():
                if found.get(name) != expected:
                    raise JournalError(
                        f"{self.path} is of another audit, with {name} {_shown(found.get(name))} "
                        f"and not {_shown(expected)}: name another file, or remove it"
                    )
            for line in file:
                entry = _json(line)
                if isinstance(entry, list) and len(entry) == 2:  # noqa: PLR2004 - key, answer
                    self._answers[str(entry[0])] = entry[1]


def _json(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
