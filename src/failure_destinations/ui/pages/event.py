"""An event: its payload as a tree, its record, and where to look further."""

from __future__ import annotations

import json
import re

from nicegui import ui

from failure_destinations.replay.batches import lacks_records
from failure_destinations.replay.received_message import ReceivedMessage
from failure_destinations.runtime.json_text import is_json
from failure_destinations.text import age, plural, printable, size

from ..desk import Desk
from ..snapshot import Row
from . import actions
from .batch import facts_of, show_records
from .frame import framed, note_absence, one_line, utc
from .stack import error_of

# Of a queue's message; a batch in S3 has up to 6 MB.
_MAX_SHOWN = 1_048_576
_LONG_NUMBER = re.compile(r"\d{16}")


def show(desk: Desk, key: str) -> None:
    """Show the page of one message."""

    @ui.refreshable
    def content() -> None:
        row = desk.snapshot.row(key)
        if row is None:
            note_absence(desk, "This event is no longer there.")
            return
        _event(desk, row)

    with framed(desk, content.refresh, back=True):
        actions.show_jobs(desk)
        content()


def _event(desk: Desk, row: Row) -> None:
    ui.label(f"{one_line(row.error_type)}: {one_line(row.error_message)}").classes("title")

    async def this() -> list[Row]:
        return [row]

    actions.bar(desk, this, "this event")
    message = desk.snapshot.message(row)
    if message is None:
        ui.label("Its text was not kept: look at it with `failure-destinations show`.").classes(
            "warning"
        )
        return
    with ui.card().classes("wide").props("flat bordered"):
        _facts(desk, row, message)
    if message.event is not None:
        with ui.card().classes("wide").props("flat bordered"):
            ui.label("Error").classes("section")
            error_of(message.event)
        if message.event.batch is None:
            _payload(desk, row, message.event.payload)
        else:
            show_records(
                desk, row, message, lambda payload: _payload(desk, row, payload, opened=False)
            )
    with ui.card().classes("wide").props("flat bordered"):
        ui.label("Message, as it is in the queue").classes("section")
        _json(message.body)


def _payload(desk: Desk, row: Row, payload: str, *, opened: bool = True) -> None:
    with ui.card().classes("wide").props("flat bordered"):
        if len(payload) > _MAX_SHOWN:
            ui.label(
                f"The event has {size(len(payload))}, which is too much for this page: look at it "
                "with `failure-destinations show --raw`, edit it with `replay --edit`."
            )
            return
        if opened:
            ui.label("Payload").classes("section")
            _json(payload)
        else:
            # A batch has up to 6 MB.
            with ui.expansion("Event, as the function gets it").classes("wide") as whole:
                whole.on_value_change(
                    lambda change: _fill(whole, payload) if change.value else None
                )
        if not desk.read_only:
            _edit(desk, row, payload)


def _fill(whole: ui.expansion, payload: str) -> None:
    whole.clear()
    with whole:
        _json(payload)


def _facts(desk: Desk, row: Row, message: ReceivedMessage) -> None:
    event = message.event
    facts = {
        "message": row.key,
        "queue": f"{row.place.channel}, {row.place.state}",
        "failed": f"{utc(row.time)} UTC, {age(row.time)} ago" if row.time else "?",
        "deleted by SQS": f"{utc(row.expires)} UTC" if row.expires else "?",
        "received": plural(row.receives, "time"),
    }
    if event is not None:
        facts |= {
            "function": event.function_arn or f"not named; sent by {event.sender or '?'}",
            "request": event.request_id or "?",
            "source": event.source,
            "condition": event.condition or "?",
            "attempts": "?" if event.attempts is None else str(event.attempts),
        }
        facts |= facts_of(event.batch)
        if event.obstacle and not lacks_records(event):
            facts["cannot be replayed"] = event.obstacle
    parked = message.parked
    if parked is not None:
        facts["parked"] = f"because {parked.because}"
        facts["its last error"] = parked.error or "?"
    with ui.element("div").classes("facts"):
        for name, value in facts.items():
            ui.label(name)
            ui.label(printable(value)).classes("mono")
        links = desk.links(row, message)
        if links:
            ui.label("in the console")
            with ui.row().classes("actions"):
                for name, address in links.items():
                    ui.link(name, address, new_tab=True).props("rel='noopener noreferrer'")


def _json(text: str) -> None:
    """Show JSON as a tree, and any other text as it is."""
    if not is_json(text):
        ui.label(printable(text)).classes("text mono")
        return
    written = json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    # JavaScript would round long numbers, which are often ids.
    mode = "text" if _LONG_NUMBER.search(written) else "tree"
    # As text: where NiceGUI passes objects on, a member's name may begin with a colon.
    ui.json_editor(
        {"content": {"text": written}, "mode": mode, "readOnly": True, "navigationBar": False}
    ).classes("tree").props("data-part=json")


def _edit(desk: Desk, row: Row, payload: str) -> None:
    """Offer to replay the event with another payload."""
    with ui.expansion("Replay with another payload").classes("wide").props("data-part=edit"):
        text = ui.textarea(value=payload).classes("wide mono").props("outlined autogrow")
        text.props("data-part=edited aria-label='Edited payload'")

        async def run() -> None:
            with ui.context.client.content:
                await actions.replay_edited(desk, row, text.value)

        ui.button("Replay edited", icon="edit", on_click=run).props(
            "no-caps unelevated data-part=replay-edited"
        )
        ui.label("The original stays in the queue until the edited one has succeeded.").classes(
            "quiet"
        )
