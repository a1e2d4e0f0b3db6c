"""Slice JSON text without decoding it.

Decoding and encoding a payload would change numbers, escapes, white space and duplicate keys, but a
handler must get exactly what it got before.

Every function takes linear time and memory.
"""

from __future__ import annotations

import json
import re

_SPACE = re.compile(r"[ \t\n\r]*")
# Always matched at a position, so text that does not match is never searched further.
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
# Numbers stay text, because Python refuses integers of more than 4,300 digits, which JSON allows.
_decoder = json.JSONDecoder(parse_int=str, parse_float=str)


def members(text: str) -> dict[str, str]:
    """Return the members of a JSON object, each value as its undecoded JSON text.

    If a key is repeated, its last value counts, as in other JSON parsers.

    Args:
        text: The JSON text of one object, with nothing before or after it.

    Raises:
        ValueError: It is not a JSON object.
    """
    return {key: text[start:end] for key, (start, end) in member_spans(text).items()}


def member_spans(text: str) -> dict[str, tuple[int, int]]:
    """Return where the values of a JSON object begin and end.

    Args:
        text: As for `members`.

    Raises:
        ValueError: It is not a JSON object.
    """
    at = _after_space(text, 0)
    if text[at : at + 1] != "{":
        raise ValueError("it is not a JSON object")
    found: dict[str, tuple[int, int]] = {}
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
        found[key] = start, end
        at = _after_space(text, end)
        closed = text[at : at + 1] == "}"
        if not closed:
            if text[at : at + 1] != ",":
                raise ValueError(f"a comma is missing at character {at}")
            at = _after_space(text, at + 1)
    if _after_space(text, at + 1) != len(text):
        raise ValueError("there is more after the object")
    return found


def elements(text: str | None) -> list[str]:
    """Return the elements of a JSON array, each as its undecoded JSON text.

    Args:
        text: A value from `members`, or None.

    Returns:
        The elements; empty for None and for text that is not a JSON array.
    """
    text = text or ""
    if not text.startswith("["):
        return []
    found: list[str] = []
    at = _after_space(text, 1)
    try:
        while text[at : at + 1] != "]":
            end = _end_of_value(text, at)
            found.append(text[at:end])
            at = _after_space(text, end)
            if text[at : at + 1] == ",":
                at = _after_space(text, at + 1)
            elif text[at : at + 1] != "]":
                return []
    except ValueError:
        return []
    return found


def inner_members(text: str | None) -> dict[str, str]:
    """Return `members` of a text; empty for None and for text that is not a JSON object.

    Args:
        text: A value from `members`, or None.
    """
    try:
        return members(text or "")
    except ValueError:
        return {}


def is_json(text: str) -> bool:
    """Return whether text is valid JSON."""
    try:
        return _after_space(text, _end_of_value(text, _after_space(text, 0))) == len(text)
    except ValueError:
        return False


def string(text: str | None) -> str | None:
    """Decode a JSON string; return the text of any other value, and None for null or None.

    Args:
        text: A value from `members`, or None.
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
        # Handlers in other languages accept JSON that is too deep for Python's decoder.
        return _end_of_nested_value(text, start)


def _end_of_nested_value(text: str, start: int) -> int:
    """Return the end of an array or object, without recursion.

    Raises:
        ValueError: It is not JSON.
    """
    # The closing brackets of the arrays and objects around the position.
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
    """Return which tokens may follow, and track the brackets that the token opens or closes."""
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
