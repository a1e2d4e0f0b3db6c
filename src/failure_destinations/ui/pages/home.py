"""The start page: what waits, since when, and which groups there are."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from nicegui import ui

from failure_destinations.text import age, printable

from ..desk import Desk
from ..places import SOURCE_QUEUES
from ..snapshot import Group, Snapshot
from . import actions, charts
from .frame import framed, one_line, stat, utc
from .grid import show_grid

_ERROR = 200
STATES = ("waiting", "parked", "dead letters", "copies")


def show(desk: Desk) -> None:
    """Show the page."""
    chosen: dict[str, Any] = {"channel": None, "state": "waiting"}

    @ui.refreshable
    def content() -> None:
        snapshot = _of_channel(desk, desk.snapshot, chosen["channel"])
        if desk.snapshot.taken is None:
            ui.label("Looking into the queues …").classes("quiet")
            return
        _warnings(snapshot)
        _stats(snapshot)
        if chosen["channel"] is None:
            _channels(desk)
        state = chosen["state"]
        ui.toggle(
            {name: f"{name} {snapshot.count(name):,}" for name in _states(desk)},
            value=state,
            on_change=lambda event: choose("state", event.value),
        ).props("no-caps unelevated").classes("states").props("data-part=state")
        rows = tuple(row for row in snapshot.rows if row.place.state == state)
        groups = snapshot.groups(state)
        if rows:
            with ui.element("div").classes("charts"):
                with ui.card().props("flat bordered"):
                    ui.label(f"Failures over time, {state}, UTC").classes("section")
                    charts.over_time(groups, rows)
                with ui.card().props("flat bordered"):
                    ui.label("By function").classes("section")
                    charts.by_function(rows)
        _groups(desk, groups, state)

    def choose(name: str, value: Any) -> None:
        chosen[name] = value
        content.refresh()

    with framed(desk, content.refresh):
        channels = list(dict.fromkeys(place.channel for place in desk.places))
        if len(channels) > 1:
            ui.select(
                {None: "all channels", **{name: one_line(name) for name in channels}},
                value=None,
                on_change=lambda event: choose("channel", event.value),
            ).props("dense outlined aria-label=Channel").props("data-part=channel")
        actions.show_jobs(desk)
        content()


def _states(desk: Desk) -> tuple[str, ...]:
    """Return the states of queues; that of source queues only where a channel has some."""
    has_sources = any(place.state == SOURCE_QUEUES for place in desk.places)
    return (*STATES, SOURCE_QUEUES) if has_sources else STATES


def _of_channel(desk: Desk, snapshot: Snapshot, channel: str | None) -> Snapshot:
    if channel is None:
        return snapshot
    return snapshot.in_places(place for place in desk.places if place.channel == channel)


def _warnings(snapshot: Snapshot) -> None:
    for one in snapshot.looked_at:
        where = f"{one.place.channel}, {one.place.state}"
        for warning in one.warnings:
            ui.label(printable(f"{where}: {warning}")).classes("warning")
        queue = one.queue
        if one.hidden:
            ui.label(
                f"{where}: {one.hidden:,} more cannot be received now: other consumers have "
                "them, or they are delayed"
            ).classes("warning").props("data-part=hidden")
        if queue is not None and queue.consumers:
            ui.label(printable(f"{where}: {', '.join(queue.consumers)} drains this queue")).classes(
                "warning"
            )


def _stats(snapshot: Snapshot) -> None:
    waiting = snapshot.count("waiting")
    groups = len(snapshot.groups("waiting"))
    oldest = snapshot.oldest("waiting")
    with ui.element("div").classes("stats").props("data-part=stats"):
        note = f"in {groups:,} group{'s' if groups != 1 else ''}" if waiting else "nothing to do"
        stat("Waiting", f"{waiting:,}", note, bad=waiting > 0).props("data-part=waiting")
        if oldest is None or oldest.expires is None or oldest.time is None:
            stat("Oldest waits", "-")
        else:
            left = oldest.expires - datetime.now(timezone.utc)
            days = left.total_seconds() / 86_400
            stat("Oldest waits", age(oldest.time), f"{max(0, days):.1f} days until SQS deletes it")
        parked = snapshot.count("parked")
        stat("Parked", f"{parked:,}", "a replayer gave up", bad=parked > 0)
        dead = snapshot.count("dead letters")
        stat("Dead letters", f"{dead:,}", "not started, or not delivered", bad=dead > 0)
        only = snapshot.only_copies()
        stat("Copies", f"{snapshot.count('copies'):,}", f"{only:,} without a record here")


def _channels(desk: Desk) -> None:
    """Show the channels side by side, if there are several."""
    channels = list(dict.fromkeys(place.channel for place in desk.places))
    if len(channels) == 1:
        return
    rows: list[dict[str, Any]] = []
    for channel in channels:
        snapshot = _of_channel(desk, desk.snapshot, channel)
        counts = {state: f"{snapshot.count(state):,}" for state in _states(desk)}
        oldest = snapshot.oldest("waiting")
        since = "-" if oldest is None else age(oldest.time)
        rows.append({"channel": one_line(channel), **counts, "since": since})
    names = [("channel", "Channel"), *((state, state.capitalize()) for state in _states(desk))]
    with ui.card().classes("wide").props("flat bordered data-part=channels"):
        ui.label("Channels").classes("section")
        ui.table(
            columns=[
                {"name": name, "label": label, "field": name, "align": "left"}
                for name, label in [*names, ("since", "Oldest waits")]
            ],
            rows=rows,
            row_key="channel",
        ).classes("wide common").props("dense flat")


def _groups(desk: Desk, groups: list[Group], state: str) -> None:
    with ui.card().classes("wide").props("flat bordered"):
        with ui.row().classes("actions wide"):
            ui.label(f"Groups, {state}").classes("section")
            ui.space()
            search = ui.input(placeholder="filter").props(
                "dense outlined clearable aria-label='Filter groups'"
            )
        if not groups:
            ui.label("No failed events here.").classes("quiet").props("data-part=empty")
            return
        grid = _grid(groups)
        search.on_value_change(
            lambda event: grid.run_grid_method(
                "setGridOption", "quickFilterText", event.value or ""
            )
        )

        async def selected() -> list[Any]:
            ids = {row["id"] for row in await grid.get_selected_rows()}
            return [row for group in groups if group.id in ids for row in group.rows]

        actions.bar(desk, selected, "the selected groups")
        ui.label("Click a group to see its events. Enter opens the one in focus.").classes("quiet")


def _grid(groups: list[Group]) -> ui.aggrid:
    rows = [
        {
            "id": group.id,
            "error": charts.label(group, _ERROR) if group.id else "not failed events",
            "function": one_line(group.sample.function) or "?",
            "count": len(group.rows),
            "first": utc(group.first),
            "last": utc(group.last),
            "parked": sum(row.parked for row in group.rows),
        }
        for group in groups
    ]
    columns = [
        {"headerName": "Error", "field": "error", "flex": 3, "minWidth": 150},
        {"headerName": "Events", "field": "count", "width": 100, "sort": "desc"},
        {"headerName": "Function", "field": "function", "flex": 2, "minWidth": 130},
        {"headerName": "Last (UTC)", "field": "last", "width": 175},
        {"headerName": "First (UTC)", "field": "first", "width": 175},
        {"headerName": "Replayed", "field": "parked", "width": 110},
    ]
    return show_grid("groups", columns, rows, key="id", address=_address)


def _address(group_id: str) -> str:
    return f"/group/{group_id or 'none'}"
