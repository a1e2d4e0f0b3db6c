"""Tables that fit the terminal."""

from __future__ import annotations

import pytest

from failure_destinations.cli.tables import print_table

HEADINGS = ("ID", "FUNCTION", "ERROR", "SIZE")
ROW = ("d3b07384", "f" * 40, "e" * 60, "25 B")


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (200, [8, 40, 60, 4]),
        (100, [8, 40, 42, 4]),
        (60, [8, 30, 12, 4]),
        (50, [8, 20, 12, 4]),
        (20, [8, 12, 12, 4]),
    ],
)
def test_cuts_errors_first_and_ids_never(
    capsys: pytest.CaptureFixture[str], width: int, shown: list[int]
) -> None:
    """In a narrow terminal an id can still be read, and given to `show`."""
    print_table(HEADINGS, [ROW], width=width)
    line = capsys.readouterr().out.splitlines()[1]
    id, function, error, *size = line.split()
    assert [len(id), len(function), len(error), len(" ".join(size))] == shown


def test_cuts_nothing_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """What another program reads is complete."""
    print_table(HEADINGS, [("i" * 36, "f" * 140, "e" * 1000, "25 B")])
    line = capsys.readouterr().out.splitlines()[1]
    assert line.split() == ["i" * 36, "f" * 140, "e" * 1000, "25", "B"]


def test_aligns_wide_characters(capsys: pytest.CaptureFixture[str]) -> None:
    """A Chinese character takes two columns of a terminal."""
    print_table(("ERROR", "SIZE"), [("\u6ce8\u6587", "1 B"), ("order", "2 B")])
    assert capsys.readouterr().out.splitlines() == [
        "ERROR  SIZE",
        "\u6ce8\u6587   1 B",
        "order  2 B",
    ]


def test_pads_no_line_at_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    """One very long cell in the last column does not make every line as long."""
    print_table(("ID", "ERROR"), [("1", "e" * 1000), ("2", "short")])
    assert capsys.readouterr().out.splitlines()[2] == "2   short"


def test_shows_text_from_outside_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    """A cell cannot start a line, and has no markup."""
    print_table(("ERROR",), [("[red]a\n::error::\x1b[31m",)], width=100)
    assert capsys.readouterr().out.splitlines()[1].rstrip() == r"[red]a\n::error::\x1b[31m"
