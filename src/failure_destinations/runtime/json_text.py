"""Parts of a JSON text, cut out of it as they are written.

Decoding a payload and writing it again would change numbers, escapes, white space and keys that
come twice: what a handler gets again must be what it got.
"""

from __future__ import annotations

import json
import re

_SPACE = re.compile(r"[ \t\n\r]*")
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
# Numbers stay text: Python refuses integers of more than 4,300 digits, which JSON allows.
_decoder = json.JSONDecoder(parse_int=str, parse_float=str)


def members(text: str) -> dict[str, str]:
    """Return the members of a JSON object: each value as it is written, without decoding it.

    Of a key that comes twice, the last value counts, as everywhere.

    Args:
        text: The text of one JSON object, and nothing beside it.

    Raises:
        ValueError: It is no JSON object.
    """
    at = _after_space(text, 0)
    if text[at : at + 1] != "{":
        raise ValueError("it is no JSON object")
    found: dict[str, str] = {}
    at = _after_space(text, at + 1)
    closed = text[at : at + 1] == "}"
    while not closed:
        if text[at : at + 1] != '"':
            raise ValueError(f"a key is missing at character {at}")
        key, at = _decoder.raw_decode(text, at)
        at = _after_space(text, at)
        if text[at : at + 1] != ":":
            raise ValueError(f"a colon is missing at character {at}")
        start = _after_space(text, at + 1)
        end = _end_of_value(text, start)
        found[key] = text[start:end]
        at = _after_space(text, end)
        closed = text[at : at + 1] == "}"
        if not closed:
            if text[at : at + 1] != ",":
                raise ValueError(f"a comma is missing at character {at}")
            at = _after_space(text, at + 1)
    if _after_space(text, at + 1) != len(text):
        raise ValueError("there is more after the object")
    return found


def inner_members(text: str | None) -> dict[str, str]:
    """Return what `members` does; nothing if there is no text, or it is no JSON object.

    Args:
        text: What `members` returned for a key, or None.
    """
    try:
        return members(text or "")
    except ValueError:
        return {}


def is_json(text: str) -> bool:
    """Tell whether a text is JSON."""
    try:
        return _after_space(text, _end_of_value(text, _after_space(text, 0))) == len(text)
    except ValueError:
        return False


def string(text: str | None) -> str | None:
    """Return the value of a JSON string; of any other value, its text; None for null or no text.

    Args:
        text: What `members` returned for a key, or None.
    """
    if text is None or text == "null":
        return None
    return str(_decoder.decode(text)) if text.startswith('"') else text


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return at if match is None else match.end()


def _end_of_value(text: str, start: int) -> int:
    try:
        return _decoder.raw_decode(text, start)[1]
    except RecursionError:
        # Handlers in other languages take what is nested deeper than Python's decoder goes.
        return _end_of_brackets(text, start)


def _end_of_brackets(text: str, start: int) -> int:
    depth = 0
    for match in _BRACKETS.finditer(text, start):
        if match[0] in "[{":
            depth += 1
        elif match[0] in "]}":
            depth -= 1
            if depth == 0:
                return match.end()
    raise ValueError("a bracket is not closed")
