"""Tables that fit the terminal, and are complete in a pipe."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence

import click

from failure_destinations.text import printable

_GAP = "  "
_MIN_CUT_WIDTH = 12


def print_table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[str] = (),
    shrink: Sequence[str] = ("ERROR", "FUNCTION"),
    drop: Sequence[str] = (),
    width: int | None = None,
) -> None:
    """Print a table on standard output.

    In a pipe nothing is cut. In a terminal a cell that is too long ends with `…`; if that is not
    enough, columns are left out. A table that is still too wide continues in the next line, so that
    ids stay whole.

    Args:
        headings: The columns' names.
        rows: Their cells, which may contain untrusted text.
        right: The columns that are aligned to the right.
        shrink: The columns to shorten if the table does not fit, in this order, but never
            below 12 characters.
        drop: The columns to leave out if it still does not fit, in this order.
        width: The number of characters in a line. Default: the terminal's width; no limit in a
            pipe.
    """
    shown = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(headings, *shown, strict=True)]
    available = width or terminal_width()
    kept = list(range(len(headings)))
    if available is not None:
        least = [
            min(width, _MIN_CUT_WIDTH) if heading in shrink else width
            for heading, width in zip(headings, widths, strict=True)
        ]
        for heading in drop:
            if heading in headings and _total(least[index] for index in kept) > available:
                kept.remove(headings.index(heading))
        _shrink(widths, headings, kept, shrink, available)
    columns = [(index, widths[index], headings[index] in right) for index in kept]
    click.secho(_line(headings, columns), bold=True)
    for row in shown:
        click.echo(_line(row, columns))


def terminal_width() -> int | None:
    """Return how many characters a line of the terminal has; None if output goes to a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _line(cells: Sequence[str], columns: Sequence[tuple[int, int, bool]]) -> str:
    parts = []
    for index, width, right in columns:
        cell = cells[index]
        taken = _width(cell)
        shown = cell if taken <= width else _cut(cell, width)
        padding = " " * max(0, width - taken)
        parts.append(padding + shown if right else shown + padding)
    return _GAP.join(parts).rstrip()


def _shrink(
    widths: list[int],
    headings: Sequence[str],
    kept: Sequence[int],
    shrink: Sequence[str],
    available: int,
) -> None:
    excess = _total(widths[index] for index in kept) - available
    for heading in shrink:
        if excess > 0 and heading in headings:
            index = headings.index(heading)
            less = min(excess, max(0, widths[index] - _MIN_CUT_WIDTH))
            widths[index] -= less
            excess -= less


def _total(widths: Iterable[int]) -> int:
    """Return the width of a line with columns of these widths."""
    taken = list(widths)
    return sum(taken) + len(_GAP) * (len(taken) - 1)


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415 - start-up time

    return cell_len(text)


def _cut(text: str, width: int) -> str:
    if text.isascii():
        return f"{text[: width - 1]}…"
    from rich.cells import set_cell_size  # noqa: PLC0415 - start-up time

    return f"{set_cell_size(text, width - 1)}…"
