"""The journals of past runs, read: anything may be in the files."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from failure_destinations.errors import CommandError
from failure_destinations.runtime import FailedEvent

from .journal import DONE, FORMAT, NEWEST, SUFFIX
from .newest_records import NewestRecords
from .positions import from_text
from .private_files import is_locked, open_to_read
from .state_folder import runs_folder

_NAME = re.compile(r"(?:replay|discard|move)-\d{8}-\d{6}-[0-9a-f]{6}", re.ASCII)
# What became of events whose handlers ran, or may have.
_RAN = ("started", "failed", "unknown")
# Longer than any line of a journal.
_MAX_LINE = 1_000_000
_MAX_END = 16_384

State = Literal["running", "ended", "interrupted", "stopped", "killed"]
"""`stopped`: the run stopped by itself before the end. `killed`: its journal has no end."""


@dataclass
class PastRun:
    """What a run's journal says.

    Attributes:
        name: The run's name.
        kind: `replay`, `discard` or `move`, which moves dead letters back to source queues.
        started: When it was started, in ISO 8601.
        user: The user of the machine that started it; None if it is not known.
        host: The machine's name; None if it is not known.
        identity: The ARN of the identity in AWS; None if it is not known.
        source: ARN of the queue, or path of the backup.
        options: The options, by name.
        state: How it ended.
        why: Why it stopped by itself; None if it did not.
        counts: The number of events by what became of them.
        resumed: How often it was resumed.
        edited: Whether its event was run with an edited payload.
    """

    name: str
    kind: str
    started: str
    user: str | None
    host: str | None
    identity: str | None
    source: str
    options: Mapping[str, Any]
    state: State = "killed"
    why: str | None = None
    counts: Counter[str] = field(default_factory=Counter)
    resumed: int = 0
    edited: bool = False

    @property
    def path(self) -> Path:
        """The file of the journal."""
        return run_path(self.name)

    def events(self) -> Iterator[Mapping[str, Any]]:
        """Yield the lines about events, one at a time: `id`, `became` and so on.

        An event has a line when it starts, and one with its outcome.

        Raises:
            CommandError: The file cannot be read.
        """
        for line in _lines(self.path):
            if _is_event(line):
                yield line

    def outcomes(self) -> dict[str, Mapping[str, Any]]:
        """Return the last line about each event, by the message's id.

        Raises:
            CommandError: The file cannot be read.
        """
        return {line["id"]: line for line in self.events()}

    def succeeded_keys(self) -> set[bytes]:
        """Return the keys of the events that succeeded.

        Raises:
            CommandError: The file cannot be read.
        """
        keys = set()
        for line in self.events():
            key = line.get("key")
            if line["became"] in DONE and isinstance(key, str):
                try:
                    keys.add(bytes.fromhex(key))
                except ValueError:
                    continue
        return keys

    def newest_records(self) -> Iterator[Mapping[str, Any]]:
        """Yield what the run noted of the newest records of keys, for `NewestRecords.remember`.

        Raises:
            CommandError: The file cannot be read.
        """
        for line in _lines(self.path):
            newest = line.get(NEWEST)
            if isinstance(newest, dict):
                yield newest

    def handled_records(self) -> dict[bytes, frozenset[int]]:
        """Return the positions of the records that were handled, by the key of their batch.

        Raises:
            CommandError: The file cannot be read.
        """
        found: dict[bytes, frozenset[int]] = {}
        for line in self.events():
            key, handled = line.get("key"), from_text(line.get("handled"))
            if handled and isinstance(key, str):
                with suppress(ValueError):
                    known = found.get(bytes.fromhex(key), frozenset())
                    found[bytes.fromhex(key)] = known | handled
        return found


def run_path(name: str) -> Path:
    """Return the file of a run's journal.

    Args:
        name: The run's name.

    Raises:
        CommandError: The text is not the name of a run.
    """
    if _NAME.fullmatch(name) is None:
        raise CommandError(
            f"{name!r} is not the name of a run: `failure-destinations runs` lists them"
        )
    return runs_folder() / f"{name}{SUFFIX}"


def list_runs(at_most: int | None = None) -> list[PastRun]:
    """Return the runs that have a journal, the latest first; files that are none are left out.

    Args:
        at_most: The number of latest runs to return. Default: all.

    Raises:
        CommandError: The folder of the journals cannot be read.
    """
    folder = runs_folder()
    try:
        names = [file.name.removesuffix(SUFFIX) for file in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise CommandError(f"cannot read {folder}: {error.strerror}") from None
    # The time is in the name, after the kind.
    latest = sorted(filter(_NAME.fullmatch, names), key=_without_kind, reverse=True)
    runs = (run for name in latest if (run := _read(name)) is not None)
    return list(islice(runs, at_most))


def replayed_ids(source: str) -> set[str]:
    """Return the ids of messages whose handlers past runs on this machine started.

    Journals that cannot be read are left out.

    Args:
        source: ARN of the queue.
    """
    try:
        runs = [run for run in list_runs() if run.kind == "replay" and run.source == source]
        return {line["id"] for run in runs for line in run.events() if line["became"] in _RAN}
    except CommandError:
        return set()


def newest_of_past_runs(
    destination: Callable[[FailedEvent], str | None],
) -> NewestRecords:
    """Return the newest records of keys that past runs on this machine noted.

    Journals that cannot be read are left out.

    Args:
        destination: Returns the ARN of the function that an event goes to.
    """
    newest = NewestRecords(destination)
    with suppress(CommandError):
        for run in list_runs():
            if run.options.get("only-latest") is True:
                with suppress(CommandError):
                    for noted in run.newest_records():
                        newest.remember(noted)
    return newest


def read_run(name: str) -> PastRun:
    """Return what a run's journal says.

    Args:
        name: The run's name.

    Raises:
        CommandError: There is no such run, or its journal cannot be read.
    """
    path = run_path(name)
    if not path.exists():
        raise CommandError(f"{path} does not exist: `failure-destinations runs` lists all runs")
    run = _read(name)
    if run is None:
        raise CommandError(f"{path} is not the journal of a run")
    return run


def _without_kind(name: str) -> str:
    return name.partition("-")[2]


def _read(name: str) -> PastRun | None:
    path = run_path(name)
    try:
        lines = _lines(path)
        head = next(lines, {})
        if head.get("format") != FORMAT or head.get("run") != name:
            return None
        options = head.get("options")
        run = PastRun(
            name,
            _text(head, "kind") or "?",
            _text(head, "started") or "?",
            _text(head, "user"),
            _text(head, "host"),
            _text(head, "identity"),
            _text(head, "source") or "?",
            options if isinstance(options, dict) else {},
            edited="edited" in head,
        )
        running = is_locked(path)
        if running or not _read_end(run):
            _read_rest(run, lines)
        if running:
            run.state = "running"
    except (CommandError, OSError):
        return None
    return run


def _read_end(run: PastRun) -> bool:
    """Read the last line of a journal; return False if that is not enough to know the run."""
    with open_to_read(run.path) as file:
        size = file.seek(0, os.SEEK_END)
        # A text file may be sought at any byte: one that is not UTF-8 is replaced.
        file.seek(max(0, size - _MAX_END))
        end = _object(file.read().rstrip("\n").rpartition("\n")[2])
    counts = end.get("counts")
    if "ended" not in end or not isinstance(counts, dict):
        return False
    run.counts = Counter({name: n for name, n in counts.items() if type(n) is int and n > 0})
    _note_end(run, end)
    return True


def _note_end(run: PastRun, line: Mapping[str, Any]) -> None:
    run.why = _text(line, "stopped")
    interrupted = line.get("interrupted") is True
    run.state = "interrupted" if interrupted else "stopped" if run.why else "ended"


def _read_rest(run: PastRun, lines: Iterator[dict[str, Any]]) -> None:
    latest: dict[str, str] = {}
    for line in lines:
        if _is_event(line):
            latest[line["id"]] = line["became"]
        elif "resumed" in line:
            run.resumed += 1
            run.state, run.why = "killed", None
        elif "ended" in line:
            _note_end(run, line)
    run.counts = Counter(latest.values())


def _is_event(line: Mapping[str, Any]) -> bool:
    return isinstance(line.get("id"), str) and isinstance(line.get("became"), str)


def _text(line: Mapping[str, Any], name: str) -> str | None:
    value = line.get(name)
    return value if isinstance(value, str) else None


def _object(line: str) -> dict[str, Any]:
    """Return the JSON object in a line; an empty one if it is not one."""
    try:
        parsed = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines that are JSON objects."""
    try:
        with open_to_read(path) as file:
            while line := file.readline(_MAX_LINE):
                if parsed := _object(line):
                    yield parsed
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}") from None
