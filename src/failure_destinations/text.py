"""Format text for people: untrusted text made printable, ages, sizes and indented JSON."""

from __future__ import annotations

import json
import re
import unicodedata
from datetime import datetime, timedelta, timezone
from typing import Any

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}:,]|[^\s\[\]{}:,"]+')
_JSON_ESCAPE = re.compile(
    r"\\(?:u(?P<code>[0-9a-fA-F]{4})(?:(?<=[dD][89abAB]..)\\u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2}))?|.)",
    re.DOTALL,
)
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


def _printable_character(char: str) -> str:
    # isprintable() is False for every space but the ASCII one.
    if char.isprintable() or unicodedata.category(char) == "Zs":
        return char
    return char.encode("unicode_escape").decode("ascii")


def cut(text: str, length: int) -> str:
    """Return untrusted text as one printable line of at most `length` characters."""
    line = printable(text[: length + 1])
    return line if len(line) <= length else f"{line[: length - 1]}…"


def readable_lines(text: str) -> str:
    r"""Return untrusted text of several lines, such as a stack trace, as a person reads it.

    Line breaks of every system stay, and tabs become spaces. All else is as in `printable`.

    Args:
        text: Any text.
    """
    return "\n".join(printable(line.expandtabs(4)) for line in re.split(r"\r\n|\n|\r", text))


def with_characters(json_text: str) -> str:
    r"""Return JSON text with `\u` escapes replaced by their characters, where those can be printed.

    Args:
        json_text: JSON; so is the result.
    """
    return _JSON_ESCAPE.sub(_character, json_text)


def _character(escape: re.Match[str]) -> str:
    if not escape["code"]:
        return escape[0]
    units = bytes.fromhex(escape["code"] + (escape["low"] or ""))
    char = units.decode("utf-16-be", "replace")
    # A quotation mark or a backslash would end the string, or begin an escape.
    return char if char.isprintable() and char not in '"\\\ufffd' else escape[0]


def json_line(value: Any) -> str:
    r"""Return a value as one line of JSON in which only what cannot be printed is `\u`-escaped.

    Args:
        value: What `json.dumps` takes.
    """
    line = json.dumps(value, ensure_ascii=False)
    return line if line.isprintable() else "".join(map(_json_character, line))


def _json_character(char: str) -> str:
    # Inside strings only: between values there is no other space than the ASCII one.
    if char.isprintable() or unicodedata.category(char) == "Zs":
        return char
    return json.dumps(char)[1:-1]


def age(time: datetime | None) -> str:
    """Return the time since `time`: `42s`, `7m`, `3h` or `5d`; `?` if it is None."""
    return "?" if time is None else duration(datetime.now(timezone.utc) - time)


def until(time: datetime | None) -> str:
    """Return the time until `time`: `42s`, `7m`, `3h` or `5d`; `?` if it is None."""
    return "?" if time is None else duration(time - datetime.now(timezone.utc))


def duration(length: timedelta) -> str:
    """Return a length of time: `42s`, `7m`, `3h` or `5d`; `0s` if it is negative."""
    seconds = max(0, int(length.total_seconds()))
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
