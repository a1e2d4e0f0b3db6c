"""What the documents say of the tests is so."""

from __future__ import annotations

import re
from pathlib import Path

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
