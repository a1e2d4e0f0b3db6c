"""Text from outside, made fit to print."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failure_destinations.text import printable, printable_lines

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
    ],
)
def test_escapes_what_a_terminal_or_a_log_would_obey(text: str, shown: str) -> None:
    """Nothing is dropped: the reader sees which character was there."""
    assert printable(text) == shown


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
    lines = printable_lines(text).split("\n")
    assert lines == [printable(line) for line in text.split("\n")]
