"""Text for people: text from outside made fit to print, ages, sizes, payloads laid out."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, timezone

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}:,]|[^\s\[\]{}:,"]+')
_MAX_INDENTED_DEPTH = 20
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


def cut(text: str, length: int) -> str:
    """Return text from outside as one printable line of at most `length` characters."""
    line = printable(text[: length + 1])
    return line if len(line) <= length else f"{line[: length - 1]}…"


def age(time: datetime | None) -> str:
    """Return how long ago a time was: `42s`, `7m`, `3h` or `5d`; `?` if it is not known."""
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


def indented(json_text: str) -> str:
    """Return JSON on indented lines, with every number and string as it is written.

    What is nested deeper than 20 levels stays in one line, so that the indentation does not
    outgrow the text.

    Args:
        json_text: JSON. Other text loses its white space.
    """
    out: list[str] = []
    depth = 0
    parts = _TOKEN.findall(json_text)
    for index, part in enumerate(parts):
        following = parts[index + 1] if index + 1 < len(parts) else ""
        if part in ("[", "{"):
            depth += 1
            out.append(part if following in ("]", "}") else part + _line_break(depth))
        elif part in ("]", "}"):
            depth -= 1
            empty = index > 0 and parts[index - 1] in ("[", "{")
            # The line break before it is that of the level which it closes.
            breaks = not empty and depth < _MAX_INDENTED_DEPTH
            out.append(_line_break(depth) + part if breaks else part)
        elif part == ",":
            out.append("," + _line_break(depth))
        else:
            out.append(": " if part == ":" else part)
    return "".join(out)


def _line_break(depth: int) -> str:
    return f"\n{'  ' * depth}" if depth <= _MAX_INDENTED_DEPTH else ""
