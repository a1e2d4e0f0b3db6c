"""`failure-destinations replay`: run failed events again."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from pathlib import Path
from typing import NoReturn

import click
from click.core import ParameterSource

from failure_destinations.deployed.queues import QueueChoice
from failure_destinations.deployed.session import Aws
from failure_destinations.errors import CommandError
from failure_destinations.replay.careful import DEFAULT_STOP_AT, NEVER_STOPS
from failure_destinations.replay.edited import read_payload
from failure_destinations.replay.filters import Filter
from failure_destinations.replay.operation import ReplayOperation
from failure_destinations.replay.options import (
    DEFAULT_CONCURRENCY,
    MAX_CONCURRENCY,
    ReplayOptions,
    check_chooses_one,
    option_words,
    options_to_resume,
)
from failure_destinations.replay.past_runs import read_run
from failure_destinations.replay.signals import stopping_on_signals
from failure_destinations.text import printable, size

from ..completion import handler_names, run_names
from ..editing import edit_payload
from ..options import aws_options, files_option, filter_options, queue_options
from ..output import note, warn
from ..parameters import FunctionArnType, FunctionType, RateType, TenantType
from ..progress import ProgressBar
from ..queue_notes import note_contents, warn_of_consumers
from ..replay_report import broken_lines, print_plan, print_tally
from ..sections import SectionedCommand
from ..to_source import replay_to_source

# What may be chosen anew when a run is resumed.
_WITH_RESUME = {
    *("resume", "yes", "dry_run", "as_json", "profile", "region", "endpoint_url"),
    *("concurrency", "rate", "all_groups", "stop_at"),
}

_EXAMPLES = """\b
Examples:
  failure-destinations replay --stack Reports
  failure-destinations replay --stack Reports --yes --backup reports.jsonl
  failure-destinations replay --stack Reports --function 'orders*' --since 12h --yes --rate 50
  failure-destinations replay --stack Reports --group c2b81f7d04 --yes
  failure-destinations replay --stack Reports --function orders --to orders-v2
  failure-destinations replay --from-backup reports.jsonl --yes
  failure-destinations replay --stack Reports --id 87675696 --edit
  failure-destinations replay --stack Reports --function yearly --asynchronous --yes
  failure-destinations replay --stack Reports --from source-queues --yes
  failure-destinations replay --queue orders-dlq --to-source --rate 50 --yes
  failure-destinations replay --stack Reports --id 5b0d6a2e --record 49653411223344556677 --yes
  failure-destinations replay --stack Reports --function stock --only-latest --yes
  failure-destinations replay --resume replay-20261129-030512-7f3a2c --yes
