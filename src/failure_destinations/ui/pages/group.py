"""A group: its events, a sample, and what the payloads have in common."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from failure_destinations.text import plural

from ..compare import Member, compare
from ..desk import Desk
from ..snapshot import Row
from . import actions
from .frame import framed, note_absence, one_line, stat, utc
from .grid import show_grid
from .stack import error_of

_COMPARED = 200
_MOST_MEMBERS = 60
_MOST_VALUES = 4


def show(desk: Desk, id: str) -> None:
    """Show the page of a group; `none` is that of messages that are not failed events."""
    group = "" if id == "none" else id

    @ui.refreshable
    def content() -> None:
        rows = desk.snapshot.rows_of(group)
        if not rows:
            note_absence(desk, "This group no longer has any events.")
            return
        _head(desk, rows)
        _events(desk, rows)
        if group:
            _sample(desk, rows[-1])
            _payloads(desk, rows)

    with framed(desk, content.refresh, back=True):
        actions.show_jobs(desk)
        content()


def _head(desk: Desk, rows: tuple[Row, ...]) -> None:
    row = rows[-1]
    ui.label(f"{one_line(row.error_type)}: {one_line(row.pattern)}").classes("title").props(
        "data-part=title"
    )
    ui.label(one_line(row.function) or "?").classes("quiet")
    with ui.element("div").classes("stats"):
        stat("Events", f"{len(rows):,}", ", ".join(sorted({row.place.state for row in rows})))
        stat("First (UTC)", utc(rows[0].time)[5:16])
        stat("Last (UTC)", utc(row.time)[5:16])
        stat("Attempts", "?" if row.attempts is None else str(row.attempts), "by Lambda")

    async def everything() -> list[Row]:
        return list(rows)

    actions.bar(desk, everything, "events")


def _events(desk: Desk, rows: tuple[Row, ...]) -> None:
    with ui.card().classes("wide").props("flat bordered"):
        ui.label("Events").classes("section")
        columns = [
            {"headerName": "Id", "field": "key", "width": 120},
            {"headerName": "Failed (UTC)", "field": "time", "width": 180, "sort": "desc"},
            {"headerName": "Queue", "field": "state", "width": 120},
            {"headerName": "Error", "field": "error", "flex": 1, "minWidth": 200},
            {"headerName": "Bytes", "field": "size", "width": 100},
            {"headerName": "Receives", "field": "receives", "width": 110},
        ]
        data = [
            {
                "key": row.key,
                "time": utc(row.time),
                "state": row.place.state,
                "error": one_line(row.error_message),
                "size": row.size,
                "receives": row.receives,
            }
            for row in rows
        ]
        grid = show_grid("events", columns, data, key="key", address=lambda key: f"/event/{key}")

        async def selected() -> list[Row]:
            keys = {row["key"] for row in await grid.get_selected_rows()}
            return [row for row in rows if row.key in keys]

        if len(rows) > 1:
            ui.label("With the selected events:").classes("quiet")
            actions.bar(desk, selected, "events in the grid")


def _sample(desk: Desk, row: Row) -> None:
    message = desk.snapshot.message(row)
    if message is None or message.event is None:
        return
    with ui.card().classes("wide").props("flat bordered"):
        ui.label("The newest one").classes("section")
        error_of(message.event)


def _payloads(desk: Desk, rows: tuple[Row, ...]) -> None:
    compared = rows[-_COMPARED:]
    messages = [desk.snapshot.message(row) for row in compared]
    members = compare(one.event.payload for one in messages if one is not None and one.event)
    if len(compared) < 2 or not members:  # noqa: PLR2004 - one alone has all in common
        return
    with ui.card().classes("wide").props("flat bordered"):
        ui.label(f"Payloads of the {plural(len(compared), 'newest event')}").classes("section")
        for title, wanted in (("In common", True), ("Where they differ", False)):
            chosen = [one for one in members if one.is_common is wanted][:_MOST_MEMBERS]
            if chosen:
                ui.label(title).classes("stat-title")
                _members(chosen)


def _members(members: list[Member]) -> None:
    rows: list[dict[str, Any]] = [
        {
            "path": one_line(one.path) or "(the payload)",
            "values": one_line(
                ", ".join(
                    value if one.is_common else f"{value} ({count:,})"
                    for value, count in one.values[:_MOST_VALUES]
                )
                + (
                    f", {len(one.values) - _MOST_VALUES:,} more"
                    if len(one.values) > _MOST_VALUES
                    else ""
                )
            ),
        }
        for one in members
    ]
    ui.table(
        columns=[
            {"name": "path", "label": "Member", "field": "path", "align": "left"},
            {"name": "values", "label": "Value", "field": "values", "align": "left"},
        ],
        rows=rows,
        row_key="path",
    ).classes("wide common").props("dense flat hide-header")
