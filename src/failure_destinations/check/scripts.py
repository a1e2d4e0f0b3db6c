"""Find what JavaScript and mapping templates set a name to, outside of their comments and texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_END = ("other", "")
_ENDS = ("", ",", "}", "]", ";")
# A text in quotes, with escapes; each alternative consumes at least one character.
_TEXT = r""""(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'"""
# https://docs.aws.amazon.com/appsync/latest/devguide/resolver-reference-overview-js.html
_JAVASCRIPT = re.compile(
    rf"""
    (?P<skipped>//[^\n]*|/\*.*?(?:\*/|\Z)|\s+)
    |(?P<text>{_TEXT}|`(?:[^`\\$]|\\.)*`)
    |(?P<template>`(?:[^`\\]|\\.)*`)
    |(?P<name>[A-Za-z_$][\w$]*)
    |(?P<other>.)
    """,
    re.DOTALL | re.VERBOSE,
)
# https://docs.aws.amazon.com/appsync/latest/devguide/resolver-mapping-template-reference-programming-guide.html
_VTL = re.compile(
    rf"""
    (?P<skipped>\#\#[^\n]*|\#\*.*?(?:\*\#|\Z)|\s+)
    |(?P<text>{_TEXT})
    |(?P<name>[A-Za-z_][\w-]*)
    |(?P<other>.)
    """,
    re.DOTALL | re.VERBOSE,
)


def values_in_javascript(code: str, name: str) -> Iterator[str | None]:
    """Yield the texts that a property of objects has in code; None for an expression.

    Args:
        code: The code.
        name: The property's name.
    """
    return _values(_tokens(_JAVASCRIPT, code), name)


def values_in_vtl(template: str, name: str) -> Iterator[str | None]:
    """Yield the texts that a property of objects has in a mapping template; None for an expression.

    Args:
        template: The template, in the Velocity Template Language.
        name: The property's name.
    """
    return _values(_tokens(_VTL, template), name)


def texts_in_vtl(template: str) -> Iterator[str]:
    """Yield the texts, names and other characters of a mapping template, without its comments."""
    for _, value in _tokens(_VTL, template):
        yield value


def _tokens(language: re.Pattern[str], code: str) -> Iterator[tuple[str, str]]:
    for found in language.finditer(code):
        kind = found.lastgroup or "other"
        if kind == "text":
            yield kind, found.group()[1:-1]
        elif kind != "skipped":
            yield kind, found.group()


def _values(tokens: Iterable[tuple[str, str]], name: str) -> Iterator[str | None]:
    """Yield the value after each `name:`; a literal ends at a comma or bracket."""
    each = [_END, *tokens, _END, _END, _END]
    for i in range(1, len(each) - 3):
        kind, value = each[i]
        if value != name or kind not in ("name", "text"):
            continue
        colon, given, end = each[i + 1 : i + 4]
        if colon == ("other", ":"):
            yield given[1] if given[0] == "text" and end[1] in _ENDS else None
        elif kind == "name" and each[i - 1][1] in ("{", ",") and colon[1] in ("}", ","):
            # The short form: the property has the value of the variable of its name.
            yield None
