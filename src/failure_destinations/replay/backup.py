"""A backup file of failed events, and a file beside it with the keys of those that succeeded."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from failure_destinations.errors import CommandError
from failure_destinations.runtime.json_text import is_json

from .private_files import lock, open_to_append, open_to_read, write_all
from .received_message import ReceivedMessage

_DONE_SUFFIX = ".done"


class Backup:
    """A file of JSON lines, each a message from SQS, and FILE.done with the keys of successes.

    Writes are on the disk when a call returns. An interrupted run leaves at most a broken last
    line, which readers skip. Only the owner can read the files.

    Args:
        path: The file. It is created or appended to.
        write_messages: Whether messages are added too, not only the keys of successes.
        edited: The payload that replaces that of each message, which is noted with it. Default:
            none.

    Raises:
        CommandError: It cannot be written, or another run is writing it.
    """

    def __init__(self, path: Path, *, write_messages: bool, edited: str | None = None) -> None:
        self._edited = edited
        self._lock = threading.Lock()
        self._done = _File(done_file(path))
        if not self._done.lock():
            self._done.close()
            raise CommandError(f"another run is replaying with {path}: wait until it has ended")
        self._messages = _File(path) if write_messages else None

    def add(self, messages: Sequence[ReceivedMessage]) -> None:
        """Write messages before they are run.

        Raises:
            CommandError: They cannot be written.
        """
        if self._messages is not None and messages:
            self._messages.write("".join(to_line(one, self._edited) for one in messages))

    def note_done(self, message: ReceivedMessage) -> None:
        """Record that a message's event succeeded; may be called from several threads.

        Raises:
            CommandError: It cannot be written.
        """
        with self._lock:
            self._done.write(f"{message.key.hex()}\n")

    def close(self) -> None:
        """Close both files."""
        if self._messages is not None:
            self._messages.close()
        self._done.close()


def check_backup(path: Path) -> None:
    """Raise CommandError unless a path names a new file, or a backup to add to.

    Args:
        path: The value of `--backup`.
    """
    if not path.parent.is_dir():
        raise CommandError(f"--backup must be in a folder that exists, got {str(path)!r}")
    if path.exists() and not path.is_file():
        raise CommandError(f"--backup must name a file, got {str(path)!r}: name a new one")
    for file, is_ours in ((path, _begins_as_message), (done_file(path), _begins_as_key)):
        try:
            with open_to_read(file) as opened:
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


def done_file(path: Path) -> Path:
    """Return the file beside a backup with the keys of the events that succeeded."""
    return path.with_name(path.name + _DONE_SUFFIX)


def read_done(path: Path) -> set[bytes]:
    """Return the keys of the events that succeeded, without broken lines.

    Args:
        path: The backup.

    Raises:
        CommandError: They cannot be read.
    """
    keys: set[bytes] = set()
    try:
        with open_to_read(done_file(path)) as file:
            for line in file:
                with suppress(ValueError):
                    keys.add(bytes.fromhex(line.strip()))
    except FileNotFoundError:
        pass
    except OSError as error:
        raise CommandError(f"cannot read {done_file(path)}: {error.strerror}") from None
    return keys


def read_backup(path: Path, broken: list[int]) -> Iterator[ReceivedMessage]:
    """Yield the messages of a backup, one at a time.

    Args:
        path: The file.
        broken: Gets the numbers of lines without a message.

    Raises:
        CommandError: It cannot be read.
    """
    try:
        with open_to_read(path, follow_links=True) as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                message = _parse_line(line)
                if message is None:
                    broken.append(number)
                else:
                    yield message
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}") from None


def to_line(message: ReceivedMessage, edited: str | None = None) -> str:
    """Return the line of a backup that holds a message.

    Args:
        message: The message.
        edited: The payload that its event is run with instead, which is noted. Default: its own.
    """
    kept = {key: value for key, value in message.message.items() if key != "ReceiptHandle"}
    if edited is not None:
        kept["EditedPayload"] = edited
    # For binary attributes, which only messages of source queues have.
    return f"{json.dumps(kept, default=lambda value: value.hex())}\n"


class _File:
    """A file to append lines to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._descriptor = open_to_append(path)
            # A run that was killed may have left half a line.
            size = os.lseek(self._descriptor, 0, os.SEEK_END)
            os.lseek(self._descriptor, max(0, size - 1), os.SEEK_SET)
            if os.read(self._descriptor, 1) not in (b"", b"\n"):
                self.write("\n")
        except OSError as error:
            raise CommandError(f"cannot write {path}: {error.strerror}") from None

    def write(self, text: str) -> None:
        try:
            write_all(self._descriptor, text.encode(), self._path)
        except OSError as error:
            raise CommandError(f"cannot write {self._path}: {error.strerror}") from None

    def lock(self) -> bool:
        """Lock the file until it is closed; return False if another process has locked it."""
        return lock(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)


def _begins_as_message(line: str) -> bool:
    # A run that was killed may have left half a line.
    return _parse_line(line) is not None or (line.startswith('{"') and not is_json(line))


def _begins_as_key(line: str) -> bool:
    return re.fullmatch(r"[0-9a-f]*\n?", line) is not None


def _parse_line(line: str) -> ReceivedMessage | None:
    parsed = _parse_message(line)
    if parsed is None:
        return None
    message = ReceivedMessage.of(parsed)
    try:
        # SQS writes a number, but someone may have edited the file.
        _ = message.receives
    except (TypeError, ValueError):
        return None
    return message


def _parse_message(line: str) -> dict[str, Any] | None:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or not isinstance(message.get("Body"), str):
        return None
    for name in ("Attributes", "MessageAttributes"):
        if not isinstance(message.get(name, {}), dict):
            return None
    for attribute in message.get("MessageAttributes", {}).values():
        if isinstance(attribute, dict) and isinstance(attribute.get("BinaryValue"), str):
            with suppress(ValueError):
                attribute["BinaryValue"] = bytes.fromhex(attribute["BinaryValue"])
    return message
