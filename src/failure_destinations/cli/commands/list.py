"""`failure-destinations list`: the failed events in a queue."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import click

from failure_destinations.deployed.location import Location
from failure_destinations.deployed.queues import Queue, QueueChoice
from failure_destinations.deployed.replayers import find_replayer
from failure_destinations.deployed.session import Aws
from failure_destinations.replay.authority import Authority
from failure_destinations.replay.batches import lacks_records
from failure_destinations.replay.choose_origin import choose_origin
from failure_destinations.replay.choosing import records_of_chosen
from failure_destinations.replay.contents import Contents
from failure_destinations.replay.filters import Filter
from failure_destinations.replay.origins import FileOrigin
from failure_destinations.replay.peek import Look, LookEnd
from failure_destinations.replay.received_message import ReceivedMessage
from failure_destinations.text import age, cut, plural, printable, size, until

from ..channel_list import print_channels
from ..options import aws_options, files_option, files_origin, filter_options, queue_options
from ..output import note, warn
from ..parameters import MIN_ID
from ..progress import ProgressBar
from ..queue_notes import (
    hidden_note,
    not_received,
    note_contents,
    note_source_queues,
    warn_of_consumers,
    warn_of_parking,
)
from ..sections import SectionedCommand
from ..tables import print_table, terminal_width

_HEADINGS = ("ID", "AGE", "LEFT", "GROUP", "FUNCTION", "ATTEMPTS", "SIZE", "ERROR")

_EXAMPLES = """\b
Examples:
  failure-destinations list
  failure-destinations list --stack Reports
  failure-destinations list --stack Reports --channel Failures --from dead-letter
  failure-destinations list --stack Reports --group c2b81f7d04 --expiring 2d
  failure-destinations list --stack Reports --search 'no such customer'
  failure-destinations list --stack Reports --where 'payload.total > `100`'
  failure-destinations list --stack Reports --from source-queues
  failure-destinations list --queue my-queue --function 'orders*' --since 12h
  failure-destinations list --stack Reports --json | jq .payload
  failure-destinations list --from-files ./aws/lambda/async/orders
