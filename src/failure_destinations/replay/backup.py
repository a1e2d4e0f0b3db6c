"""A file of failed events, and beside it one of those that are done."""

from __future__ import annotations

import json
import os
import re
import stat
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import click

from failure_destinations.errors import CommandError
from failure_destinations.runtime.json_text import is_json

from .received_message import Waiting

if sys.platform != "win32":
    import fcntl

_DONE_SUFFIX = ".done"
# Payloads may be confidential.
_MODE = 0o600


class Backup:
    """Lines of JSON, each a message as SQS returned it; and in FILE.done keys of what succeeded.

    What is written is on the disk when the call returns. A run that is stopped half way leaves at
    most a broken last line, which readers skip.

    Args:
        path: The file. It is made, or added to.
        write_messages: Whether messages are added too, not only keys of what is done.

    Raises:
        CommandError: It cannot be written, or another run is writing it.
    """

    def __init__(self, path: Path, *, write_messages: bool) -> None:
        self._lock = threading.Lock()
        self._done = _append_to(done_file(path))
        if not _locked(self._done):
            self._done.close()
            raise CommandError(f"another run is replaying with {path}: wait until it has ended")
        self._messages = _append_to(path) if write_messages else None
        if self._messages is not None:
            _warn_of_readers(path)

    def add(self, messages: Sequence[Waiting]) -> None:
        """Write messages, before anything happens to them."""
        if self._messages is not None and messages:
            _write(self._messages, [_line(waiting) for waiting in messages])

    def note_done(self, waiting: Waiting) -> None:
        """Write that one succeeded; may be called from several threads."""
        with self._lock:
            _write(self._done, [f"{waiting.key.hex()}\n"])

    def close(self) -> None:
        """Close both files."""
        if self._messages is not None:
            self._messages.close()
        self._done.close()


def check_backup(path: Path) -> None:
    """Refuse to add to what is somebody's: no file, or one that begins as no backup does.

    Raises:
        CommandError: It is no new file, and no backup.
    """
    if not path.parent.is_dir():
        raise CommandError(f"--backup must be in a folder that there is, got {str(path)!r}")
    if path.exists() and not path.is_file():
        raise CommandError(f"--backup must name a file, got {str(path)!r}: name a new one")
    for file, is_ours in ((path, _begins_as_message), (done_file(path), _begins_as_key)):
        try:
            with file.open(encoding="utf-8", errors="replace") as opened:
                first = opened.readline()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise CommandError(f"cannot read {file}: {error.strerror}") from None
        if first and not is_ours(first):
            raise CommandError(
                "--backup must name a new file or a backup to add to, got "
                f"{str(path)!r}, but {file} holds something else: name another"
            )


def _begins_as_message(line: str) -> bool:
    # A run that was killed may have left half a line.
    return _waiting(line) is not None or (line.startswith('{"') and not is_json(line))


def _begins_as_key(line: str) -> bool:
    return re.fullmatch(r"[0-9a-f]*\n?", line) is not None


def done_file(path: Path) -> Path:
    """Return where the keys of what succeeded are."""
    return path.with_name(path.name + _DONE_SUFFIX)


def read_done(path: Path) -> set[bytes]:
    """Return the keys of what succeeded, without broken lines.

    Args:
        path: The backup.

    Raises:
        CommandError: They cannot be read.
    """
    keys: set[bytes] = set()
    try:
        with done_file(path).open(encoding="ascii", errors="replace") as file:
            for line in file:
                with suppress(ValueError):
                    keys.add(bytes.fromhex(line.strip()))
    except FileNotFoundError:
        pass
    except OSError as error:
        raise CommandError(f"cannot read {done_file(path)}: {error.strerror}") from None
    return keys


def read_backup(path: Path, broken: list[int]) -> Iterator[Waiting]:
    """Yield the messages of a backup, one at a time.

    Args:
        path: The file.
        broken: Gets the numbers of the lines that hold no message.

    Raises:
        CommandError: It cannot be read.
    """
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                waiting = _waiting(line)
                if waiting is None:
                    broken.append(number)
                else:
                    yield waiting
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}") from None


def _line(waiting: Waiting) -> str:
    kept = {key: value for key, value in waiting.message.items() if key != "ReceiptHandle"}
    # Binary attributes, which none of AWS's messages has.
    return f"{json.dumps(kept, default=lambda value: value.hex())}\n"


def _waiting(line: str) -> Waiting | None:
    message = _message(line)
    if message is None:
        return None
    waiting = Waiting.of(message)
    try:
        # What SQS writes are numbers, and what a person changed may be anything.
        _ = waiting.time, waiting.receives
    except (TypeError, ValueError, OverflowError, OSError):
        return None
    return waiting


def _message(line: str) -> dict[str, Any] | None:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or not isinstance(message.get("Body"), str):
        return None
    for name in ("Attributes", "MessageAttributes"):
        if not isinstance(message.get(name, {}), dict):
            return None
    return message


def _append_to(path: Path) -> TextIO:
    try:
        path.touch(_MODE)
        file = path.open("a", encoding="utf-8")
        # A run that was killed may have left half a line.
        with path.open("rb") as written:
            size = written.seek(0, os.SEEK_END)
            written.seek(max(0, size - 1))
            if written.read(1) not in (b"", b"\n"):
                file.write("\n")
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}") from None
    return file


def _locked(file: TextIO) -> bool:
    """Tell whether this process alone has the file, as long as it is open."""
    if sys.platform != "win32":
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            # A file system without locks.
            return True
    return True


def _warn_of_readers(path: Path) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if sys.platform != "win32" and mode & ~_MODE:
        click.echo(
            f"warning: others may read {path} (mode {mode:04o}), and payloads may be confidential: "
            f"chmod 600 {path}",
            err=True,
        )


def _write(file: TextIO, lines: Sequence[str]) -> None:
    try:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())
    except OSError as error:
        raise CommandError(f"cannot write {file.name}: {error.strerror}") from None
