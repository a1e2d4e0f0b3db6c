"""Format text for people: untrusted text made printable, ages, sizes and indented JSON."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, timezone

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}:,]|[^\s\[\]{}:,"]+')
_COMMAND = re.compile(r"^(\s*):(?=:)")
_MAX_INDENTED_DEPTH = 20
_KIB = 1024
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def printable(text: str) -> str:
    r"""Return untrusted text as one line that is safe to show in a terminal or log.

    Control characters, line breaks of every kind, invisible characters, characters that change
    the text direction, and lone surrogates become Python escapes: `\n`, `\x1b`, `\u202e`.
    So do the beginnings of commands that GitHub runs when it finds them in the log of a step:
    `::` at the beginning, after any spaces, becomes `\x3a:`, and `##[` becomes `#\x23[`.
    Everything else, including spaces and backslashes, stays as it is.

    Args:
        text: Any text.

    https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs
    """
    line = text if text.isprintable() else "".join(map(_printable_character, text))
    return _COMMAND.sub(r"\1\\x3a", line).replace("##[", r"#\x23[")


def printable_lines(text: str) -> str:
    r"""Do the same as `printable`, but keep `\n` as a line break.

    Args:
        text: Any text, such as a payload.
    """
    return "\n".join(map(printable, text.split("\n")))


def _printable_character(char: str) -> str:
    # isprintable() is False for every space but the ASCII one.
    if char.isprintable() or unicodedata.category(char) == "Zs":
        return char
    return char.encode("unicode_escape").decode("ascii")


def cut(text: str, length: int) -> str:
    """Return untrusted text as one printable line of at most `length` characters."""
    line = printable(text[: length + 1])
    return line if len(line) <= length else f"{line[: length - 1]}…"


def age(time: datetime | None) -> str:
    """Return the time since `time`: `42s`, `7m`, `3h` or `5d`; `?` if it is None."""
    if time is None:
        return "?"
    seconds = max(0, int((datetime.now(timezone.utc) - time).total_seconds()))
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m")):
        if seconds >= 2 * unit:
            return f"{seconds // unit}{name}"
    return f"{seconds}s"


def size(count: int) -> str:
    """Return a size in bytes for people: `512 B`, `1.5 KB` or `1.0 MB`, in steps of 1,024."""
    if count < _KIB:
        return f"{count} B"
    if count < _KIB * _KIB:
        return f"{count / _KIB:.1f} KB"
    return f"{count / _KIB / _KIB:.1f} MB"


def plural(count: int, noun: str) -> str:
    """Return `1 event` or `2,000 events`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def indented(json_text: str) -> str:
    """Return JSON indented, with every number and string exactly as written.

    Values nested deeper than 20 levels stay on one line, so that the indentation does not
    outgrow the text.

    Args:
        json_text: JSON; other text loses its white space.
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
            # A closing bracket is indented like the line that opened it.
            breaks = not empty and depth < _MAX_INDENTED_DEPTH
            out.append(_line_break(depth) + part if breaks else part)
        elif part == ",":
            out.append("," + _line_break(depth))
        else:
            out.append(": " if part == ":" else part)
    return "".join(out)


def _line_break(depth: int) -> str:
    return f"\n{'  ' * depth}" if depth <= _MAX_INDENTED_DEPTH else ""
