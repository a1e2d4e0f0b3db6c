"""Parts of a JSON text, cut out of it as they are written.

Decoding a payload and writing it again would change numbers, escapes, white space and keys that
come twice: a handler must get exactly what it got before.

Every function takes time and memory in proportion to the length of its text.
"""

from __future__ import annotations

import json
import re

_SPACE = re.compile(r"[ \t\n\r]*")
# A match at a position, or none: a text that does not match is never searched further on.
_TOKEN = re.compile(
    r"""
    [ \t\n\r]*
    (?: (?P<string>  " [^"\\\x00-\x1f]*
                     (?: \\ (?: ["\\/bfnrt] | u[0-9a-fA-F]{4} ) [^"\\\x00-\x1f]* )* " )
    | (?P<scalar>  -? (?: 0 | [1-9][0-9]* ) (?: \.[0-9]+ )? (?: [eE][+-]?[0-9]+ )?
                   | true | false | null | NaN | -?Infinity )
    | (?P<open>  [\[{] )
    | (?P<close> [\]}] )
    | (?P<comma> , )
    | (?P<colon> : ) )
    """,
    re.VERBOSE,
)
# Numbers stay text: Python refuses integers of more than 4,300 digits, which JSON allows.
_decoder = json.JSONDecoder(parse_int=str, parse_float=str)


def members(text: str) -> dict[str, str]:
    """Return the members of a JSON object: each value as it is written, without decoding it.

    If a key comes twice, its last value counts, as in every JSON reader.

    Args:
        text: The text of one JSON object, with nothing before or after it.

    Raises:
        ValueError: It is not a JSON object.
    """
    at = _after_space(text, 0)
    if text[at : at + 1] != "{":
        raise ValueError("it is not a JSON object")
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
    """Return what `members` does; nothing for None and for a text that is not a JSON object.

    Args:
        text: What `members` returned for a key, or None.
    """
    try:
        return members(text or "")
    except ValueError:
        return {}


def is_json(text: str) -> bool:
    """Return whether a text is JSON."""
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
        # Handlers in other languages take JSON that nests deeper than Python's decoder goes.
        return _end_of_nested_value(text, start)


def _end_of_nested_value(text: str, start: int) -> int:
    """Return where an array or object ends, without recursion.

    Raises:
        ValueError: It is not JSON.
    """
    # The closing bracket of each array and object around the position.
    closing: list[str] = []
    expected = "value"
    at = start
    while True:
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"not JSON at character {at}")
        at = match.end()
        expected = _next_expected(match, expected, closing)
        if not closing:
            return at


def _next_expected(match: re.Match[str], expected: str, closing: list[str]) -> str:
    """Return what may follow a token; note the brackets that it opens or closes."""
    kind = match.lastgroup
    part = match[kind or 0]
    after_value = "comma or close"
    if kind == "open" and "value" in expected:
        closing.append("]" if part == "[" else "}")
        return "value or close" if part == "[" else "key or close"
    if kind == "close" and "close" in expected and closing and part == closing.pop():
        return after_value
    if kind == "string" and "key" in expected:
        return "colon"
    if kind in ("string", "scalar") and "value" in expected and closing:
        return after_value
    if kind == "colon" and expected == "colon":
        return "value"
    if kind == "comma" and "comma" in expected:
        return "value" if closing[-1] == "]" else "key"
    raise ValueError(f"{part[:20]!r} is out of place")
