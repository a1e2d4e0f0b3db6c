"""The table of all channels, for who does not name one."""

from __future__ import annotations

import sys

import click

from failure_destinations.deployed.account_channels import CountedChannel, Counts, count_channels
from failure_destinations.deployed.session import Aws
from failure_destinations.text import json_line, plural

from .output import note
from .progress import ProgressBar
from .tables import print_table

_HEADINGS = ("STACK", "CHANNEL", "WAITING", "DEAD-LETTER", "COPIES", "PARKED")
# Only where a channel has such queues.
_SOURCE_QUEUES = "SOURCE-QUEUES"


def print_channels(aws: Aws, *, as_json: bool) -> None:
    """Print every channel of the account and Region with the numbers of its messages.

    Args:
        aws: The account and Region.
        as_json: Whether to print one JSON object a line.
    """
    with ProgressBar("looking at stacks") as progress:
        channels = count_channels(aws, progress)
    if as_json:
        for channel in channels:
            click.echo(json_line(_object(channel)))
        return
    if channels:
        headings: tuple[str, ...] = _HEADINGS
        rows = list(map(_cells, channels))
        if any(one.channel.source_dead_letter_queues for one in channels):
            headings = (*_HEADINGS, _SOURCE_QUEUES)
            rows = [(*row, _of_sources(one)) for row, one in zip(rows, channels, strict=True)]
        print_table(headings, rows, right=headings[2:], shrink=())
    sys.stdout.flush()
    region = aws.session.region_name
    hint = ": show one with --stack NAME" if channels else ", name a queue with --queue NAME"
    note(f"{plural(len(channels), 'failure channel')} in {region}{hint}")


def _cells(counted: CountedChannel) -> tuple[str, ...]:
    return (
        counted.stack,
        counted.channel.path,
        _shown(counted.main) if counted.main else "?",
        _shown(counted.dead_letter) if counted.channel.dead_letter_queue else "-",
        _shown(counted.copies) if counted.channel.copy_queue else "-",
        _shown(counted.parked) if counted.channel.parked_queue else "-",
    )


def _of_sources(counted: CountedChannel) -> str:
    return _shown(counted.source_queues) if counted.channel.source_dead_letter_queues else "-"


def _shown(counts: Counts | None) -> str:
    if counts is None:
        return "?"
    return f"{counts.visible:,}" + (f" (+{counts.hidden:,} hidden)" if counts.hidden else "")


def _object(counted: CountedChannel) -> dict[str, object]:
    queues = {
        "main": counted.main,
        "dead_letter": counted.dead_letter,
        "copies": counted.copies,
        "parked": counted.parked,
        "source_queues": counted.source_queues,
    }
    return {
        "stack": counted.stack,
        "channel": counted.channel.path,
        **{name: _counts(counts) for name, counts in queues.items()},
    }


def _counts(counts: Counts | None) -> dict[str, int] | None:
    return None if counts is None else {"visible": counts.visible, "hidden": counts.hidden}
