"""`failure-destinations replay`: run failed events again."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from failure_destinations.deployed.queues import Choice, queue_options
from failure_destinations.deployed.session import Aws, aws_options
from failure_destinations.errors import CommandError
from failure_destinations.replay.backup import Backup, check_backup, read_backup, read_done
from failure_destinations.replay.filters import Filter, filter_options
from failure_destinations.replay.peek import looking
from failure_destinations.replay.received_message import Waiting
from failure_destinations.replay.run import Replaying, Tally
from failure_destinations.replay.sources import FileSource, QueueSource, Source
from failure_destinations.runtime import FailedEvent, Outcome, replay
from failure_destinations.text import cut, plain, plural, print_table

from ..parameters import FunctionType, RateType
from .list import warn_of

_MAX_CONCURRENCY = 256
_MESSAGE_LENGTH = 80


_EXAMPLES = """\b
Examples:
  failure-destinations replay --stack Reports
  failure-destinations replay --stack Reports --yes --backup reports.jsonl
  failure-destinations replay --stack Reports --function 'orders*' --since 12h --yes --rate 50
  failure-destinations replay --from-backup reports.jsonl --yes
"""


@click.command("replay", epilog=_EXAMPLES)
@queue_options
@filter_options
@click.option(
    "--max", "at_most", type=click.IntRange(min=1), metavar="N", help="Replay no more than N."
)
@click.option("--yes", is_flag=True, help="Really do it.")
@click.option("--dry-run", is_flag=True, help="Only count what would be replayed: the default.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, _MAX_CONCURRENCY),
    default=4,
    show_default=True,
    metavar="N",
    help="How many handlers run at once.",
)
@click.option(
    "--rate",
    type=RateType(),
    metavar="N",
    help="Start no more than N a second: a number above 0, such as 50 or 0.2.",
)
@click.option(
    "--backup",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.jsonl",
    help="Write each event there, on the disk, before anything is deleted.",
)
@click.option(
    "--from-backup",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE.jsonl",
    help="Replay from such a file instead of a queue.",
)
@click.option(
    "--function-name",
    type=FunctionType(),
    metavar="NAME",
    help="What to invoke for events from a function's dead-letter queue, which do not name it.",
)
@click.option(
    "--any-sender",
    is_flag=True,
    help="Give --function-name also what SQS says another function sent.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was done as one JSON object.")
@aws_options
@click.pass_context
def command(
    context: click.Context,
    *,
    aws: Aws,
    choice: Choice,
    chosen: Filter,
    at_most: int | None,
    yes: bool,
    dry_run: bool,
    concurrency: int,
    rate: float | None,
    backup: Path | None,
    from_backup: Path | None,
    function_name: str | None,
    any_sender: bool,
    as_json: bool,
) -> None:
    """Run failed events again, and delete from the queue what succeeds.

    Without --yes nothing is run: it counts what would be. Each event goes to the function, alias
    or version that failed, with its payload byte for byte, synchronously: a second failure does
    not go through the failure destination again. A message is deleted only after its handler
    succeeded. What fails stays in the queue, and so does what is no failed event.

    An event that was delivered twice is run once. After a lost answer nobody knows whether the
    handler ran: that counts as failed, and stays hidden for 15 minutes, while it may still run;
    handlers should be idempotent anyway. A replay runs no on_success destination: Lambda calls
    those of asynchronous invocations alone.

    Where the queue moves a message away after a number of receives, counting and choosing need
    --spend-receives: both receive messages that are not replayed, and may have some moved. SQS
    hands out about 120,000 messages at once: where so many stay, a run ends early, says so, and
    can be repeated once they are less.

    The channel's
    copies (--from copies) stay when their events are replayed from the main queue: choose among
    them by id or time, and name the function, which they do not. What SQS says another function
    sent is left, unless --any-sender is given.

    Ctrl-C takes no new events, waits for those that run, and says what was done; a second one
    gives up at once.

    --backup FILE.jsonl also writes FILE.jsonl.done, the events that succeeded, which a later
    --from-backup FILE.jsonl leaves out: delete it to replay them all.

    Exit status: 0 if all that was meant succeeded, 1 if some failed or stay, 2 for a mistake.
    """
    if dry_run and yes:
        raise CommandError("--dry-run and --yes exclude each other: leave one out")
    if from_backup is not None and (choice.given or backup is not None):
        raise CommandError(
            "--from-backup replays from a file: leave out --stack, --queue, --backup"
        )
    if backup is not None:
        check_backup(backup)
    if choice.part == "copies" and yes and not (chosen.ids or chosen.since or chosen.until):
        raise CommandError(
            "a copy stays when its event is replayed from the main queue: to run nothing twice, "
            "choose those that never arrived there with --id, --since or --until"
        )
    chosen = dataclasses.replace(chosen, default_function=function_name, any_sender=any_sender)
    if not yes:
        unreadable: list[int] = []
        with _seen(aws, choice, from_backup, unreadable) as seen:
            _print_dry_run(seen, chosen, at_most, as_json=as_json)
        context.exit(1 if unreadable else 0)
    client = aws.lambda_client(connections=concurrency)

    def invoke(event: FailedEvent) -> Outcome:
        return replay(event, client, function_name if event.function is None else None)

    source = _source(aws, choice, chosen, from_backup, concurrency)
    path = from_backup or backup
    notes = None if path is None else Backup(path, write_messages=from_backup is None)
    run = Replaying(
        source,
        invoke,
        chosen=chosen,
        concurrency=concurrency,
        rate=rate,
        at_most=at_most,
        backup=notes,
        done=None if path is None else read_done(path),
    )
    try:
        tally = run.run()
    finally:
        if notes is not None:
            notes.close()
    broken = source.broken if isinstance(source, FileSource) else []
    _print_tally(tally, broken, as_json=as_json, from_file=from_backup is not None)
    context.exit(0 if tally.all_succeeded and not broken else 1)


def _source(
    aws: Aws, choice: Choice, chosen: Filter, from_backup: Path | None, concurrency: int
) -> Source:
    if from_backup is not None:
        return FileSource(from_backup)
    # Receiving is what a replay is for, but not of what was not chosen.
    queue = choice.find_to_look(aws) if chosen.any else choice.find(aws)
    if queue.consumers:
        click.echo(
            f"warning: {', '.join(queue.consumers)} drains this queue too: each event goes to "
            "one of you",
            err=True,
        )
    return QueueSource(aws.client("sqs", connections=concurrency + 10), queue)


@contextmanager
def _seen(
    aws: Aws, choice: Choice, from_backup: Path | None, broken: list[int]
) -> Iterator[Iterator[Waiting]]:
    """See what would be replayed, and leave it as it is; `broken` gets lines of a backup."""
    warnings: list[str] = []
    if from_backup is not None:
        done = read_done(from_backup)
        yield (one for one in read_backup(from_backup, broken) if one.key not in done)
        warnings += _broken(broken)
    else:
        queue = choice.find_to_look(aws)
        warn_of(queue)
        with looking(aws.client("sqs"), queue, warnings) as seen:
            yield seen
    for line in warnings:
        click.echo(f"warning: {line}", err=True)


def _broken(lines: list[int]) -> list[str]:
    if not lines:
        return []
    shown = ", ".join(map(str, lines[:10])) + (", …" if len(lines) > 10 else "")  # noqa: PLR2004
    return [f"{plural(len(lines), 'line')} of the backup cannot be read: {shown}"]


def _print_dry_run(
    seen: Iterator[Waiting], chosen: Filter, at_most: int | None, *, as_json: bool
) -> None:
    counts: Counter[tuple[str, str, str]] = Counter()
    stay: Counter[str] = Counter()
    for waiting in seen:
        event = waiting.event
        sent_by = _sent_by(event.sender if event else None)
        if event is None:
            stay["no failed event"] += 1
        elif not chosen.matches(waiting):
            stay["not chosen"] += 1
        elif event.function is None and chosen.default_function is None:
            stay[f"of a function's dead-letter queue{sent_by}, without --function-name"] += 1
        elif chosen.is_of_another(event):
            stay[f"for another function{sent_by}, without --any-sender"] += 1
        elif event.obstacle is not None:
            stay[event.obstacle] += 1
        else:
            function = event.called or chosen.default_function or "?"
            counts[function, event.error_type or "?", event.sender or ""] += 1
        if at_most is not None and counts.total() >= at_most:
            break
    if as_json:
        events = [
            {"function": function, "error_type": error, "sender": sender or None, "count": count}
            for (function, error, sender), count in counts.most_common()
        ]
        click.echo(json.dumps({"would_replay": events, "would_stay": dict(stay)}))
        return
    if counts:
        rows = [
            (f"{count:,}", function + _sent_by(sender), error)
            for (function, error, sender), count in counts.most_common()
        ]
        print_table(("EVENTS", "FUNCTION", "ERROR"), rows, right=("EVENTS",))
    click.echo(f"would replay {plural(counts.total(), 'event')}; nothing was run or deleted")
    for reason, count in stay.items():
        click.echo(f"would leave {count:,}: {reason}")
    if counts:
        click.echo("to replay them: the same command with --yes")


def _sent_by(sender: str | None) -> str:
    return f", sent by {plain(sender)}" if sender else ""


def _print_tally(tally: Tally, broken: list[int], *, as_json: bool, from_file: bool) -> None:
    if as_json:
        errors = [
            {"function": function, "error": error, "count": count}
            for (function, error), count in tally.errors.most_common()
        ]
        known = dataclasses.asdict(dataclasses.replace(tally, errors=Counter()))
        known.update(errors=errors, broken_lines=broken)
        click.echo(json.dumps(known))
        return
    if tally.errors:
        rows = [
            (f"{count:,}", function, cut(error, _MESSAGE_LENGTH))
            for (function, error), count in tally.errors.most_common()
        ]
        print_table(("FAILED", "FUNCTION", "ERROR"), rows, right=("FAILED",))
    deleted = ", deleted from the queue" if tally.succeeded and not from_file else ""
    click.echo(f"{tally.succeeded:,} succeeded{deleted}")
    stay = "" if from_file else ", still in the queue"
    lines = [
        (tally.failed, f"failed{stay}"),
        (tally.without_function, f"of a function's dead-letter queue{stay}: pass --function-name"),
        (tally.no_events, f"no failed event{stay}"),
        (tally.not_meant, f"not chosen{stay}"),
        (tally.of_others, f"sent by another function{stay}: --any-sender replays them too"),
        (tally.duplicates, "delivered twice, not run twice"),
        (tally.done_before, "not run, having succeeded in an earlier run"),
        (tally.at_limit, "to be moved to the queue's own dead-letter queue by the next receive"),
    ]
    for count, text in lines:
        if count:
            click.echo(f"{count:,} {text}")
    for line in tally.not_deleted:
        click.echo(f"warning: succeeded, but is not deleted: {line}", err=True)
    for line in _broken(broken):
        click.echo(f"warning: {line}", err=True)
    if tally.stopped:
        click.echo(f"stopped: {tally.stopped}", err=True)
    if tally.interrupted:
        click.echo("interrupted: the rest waits as before", err=True)
