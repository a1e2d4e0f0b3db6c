"""The output of `failure-destinations replay`: its plan and its tally."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter

import click

from failure_destinations.replay.batches import batches
from failure_destinations.replay.careful import LATEST, NEVER_STOPS, Care
from failure_destinations.replay.operation import ReplayOperation
from failure_destinations.replay.origins import FileOrigin, Origin
from failure_destinations.replay.plan import Group, Plan
from failure_destinations.replay.tally_lines import tally_lines
from failure_destinations.text import plural, printable

from .output import note, warn
from .queue_notes import not_received
from .tables import print_table

_MAX_BROKEN_LINES = 10


def broken_lines(origin: Origin) -> list[str]:
    """Return a warning about lines without a message; empty if there are none."""
    lines = origin.broken_lines
    if not lines:
        return []
    shown = ", ".join(map(str, lines[:_MAX_BROKEN_LINES]))
    more = ", …" if len(lines) > _MAX_BROKEN_LINES else ""
    return [f"{plural(len(lines), 'line')} of the backup cannot be read: {shown}{more}"]


def print_plan(plan: Plan, operation: ReplayOperation, *, as_json: bool) -> None:
    """Print the plan of a run.

    Args:
        plan: The plan.
        operation: The operation that made it.
        as_json: Whether to print one JSON object.
    """
    origin, care = operation.origin, operation.options.care
    groups = plan.would_replay.most_common()
    if as_json:
        events = [
            {
                "function": group.function,
                "function_arn": group.function_arn,
                "error_type": group.error_type,
                "sender": group.sender or None,
                "named": group.named or None,
                "count": count,
            }
            for group, count in groups
        ]
        stay = dict(plan.would_stay)
        sources = {name: dataclasses.asdict(one) for name, one in plan.sources.items()}
        older = None if plan.newest is None else plan.newest.older
        known = {"to": plan.to, "would_replay": events, "would_stay": stay}
        of_batches = {"sources": sources, "older_records": older}
        failure_groups = dict(plan.failure_groups)
        counted = {"groups": failure_groups, "hidden": plan.hidden, **dataclasses.asdict(care)}
        click.echo(json.dumps({**known, **of_batches, **counted}))
        return
    if groups:
        # Without a channel, only the messages themselves name these functions.
        arns = origin.authority.handlers is None or plan.to is not None
        rows = [
            (
                f"{count:,}",
                (group.function_arn if arns else group.function) + _origin(group),
                group.error_type,
            )
            for group, count in groups
        ]
        print_table(("EVENTS", "FUNCTION", "ERROR"), rows, right=("EVENTS",))
    click.echo(f"would replay {plural(plan.total, 'event')}; nothing was run or deleted")
    if plan.to is not None:
        click.echo(f"every one goes to {plan.to}, whatever function its message names")
    _print_sources(plan)
    for reason, count in plan.would_stay.items():
        click.echo(f"would leave {count:,}: {printable(reason)}")
    if plan.hidden:
        click.echo(f"not counted: {not_received(plan.hidden, origin.queue)}")
    if groups:
        click.echo(_order(len(plan.failure_groups), care))
        click.echo("to replay them: the same command with --yes")


def _print_sources(plan: Plan) -> None:
    """Print what would be replayed of each stream, and how to leave out older records."""
    for name, source in plan.sources.items():
        records = f"{source.records:,} of {source.of:,}" if source.records < source.of else "all"
        click.echo(
            printable(
                f"{batches(source.batches)} of {name}, {records} records: newer records of the "
                "same keys may have been handled since"
            )
        )
    if plan.newest is not None:
        click.echo(
            f"would leave out {plural(plan.newest.older, 'record')}, of whose key there is a newer "
            "one; their batches stay in the queue"
        )
    elif plan.sources:
        click.echo("to run only the newest record of each key of these batches: --only-latest")


def _order(groups: int, care: Care) -> str:
    """Return in which order a run would start the events, and when it would stop."""
    if care.all_groups:
        order = "all events start at once, since --all is given"
    elif groups == 1:
        order = (
            "one event runs first, then 10, then the rest; if the first one fails again, the rest "
            "is left, unless --all is given"
        )
    else:
        order = (
            f"one event of each of {groups:,} groups runs first, then 10 of each, then the rest; a "
            "group whose first event fails again is left, unless --all is given"
        )
    if care.stop_at == NEVER_STOPS:
        return order
    return f"{order}; the run stops when more than {care.stop_at} % of the last {LATEST} failed"


def _origin(group: Group) -> str:
    """Return where a group's events come from, as far as it is not where they go."""
    named = f", failed in {group.named}" if group.named else ""
    return named + (f", sent by {group.sender}" if group.sender else "")


def print_tally(operation: ReplayOperation, *, as_json: bool) -> None:
    """Print the tally of a run.

    Args:
        operation: The operation that ran.
        as_json: Whether to print one JSON object.
    """
    tally, origin = operation.tally, operation.origin
    if operation.problem is not None:
        warn([operation.problem])
    warn(operation.unsearched())
    if as_json:
        errors = [
            {"function": function, "error": error, "count": count}
            for (function, error), count in tally.errors.most_common()
        ]
        known = dataclasses.asdict(dataclasses.replace(tally, errors=Counter()))
        groups = list(known["left_groups"].values())
        known.update(errors=errors, left_groups=groups, broken_lines=origin.broken_lines)
        known["run"] = operation.name
        click.echo(json.dumps(known))
        return
    if tally.errors:
        rows = [
            (f"{count:,}", function, error)
            for (function, error), count in tally.errors.most_common()
        ]
        print_table(("FAILED", "FUNCTION", "ERROR"), rows, right=("FAILED",))
    # A group whose only event failed leaves nothing.
    left_groups = [group for group in tally.left_groups.values() if group.count]
    if left_groups:
        left_rows = [
            (f"{group.count:,}", group.id, group.function, group.because)
            for group in sorted(left_groups, key=lambda group: -group.count)
        ]
        print_table(
            ("LEFT", "GROUP", "FUNCTION", "BECAUSE"),
            left_rows,
            right=("LEFT",),
            shrink=("BECAUSE", "FUNCTION"),
        )
    for line in tally_lines(tally, from_file=isinstance(origin, FileOrigin)):
        click.echo(line)
    warn(f"succeeded, but is not deleted: {line}" for line in tally.not_deleted)
    warn(broken_lines(origin))
    if operation.name is not None:
        note(f"the run is {operation.name}: failure-destinations runs {operation.name}")
        if tally.interrupted or tally.stopped:
            note(f"to go on: failure-destinations replay --resume {operation.name} --yes")
    if tally.unread and tally.succeeded and origin.queue is not None:
        note(_not_looked_at(operation, tally.unread))
    if tally.hidden:
        note(f"this is not all: {not_received(tally.hidden, origin.queue)}")
    if tally.stopped:
        note(f"stopped: {tally.stopped}")
    if tally.interrupted:
        note("interrupted: the rest is in the queue as before")


def _not_looked_at(operation: ReplayOperation, unread: int) -> str:
    """Return what may be in a queue that was not read to its end, and how to go on."""
    said = (
        f"every id was found, and about {plural(unread, 'message')} not looked at: if SNS "
        "delivered an event twice, the second message may be among them"
    )
    # A run with --max or an edited payload has nothing to go on with.
    if operation.name is None or operation.options.at_most is not None:
        return said
    return (
        f"{said}; to delete that without running it: failure-destinations replay --resume "
        f"{operation.name} --yes"
    )
