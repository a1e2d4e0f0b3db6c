"""The output of `failure-destinations replay`: its plan and its tally."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterator

import click

from failure_destinations.replay.origins import BackupOrigin, Origin
from failure_destinations.replay.plan import Group, Plan
from failure_destinations.replay.tally import Tally
from failure_destinations.text import plural, printable

from .output import note, warn
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


def print_plan(plan: Plan, origin: Origin, *, as_json: bool) -> None:
    """Print the plan of a run.

    Args:
        plan: The plan.
        origin: The origin of the events.
        as_json: Whether to print one JSON object.
    """
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
        click.echo(json.dumps({"to": plan.to, "would_replay": events, "would_stay": stay}))
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
    for reason, count in plan.would_stay.items():
        click.echo(f"would leave {count:,}: {printable(reason)}")
    if groups:
        click.echo("to replay them: the same command with --yes")


def _origin(group: Group) -> str:
    """Return where a group's events come from, as far as it is not where they go."""
    named = f", failed in {group.named}" if group.named else ""
    return named + (f", sent by {group.sender}" if group.sender else "")


def print_tally(tally: Tally, origin: Origin, *, as_json: bool) -> None:
    """Print the tally of a run.

    Args:
        tally: The run's tally.
        origin: The origin of the events.
        as_json: Whether to print one JSON object.
    """
    if as_json:
        errors = [
            {"function": function, "error": error, "count": count}
            for (function, error), count in tally.errors.most_common()
        ]
        known = dataclasses.asdict(dataclasses.replace(tally, errors=Counter()))
        known.update(errors=errors, broken_lines=origin.broken_lines)
        click.echo(json.dumps(known))
        return
    if tally.errors:
        rows = [
            (f"{count:,}", function, error)
            for (function, error), count in tally.errors.most_common()
        ]
        print_table(("FAILED", "FUNCTION", "ERROR"), rows, right=("FAILED",))
    for line in _tally_lines(tally, from_file=isinstance(origin, BackupOrigin)):
        click.echo(line)
    warn(f"succeeded, but is not deleted: {line}" for line in tally.not_deleted)
    warn(broken_lines(origin))
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
            tally.other_function,
            f"for another function than --function-name{left}: leave it out, or pass --to",
        ),
        (
            tally.no_events,
            f"{'message is not a failed event' if one else 'messages are not failed events'}{left}",
        ),
        (tally.not_meant, f"not chosen{left}"),
        (tally.of_others, f"sent by another function{left}: --any-sender replays them too"),
        (tally.foreign, f"for functions that are not in the queue's account and Region{left}"),
        (
            tally.not_handlers,
            f"for functions that are not the channel's handlers{left}: pass --allow-function ARN",
        ),
        (
            tally.too_long,
            f"for functions whose timeout is over 30 minutes{left}: invoke them asynchronously",
        ),
        (
            tally.without_tenant,
            f"for functions that isolate tenants{left}: pass --tenant-id",
        ),
        (tally.duplicates, "delivered twice, not run twice"),
        (tally.done_before, "not run, having succeeded in an earlier run"),
        (tally.at_limit, "to be moved to the queue's own dead-letter queue by the next receive"),
    ]
    for count, text in lines:
        if count:
            yield f"{count:,} {text}"