"""


@click.command("replay", cls=SectionedCommand, epilog=_EXAMPLES)
@queue_options
@filter_options
@click.option(
    "--max", "at_most", type=click.IntRange(min=1), metavar="N", help="Replay no more than N."
)
@click.option("--yes", is_flag=True, help="Really do it.")
@click.option("--dry-run", is_flag=True, help="Only count what would be replayed: the default.")
@click.option(
    "--edit",
    is_flag=True,
    help="Edit the payload of the one event that --id names in $VISUAL or $EDITOR first.",
)
@click.option(
    "--payload",
    type=click.Path(path_type=Path),
    metavar="FILE.json",
    help="Replay the one event that --id names with this payload.",
)
@click.option(
    "--resume",
    shell_complete=run_names,
    metavar="NAME",
    help="Go on with this run, which `failure-destinations runs` lists, with the same options.",
)
@click.option(
    "--all",
    "all_groups",
    is_flag=True,
    help="Run the events of a group also if its first one fails again.",
)
@click.option(
    "--stop-at",
    type=click.IntRange(0, NEVER_STOPS),
    metavar="PERCENT",
    help="Stop when more than this share of the last 20 events failed; 100 never stops. "
    f"[default: {DEFAULT_STOP_AT}; {NEVER_STOPS} with --all]",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, MAX_CONCURRENCY),
    default=DEFAULT_CONCURRENCY,
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
    help="Write each event to this file, on the disk, before it is run. `export` saves events "
    "without running them.",
)
@click.option(
    "--from-backup",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE.jsonl",
    help="Replay from such a file instead of a queue.",
)
@files_option
@click.option(
    "--function-name",
    type=FunctionType(),
    shell_complete=handler_names,
    metavar="NAME",
    help="The function to invoke for events that do not name it: dead letters of functions and of "
    "SNS subscriptions.",
)
@click.option(
    "--to",
    type=FunctionType(),
    metavar="FUNCTION",
    help="Send every chosen event to this function instead, such as the successor of a deleted "
    "one: its name, NAME:ALIAS or ARN.",
)
@click.option(
    "--any-sender",
    is_flag=True,
    help="Invoke --function-name also for events that SQS says another function sent.",
)
@click.option(
    "--allow-function",
    "allowed",
    multiple=True,
    type=FunctionArnType(),
    metavar="ARN",
    help="Invoke also this function, which is not a handler of the channel. Repeatable.",
)
@click.option(
    "--tenant-id",
    type=TenantType(),
    metavar="TENANT",
    help="Invoke for this tenant; needed for functions that isolate tenants. Events do not name "
    "theirs: choose those of one tenant, for example with --id.",
)
@click.option(
    "--asynchronous",
    is_flag=True,
    help="Do not wait for handlers: follow durable executions, and hand other events over to "
    "Lambda. For what runs longer than a synchronous invocation.",
)
@click.option(
    "--to-source",
    is_flag=True,
    help="Invoke nothing: have SQS move all dead letters back to the queues that they came from, "
    "--rate of them a second.",
)
@click.option(
    "--record",
    "records",
    multiple=True,
    metavar="RECORD",
    help="Of the one failed batch that --id names, run only this record: its sequence number, or "
    "TOPIC-PARTITION:OFFSET, as `show` lists them. Repeatable.",
)
@click.option(
    "--only-latest",
    is_flag=True,
    help="Of the records of failed batches with the same key, run only the newest. Their batches "
    "stay.",
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
    edit: bool,
    payload: Path | None,
    resume: str | None,
    all_groups: bool,
    stop_at: int | None,
    concurrency: int,
    rate: float | None,
    backup: Path | None,
    from_backup: Path | None,
    from_files: Path | None,
    function_name: str | None,
    to: str | None,
    any_sender: bool,
    allowed: tuple[str, ...],
    tenant_id: str | None,
    asynchronous: bool,
    to_source: bool,
    records: tuple[str, ...],
    only_latest: bool,
    as_json: bool,
) -> None:
    """Run failed events again, and delete from the queue what succeeds.

    Without --yes nothing is run: it counts what would be. Each event goes to the function, alias
    or version that failed, with its payload byte for byte, synchronously: a second failure does
    not go through the failure destination again. A message is deleted only after its handler
    succeeded. What fails stays in the queue, and so does a message that is not a failed event.

    It goes carefully: one event of each group runs first, where a group is all events that failed
    for the same reason. A group whose first event fails again is left, and the summary says why;
    --all runs it anyway. Then ten more of the group run, then the rest. The run stops when most of
    its latest events failed: see --stop-at.

    RUNS AND JOURNAL

    Each run has a name and a journal: `failure-destinations runs` lists them. The handler finds the
    name in its context, at client_context.custom["failure_destinations_replay"]. --resume NAME goes
    on with a run that was stopped or killed: what succeeded in it is not run again, what failed is.

    DUPLICATES, LOST ANSWERS AND LONG RUNS

    An event that was delivered twice is run once. A run by --id stops when every id is found: it
    says how many messages it has not looked at, and --resume deletes a second delivery among them.
    After a lost answer nobody knows whether the handler ran: that counts as failed, and stays
    hidden for as long as its function's timeout lets it run, and at least 15 minutes. Handlers
    should be idempotent anyway. A function whose timeout is over 30 minutes, or a durable one whose
    executions may take over 15, is not invoked without --asynchronous, because a synchronous
    invocation ends earlier. A replay runs no on_success destination: Lambda invokes those for
    asynchronous invocations only.

    WITHOUT WAITING: --asynchronous

    With --asynchronous, the execution of a durable function is started by a name made of its event
    and followed to its end, and its message is deleted only after it succeeded. Lambda starts a
    name once: after Ctrl-C, or if a run is killed, the same command finds the execution again. Any
    other event is handed over to Lambda, and its message is deleted as soon as Lambda has accepted
    it. If its handler fails again, it comes back through its failure destination or dead-letter
    queue, with a new request id and the number of attempts from 1; a function without either is
    not invoked. A run does not take up again what it handed over itself.

    LIMITS OF SQS

    Where the queue moves a message away after a number of receives, counting and choosing need
    --spend-receives: both receive messages that are not replayed, and may have some moved. SQS
    hands out about 120,000 messages at once: where so many stay, a run ends early, says so, and
    can be repeated once there are fewer.

    WHICH FUNCTION IS INVOKED

    With --stack it invokes only the channel's handlers, in whichever stack they are: whoever may
    send to the queue can name any function in a message. --allow-function adds one. With --queue
    the messages may name any function of the queue's account and Region: without --yes they are
    listed with their ARNs; read them before you pass --yes. A function of another account, Region
    or partition is never invoked.

    --function-name is for events that do not name their function. An event that names another one
    stays. To send events to a renamed or replaced function, choose them and pass --to: every chosen
    event goes there, whatever its message says, so read the counts before you pass --yes.

    COPIES

    The channel's copies (--from copies) stay when their events are replayed from the main queue:
    choose among them by id or time, and name the function, which they do not. A copy whose sender,
    as SQS names it, is not that function is left, unless --any-sender is given; --to takes all.

    DEAD LETTERS OF SQS QUEUES

    --from source-queues replays dead letters of SQS queues into the function that reads the queue,
    each as the event of one message, as its event source mapping would: a message that the handler
    names in batchItemFailures stays. SQS says from which queue it moved a message, and a queue that
    several functions read needs --to. Messages of one FIFO message group run one after the other;
    after one that stays, the rest of its group stays too.

    --to-source has SQS move all messages of the dead-letter queue back instead, each to the queue
    that it came from; the mapping then reads them as usual. SQS moves all: filters are rejected.
    A moved message has a new id, and its retention begins anew. Ctrl-C cancels: what was moved
    stays moved. If this command is killed, SQS goes on.

    EDITED PAYLOADS

    --edit opens the payload of the one event that --id names in your editor; --payload reads it
    from a file. It must be JSON. The original message stays until the event succeeded with the new
    payload. The journal and the backup note that it was edited, and the handler can see it.

    FAILED BATCHES OF STREAMS

    A failed batch of a stream is run with the event that its mapping built: from S3, or from the
    stream as long as the records are there. If records are gone, the message stays, with the
    reason. The alias or version is the one that the mapping names. The message is deleted only if
    the handler handled every record: a batchItemFailures in its answer counts as it does for
    Lambda, and the journal notes which records were handled, so that --resume runs only the others.

    --record runs single records of one batch, whose message stays unless these were all it has.
    Batches of one shard or partition run one after the other, the oldest first of those that were
    received, and one that fails does not stop the others. Newer records of the same keys may have
    been handled since. --only-latest looks at all chosen batches first, and runs only the newest
    record of each key for each function, as far as the source has keys: a partition key, an item, a
    key of Kafka. The batches with older records stay, so that nothing is lost: once you know that
    you do not need them, `discard` saves and deletes them. The journal keeps what was the newest,
    for later runs on this machine. Do not use it where each record counts, such as for deltas.

    STOPPING, FILES AND EXIT STATUS

    After Ctrl-C, the command starts no new event, waits for the running handlers, and prints what
    it did. A second Ctrl-C ends it at once.

    --from-files PATH replays records of a bucket that you downloaded, such as with `aws s3 cp
    --recursive`; the files stay, and PATH.done gets the events that succeeded.

    --backup FILE.jsonl also writes FILE.jsonl.done, the events that succeeded, which a later
    --from-backup FILE.jsonl leaves out: delete it to replay them all.

    A message that another consumer has, such as a colleague's `list`, cannot be received: the
    command says how many there are, and that it has not seen them all.

    Exit status: 0 if all that was chosen succeeded, 1 if some failed or stay, a group was left, the
    run stopped early, some messages could not be received or nothing was chosen, 2 for a mistake.
    """
    if dry_run and yes:
        raise CommandError("--dry-run and --yes exclude each other: leave one out")
    if to_source:
        done = replay_to_source(context, aws, choice, rate, yes=yes, as_json=as_json)
        context.exit(0 if done else 1)
    options = ReplayOptions(
        choice,
        chosen,
        at_most,
        concurrency,
        rate,
        backup,
        from_backup,
        from_files,
        function_name,
        to,
        any_sender,
        allowed,
        tenant_id,
        all_groups,
        stop_at,
        asynchronous,
        records,
        only_latest,
    )
    if resume is not None:
        _check_resume(context)
    if edit or payload is not None:
        _edit(context, aws, options, payload, yes=yes, dry_run=dry_run, as_json=as_json)
    past = None
    if resume is not None:
        past = read_run(resume)
        options = options_to_resume(
            past,
            concurrency=concurrency if _is_given(context, "concurrency") else None,
            rate=rate,
            all_groups=all_groups,
            stop_at=stop_at,
        )
        note(f"options of {past.name}: {shlex.join(option_words(past.options)) or 'none'}")
    operation = ReplayOperation(aws, options, to_run=yes, resumes=past)
    if yes:
        _run(operation, as_json=as_json)
        context.exit(0 if operation.succeeded else 1)
    context.exit(0 if _plan(operation, as_json=as_json) else 1)


def _edit(
    context: click.Context,
    aws: Aws,
    options: ReplayOptions,
    file: Path | None,
    *,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> NoReturn:
    """Replay one event with an edited payload, and exit."""
    may_ask = sys.stdin.isatty() and not (yes or dry_run)
    if file is None and (dry_run or not (yes or may_ask)):
        raise CommandError(
            "--edit asks before it runs, but its input is not a terminal: pass --yes, or the "
            "payload with --payload FILE.json"
        )
    check_chooses_one(options)
    (id,) = options.chosen.ids
    payload = None if file is None else read_payload(file)
    finding = ReplayOperation(aws, options, to_run=False)
    warnings: list[str] = []
    with ProgressBar() as progress:
        message = finding.find(warnings, progress)
    warn(warnings)
    event = message.event
    if event is None:
        raise CommandError(f"{message.id} is not a failed event")
    if payload is None and event.obstacle is not None:
        raise CommandError(
            f"{printable(event.obstacle)}: write what to run instead, and pass it with --payload"
        )
    if payload is None:
        payload = edit_payload(event.payload, may_ask=may_ask)
    if payload is None or payload == event.payload:
        note("the payload is unchanged: nothing was run")
        context.exit(1)
    function = finding.selection.destination(event) or "?"
    plan = f"{function} with a payload of {size(len(payload.encode()))}, not {size(message.size)}"
    if not yes and not may_ask:
        click.echo(printable(f"would run {plan}; nothing was run or deleted"))
        context.exit(0)
    if may_ask and not click.confirm(printable(f"Run {plan}?"), err=True):
        note("nothing was run")
        context.exit(1)
    one = dataclasses.replace(options.chosen, ids=(message.id or event.request_id or id,))
    operation = ReplayOperation(
        aws, dataclasses.replace(options, chosen=one), to_run=True, payload=payload
    )
    _run(operation, as_json=as_json)
    context.exit(0 if operation.succeeded else 1)


def _check_resume(context: click.Context) -> None:
    """Raise CommandError if an option contradicts those of the run to go on with."""
    for parameter in context.command.params:
        name = parameter.name or ""
        if name not in _WITH_RESUME and _is_given(context, name):
            raise CommandError(
                f"--resume goes on with the options of the run: leave out {parameter.opts[0]}"
            )


def _is_given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE


def _plan(operation: ReplayOperation, *, as_json: bool) -> bool:
    """Print the plan, and return whether all messages are in it."""
    origin = operation.origin
    if origin.queue is not None:
        warn_of_consumers(origin.queue)
    warnings: list[str] = []
    with ProgressBar() as progress:
        plan = operation.plan(warnings, progress)
    warn([*warnings, *broken_lines(origin)])
    print_plan(plan, operation, as_json=as_json)
    if operation.options.backup is not None:
        note(
            f"{operation.options.backup} was not written: --backup saves events as they are run. "
            "To save them without running them: failure-destinations export FILE.jsonl, with the "
            "same options"
        )
    if not plan.total:
        note_contents(operation.selection.contents)
    return not (origin.broken_lines or plan.hidden)


def _run(operation: ReplayOperation, *, as_json: bool) -> None:
    origin = operation.origin
    if origin.queue is not None and origin.queue.consumers:
        names = ", ".join(origin.queue.consumers)
        note(f"warning: {names} drains this queue too: each event goes to one of you")
    try:
        with (
            stopping_on_signals(operation.stop, operation.last_words),
            ProgressBar(at_once=True) as progress,
        ):
            operation.run(progress)
    except BaseException:
        # However a run ends, its tally must be shown.
        if operation.tally.started_any:
            print_tally(operation, as_json=as_json)
        raise
    print_tally(operation, as_json=as_json)
    if operation.did_nothing:
        note("nothing was replayed: no message is a failed event that the options choose")
        note_contents(operation.selection.contents)
