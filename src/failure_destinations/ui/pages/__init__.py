"""The pages: what the browser shows. They call what the commands call, and decide nothing."""

from __future__ import annotations

from nicegui import ui

from ..desk import Desk
from . import event, frame, group, home

__all__ = ["register"]


def register(desk: Desk) -> None:
    """Define the pages of a server.

    Args:
        desk: The state behind them.
    """
    ui.add_css(frame.CSS, shared=True)

    @ui.page("/")
    def start_page() -> None:
        home.show(desk)

    @ui.page("/group/{group_id}")
    def group_page(group_id: str) -> None:
        group.show(desk, group_id)

    @ui.page("/event/{key}")
    def event_page(key: str) -> None:
        event.show(desk, key)
