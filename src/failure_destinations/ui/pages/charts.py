"""The charts: failures over time by group, and counts by function."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from nicegui import ui

from ..snapshot import Group, Row, series
from .frame import OTHERS, PALETTE, one_line

_MOST_FUNCTIONS = 8
_NAME = 48
# Names come from outside: drawn on a canvas, they cannot be markup.
_TOOLTIP = {"trigger": "axis", "renderMode": "richText", "confine": True}


def label(group: Group, length: int = _NAME) -> str:
    """Return the name of a group, of at most so many characters."""
    row = group.sample
    text = one_line(": ".join(filter(None, (row.error_type, row.error_message))))
    return text if len(text) <= length else f"{text[: length - 1]}…"


def over_time(groups: list[Group], rows: tuple[Row, ...]) -> None:
    """Show failures over time, stacked by group."""
    shown = groups[: len(PALETTE)]
    found = series(rows, [group.id for group in shown])
    names = {group.id: label(group) for group in shown}
    colours = {group.id: PALETTE[index] for index, group in enumerate(shown)}
    ui.echart(
        {
            "animation": False,
            "tooltip": _TOOLTIP,
            "grid": {"left": 40, "right": 12, "top": 12, "bottom": 24},
            "xAxis": {
                "type": "category",
                "data": _times(found.starts),
                "axisLabel": {"hideOverlap": True},
            },
            "yAxis": {"type": "value", "minInterval": 1},
            "series": [
                {
                    "type": "bar",
                    "stack": "all",
                    "name": names.get(id, "others"),
                    "data": counts,
                    "itemStyle": {"color": colours.get(id, OTHERS)},
                }
                for id, counts in found.counts.items()
            ],
        },
        renderer="svg",
    ).classes("chart").props("data-part=over-time")


def _times(starts: list[datetime]) -> list[str]:
    """Return times as short as they can be told apart."""
    if len(starts) > 1 and starts[1] - starts[0] < timedelta(minutes=1):
        return [start.strftime("%H:%M:%S") for start in starts]
    same_day = bool(starts) and starts[0].date() == starts[-1].date()
    return [start.strftime("%H:%M" if same_day else "%m-%d %H:%M") for start in starts]


def by_function(rows: tuple[Row, ...]) -> None:
    """Show how many events of each function failed."""
    counted = Counter(row.function or "?" for row in rows)
    most = counted.most_common(_MOST_FUNCTIONS)[::-1]
    data: list[Any] = [count for _, count in most]
    ui.echart(
        {
            "animation": False,
            "tooltip": _TOOLTIP,
            "grid": {"left": 8, "right": 40, "top": 4, "bottom": 4, "containLabel": True},
            "xAxis": {"type": "value", "show": False},
            "yAxis": {
                "type": "category",
                "data": [one_line(name) for name, _ in most],
                "axisLabel": {"width": 130, "overflow": "truncate"},
                "axisTick": {"show": False},
                "axisLine": {"show": False},
            },
            "series": [
                {
                    "type": "bar",
                    "data": data,
                    "barMaxWidth": 18,
                    "label": {"show": True, "position": "right"},
                    "itemStyle": {"color": "#b4232a", "borderRadius": 3},
                }
            ],
        },
        renderer="svg",
    ).classes("chart").props("data-part=by-function")