"""


class _Row(NamedTuple):
    """A row of the table, without the payload, so that many fit into memory."""

    id: str
    time: datetime | None
    expires: datetime | None
    group: str
    function: str
    attempts: str
    size: str
    error: str


@click.command("list", cls=SectionedCommand, epilog=_EXAMPLES)
@queue_options
@files_option
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
def command(
    *,
    aws: Aws,
    choice: QueueChoice,
    from_files: Path | None,
    chosen: Filter,
    at_most: int,
    as_json: bool,
) -> None:
    """Show the failed events in a queue, or all channels.

    Without --stack and --queue it shows every channel of the account and Region, with the numbers
    of messages in its queues, and receives nothing.

    Nothing is deleted, and each message is given back at the end. A message that is not a failed
    event is shown with what it is instead, and a parked one with the error that parked it. LEFT is
    how much longer its queue keeps it. In a terminal, long errors are cut, and columns left out
    that do not fit; in a pipe everything is printed.

    --from source-queues shows the dead letters of SQS queues from which functions get events: those
    of the channel's `dead_letter_queue_for`, or with --queue those of any dead-letter queue. Such a
    message may hold any text. It is shown as the event that its function got, and belongs to the
    group of its queue: SQS does not say the error. For a FIFO queue, a look sees the first
    ten messages of each message group.

    A failed batch of a stream is one row, with its source, shard and number of records. Its records
    are read, from S3 or the stream, only for --json, --search and --where; the command says so
    if they cannot be read.

    Listing counts as a receive of each message. Where the queue moves a message away after a
    number of receives, it needs --spend-receives: SQS shows how many are left only with one more,
    so that some messages may be moved. Listing ends once it sees a message with a single receive
    left. A replayer counts receives too: you are warned of messages that it would park at once.
    """
    if from_files is not None:
        _list_files(files_origin(aws, choice, from_files), chosen, at_most, as_json=as_json)
        return
    if choice.names_nothing and not chosen.excludes_any:
        print_channels(aws, as_json=as_json)
        return
    origin = choose_origin(aws, choice, to_peek=True)
    queue, authority = origin.queue, origin.authority
    warn_of_consumers(queue)
    warnings: list[str] = []
    rows: list[_Row] = []
    receives: Counter[int] = Counter()
    # What is printed meanwhile must not meet a bar in the same terminal.
    progress = ProgressBar(quiet=as_json and sys.stdout.isatty())
    # The table shows nothing of the records of failed batches.
    reads = as_json or chosen.reads_payloads
    fetch = records_of_chosen(chosen, authority.location) if reads else None
    with progress, origin.peek(warnings, progress, fetch=fetch) as messages:
        found = _Found(messages, chosen, authority.location, at_most)
        if as_json:
            for message in found:
                receives[message.receives] += 1
                click.echo(message.to_json())
        else:
            texts: dict[str, str] = {}
            for message in found:
                receives[message.receives] += 1
                rows.append(_row(message, authority, texts))
    chosen.check_groups(found.groups)
    _print_rows(rows)
    warn([*warnings, *origin.batches.lines()])
    if not as_json:
        _print_summary(queue.name, found, at_most, chosen, hidden_note(found.hidden, queue))
    elif found.hidden:
        note(f"this is not all: {not_received(found.hidden, queue)}")
    if not found.count:
        note_contents(found.contents)
    _warn_of_parking(aws, queue, receives)
    if origin.channel is not None and choice.part == "main":
        note_source_queues(aws, origin.channel)


def _list_files(origin: FileOrigin, chosen: Filter, at_most: int, *, as_json: bool) -> None:
    found = _Found(Look(origin.messages(), LookEnd()), chosen, None, at_most)
    texts: dict[str, str] = {}
    rows = []
    for message in found:
        if as_json:
            click.echo(message.to_json())
        else:
            rows.append(_row(message, None, texts))
    chosen.check_groups(found.groups)
    _print_rows(rows)
    if not as_json:
        _print_summary(origin.name, found, at_most, chosen)
    if not found.count:
        note_contents(found.contents)


class _Found(Iterator[ReceivedMessage]):
    """The messages that a filter chooses, and what it knows of all that it looked at."""

    def __init__(
        self, messages: Look, chosen: Filter, location: Location | None, at_most: int
    ) -> None:
        self._messages = messages
        self._chosen = chosen
        self._location = location
        self._at_most = at_most
        self.contents = Contents()
        self.groups: set[str | None] = set()
        self.count = 0

    @property
    def hidden(self) -> int:
        """The number of messages that could not be received."""
        return self._messages.end.hidden

    def __next__(self) -> ReceivedMessage:
        while self.count < self._at_most:
            message = next(self._messages)
            if self._chosen.matches(message, location=self._location):
                self.count += 1
                self.groups.add(message.group)
                return message
            self.contents.add(message)
        raise StopIteration


def _print_rows(rows: Sequence[_Row]) -> None:
    if not rows:
        return
    length = _unambiguous_length({row.id for row in rows})
    oldest_first = sorted(rows, key=lambda row: (row.time is None, row.time))
    cells = [(row.id[:length], age(row.time), until(row.expires), *row[3:]) for row in oldest_first]
    print_table(
        _HEADINGS,
        cells,
        right=("AGE", "LEFT", "ATTEMPTS", "SIZE"),
        drop=("ATTEMPTS", "SIZE", "LEFT", "GROUP", "AGE"),
    )


def _row(message: ReceivedMessage, authority: Authority | None, texts: dict[str, str]) -> _Row:
    """Return the row of a message; `texts` keeps one string for all that are equal."""
    event = message.event
    width = terminal_width()
    if event is None:
        error = f"not a failed event: {message.reason}"
        function = attempts = "-"
    else:
        known_by = event.sender or event.sender_id or event.subscription
        # Files may be of any account and Region.
        named = event.function_arn if authority is None else authority.shown(event)
        function = named or (f"? {known_by}" if known_by else "?")
        summary = None if event.batch is None else event.batch.summary
        text = event.error_message or summary
        error = ": ".join(filter(None, (event.error_type, text)))
        # A dead letter of a source queue has no error; its group names the queue.
        error = error or (message.fingerprint and message.fingerprint.message) or "?"
        attempts = "?" if event.attempts is None else str(event.attempts)
    if message.parked is not None:
        error = f"parked, {message.parked.because}: {message.parked.error or error}"
    shown = printable(error) if width is None else cut(error, width)
    return _Row(
        id=message.id,
        time=message.time,
        expires=message.expires,
        group=texts.setdefault(message.group or "-", message.group or "-"),
        function=texts.setdefault(function, function),
        attempts=attempts,
        size="?" if lacks_records(event) else size(message.size),
        error=texts.setdefault(shown, shown),
    )


def _print_summary(place: str, found: _Found, at_most: int, chosen: Filter, also: str = "") -> None:
    sys.stdout.flush()
    kind = "matching failed event" if chosen.excludes_any else "message"
    line = f"{plural(found.count, kind)} in {place}"
    if found.count == at_most:
        line += f"; there may be more than --max {at_most}"
    note(line + also)


def _warn_of_parking(aws: Aws, queue: Queue, receives: Counter[int]) -> None:
    replayer = find_replayer(aws, queue) if receives and queue.attached else None
    if replayer is not None:
        count = sum(n for times, n in receives.items() if replayer.parks_next(times))
        if count:
            warn_of_parking(replayer, count)


def _unambiguous_length(ids: set[str]) -> int:
    """Return how many characters are needed to distinguish the ids."""
    longest = max(map(len, ids))
    lengths = (n for n in range(MIN_ID, longest) if len({id[:n] for id in ids}) == len(ids))
    return next(lengths, longest)
