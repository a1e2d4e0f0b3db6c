"""`failure-destinations show`: one failed event in full."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import click

from failure_destinations.deployed.location import Location
from failure_destinations.deployed.log_groups import log_group
from failure_destinations.deployed.queues import Queue, QueueChoice
from failure_destinations.deployed.session import Aws
from failure_destinations.errors import CommandError
from failure_destinations.replay.batch_contents import contents
from failure_destinations.replay.choose_origin import choose_origin
from failure_destinations.replay.filters import Filter
from failure_destinations.replay.received_message import ReceivedMessage
from failure_destinations.runtime import FailedBatch
from failure_destinations.runtime.console import log_link
from failure_destinations.runtime.json_text import inner_members, is_json, string
from failure_destinations.text import (
    age,
    cut,
    indented,
    plural,
    readable_lines,
    size,
    until,
    with_characters,
)

from ..options import aws_options, files_option, files_origin, filter_options, queue_options
from ..output import warn
from ..parameters import IdType
from ..progress import ProgressBar
from ..queue_notes import warn_of_consumers
from ..sections import SectionedCommand

_EXAMPLES = """\b
Examples:
  failure-destinations show d3b07384 --stack Reports
  failure-destinations show d3b07384 --stack Reports --raw > payload.json
  failure-destinations show --group c2b81f7d04 --stack Reports
  failure-destinations show --search 'no such customer' --stack Reports
"""
_INDENT = 12
# Of a failed batch, which may have 10,000 records of up to 1 MB.
_MAX_SHOWN = 20
_MAX_KEY = 100
_MAX_DATA = 1000


@click.command("show", cls=SectionedCommand, epilog=_EXAMPLES)
@click.argument("id", type=IdType(), required=False)
@queue_options
@files_option
@filter_options
@click.option("--raw", is_flag=True, help="Only the payload, byte for byte.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@aws_options
def command(
    *,
    aws: Aws,
    choice: QueueChoice,
    from_files: Path | None,
    chosen: Filter,
    id: str | None,
    raw: bool,
    as_json: bool,
) -> None:
    r"""Show one failed event in full.

    ID is the id of its message or request, or the first 8 characters, as `list` shows them. Instead
    of an ID, choose with --group or another option: the first event that SQS returns is shown. The
    message stays in the queue. Looking for it counts as a receive of each message until it is
    found.

    It shows the payload, the error with its stack trace, why a replayer parked the event, the
    function's log with its address in the console, and how long the queue keeps the message.

    For a failed batch of a stream, it shows source, shard, sequence numbers or offsets, and the
    first 20 records as their producer wrote them; it reads them from S3, or from the stream as long
    as they are there.

    Characters that a terminal would obey are shown escaped, such as \x1b; --raw and --json give
    the payload as it is.
    """
    if id is not None:
        chosen = dataclasses.replace(chosen, ids=(*chosen.ids, id))
    if not chosen.excludes_any:
        raise CommandError(
            "which event? write its id, as `failure-destinations list` shows it, or choose one "
            "with --group, --search or another option"
        )
    queue: Queue | None = None
    if from_files is not None:
        message = files_origin(aws, choice, from_files).find(chosen)
    else:
        origin = choose_origin(aws, choice, to_peek=True)
        queue = origin.queue
        warn_of_consumers(queue)
        warnings: list[str] = []
        with ProgressBar() as progress:
            message = origin.find(chosen, warnings, progress)
        warn(warnings)
    if raw:
        text = message.body if message.event is None else message.event.payload
        sys.stdout.buffer.write(text.encode(errors="replace"))
        return
    group = link = None
    # Files may be of any account and Region.
    if queue is not None:
        group = _log_group(aws, queue, message)
        location = Location.of(queue.arn)
        request = None if message.event is None else message.event.request_id
        link = group and log_link(location.partition, location.region, group, request)
    if as_json:
        click.echo(message.to_json(log_group=group, log_link=link))
    else:
        click.echo("\n".join(described(message, group, link)))


def _log_group(aws: Aws, queue: Queue, message: ReceivedMessage) -> str | None:
    """Return the log group of an event's function; None if it is elsewhere or not named."""
    event = message.event
    if event is None:
        return None
    location = Location.of(queue.arn)
    arn = event.function_arn or (event.sender and location.function_arn(event.sender))
    return log_group(aws, arn) if arn and location.contains(arn) else None


