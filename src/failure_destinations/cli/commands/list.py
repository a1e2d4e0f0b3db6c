"""`failure-destinations list`: what waits in a queue."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import islice

import click

from failure_destinations.deployed.queues import Choice, Queue, queue_options
from failure_destinations.deployed.session import Aws, aws_options
from failure_destinations.errors import CommandError
from failure_destinations.replay.filters import Filter, filter_options
from failure_destinations.replay.peek import looking
from failure_destinations.replay.received_message import Waiting
from failure_destinations.text import age, cut, plural, print_table, size

from ..parameters import MIN_ID

_MESSAGE_LENGTH = 60


_EXAMPLES = """\b
Examples:
  failure-destinations list --stack Reports
  failure-destinations list --stack Reports --channel Failures --from dead-letter
  failure-destinations list --queue my-queue --function 'orders*' --since 12h
  failure-destinations list --stack Reports --json | jq .payload
"""


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
    help="Show no more.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with the payload.")
@aws_options
def command(*, aws: Aws, choice: Choice, chosen: Filter, at_most: int, as_json: bool) -> None:
    """Show the failed events that wait in a queue.

    Nothing is deleted, and each message is given back at the end. What is no failed event is shown
    as what it is.

    A look counts as a receive. Where the queue moves a message away after a number of them, it
    needs --spend-receives: SQS shows how many are left only with one more, so that some messages
    may be moved. The look ends once one is seen that has a single receive left.
    """
    queue = choice.find_to_look(aws)
    warn_of(queue)
    warnings: list[str] = []
    with looking(aws.client("sqs"), queue, warnings) as seen:
        found = islice((waiting for waiting in seen if chosen.matches(waiting)), at_most)
        count = _print_json(found) if as_json else _print_rows(list(found))
    for line in warnings:
        click.echo(f"warning: {line}", err=True)
    if not as_json:
        _print_end(queue, count, at_most, chosen)


def warn_of(queue: Queue) -> None:
    """Warn of what a look into the queue may do."""
    if queue.consumers:
        click.echo(
            f"warning: {', '.join(queue.consumers)} drains this queue: a look counts as one of "
            "its attempts, and it does not get what is looked at meanwhile",
            err=True,
        )


def find_one(aws: Aws, queue: Queue, id: str) -> Waiting:
    """Return the message whose id or request id begins so.

    Raises:
        CommandError: It is not in the queue.
    """
    warnings: list[str] = []
    with looking(aws.client("sqs"), queue, warnings) as seen:
        found = next((waiting for waiting in seen if waiting.matches_id(id)), None)
    for line in warnings:
        click.echo(f"warning: {line}", err=True)
    if found is None:
        hidden = f"; {plural(queue.hidden, 'message')} cannot be seen now" if queue.hidden else ""
        raise CommandError(f"{queue.name} holds no message {id!r}{hidden}")
    return found


def _print_json(found: Iterator[Waiting]) -> int:
    count = 0
    for count, waiting in enumerate(found, 1):  # noqa: B007 - the last is the count
        click.echo(waiting.json())
    return count


def _print_rows(found: Sequence[Waiting]) -> int:
    if not found:
        return 0
    length = _unambiguous(found)
    oldest_first = sorted(found, key=lambda waiting: (waiting.time is None, waiting.time))
    rows = [(waiting.id[:length], age(waiting.time), *_told(waiting)) for waiting in oldest_first]
    headings = ("ID", "AGE", "FUNCTION", "ERROR", "ATTEMPTS", "SIZE")
    print_table(headings, rows, right=("AGE", "ATTEMPTS", "SIZE"))
    return len(found)


def _told(waiting: Waiting) -> tuple[str, str, str, str]:
    event = waiting.event
    if event is None:
        return "-", f"no failed event: {waiting.reason}", "-", size(waiting.size)
    function = event.called or (f"? {event.sender}" if event.sender else "?")
    error = ": ".join(filter(None, (event.error_type, event.error_message))) or "?"
    attempts = "?" if event.attempts is None else str(event.attempts)
    return function, cut(error, _MESSAGE_LENGTH), attempts, size(waiting.size)


def _print_end(queue: Queue, count: int, at_most: int, chosen: Filter) -> None:
    sys.stdout.flush()
    kind = "message" if not chosen.any else "matching failed event"
    line = f"{plural(count, kind)} in {queue.name}"
    if count == at_most:
        line += f"; there may be more than --max {at_most}"
    if queue.hidden:
        line += f"; {queue.hidden:,} more cannot be seen now: others have them, or they are delayed"
    click.echo(line, err=True)


def _unambiguous(found: Sequence[Waiting]) -> int:
    """Return how many characters tell the ids apart."""
    ids = {waiting.id for waiting in found}
    longest = max(map(len, ids))
    lengths = (n for n in range(MIN_ID, longest) if len({id[:n] for id in ids}) == len(ids))
    return next(lengths, longest)
