"""`failure-destinations replay`: run failed events again."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from failure_destinations.deployed.queues import QueueChoice
from failure_destinations.deployed.session import Aws
from failure_destinations.errors import CommandError
from failure_destinations.replay.backup import Backup, check_backup, read_backup, read_done
from failure_destinations.replay.filters import Filter
from failure_destinations.replay.peek import peek
from failure_destinations.replay.plan import Plan, make_plan
from failure_destinations.replay.received_message import ReceivedMessage
from failure_destinations.replay.run import ReplayRun
from failure_destinations.replay.selection import Selection
from failure_destinations.replay.sources import FileSource, QueueSource, Source
from failure_destinations.replay.tally import Tally
from failure_destinations.runtime import FailedEvent, Outcome, replay
from failure_destinations.text import plural, printable

from ..options import aws_options, filter_options, queue_options
from ..output import note, warn
from ..parameters import FunctionType, RateType
from ..progress import ProgressBar
from ..tables import print_table
from .list import warn_of_consumers

_MAX_CONCURRENCY = 256
_MAX_BROKEN_LINES = 10

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
    help="Write each event to this file, on the disk, before anything is deleted.",
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
    help="The function to invoke for events from a function's dead-letter queue, which do not name "
    "it.",
)
@click.option(
    "--any-sender",
    is_flag=True,
    help="Invoke --function-name also for events that SQS says another function sent.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was done as one JSON object.")
@aws_options
@click.pass_context
def command(
    context: click.Context,
    *,
    aws: Aws,
    choice: QueueChoice,
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
    succeeded. What fails stays in the queue, and so does a message that is not a failed event.

    An event that was delivered twice is run once. After a lost answer nobody knows whether the
    handler ran: that counts as failed, and stays hidden for 15 minutes, while it may still run;
    handlers should be idempotent anyway. A replay runs no on_success destination: Lambda invokes
    those for asynchronous invocations only.

    Where the queue moves a message away after a number of receives, counting and choosing need
    --spend-receives: both receive messages that are not replayed, and may have some moved. SQS
    hands out about 120,000 messages at once: where so many stay, a run ends early, says so, and
    can be repeated once there are fewer.

    The channel's copies (--from copies) stay when their events are replayed from the main queue:
    choose among them by id or time, and name the function, which they do not. Copies that SQS says
    another function sent are left, unless --any-sender is given.

    Ctrl-C takes no new events, waits for the handlers that run, and prints what was done; a second
    one ends at once.

    --backup FILE.jsonl also writes FILE.jsonl.done, the events that succeeded, which a later
    --from-backup FILE.jsonl leaves out: delete it to replay them all.

    Exit status: 0 if all that was chosen succeeded, 1 if some failed or stay, 2 for a mistake.
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
    selection = Selection(chosen, function_name, any_sender)
    if not yes:
        broken: list[int] = []
        with _messages(aws, choice, from_backup, broken) as messages:
            plan = make_plan(messages, selection, at_most)
        _print_plan(plan, as_json=as_json)
        context.exit(1 if broken else 0)
    client = aws.lambda_client(connections=concurrency)

    def invoke(event: FailedEvent) -> Outcome:
        return replay(event, client, function_name if event.function is None else None)

    source = _source(aws, choice, chosen, from_backup, concurrency)
    path = from_backup or backup
    notes = None if path is None else Backup(path, write_messages=from_backup is None)
    try:
        with ProgressBar(at_once=True) as progress:
            run = ReplayRun(
                source,
                invoke,
                selection=selection,
                concurrency=concurrency,
                rate=rate,
                at_most=at_most,
                backup=notes,
                done_before=None if path is None else read_done(path),
                progress=progress,
            )
            tally = run.run()
    finally:
        if notes is not None:
            notes.close()
    broken = source.broken if isinstance(source, FileSource) else []
    _print_tally(tally, broken, as_json=as_json, from_file=from_backup is not None)
    context.exit(0 if tally.all_succeeded and not broken else 1)


def _source(
    aws: Aws, choice: QueueChoice, chosen: Filter, from_backup: Path | None, concurrency: int
) -> Source:
    if from_backup is not None:
        return FileSource(from_backup)
    # All that is received is replayed, so that no receive is wasted, unless a filter leaves some.
    queue = choice.find_to_peek(aws) if chosen.excludes_any else choice.find(aws)
    if queue.consumers:
        warn([f"{', '.join(queue.consumers)} drains this queue too: each event goes to one of you"])
    return QueueSource(aws.client("sqs", connections=concurrency + 10), queue)


@contextmanager
def _messages(
    aws: Aws, choice: QueueChoice, from_backup: Path | None, broken: list[int]
) -> Iterator[Iterator[ReceivedMessage]]:
    """Yield the messages that a run would get, and leave them as they are."""
    if from_backup is not None:
        done = read_done(from_backup)
        yield (one for one in read_backup(from_backup, broken) if one.key not in done)
        warn(_broken_lines(broken))
        return
    warnings: list[str] = []
    queue = choice.find_to_peek(aws)
    warn_of_consumers(queue)
    sqs = aws.client("sqs")
    with ProgressBar() as progress, peek(sqs, queue, warnings, progress=progress) as messages:
        yield messages
    warn(warnings)


def _broken_lines(lines: list[int]) -> list[str]:
    if not lines:
        return []
    shown = ", ".join(map(str, lines[:_MAX_BROKEN_LINES]))
    more = ", …" if len(lines) > _MAX_BROKEN_LINES else ""
    return [f"{plural(len(lines), 'line')} of the backup cannot be read: {shown}{more}"]


def _print_plan(plan: Plan, *, as_json: bool) -> None:
    groups = plan.would_replay.most_common()
    if as_json:
        events = [
            {
                "function": group.function,
                "error_type": group.error_type,
                "sender": group.sender or None,
                "count": count,
            }
            for group, count in groups
        ]
        click.echo(json.dumps({"would_replay": events, "would_stay": dict(plan.would_stay)}))
        return
    if groups:
        rows = [
            (f"{count:,}", group.function + _sent_by(group.sender), group.error_type)
            for group, count in groups
        ]
        print_table(("EVENTS", "FUNCTION", "ERROR"), rows, right=("EVENTS",))
    click.echo(f"would replay {plural(plan.total, 'event')}; nothing was run or deleted")
    for reason, count in plan.would_stay.items():
        click.echo(f"would leave {count:,}: {printable(reason)}")
    if groups:
        click.echo("to replay them: the same command with --yes")


def _sent_by(sender: str) -> str:
    return f", sent by {sender}" if sender else ""


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
            (f"{count:,}", function, error)
            for (function, error), count in tally.errors.most_common()
        ]
        print_table(("FAILED", "FUNCTION", "ERROR"), rows, right=("FAILED",))
    for line in _tally_lines(tally, from_file=from_file):
        click.echo(line)
    warn(f"succeeded, but is not deleted: {line}" for line in tally.not_deleted)
    warn(_broken_lines(broken))
    if tally.stopped:
        note(f"stopped: {tally.stopped}")
    if tally.interrupted:
        note("interrupted: the rest is in the queue as before")


def _tally_lines(tally: Tally, *, from_file: bool) -> Iterator[str]:
    deleted = ", deleted from the queue" if tally.succeeded and not from_file else ""
    yield f"{tally.succeeded:,} succeeded{deleted}"
    left = "" if from_file else " (left in the queue)"
    one = tally.no_events == 1
    lines = [
        (tally.failed, f"failed{left}"),
        (
            tally.without_function,
            f"from a function's dead-letter queue{left}: pass --function-name",
        ),
        (
            tally.no_events,
            f"{'message is not a failed event' if one else 'messages are not failed events'}{left}",
        ),
        (tally.not_meant, f"not chosen{left}"),
        (tally.of_others, f"sent by another function{left}: --any-sender replays them too"),
        (tally.duplicates, "delivered twice, not run twice"),
        (tally.done_before, "not run, having succeeded in an earlier run"),
        (tally.at_limit, "to be moved to the queue's own dead-letter queue by the next receive"),
    ]
    for count, text in lines:
        if count:
            yield f"{count:,} {text}"
