"""What the documents say of the tests is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
LOSSES = TESTS.parent / "docs" / "losses.md"


def test_every_named_proof_exists() -> None:
    """Each test that the table of losses names is in the suite."""
    named = set(re.findall(r"`(test_\w+)`", LOSSES.read_text()))
    defined = {
        name
        for file in TESTS.rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)
    }
    assert named - defined == set()


@pytest.mark.parametrize("row", [1, 2, 3, 4, 5, 6, 7, 8, 9, 13])
def test_each_closed_row_names_its_proof(row: int) -> None:
    """A row that is said to be closed has at least one test."""
    (line,) = (text for text in LOSSES.read_text().splitlines() if text.startswith(f"| {row} |"))
    assert re.search(r"`test_\w+`", line.split("|")[5])
