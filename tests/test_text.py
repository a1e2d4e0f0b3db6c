"""Text from outside, made fit to print."""

from __future__ import annotations

import json
import re
import unicodedata
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failure_destinations.text import (
    age,
    cut,
    indented,
    json_line,
    printable,
    readable_lines,
    size,
    until,
    with_characters,
)

from .runtime import messages

ANY_TEXT = st.text(st.characters())
HARMLESS = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", r"a\nb"),
        ("a\r\n\tb", r"a\r\n\tb"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x00\x7f", r"\x00\x7f"),
        ("a\x85b\u2028c\u2029d", r"a\x85b\u2028c\u2029d"),
        ("\x9b31m", r"\x9b31m"),
        ("a\u202eb\u2066c", r"a\u202eb\u2066c"),
        ("a\u200bb\ufeffc\u00add", r"a\u200bb\ufeffc\xadd"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
        ("\n::error::no", r"\n::error::no"),
        ("::error::no", r"\x3a:error::no"),
        ("  ::stop-commands::x", r"  \x3a:stop-commands::x"),
        ("a ##[add-mask]b", r"a #\x23[add-mask]b"),
    ],
)
def test_escapes_what_a_terminal_or_a_log_would_obey(text: str, shown: str) -> None:
    """Nothing is dropped: the reader sees which character was there."""
    assert printable(text) == shown


def test_escapes_commands_in_each_line_of_a_payload() -> None:
    """GitHub looks for them in every line of a log."""
    assert readable_lines("a\n ::error::b\n##[group]c") == "a\n \\x3a:error::b\n#\\x23[group]c"


@pytest.mark.parametrize("text", ["", " a  b ", "Größe注文", "a\u00a0b\u3000c", r"C:\new", "😀"])
def test_leaves_printable_text_as_it_is(text: str) -> None:
    """Letters of every script, spaces and backslashes."""
    assert printable(text) == text


@given(HARMLESS)
def test_leaves_every_harmless_character(text: str) -> None:
    """What neither moves the cursor nor hides is shown as it is."""
    assert printable(text) == text


@given(ANY_TEXT)
def test_shows_any_text_in_one_line(text: str) -> None:
    """No control, format or separator character is left, and UTF-8 can hold the rest."""
    shown = printable(text)
    assert shown.splitlines() in ([], [shown])
    assert not {unicodedata.category(char) for char in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    shown.encode()


@given(ANY_TEXT)
def test_keeps_the_lines_of_a_payload(text: str) -> None:
    """As many lines as there were, each of them printable."""
    lines = readable_lines(text).split("\n")
    written = re.split(r"\r\n|\n|\r", text)
    assert lines == [printable(line.expandtabs(4)) for line in written]


@messages.patient
@given(messages.payloads)
def test_indents_json_without_changing_it(payload: str) -> None:
    """Only white space between values changes."""

    def without_space(text: str) -> list[str]:
        return re.findall(r'"(?:[^"\\]|\\.)*"|[^\s"]', text)

    assert without_space(indented(payload)) == without_space(payload)


def test_indents_json() -> None:
    """Each member has a line, indented by its depth."""
    assert indented('{"a":[1, {}],"b":[]}') == ('{\n  "a": [\n    1,\n    {}\n  ],\n  "b": []\n}')


def test_cuts_text_from_outside_to_one_line() -> None:
    """Control characters are escaped, and the end is marked."""
    assert cut("a\x1b[31m\nb" + "c" * 100, 15) == r"a\x1b[31m\nbcc…"


@pytest.mark.parametrize(
    ("seconds", "written"), [(5, "5s"), (119, "119s"), (600, "10m"), (7200, "2h"), (200_000, "2d")]
)
def test_writes_ages(seconds: int, written: str) -> None:
    """In the largest unit that makes at least two."""
    assert age(datetime.now(timezone.utc) - timedelta(seconds=seconds)) == written


@pytest.mark.parametrize(
    ("count", "written"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KB"), (1 << 20, "1.0 MB")]
)
def test_writes_sizes(count: int, written: str) -> None:
    """In bytes, kilobytes or megabytes."""
    assert size(count) == written


@pytest.mark.parametrize("depth", [100, 20_000])
def test_indents_deep_nesting_within_bounds(depth: int) -> None:
    """The output grows with the text, not with its depth times its length."""
    nested = "[" * depth + "1" + "]" * depth
    assert len(indented(nested)) < len(nested) + 2 * 20 * 2 * 21


@given(ANY_TEXT)
def test_writes_json_that_can_be_printed(text: str) -> None:
    """The same value comes back, and no character moves the cursor."""
    line = json_line({"text": text, text: [1]})
    assert json.loads(line) == {"text": text, text: [1]}
    assert not {unicodedata.category(char) for char in line} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


def test_escapes_only_what_cannot_be_printed() -> None:
    """Letters of every script are letters."""
    assert json_line("Größe\n注文😀\u202e") == '"Größe\\n注文😀\\u202e"'


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (r'"\u00fc \ud83d\ude00"', '"ü 😀"'),
        (r'"\\u00fc"', r'"\\u00fc"'),
        (r'"\u0022 \u005c \u0000 \u202e"', r'"\u0022 \u005c \u0000 \u202e"'),
        (r'"\ud83d \ude00 \ud83d\u0041 \ud83d\udzzz"', r'"\ud83d \ude00 \ud83dA \ud83d\udzzz"'),
        (r'"\n \t \/"', r'"\n \t \/"'),
    ],
)
def test_shows_escaped_letters_as_letters(written: str, shown: str) -> None:
    """But not what ends a string, or a terminal would obey."""
    assert with_characters(written) == shown


@messages.patient
@given(messages.payloads)
def test_shown_letters_do_not_change_json(payload: str) -> None:
    """It is the same JSON."""

    def decoded(text: str) -> object:
        return json.loads(text, parse_int=str, parse_float=str)

    assert decoded(with_characters(payload)) == decoded(payload)


def test_keeps_the_lines_of_a_stack_trace() -> None:
    """Whatever ends them; a tab is spaces, and the rest is escaped."""
    assert readable_lines("a\r\n\tb\rc\x1b\u2028d") == "a\n    b\nc\\x1b\\u2028d"


def test_writes_what_is_left() -> None:
    """In the same units as ages; nothing once it is over."""
    now = datetime.now(timezone.utc)
    assert until(now + timedelta(days=3, hours=1)) == "3d"
    assert (until(now - timedelta(days=3)), until(None)) == ("0s", "?")
