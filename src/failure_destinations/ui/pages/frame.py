"""What all pages share: header, colours, times, and the look that runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from nicegui import ui
from nicegui.events import KeyEventArguments

from failure_destinations.text import age, printable

from ..desk import Desk

CSS = (Path(__file__).with_name("page.css")).read_text(encoding="utf-8")
PALETTE = (
    "#c2410c", "#2563eb", "#0f766e", "#9333ea", "#ca8a04", "#db2777", "#4d7c0f", "#0891b2",
)  # fmt: skip
OTHERS = "#94a3b8"
NEWS_SECONDS = 0.5
# None: as the operator's system is.
_NEXT_MODE = {None: True, True: False, False: None}


@contextmanager
def framed(desk: Desk, refresh: Callable[[], object], *, back: bool = False) -> Iterator[None]:
    """Show the frame of a page around what is defined in the block.

    Args:
        desk: The state behind the page.
        refresh: Shows the page's content anew; called when there is a new snapshot.
        back: Whether the page has a way back to the start.
    """
    ui.colors(primary="#b4232a", secondary="#334155", accent="#2563eb", dark="#0f172a")
    mode = ui.dark_mode(desk.dark)
    with ui.header().classes("bar items-center no-wrap"):
        if back:
            ui.button(icon="arrow_back", on_click=lambda: ui.navigate.to("/")).props(
                "flat round dense color=white aria-label='Back to all groups'"
            )
        ui.link("Failed events", "/").classes("brand")
        ui.space()
        if desk.read_only:
            ui.badge("read only").props("outline color=white").props("data-part=read-only")
        status = ui.label().classes("status").props("data-part=status")
        ui.button(icon="refresh", on_click=desk.look).props(
            "flat round dense color=white aria-label='Look again (R)'"
        ).props("data-part=look")
        ui.button(icon="contrast", on_click=lambda: _toggle(desk, mode)).props(
            "flat round dense color=white aria-label='Light or dark (D)'"
        ).props("data-part=dark")
    bar = ui.linear_progress(show_value=False, size="3px").classes("looking").props("color=accent")
    # What is defined in the block shows this version.
    seen = {"version": desk.version}
    status.props(f"data-version={desk.version}")

    def news() -> None:
        looking = desk.looking
        bar.set_visibility(looking is not None)
        if looking is not None:
            share = looking.share
            bar.props(remove="indeterminate") if share is not None else bar.props("indeterminate")
            bar.set_value(share or 0)
            status.set_text(f"{looking.what or 'looking'} {looking.done:,}")
        else:
            taken = desk.snapshot.taken
            status.set_text("" if taken is None else f"seen {age(taken)} ago")
        if seen["version"] != desk.version:
            seen["version"] = desk.version
            refresh()
            status.props(f"data-version={desk.version}")

    def key(pressed: KeyEventArguments) -> None:
        if not pressed.action.keydown or pressed.action.repeat or pressed.modifiers.ctrl:
            return
        if pressed.key == "r":
            desk.look()
        elif pressed.key == "d":
            _toggle(desk, mode)
        elif pressed.key.escape and back:
            ui.navigate.to("/")

    ui.keyboard(on_key=key)
    with ui.column().classes("content"):
        yield
    ui.timer(NEWS_SECONDS, news)


def _toggle(desk: Desk, mode: ui.dark_mode) -> None:
    desk.dark = _NEXT_MODE[desk.dark]
    mode.set_value(desk.dark)


def note_absence(desk: Desk, text: str) -> None:
    """Say that something is not there, or that it is not known yet."""
    known = desk.snapshot.taken is not None
    ui.label(text if known else "Looking into the queues …").classes("quiet").props(
        "data-part=empty"
    )


def utc(time: datetime | None) -> str:
    """Return a time for people, in UTC; `?` if it is unknown."""
    return "?" if time is None else time.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S")


def one_line(text: str) -> str:
    """Return text from outside as one line that cannot disturb the page."""
    return printable(" ".join(text.split()))


def stat(title: str, value: str, note: str = "", *, bad: bool = False) -> ui.element:
    """Show a number with its title."""
    with ui.card().classes("stat" + (" bad" if bad else "")).props("flat bordered") as card:
        ui.label(title).classes("stat-title")
        ui.label(value).classes("stat-value")
        ui.label(note).classes("stat-note")
    return card