def described(message: ReceivedMessage, group: str | None, link: str | None) -> Iterator[str]:
    """Yield all that is known of a message, fit to print.

    Args:
        message: The message.
        group: The name of its function's log group; None if it is not known.
        link: That log's address in the console; None if it is not known.
    """
    event = message.event
    known: list[tuple[str, object]] = [("message", message.id)]
    if event is None:
        known.append(("is", f"not a failed event: {message.reason}"))
        known.append(("sent", f"{_utc(message.time)}, {age(message.time)} ago"))
    else:
        known.append(("group", message.group))
        known.append(("failed", f"{_utc(message.time)}, {age(message.time)} ago"))
    if message.expires is not None:
        known.append(("kept until", f"{_utc(message.expires)}, {until(message.expires)} left"))
    if message.receipt_handle:
        known.append(("received", f"{plural(message.receives, 'time')}, this one included"))
    if event is not None:
        known += [
            ("first", _first_received(message) if event.queue else None),
            ("function", event.function_arn or "not named by a dead letter of this kind"),
            ("sender", event.sender),
            ("subscription", event.subscription),
            ("queue", event.queue),
            ("request", event.request_id),
            ("source", event.source),
            *_batch(event.batch),
            ("condition", event.condition),
            ("error", event.error_type),
            ("", event.error_message),
            ("attempts", event.attempts),
            ("obstacle", event.obstacle),
        ]
    known += _parked(message)
    known += [("log group", group), ("log", link)]
    for name, value in known:
        if value is not None:
            first, *more = readable_lines(str(value)).split("\n")
            yield f"{name:{_INDENT}}{first}".rstrip()
            yield from (f"{'':{_INDENT}}{line}".rstrip() for line in more)
    if event is not None and event.stack_trace:
        yield from ("", "stack trace:")
        for entry in event.stack_trace:
            yield readable_lines(_frame(entry).rstrip("\r\n"))
    yield ""
    if event is not None and event.batch is not None:
        yield from _records(event.payload, event.batch)
    elif event is None:
        yield f"body, {size(message.size)}:"
        yield readable_lines(message.body)
    else:
        yield f"payload, {size(message.size)}:"
        readable = is_json(event.payload)
        yield readable_lines(
            with_characters(indented(event.payload)) if readable else event.payload
        )


def _batch(batch: FailedBatch | None) -> list[tuple[str, object]]:
    """Return what is known of a failed batch."""
    if batch is None:
        return []
    offsets = [str(one) for one in batch.offsets[:_MAX_SHOWN]]
    if len(batch.offsets) > _MAX_SHOWN:
        offsets.append(f"and {len(batch.offsets) - _MAX_SHOWN:,} more partitions")
    numbers = f"{batch.first or '?'} to {batch.last or '?'}"
    arrived = f"{_utc(batch.first_arrival)} to {_utc(batch.last_arrival)}"
    return [
        ("stream", batch.source or batch.source_name),
        ("shard", batch.shard),
        ("sequence", numbers if batch.first or batch.last else None),
        ("offsets", "\n".join(offsets) or None),
        ("records", "?" if batch.count is None else f"{batch.count:,}"),
        ("arrived", arrived if batch.first_arrival or batch.last_arrival else None),
        ("mapping", batch.mapping),
        ("kept", batch.stored.address if batch.stored else _in_stream(batch)),
    ]


def _in_stream(batch: FailedBatch) -> str:
    """Return until when a stream keeps the records that were not stored.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
    https://docs.aws.amazon.com/streams/latest/dev/kinesis-extended-retention.html
    """
    if batch.kind not in ("kinesis", "dynamodb") or batch.first_arrival is None:
        return "in the source, until its retention ends"
    until = _utc(batch.first_arrival + timedelta(hours=24))
    if batch.kind == "dynamodb":
        return f"in the stream, until {until}"
    return f"in the stream, until {until}, or longer if its retention is over 24 hours"


def _records(payload: str, batch: FailedBatch) -> Iterator[str]:
    """Yield the records of a batch, decoded: the first ones, each cut."""
    if not payload:
        yield f"records: not read; they are {readable_lines(batch.where)}"
        return
    found = list(contents(payload))
    yield f"{plural(len(found), 'record')}, {size(len(payload.encode(errors='replace')))}:"
    for record in found[:_MAX_SHOWN]:
        key = "" if record.key is None else f", key {cut(record.key, _MAX_KEY)}"
        when = "" if record.time is None else f", {_utc(record.time)}"
        yield f"- {cut(record.id, _MAX_KEY)}{key}{when}"
        shown = record.shown
        if record.data is not None and is_json(record.data):
            shown = with_characters(record.data)
        yield f"  {cut(shown, _MAX_DATA)}"
    if len(found) > _MAX_SHOWN:
        yield f"and {len(found) - _MAX_SHOWN:,} more: --raw or --json has them all"


def _parked(message: ReceivedMessage) -> list[tuple[str, object]]:
    parked = message.parked
    if parked is None:
        return []
    when = "" if parked.time is None else f"{_utc(parked.time)}, {age(parked.time)} ago, "
    return [
        ("parked", f"{when}because {parked.because} (ReplayReason: {parked.reason})"),
        ("", parked.error or None),
        ("", parked.function and f"when it was replayed with {parked.function}"),
    ]


def _frame(entry: str) -> str:
    """Return an entry of a stack trace as text: Go's entries are objects."""
    members = inner_members(entry)
    if not {"path", "label"} <= set(members):
        return entry
    path, line, label = (string(members.get(name)) for name in ("path", "line", "label"))
    return f"{label} ({path}:{line})"


def _first_received(message: ReceivedMessage) -> str | None:
    time = message.first_received
    return None if time is None else f"received {_utc(time)}, {age(time)} ago"


def _utc(time: datetime | None) -> str:
    return "?" if time is None else f"{time:%Y-%m-%d %H:%M:%S} UTC"
