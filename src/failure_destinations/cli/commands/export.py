"""`failure-destinations export`: save failed events to a file."""

from __future__ import annotations

import json
from pathlib import Path

import click

from failure_destinations.deployed.queues import QueueChoice
from failure_destinations.deployed.session import Aws
from failure_destinations.replay.batches import batches
from failure_destinations.replay.export import Export, Exported
from failure_destinations.replay.filters import Filter
from failure_destinations.replay.signals import stopping_on_signals
from failure_destinations.text import plural, printable

from ..options import aws_options, filter_options, queue_options
from ..output import note
from ..progress import ProgressBar
from ..queue_notes import note_contents, warn_of_consumers
from ..sections import SectionedCommand

_EXAMPLES = """\b
Examples:
  failure-destinations export reports.jsonl --stack Reports
  failure-destinations export old.jsonl --stack Reports --until 7d
  failure-destinations export copies.jsonl --stack Reports --from copies
  failure-destinations replay --from-backup reports.jsonl
"""


@click.command("export", cls=SectionedCommand, epilog=_EXAMPLES)
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE.jsonl")
@queue_options
@filter_options
@click.option(
    "--max", "at_most", type=click.IntRange(min=1), metavar="N", help="Save no more than N."
)
@click.option("--json", "as_json", is_flag=True, help="Print what was saved as one JSON object.")
@aws_options
@click.pass_context
def command(
    context: click.Context,
    *,
    aws: Aws,
    choice: QueueChoice,
    chosen: Filter,
    file: Path,
    at_most: int | None,
    as_json: bool,
) -> None:
    """Save failed events to a new file, and run nothing.

    The file is a backup, as `replay --backup` writes it: one message a line, which
    `replay --from-backup FILE.jsonl` replays. Only you can read it. All messages stay in the
    queue, and each counts as received once more. Without a filter, messages that are not failed
    events are saved too. A failed batch of a stream is saved with its records, so that the file is
    of use when the stream has forgotten them.

    The file appears once all messages are in it. If some may be missing, because the command was
    interrupted, other consumers have messages in flight, or AWS gave up half way, what was
    received is in FILE.jsonl.partial instead, and the command says why.

    Exit status: 0 if all that was chosen is in the file, 1 if some may be missing or nothing was
    chosen, 2 for a mistake.
    """
    export = Export(aws, choice, chosen, file, at_most)
    warn_of_consumers(export.queue)
    with (
        stopping_on_signals(export.stop, lambda: "gave up: no file was written"),
        ProgressBar() as progress,
    ):
        exported = export.run(progress)
    _print(exported, export.queue.name, as_json=as_json)
    if not exported.count:
        note_contents(export.contents)
    context.exit(1 if exported.missing or not exported.count else 0)


def _print(exported: Exported, queue: str, *, as_json: bool) -> None:
    if as_json:
        path = None if exported.path is None else str(exported.path)
        known = {"file": path, "messages": exported.count, "missing": exported.missing}
        known["without_records"] = exported.gone
        click.echo(json.dumps(known))
        return
    if exported.path is None:
        note(f"no message in {queue} is chosen: nothing was written")
    else:
        saved = plural(exported.count, "message")
        click.echo(printable(f"{saved} of {queue} saved to {exported.path}; all are still there"))
    if exported.gone:
        note(f"{batches(exported.gone)} saved without records, which cannot be fetched")
    if exported.missing:
        note(f"this is not all: {exported.missing}")
