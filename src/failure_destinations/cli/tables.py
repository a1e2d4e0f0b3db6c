"""Tables that fit the terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from failure_destinations.text import cut, printable

_PIPE_WIDTH = 160
_GAP = 2
_MIN_CUT_WIDTH = 12


def print_table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[str] = (),
    shrink: Sequence[str] = ("ERROR", "FUNCTION"),
    width: int | None = None,
) -> None:
    """Print a table on standard output.

    Args:
        headings: The columns' names.
        rows: Their cells, which may contain untrusted text.
        right: The columns that are aligned to the right.
        shrink: The columns to shorten if the table does not fit, in this order, but never
            below 12 characters.
        width: The number of characters in a line. Default: the terminal's width; 160 in a pipe.
    """
    from rich.console import Console  # noqa: PLC0415 - start-up time
    from rich.table import Table  # noqa: PLC0415 - start-up time
    from rich.text import Text  # noqa: PLC0415 - start-up time

    shown = [[printable(cell) for cell in row] for row in rows]
    console = Console(width=width or (None if sys.stdout.isatty() else _PIPE_WIDTH))
    widths = _widths(headings, shown, shrink, console.width)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(
            heading,
            justify="right" if heading in right else "left",
            no_wrap=True,
            overflow="ellipsis",
        )
    for row in shown:
        table.add_row(*(Text(cut(cell, size)) for cell, size in zip(row, widths, strict=True)))
    console.print(table)


def _widths(
    headings: Sequence[str], rows: Sequence[Sequence[str]], shrink: Sequence[str], available: int
) -> list[int]:
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    excess = sum(widths) + _GAP * (len(widths) - 1) - available
    for heading in shrink:
        if excess > 0 and heading in headings:
            index = headings.index(heading)
            less = min(excess, max(0, widths[index] - _MIN_CUT_WIDTH))
            widths[index] -= less
            excess -= less
    return widths
