"""`failure-destinations discard`: save messages that must not run, and delete them."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import click

from failure_destinations.deployed.queues import QueueChoice
from failure_destinations.deployed.session import Aws
from failure_destinations.errors import CommandError
from failure_destinations.replay.batches import batches
from failure_destinations.replay.discard import Discard, DiscardOptions, DiscardPlan
from failure_destinations.replay.filters import Filter
from failure_destinations.replay.signals import stopping_on_signals
from failure_destinations.text import plural, printable

from ..options import aws_options, filter_options, queue_options
from ..output import note, warn
from ..progress import ProgressBar
from ..queue_notes import not_received, note_contents, warn_of_consumers
from ..sections import SectionedCommand
from ..tables import print_table

_EXAMPLES = """\b
Examples:
  failure-destinations discard --stack Reports --id 87675696 --backup discarded.jsonl
  failure-destinations discard --stack Reports --not-failed-events --backup discarded.jsonl
  failure-destinations discard --stack Reports --error-type KeyError --backup keys.jsonl --yes
  failure-destinations replay --from-backup discarded.jsonl
"""


@click.command("discard", cls=SectionedCommand, epilog=_EXAMPLES)
@queue_options
@filter_options
@click.option(
    "--not-failed-events",
    "not_events",
    is_flag=True,
    help="Discard all messages that are not failed events; with a filter, those too.",
)
@click.option("--everything", is_flag=True, help="Discard every message of the queue.")
@click.option(
    "--max", "at_most", type=click.IntRange(min=1), metavar="N", help="Discard no more than N."
)
@click.option(
    "--backup",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    metavar="FILE.jsonl",
    help="Write each message to this file, on the disk, before it is deleted.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only count what would be discarded.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as one JSON object.")
@aws_options
@click.pass_context
def command(
    context: click.Context,
    *,
    aws: Aws,
    choice: QueueChoice,
    chosen: Filter,
    not_events: bool,
    everything: bool,
    at_most: int | None,
    backup: Path,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Save messages that must not run, and delete them from the queue.

    It counts the chosen messages and asks. Then each is written to --backup and deleted from the
    queue, in this order: if the command is stopped or killed, every message is in the backup or
    still in the queue. Messages that arrive after the count stay. With --yes, nothing is counted
    first.

    A filter chooses failed events. A message that is not a failed event, such as a CloudWatch
    alarm, is chosen by its --id, or with all others by --not-failed-events; nothing else takes it
    out of the queue before its retention ends.

    A failed batch of a stream is saved with its records. Its object in S3, if it has one, stays
    until the bucket's lifecycle deletes it. A batch whose records are gone is saved without them;
    one whose records you may not read stays.

    To undo it, run `replay --from-backup FILE.jsonl`: that runs the events in the backup.

    Counting and choosing receive messages, including those that stay. Where the queue moves a
    message away after a number of receives, it needs --spend-receives, and ends before such a
    message is moved.

    Exit status: 0 if everything that was chosen was discarded, 1 if some stay, nothing was chosen
    or you said no, 2 for a mistake.
    """
    if dry_run and yes:
        raise CommandError("--dry-run and --yes exclude each other: leave one out")
    if not (yes or dry_run or sys.stdin.isatty()):
        raise CommandError(
            "discard asks before it deletes, but its input is not a terminal: pass --yes, or "
            "--dry-run to count"
        )
    discard = Discard(aws, DiscardOptions(choice, backup, chosen, not_events, everything, at_most))
    warn_of_consumers(discard.queue)
    plan = None if yes else _plan(discard, as_json=as_json and dry_run)
    if plan is not None and (dry_run or not plan.total):
        context.exit(0 if plan.total else 1)
    if plan is not None and not click.confirm(
        f"Save {plural(plan.total, 'message')} of {printable(discard.queue.name)} in "
        f"{printable(str(backup))}, and discard them?",
        err=True,
    ):
        note("nothing was discarded")
        context.exit(1)
    try:
        with (
            stopping_on_signals(discard.stop, discard.last_words),
            ProgressBar(at_once=True) as progress,
        ):
            discard.run(plan, progress)
    except BaseException:
        # However it ends, what was deleted must be shown.
        if discard.tally.discarded:
            _print(discard, backup, as_json=as_json)
        raise
    _print(discard, backup, as_json=as_json)
    context.exit(0 if discard.tally.complete else 1)


def _plan(discard: Discard, *, as_json: bool) -> DiscardPlan:
    warnings: list[str] = []
    with ProgressBar() as progress:
        plan = discard.plan(warnings, progress)
    warn(warnings)
    if not plan.total:
        note_contents(discard.contents)
    if as_json:
        events = [
            {"function": function, "error_type": error, "count": count}
            for (function, error), count in plan.events.most_common()
        ]
        known = {"events": events, "not_failed_events": dict(plan.not_events)}
        more = {"stored_batches": plan.stored, "hidden": plan.hidden}
        click.echo(json.dumps({**known, **more}))
        return plan
    rows = [
        (f"{count:,}", function, error) for (function, error), count in plan.events.most_common()
    ]
    rows += [
        (f"{count:,}", "-", f"not a failed event: {reason}")
        for reason, count in plan.not_events.most_common()
    ]
    if rows:
        print_table(("MESSAGES", "FUNCTION", "ERROR"), rows, right=("MESSAGES",))
    click.echo(f"would discard {plural(plan.total, 'message')}; nothing was deleted")
    if plan.stored:
        click.echo(
            f"{batches(plan.stored)} would be saved with their records; their objects in S3 stay "
            "until the bucket's lifecycle deletes them"
        )
    if plan.hidden:
        click.echo(f"not counted: {not_received(plan.hidden, discard.queue)}")
    return plan


def _print(discard: Discard, backup: Path, *, as_json: bool) -> None:
    tally = discard.tally
    if discard.problem is not None:
        warn([discard.problem])
    if as_json:
        known = {**dataclasses.asdict(tally), "backup": str(backup), "run": discard.name}
        click.echo(json.dumps(known))
    else:
        click.echo(
            f"{tally.discarded:,} discarded: deleted from {printable(discard.queue.name)}, and "
            f"saved in {printable(str(backup))}"
        )
        if tally.stay:
            click.echo(f"{tally.stay:,} not chosen (left in the queue)")
        if tally.without_records:
            click.echo(
                f"{batches(tally.without_records)} saved without records, which cannot be fetched"
            )
        if discard.name is not None:
            note(f"the run is {discard.name}: failure-destinations runs {discard.name}")
    if not tally.discarded:
        note_contents(discard.contents)
    if tally.hidden:
        note(f"this is not all: {not_received(tally.hidden, discard.queue)}")
    warn(discard.unsearched())
    warn(f"neither saved nor deleted: {line}" for line in tally.not_saved)
    warn(f"saved, but not deleted: {line}" for line in tally.not_deleted)
    if tally.stopped:
        note(f"stopped: {tally.stopped}")
    if tally.interrupted:
        note("interrupted: the rest is in the queue as before")
