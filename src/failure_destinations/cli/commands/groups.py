"""`failure-destinations groups`: the failed events in a queue, by what failed."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone

import click

from failure_destinations.deployed.queues import Queue, QueueChoice
from failure_destinations.deployed.session import Aws
from failure_destinations.replay.choose_origin import choose_origin
from failure_destinations.replay.choosing import records_of_chosen
from failure_destinations.replay.contents import Contents
from failure_destinations.replay.filters import Filter
from failure_destinations.replay.groups import FailureGroup, FailureGroups, over_time
from failure_destinations.replay.past_runs import replayed_ids
from failure_destinations.text import duration, json_line, plural

from ..options import aws_options, filter_options, queue_options
from ..output import note, warn
from ..progress import ProgressBar
from ..queue_notes import hidden_note, not_received, note_contents, warn_of_consumers
from ..sections import SectionedCommand
from ..spark_line import spark_line
from ..tables import print_table

_PARTS = 12
_HEADINGS = ("GROUP", "EVENTS", "FIRST", "LAST", "OVER TIME", "REPLAYED", "FUNCTION", "ERROR")

_EXAMPLES = """\b
Examples:
  failure-destinations groups --stack Reports
  failure-destinations groups --stack Reports --since 12h
  failure-destinations groups --stack Reports --json | jq -r .group
  failure-destinations list --stack Reports --group c2b81f7d04
"""


@click.command("groups", cls=SectionedCommand, epilog=_EXAMPLES)
@queue_options
@filter_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object a group and line.")
@aws_options
def command(*, aws: Aws, choice: QueueChoice, chosen: Filter, as_json: bool) -> None:
    """Show what failed: one line for each group of similar failures.

    A group is all events for which the same function and alias failed with the same type of error,
    in the same place in your code, and with the same message, in which * stands for numbers, ids
    and other values. Its id stays the same in other queues and after a deployment: pass it to
    `list`, `show` and `replay` as --group.

    A failed batch of a stream is one event. A group holds the batches on which a mapping gave up
    for the same function, source and reason, and says how many records they have.

    OVER TIME has twelve bars from the first to the last failure in the queue, the same twelve for
    every group. REPLAYED is how many were replayed before: those that a replayer parked, and those
    in the journals of `failure-destinations runs`. Replays of others show only as receives, and so
    do looks: `3 to 40` means that 3 are known, and 40 were received before.

    Nothing is deleted, and each message is given back at the end; as with `list`, it counts as a
    receive of each message.
    """
    origin = choose_origin(aws, choice, to_peek=True)
    queue, location = origin.queue, origin.authority.location
    warn_of_consumers(queue)
    warnings: list[str] = []
    sources = {queue.arn, *(part.arn for part in queue.parts)}
    groups = FailureGroups(set().union(*map(replayed_ids, sources)))
    contents = Contents()
    # Otherwise nothing that is shown depends on the records of failed batches.
    fetch = records_of_chosen(chosen, location) if chosen.reads_payloads else None
    with ProgressBar() as progress, origin.peek(warnings, progress, fetch=fetch) as messages:
        for message in messages:
            if chosen.matches(message, location=location):
                groups.add(message)
            else:
                contents.add(message)
    found = groups.largest_first
    chosen.check_groups(group.fingerprint.id for group in found)
    span = groups.span
    if as_json:
        for group in found:
            click.echo(json_line(_object(group, span)))
    elif found:
        highest = max(max(_counts(group, span), default=0) for group in found)
        rows = [_cells(group, span, highest) for group in found]
        print_table(
            _HEADINGS,
            rows,
            right=("EVENTS", "FIRST", "LAST"),
            drop=("REPLAYED", "OVER TIME", "FIRST", "LAST"),
        )
    warn([*warnings, *origin.batches.lines()])
    if not as_json:
        _print_summary(queue, groups, span, messages.end.hidden)
    elif messages.end.hidden:
        note(f"this is not all: {not_received(messages.end.hidden, queue)}")
    if not found:
        note_contents(contents)


def _cells(group: FailureGroup, span: tuple[float, float] | None, highest: int) -> tuple[str, ...]:
    called = group.fingerprint.function or "?"
    if group.fingerprint.qualifier:
        called += f":{group.fingerprint.qualifier}"
    return (
        group.fingerprint.id,
        f"{group.count:,}",
        _ago(group.first),
        _ago(group.last),
        spark_line(_counts(group, span), highest),
        _replayed(group),
        called,
        f"{group.error}, {plural(group.records, 'record')}" if group.records else group.error,
    )


def _ago(time: datetime | None) -> str:
    return "?" if time is None else f"{duration(datetime.now(timezone.utc) - time)} ago"


def _replayed(group: FailureGroup) -> str:
    if group.replayed >= group.received_before:
        return f"{group.replayed:,}"
    return f"{group.replayed:,} to {group.received_before:,}"


def _counts(group: FailureGroup, span: tuple[float, float] | None) -> list[int]:
    return [] if span is None else over_time(group.times, span, _PARTS)


def _object(group: FailureGroup, span: tuple[float, float] | None) -> dict[str, object]:
    print_ = group.fingerprint
    start, end = (None, None) if span is None else map(_iso, span)
    return {
        "group": print_.id,
        "function": print_.function,
        "qualifier": print_.qualifier,
        "error_type": print_.error_type,
        "message": print_.message,
        "frame": print_.frame,
        "events": group.count,
        "records": group.records or None,
        "first": None if group.first is None else group.first.isoformat(),
        "last": None if group.last is None else group.last.isoformat(),
        "over_time": {"from": start, "to": end, "counts": _counts(group, span)},
        "replayed": group.replayed,
        "received_before": group.received_before,
        "latest": group.latest,
    }


def _iso(time: float) -> str:
    return datetime.fromtimestamp(time, timezone.utc).isoformat()


def _print_summary(
    queue: Queue, groups: FailureGroups, span: tuple[float, float] | None, hidden: int
) -> None:
    sys.stdout.flush()
    found = groups.largest_first
    events = sum(group.count for group in found)
    line = f"{plural(len(found), 'group')} of {plural(events, 'failed event')} in {queue.name}"
    if groups.others:
        are = "is not a failed event" if groups.others == 1 else "are not failed events"
        line += f"; {plural(groups.others, 'message')} {are}"
    note(line + hidden_note(hidden, queue))
    if span is not None and span[0] < span[1]:
        start, end = (datetime.fromtimestamp(time, timezone.utc) for time in span)
        part = duration(timedelta(seconds=(span[1] - span[0]) / _PARTS))
        note(f"OVER TIME: {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC, {part} a bar")
