"""What an operator may choose for a replay, and its form in a journal."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from failure_destinations.deployed.queues import QueueChoice
from failure_destinations.errors import CommandError

from .backup import check_backup
from .careful import Care
from .filters import Filter
from .past_runs import PastRun

DEFAULT_CONCURRENCY = 4
MAX_CONCURRENCY = 256


@dataclass(frozen=True)
class ReplayOptions:
    """What to replay, and how.

    Attributes:
        choice: The options that name a queue.
        chosen: The operator's filter.
        at_most: The most handlers to start. Default: no limit.
        concurrency: How many handlers run at once, 1 to 256. Default: 4.
        rate: The most handlers to start a second. Default: no limit.
        backup: The file that gets each event before it is run. Default: none.
        from_backup: The file to replay from, instead of a queue. Default: none.
        from_files: A file or folder with downloaded records of a bucket, likewise. Default: none.
        function_name: The function of events that do not name theirs. Default: those stay.
        to: The function that gets every chosen event. Default: the one that failed.
        any_sender: Whether `function_name` also gets events from other senders.
        allowed: ARNs of functions that may be invoked in addition to the channel's handlers.
        tenant_id: The tenant to invoke for. Default: none.
        all_groups: Whether events are run also if the first one of their group failed again.
        stop_at: The share of failures among the latest 20 events above which the run stops, in
            percent. Default: 50; 100, which never stops it, with `all_groups`.
        records: Identifiers of the records to run, of the one failed batch that `chosen` names by
            its id. Default: all records of every batch.
        only_latest: Whether of the records of one key only the newest is run.
        asynchronous: Whether events are given to Lambda asynchronously. Default: a run waits for
            each handler.
    """

    choice: QueueChoice = field(default_factory=lambda: QueueChoice(None, None, None))
    chosen: Filter = field(default_factory=Filter)
    at_most: int | None = None
    concurrency: int = DEFAULT_CONCURRENCY
    rate: float | None = None
    backup: Path | None = None
    from_backup: Path | None = None
    from_files: Path | None = None
    function_name: str | None = None
    to: str | None = None
    any_sender: bool = False
    allowed: tuple[str, ...] = ()
    tenant_id: str | None = None
    all_groups: bool = False
    stop_at: int | None = None
    asynchronous: bool = False
    records: tuple[str, ...] = ()
    only_latest: bool = False

    @property
    def care(self) -> Care:
        """How carefully to go."""
        return Care.chosen(all_groups=self.all_groups, stop_at=self.stop_at)

    @property
    def from_path(self) -> Path | None:
        """The file or folder to replay from; None for a queue."""
        return self.from_backup or self.from_files

    def check(self, *, to_run: bool) -> None:
        """Raise CommandError if options contradict each other.

        Args:
            to_run: Whether events are to be run, not only counted.
        """
        if self.from_path is not None and (self.choice.given or self.backup is not None):
            option = "--from-backup" if self.from_files is None else "--from-files"
            raise CommandError(
                f"{option} replays from a file: leave out --stack, --queue, --backup"
            )
        if self.from_path is not None and self.chosen.expiring is not None:
            raise CommandError(
                "--expiring chooses by a queue's retention: leave it out, a file has none"
            )
        if self.from_backup is not None and self.from_files is not None:
            raise CommandError("--from-backup and --from-files exclude each other: leave one out")
        if self.backup is not None:
            check_backup(self.backup)
        chosen = self.chosen
        if self.records and len(chosen.ids) != 1:
            raise CommandError(
                f"--record names records of one failed batch, got {len(chosen.ids)}: name it "
                "with --id"
            )
        if (self.records or self.only_latest) and self.asynchronous:
            raise CommandError(
                "only the handler's answer says which records it has handled: leave out "
                "--asynchronous"
            )
        if self.records and self.only_latest:
            raise CommandError("--record and --only-latest exclude each other: leave one out")
        if (
            self.choice.part == "copies"
            and to_run
            and not (chosen.ids or chosen.since or chosen.until)
        ):
            raise CommandError(
                "a copy stays when its event is replayed from the main queue: to run nothing "
                "twice, choose those that never arrived there with --id, --since or --until"
            )
        if self.asynchronous and self.choice.part == "source-queues":
            raise CommandError(
                "--asynchronous does not see which messages a function names as failed: leave it "
                "out with --from source-queues"
            )
        if self.to is not None and (self.function_name or self.any_sender or self.allowed):
            raise CommandError(
                f"--to sends every chosen event to one function, got {self.to!r}: leave out "
                "--function-name, --any-sender and --allow-function"
            )
        if self.allowed and self.choice.stack is None:
            raise CommandError(
                "--allow-function adds to the handlers of a channel: leave it out without --stack"
            )


# Where the option of the command has another name than the attribute.
_NAMES = {
    "functions": "function",
    "error_types": "error-type",
    "ids": "id",
    "groups": "group",
    "part": "from",
    "at_most": "max",
    "allowed": "allow-function",
    "all_groups": "all",
    "records": "record",
}


def options_to_json(options: ReplayOptions) -> dict[str, Any]:
    """Return the options that differ from their defaults, named as those of the command."""
    return {
        name: _to_json(value)
        for owner, of in ((options.choice, QueueChoice), (options.chosen, Filter), (options, None))
        for name, value in _given(owner, of)
    }


def options_from_json(options: Mapping[str, Any]) -> ReplayOptions:
    """Return the options that `options_to_json` wrote.

    Args:
        options: The options as JSON, in which there may be anything.

    Raises:
        CommandError: They are not options of a replay.
    """
    left = dict(options)
    choice = _read(QueueChoice, left, {"stack": None, "channel": None, "queue": None})
    chosen = _read(Filter, left, {})
    read = _read(ReplayOptions, left, {"choice": choice, "chosen": chosen})
    if left:
        raise CommandError(f"the journal has unknown options: {', '.join(left)}")
    return typing.cast(ReplayOptions, read)


def check_chooses_one(options: ReplayOptions) -> None:
    """Raise CommandError unless the options name one event, to replay it with another payload."""
    if len(options.chosen.ids) != 1:
        count = len(options.chosen.ids)
        raise CommandError(f"an edited payload is for one event, got {count}: name one with --id")
    if options.asynchronous:
        raise CommandError(
            "the outcome of an edited payload must be known: leave out --asynchronous"
        )
    if options.records or options.only_latest:
        raise CommandError(
            "an edited payload is the whole event: leave out --record and --only-latest"
        )


def options_to_resume(
    run: PastRun,
    *,
    concurrency: int | None = None,
    rate: float | None = None,
    all_groups: bool = False,
    stop_at: int | None = None,
) -> ReplayOptions:
    """Return the options with which to go on with a run.

    Args:
        run: The run.
        concurrency: How many handlers run at once from now on. Default: as many as before.
        rate: The most handlers to start a second from now on. Default: as before.
        all_groups: Whether events are run from now on also if the first one of their group failed.
        stop_at: The share of failures above which it stops from now on. Default: as before.

    Raises:
        CommandError: It is not the run of a replay, its journal cannot be understood, or it started
            as many events as it was allowed to.
    """
    if run.kind != "replay" or run.edited:
        what = "has an edited payload" if run.edited else "is not a replay"
        raise CommandError(f"{run.name} {what}: start it again instead")
    options = options_from_json(run.options)
    at_most = options.at_most
    if at_most is not None:
        at_most -= sum(count for became, count in run.counts.items() if became != "left")
        if at_most <= 0:
            raise CommandError(f"{run.name} has started the {options.at_most} events of its --max")
    return dataclasses.replace(
        options,
        at_most=at_most,
        concurrency=concurrency or options.concurrency,
        rate=rate or options.rate,
        all_groups=all_groups or options.all_groups,
        stop_at=options.stop_at if stop_at is None else stop_at,
    )


def option_words(options: Mapping[str, Any]) -> list[str]:
    """Return options as words of a command line.

    Args:
        options: The options as JSON, in which there may be anything.
    """
    words: list[str] = []
    for name, value in options.items():
        for one in value if isinstance(value, list) else [value]:
            words += [f"--{name}"] if one is True else [f"--{name}", str(one)]
    return words


def _given(owner: Any, of: type | None) -> list[tuple[str, Any]]:
    given = []
    for each in dataclasses.fields(owner):
        value = getattr(owner, each.name)
        default = None if each.default is dataclasses.MISSING else each.default
        if value != default and (of is not None or not dataclasses.is_dataclass(value)):
            given.append((_option_name(each.name), value))
    return given


def _option_name(attribute: str) -> str:
    return _NAMES.get(attribute, attribute.replace("_", "-"))


def _to_json(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_to_json(one) for one in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return f"{value.total_seconds():.0f}s"
    if isinstance(value, Path):
        # The run may be resumed in another folder.
        return str(value.absolute())
    return value


def _read(of: type[Any], left: dict[str, Any], known: Mapping[str, Any]) -> Any:
    """Take the options of a class out of `left`, and return its object."""
    hints = typing.get_type_hints(of)
    values = dict(known)
    for each in dataclasses.fields(of):
        name = _option_name(each.name)
        if name in left and each.name not in ("choice", "chosen"):
            values[each.name] = _from_json(left.pop(name), hints[each.name], name)
    return of(**values)


def _from_json(value: Any, hint: Any, name: str) -> Any:
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    for kind in kinds:
        origin = typing.get_origin(kind)
        if origin is tuple and isinstance(value, list):
            return tuple(_from_json(one, typing.get_args(kind)[0], name) for one in value)
        if origin is typing.Literal and value in typing.get_args(kind):
            return value
        if kind in (datetime, timedelta, Path) and isinstance(value, str):
            return _parsed(value, kind, name)
        if kind is float and type(value) in (int, float):
            return float(value)
        if kind in (bool, int, str) and type(value) is kind:
            return value
    raise CommandError(f"the journal has --{name} {value!r}, which is not valid")


def _parsed(value: str, kind: Any, name: str) -> Any:
    try:
        if kind is timedelta:
            return timedelta(seconds=float(value.removesuffix("s")))
        return datetime.fromisoformat(value) if kind is datetime else Path(value)
    except (ValueError, OverflowError):
        raise CommandError(f"the journal has --{name} {value!r}, which is not a time") from None
