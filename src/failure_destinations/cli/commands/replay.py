"""`failure-destinations replay`: run failed events again."""

from __future__ import annotations

from pathlib import Path

import click

from failure_destinations.deployed.queues import QueueChoice
from failure_destinations.deployed.session import Aws
from failure_destinations.errors import CommandError
from failure_destinations.replay.backup import Backup, check_backup, read_done
from failure_destinations.replay.filters import Filter
from failure_destinations.replay.invoked_functions import (
    InvokedFunctions,
    check_tenant_support,
    read_settings,
)
from failure_destinations.replay.invoker import Invoker
from failure_destinations.replay.origins import BackupOrigin, Origin, QueueOrigin
from failure_destinations.replay.plan import make_plan
from failure_destinations.replay.run import ReplayRun
from failure_destinations.replay.selection import Selection
from failure_destinations.replay.tally import Tally

from ..completion import handler_names
from ..options import aws_options, filter_options, queue_options
from ..output import note, warn
from ..parameters import FunctionArnType, FunctionType, RateType, TenantType
from ..progress import ProgressBar
from ..replay_report import broken_lines, print_plan, print_tally
from .list import warn_of_consumers

_MAX_CONCURRENCY = 256

_EXAMPLES = """\b
Examples:
  failure-destinations replay --stack Reports
  failure-destinations replay --stack Reports --yes --backup reports.jsonl
  failure-destinations replay --stack Reports --function 'orders*' --since 12h --yes --rate 50
  failure-destinations replay --stack Reports --function orders --to orders-v2
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
    shell_complete=handler_names,
    metavar="NAME",
    help="The function to invoke for events from a function's dead-letter queue, which do not name "
    "it.",
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
    to: str | None,
    any_sender: bool,
    allowed: tuple[str, ...],
    tenant_id: str | None,
    as_json: bool,
) -> None:
    """Run failed events again, and delete from the queue what succeeds.

    Without --yes nothing is run: it counts what would be. Each event goes to the function, alias
    or version that failed, with its payload byte for byte, synchronously: a second failure does
    not go through the failure destination again. A message is deleted only after its handler
    succeeded. What fails stays in the queue, and so does a message that is not a failed event.

    An event that was delivered twice is run once. After a lost answer nobody knows whether the
    handler ran: that counts as failed, and stays hidden for as long as its function's timeout
    lets it run, and at least 15 minutes. Handlers should be idempotent anyway. A function whose
    timeout is over 30 minutes is not invoked, because a synchronous invocation ends earlier. A
    replay runs no on_success destination: Lambda invokes those for asynchronous invocations only.

    Where the queue moves a message away after a number of receives, counting and choosing need
    --spend-receives: both receive messages that are not replayed, and may have some moved. SQS
    hands out about 120,000 messages at once: where so many stay, a run ends early, says so, and
    can be repeated once there are fewer.

    With --stack it invokes only the channel's handlers, in whichever stack they are: whoever may
    send to the queue can name any function in a message. --allow-function adds one. With --queue
    the messages may name any function of the queue's account and Region: without --yes they are
    listed with their ARNs; read them before you pass --yes. A function of another account, Region
    or partition is never invoked.

    --function-name is for events that do not name their function. An event that names another one
    stays. To send events to a renamed or replaced function, choose them and pass --to: every chosen
    event goes there, whatever its message says, so read the counts before you pass --yes.

    The channel's copies (--from copies) stay when their events are replayed from the main queue:
    choose among them by id or time, and name the function, which they do not. A copy whose sender,
    as SQS names it, is not that function is left, unless --any-sender is given; --to takes all.

    Ctrl-C takes no new events, waits for the handlers that run, and prints what was done; a second
    one ends at once.

    --backup FILE.jsonl also writes FILE.jsonl.done, the events that succeeded, which a later
    --from-backup FILE.jsonl leaves out: delete it to replay them all.

    Exit status: 0 if all that was chosen succeeded, 1 if some failed or stay or nothing was chosen,
    2 for a mistake.
    """
    if dry_run and yes:
        raise CommandError("--dry-run and --yes exclude each other: leave one out")
    _check_source(choice, chosen, backup, from_backup, yes=yes)
    _check_functions(choice, function_name, to, allowed, any_sender=any_sender)
    # Without a filter, every received message is replayed, so no receive is wasted.
    to_peek = not yes or chosen.excludes_any
    origin: Origin = (
        QueueOrigin.choose(aws, choice, frozenset(allowed), to_peek=to_peek)
        if from_backup is None
        else BackupOrigin(aws, from_backup)
    )
    authority = origin.authority
    if function_name is not None:
        authority.resolve(function_name, "--function-name")
    successor = None if to is None else authority.resolve(to, "--to")
    functions = InvokedFunctions(
        lambda function: read_settings(aws.client("lambda"), function), tenant_id
    )
    if tenant_id is not None:
        check_tenant_support(aws.client("lambda"))
    selection = Selection(authority, chosen, function_name, any_sender, successor, functions)
    if not yes:
        _plan(origin, selection, at_most, as_json=as_json)
        context.exit(1 if origin.broken_lines else 0)
    if isinstance(origin, QueueOrigin) and origin.queue.consumers:
        names = ", ".join(origin.queue.consumers)
        note(f"warning: {names} drains this queue too: each event goes to one of you")
    path = from_backup or backup
    notes = None if path is None else Backup(path, write_messages=from_backup is None)
    tally = Tally()
    try:
        with ProgressBar(at_once=True) as progress:
            ReplayRun(
                origin.source(concurrency),
                Invoker(aws, selection, functions, concurrency),
                selection=selection,
                concurrency=concurrency,
                rate=rate,
                at_most=at_most,
                backup=notes,
                done_before=None if path is None else read_done(path),
                progress=progress,
                tally=tally,
            ).run()
    except BaseException:
        # However a run ends, its tally must be shown.
        if tally.started_any:
            print_tally(tally, origin, as_json=as_json)
        raise
    finally:
        if notes is not None:
            notes.close()
    print_tally(tally, origin, as_json=as_json)
    specific = chosen.excludes_any or from_backup is not None
    did_nothing = specific and tally.did_nothing
    if did_nothing:
        note("nothing was replayed: no message is a failed event that the options choose")
    succeeded = tally.all_succeeded and not origin.broken_lines and not did_nothing
    context.exit(0 if succeeded else 1)


def _check_source(
    choice: QueueChoice, chosen: Filter, backup: Path | None, from_backup: Path | None, *, yes: bool
) -> None:
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


def _check_functions(
    choice: QueueChoice,
    function_name: str | None,
    to: str | None,
    allowed: tuple[str, ...],
    *,
    any_sender: bool,
) -> None:
    if to is not None and (function_name is not None or any_sender or allowed):
        raise CommandError(
            f"--to sends every chosen event to one function, got {to!r}: leave out "
            "--function-name, --any-sender and --allow-function"
        )
    if allowed and choice.stack is None:
        raise CommandError(
            "--allow-function adds to the handlers of a channel: leave it out without --stack"
        )


def _plan(origin: Origin, selection: Selection, at_most: int | None, *, as_json: bool) -> None:
    if isinstance(origin, QueueOrigin):
        warn_of_consumers(origin.queue)
    warnings: list[str] = []
    with ProgressBar() as progress, origin.peek(warnings, progress) as messages:
        plan = make_plan(messages, selection, at_most)
    warn([*warnings, *broken_lines(origin)])
    print_plan(plan, origin, as_json=as_json)
