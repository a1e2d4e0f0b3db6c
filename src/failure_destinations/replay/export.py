"""Saves a queue's failed events to a file, in the form of a backup, and runs nothing."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from failure_destinations.deployed.location import Location
from failure_destinations.deployed.queues import Queue, QueueChoice
from failure_destinations.deployed.session import Aws
from failure_destinations.errors import CommandError, aws_message, is_aws_error
from failure_destinations.progress import NO_PROGRESS, Progress
from failure_destinations.text import plural

from .backup import to_line
from .batches import batches
from .choose_origin import choose_origin
from .choosing import is_chosen, records_of_chosen
from .contents import Contents
from .filters import Filter
from .private_files import create_beside, publish, write_all
from .received_message import ReceivedMessage

_BATCH = 100
# A failed batch has up to 6 MB of records.
_BATCH_CHARACTERS = 16 * 1024 * 1024


@dataclass(frozen=True)
class Exported:
    """The outcome of an export.

    Attributes:
        path: The file that was written; None if there was nothing to save.
        count: The number of messages in it.
        missing: Why it may lack some of the chosen messages, or records; None if it has them all.
        gone: The number of failed batches whose records are gone, so that it has only what their
            messages say of them.
    """

    path: Path | None
    count: int
    missing: str | None
    gone: int = 0


class Export:
    """Saves the chosen messages of a queue, which all stay there.

    The file appears under its name once all messages are in it. If the export stops earlier, what
    it received is in FILE.partial instead. Only the owner can read either.

    Args:
        aws: The account and Region to work in.
        choice: The options that name a queue.
        chosen: The operator's filter.
        path: The file to write.
        at_most: The most messages to save. Default: all.

    Attributes:
        queue: The queue.
        contents: Counts the messages that were not chosen.

    Raises:
        CommandError: The file exists or cannot be written, or the queue does not exist or counts
            receives.
    """

    def __init__(
        self, aws: Aws, choice: QueueChoice, chosen: Filter, path: Path, at_most: int | None = None
    ) -> None:
        check_new_file(path)
        self._origin = choose_origin(aws, choice, to_peek=True)
        self.queue: Queue = self._origin.queue
        self._chosen = chosen
        self._path = path
        self._at_most = at_most
        self._stop = threading.Event()
        self.contents = Contents()
        self._unread: Counter[str] = Counter()
        self._gone = 0

    def stop(self) -> None:
        """Receive nothing more. May be called from any thread."""
        self._stop.set()

    def run(self, progress: Progress = NO_PROGRESS) -> Exported:
        """Save the messages, and give them back to the queue.

        Args:
            progress: Gets the number of messages that were received and given back.

        Raises:
            CommandError: The file cannot be written.
        """
        warnings: list[str] = []
        try:
            descriptor, written = create_beside(self._path)
        except OSError as error:
            raise CommandError(f"cannot write {self._path}: {error.strerror}") from None
        saved = _Saved(descriptor, written)
        try:
            try:
                fetch = records_of_chosen(self._chosen, Location.of(self.queue.arn))
                with self._origin.peek(warnings, progress, fetch=fetch) as all_:
                    self._save(all_, saved)
            except Exception as error:
                if not is_aws_error(error) or not saved.count:
                    raise
                warnings.append(aws_message(error))
            saved.flush()
            return self._publish(saved, self._missing(warnings, saved.count))
        except OSError as error:
            raise CommandError(f"cannot write {self._path}: {error.strerror}") from None
        finally:
            os.close(descriptor)
            # It has its name by now, unless the export failed.
            written.unlink(missing_ok=True)

    def _save(self, messages: Iterable[ReceivedMessage], saved: _Saved) -> None:
        location = Location.of(self.queue.arn)
        groups: set[str | None] = set()
        for message in messages:
            if self._stop.is_set():
                return
            if is_chosen(message, self._chosen, location):
                groups.add(message.group)
                self._chosen.check_groups(groups)
                saved.add(message)
                event = message.event
                if event is not None and event.records_unread is not None:
                    self._unread[event.records_unread] += 1
                self._gone += event is not None and event.records_gone is not None
            else:
                self.contents.add(message)
            if saved.count == self._at_most:
                return

    def _missing(self, warnings: list[str], saved: int) -> str | None:
        if self._stop.is_set():
            return "it was interrupted"
        if lines := self._unread_lines():
            return "; ".join(lines)
        if saved == self._at_most:
            return None
        if warnings:
            return "; ".join(warnings)
        if self.queue.hidden:
            return (
                f"{plural(self.queue.hidden, 'message')} cannot be received now: other consumers "
                "have them, or they are delayed"
            )
        return None

    def _unread_lines(self) -> list[str]:
        """Return which records are not in the file, or could not be searched."""
        if self._chosen.reads_payloads:
            return self._origin.batches.lines()
        return [
            f"the records of {batches(count)} were not read: {why}"
            for why, count in self._unread.most_common()
        ]

    def _publish(self, saved: _Saved, missing: str | None) -> Exported:
        if not saved.count:
            return Exported(None, 0, missing)
        if missing is None:
            publish(saved.path, self._path)
            return Exported(self._path, saved.count, None, self._gone)
        for number in count(1):
            suffix = ".partial" if number == 1 else f".partial-{number}"
            partial = self._path.with_name(self._path.name + suffix)
            with suppress(FileExistsError):
                publish(saved.path, partial)
                break
        return Exported(partial, saved.count, missing, self._gone)


class _Saved:
    """The file while it is written."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self.path = path
        self.count = 0
        self._descriptor = descriptor
        self._lines: list[str] = []
        self._characters = 0

    def add(self, message: ReceivedMessage) -> None:
        self.count += 1
        self._lines.append(to_line(message))
        self._characters += len(self._lines[-1])
        if len(self._lines) >= _BATCH or self._characters >= _BATCH_CHARACTERS:
            self.flush()

    def flush(self) -> None:
        """Have all messages on the disk."""
        write_all(self._descriptor, "".join(self._lines).encode(), self.path)
        self._lines.clear()
        self._characters = 0


def check_new_file(path: Path) -> None:
    """Raise CommandError unless a path names a new file in a folder that exists."""
    if not path.parent.is_dir():
        raise CommandError(f"FILE must be in a folder that exists, got {str(path)!r}")
    if os.path.lexists(path):
        raise CommandError(f"FILE must be new, got {str(path)!r}, which exists: name another")
