"""A table whose rows can be sorted, selected and opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nicegui import ui
from nicegui.events import GenericEventArguments

# A table of so many rows is as high as they are; a longer one scrolls.
_FEW_ROWS = 10


def show_grid(
    part: str,
    columns: Sequence[dict[str, Any]],
    rows: Sequence[dict[str, Any]],
    *,
    key: str,
    address: Callable[[str], str],
) -> ui.aggrid:
    """Show rows, each of which a click or Enter opens.

    Args:
        part: The name of this part of the page.
        columns: The columns, as AG Grid has them.
        rows: The rows, by the columns' fields.
        key: The field that tells rows apart.
        address: Returns the page of a row, by its key.
    """
    few = len(rows) <= _FEW_ROWS
    grid = ui.aggrid(
        {
            "columnDefs": list(columns),
            "defaultColDef": {"sortable": True, "resizable": True},
            "rowSelection": {"mode": "multiRow"},
            "rowData": list(rows),
            ":getRowId": f"params => params.data.{key}",
            "domLayout": "autoHeight" if few else "normal",
        }
    )
    grid.classes("wide" if few else "grid").props(f"data-part={part}")

    def open_row(event: GenericEventArguments) -> None:
        ui.navigate.to(address(event.args["data"][key]))

    def press(event: GenericEventArguments) -> None:
        if event.args.get("key") == "Enter":
            open_row(event)

    grid.on("cellClicked", open_row, ["data"])
    grid.on(
        "cellKeyDown",
        press,
        js_handler="(event) => emit({key: event.event.key, data: event.data})",
    )
    return grid
