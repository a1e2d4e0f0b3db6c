"""A failed batch of a stream: where it is from, and its records as their producer wrote them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from nicegui import run, ui

from failure_destinations.replay.batch_contents import contents
from failure_destinations.replay.received_message import ReceivedMessage
from failure_destinations.runtime import FailedBatch
from failure_destinations.text import cut, plural, printable

from ..desk import Desk
from ..snapshot import Row
from .frame import one_line, utc

# A batch has up to 10,000 records.
# https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
_MOST = 200
_MAX_DATA = 1000


def facts_of(batch: FailedBatch | None) -> dict[str, str]:
    """Return what is known of a batch, by name; nothing for an event that is not one."""
    if batch is None:
        return {}
    known = {
        "stream": batch.source or batch.source_name,
        "shard": batch.shard,
        "sequence numbers": f"{batch.first} to {batch.last}" if batch.first else None,
        "offsets": "; ".join(map(str, batch.offsets[:10])) or None,
        "records": None if batch.count is None else f"{batch.count:,}",
        "arrived": utc(batch.first_arrival) if batch.first_arrival else None,
        "mapping": batch.mapping,
        "kept": batch.stored.address if batch.stored else None,
    }
    return {name: value for name, value in known.items() if value is not None}


def show_records(
    desk: Desk, row: Row, message: ReceivedMessage, show_payload: Callable[[str], None]
) -> None:
    """Show the records of a batch once they are read, and below them the whole event.

    Args:
        desk: The state behind the page.
        row: The message's row.
        message: The message.
        show_payload: Shows the event.
    """
    place = ui.column().classes("wide")
    with place, ui.card().classes("wide").props("flat bordered"):
        ui.label("Records").classes("section")
        ui.spinner()

    async def load() -> None:
        fetched = await run.io_bound(desk.with_records, row, message)
        if fetched is None or fetched.event is None:
            # The command ends.
            return
        place.clear()
        event = fetched.event
        with place:
            with ui.card().classes("wide").props("flat bordered").props("data-part=records"):
                ui.label("Records").classes("section")
                if event.payload:
                    _records(event.payload)
                else:
                    ui.label(printable(event.obstacle or "?")).classes("warning")
            if event.payload:
                show_payload(event.payload)

    ui.timer(0.1, load, once=True)


def _records(payload: str) -> None:
    found = list(islice(contents(payload), _MOST + 1))
    rows = [
        {
            "id": one_line(record.id),
            "key": one_line(record.key or ""),
            "time": utc(record.time) if record.time else "",
            "data": cut(record.shown, _MAX_DATA),
        }
        for record in found[:_MOST]
    ]
    ui.table(
        columns=[
            {"name": name, "label": label, "field": name, "align": "left"}
            for name, label in (
                ("id", "Record"),
                ("key", "Key"),
                ("time", "Arrived (UTC)"),
                ("data", "Data"),
            )
        ],
        rows=rows,
        row_key="id",
    ).classes("wide common").props("dense flat")
    if len(found) > _MOST:
        ui.label(f"Only the first {plural(_MOST, 'record')} are shown.").classes("quiet")
