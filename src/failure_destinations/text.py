"""Text for people: text from outside made fit to print, ages, sizes, payloads laid out."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timezone

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}:,]|[^\s\[\]{}:,"]+')
_PIPE_WIDTH = 160
_GAP = 2
_LEAST_WIDTH = 12
_KIB = 1024
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def printable(text: str) -> str:
    r"""Return text from outside as one line that a terminal or a log shows and does not obey.

    Control characters, line ends of every kind, characters that are invisible or turn the
    direction of writing, and lone surrogates are written as Python escapes them: `\n`, `\x1b`,
    `\u202e`. Everything else, spaces and backslashes included, stays as it is.

    Args:
        text: Any text.
    """
    return text if text.isprintable() else "".join(map(_printable_character, text))


def printable_lines(text: str) -> str:
    r"""Return what `printable` does, but keep `\n` as the end of a line.

    Args:
        text: Any text, such as a payload.
    """
    return "\n".join(map(printable, text.split("\n")))


def _printable_character(char: str) -> str:
    # isprintable() refuses every space but the ASCII one.
    if char.isprintable() or unicodedata.category(char) == "Zs":
        return char
    return char.encode("unicode_escape").decode("ascii")


def plain(text: str) -> str:
    """Return a text in one line, without what would change a terminal."""
    return "".join(char if char.isprintable() else " " for char in text)


def cut(text: str, length: int) -> str:
    """Return a text in one line of at most so many characters."""
    line = plain(text)
    return line if len(line) <= length else f"{line[: length - 1]}…"


def age(time: datetime | None) -> str:
    """Return how long ago it was: `42s`, `7m`, `3h` or `5d`."""
    if time is None:
        return "?"
    seconds = max(0, int((datetime.now(timezone.utc) - time).total_seconds()))
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m")):
        if seconds >= 2 * unit:
            return f"{seconds // unit}{name}"
    return f"{seconds}s"


def size(count: int) -> str:
    """Return a number of bytes: `512 B`, `1.5 KB` or `1.0 MB`, of 1,024 each."""
    if count < _KIB:
        return f"{count} B"
    if count < _KIB * _KIB:
        return f"{count / _KIB:.1f} KB"
    return f"{count / _KIB / _KIB:.1f} MB"


def plural(count: int, noun: str) -> str:
    """Return `1 event` or `2,000 events`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def laid_out(payload: str) -> str:
    """Return JSON on indented lines, with every number and string as it is written."""
    out: list[str] = []
    depth = 0
    parts = _TOKEN.findall(payload)
    for index, part in enumerate(parts):
        following = parts[index + 1] if index + 1 < len(parts) else ""
        if part in "[{":
            depth += 1
            out.append(part if following in ("]", "}") else f"{part}\n{'  ' * depth}")
        elif part in "]}":
            depth -= 1
            empty = index > 0 and parts[index - 1] in ("[", "{")
            out.append(part if empty else f"\n{'  ' * depth}{part}")
        elif part == ",":
            out.append(f",\n{'  ' * depth}")
        else:
            out.append(": " if part == ":" else part)
    return "".join(out)


def print_table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[str] = (),
    shrink: Sequence[str] = ("ERROR", "FUNCTION"),
) -> None:
    """Print a table that fits the terminal; in a pipe it has 160 columns.

    Args:
        headings: The columns' names.
        rows: Their texts.
        right: The columns that are aligned to the right.
        shrink: The columns whose texts are cut where there is no room, the first one first.
    """
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    widths = _widths(headings, rows, shrink, console.width)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(
            heading,
            justify="right" if heading in right else "left",
            no_wrap=True,
            overflow="ellipsis",
        )
    for row in rows:
        table.add_row(*(Text(cut(cell, width)) for cell, width in zip(row, widths, strict=True)))
    console.print(table)


def _widths(
    headings: Sequence[str], rows: Sequence[Sequence[str]], shrink: Sequence[str], available: int
) -> list[int]:
    """Return how wide each column may be."""
    widths = [max(len(plain(cell)) for cell in column) for column in zip(headings, *rows)]  # noqa: B905
    excess = sum(widths) + _GAP * (len(widths) - 1) - available
    for heading in shrink:
        if excess > 0 and heading in headings:
            index = headings.index(heading)
            less = min(excess, max(0, widths[index] - _LEAST_WIDTH))
            widths[index] -= less
            excess -= less
    return widths
