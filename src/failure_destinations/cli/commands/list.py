"""`failure-destinations list`: the failed events in a queue."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple

import click

from failure_destinations.deployed.location import Location
from failure_destinations.deployed.queues import Queue, QueueChoice
from failure_destinations.deployed.session import Aws
from failure_destinations.replay.authority import Authority
from failure_destinations.replay.filters import Filter
from failure_destinations.replay.peek import peek
from failure_destinations.replay.received_message import ReceivedMessage
from failure_destinations.text import age, cut, plural, size

from ..options import aws_options, filter_options, queue_options
from ..output import note, warn
from ..parameters import MIN_ID
from ..progress import ProgressBar
from ..tables import print_table

_MESSAGE_LENGTH = 60
_HEADINGS = ("ID", "AGE", "FUNCTION", "ERROR", "ATTEMPTS", "SIZE")

_EXAMPLES = """\b
Examples:
  failure-destinations list --stack Reports
  failure-destinations list --stack Reports --channel Failures --from dead-letter
  failure-destinations list --queue my-queue --function 'orders*' --since 12h
  failure-destinations list --stack Reports --json | jq .payload
"""


class _Row(NamedTuple):
    """A row of the table, without the payload, so that many fit into memory."""

    id: str
    time: datetime | None
    function: str
    error: str
    attempts: str
    size: str


@click.command("list", epilog=_EXAMPLES)
@queue_options
@filter_options
@click.option(
    "--max",
    "at_most",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    metavar="N",
    help="Show no more than N.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with the payload.")
@aws_options
def command(*, aws: Aws, choice: QueueChoice, chosen: Filter, at_most: int, as_json: bool) -> None:
    """Show the failed events in a queue.

    Nothing is deleted, and each message is given back at the end. A message that is not a failed
    event is shown with what it is instead.

    Listing counts as a receive of each message. Where the queue moves a message away after a
    number of receives, it needs --spend-receives: SQS shows how many are left only with one more,
    so that some messages may be moved. Listing ends once it sees a message with a single receive
    left.
    """
    queue = choice.find_to_peek(aws)
    warn_of_consumers(queue)
    authority = Authority(lambda: Location.of(queue.arn))
    warnings: list[str] = []
    sqs = aws.client("sqs")
    with ProgressBar() as progress, peek(sqs, queue, warnings, progress=progress) as messages:
        matching = (one for one in messages if chosen.matches(one, location=authority.location))
        found = islice(matching, at_most)
        if as_json:
            count = _print_json(found)
        else:
            count = _print_rows([_row(message, authority) for message in found])
    warn(warnings)
    if not as_json:
        _print_summary(queue, count, at_most, chosen)


def warn_of_consumers(queue: Queue) -> None:
    """Warn of functions that drain the queue from which the command receives."""
    if queue.consumers:
        names = ", ".join(queue.consumers)
        note(
            f"warning: {names} drains this queue: each receive counts as one of its attempts, and "
            "it does not get the messages that are received here meanwhile"
        )


def _print_json(found: Iterable[ReceivedMessage]) -> int:
    count = 0
    for count, message in enumerate(found, 1):  # noqa: B007 - the last is the count
        click.echo(message.to_json())
    return count


def _print_rows(rows: Sequence[_Row]) -> int:
    if not rows:
        return 0
    length = _unambiguous_length({row.id for row in rows})
    oldest_first = sorted(rows, key=lambda row: (row.time is None, row.time))
    cells = [(row.id[:length], age(row.time), *row[2:]) for row in oldest_first]
    print_table(_HEADINGS, cells, right=("AGE", "ATTEMPTS", "SIZE"))
    return len(rows)


def _row(message: ReceivedMessage, authority: Authority) -> _Row:
    event = message.event
    bytes_ = size(message.size)
    if event is None:
        reason = cut(f"not a failed event: {message.reason}", _MESSAGE_LENGTH)
        return _Row(message.id, message.time, "-", reason, "-", bytes_)
    sender = event.sender or event.sender_id
    function = authority.shown(event) or (f"? {sender}" if sender else "?")
    error = ": ".join(filter(None, (event.error_type, event.error_message))) or "?"
    attempts = "?" if event.attempts is None else str(event.attempts)
    return _Row(message.id, message.time, function, cut(error, _MESSAGE_LENGTH), attempts, bytes_)


def _print_summary(queue: Queue, count: int, at_most: int, chosen: Filter) -> None:
    sys.stdout.flush()
    kind = "matching failed event" if chosen.excludes_any else "message"
    line = f"{plural(count, kind)} in {queue.name}"
    if count == at_most:
        line += f"; there may be more than --max {at_most}"
    if queue.hidden:
        line += (
            f"; {queue.hidden:,} more cannot be received now: other consumers have them, or they "
            "are delayed"
        )
    note(line)


def _unambiguous_length(ids: set[str]) -> int:
    """Return how many characters are needed to distinguish the ids."""
    longest = max(map(len, ids))
    lengths = (n for n in range(MIN_ID, longest) if len({id[:n] for id in ids}) == len(ids))
    return next(lengths, longest)
