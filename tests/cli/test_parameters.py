"""The types of what people type after an option."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import click
import pytest

from failure_destinations.cli.parameters import TimeType


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-02", datetime(2026, 11, 2, tzinfo=timezone.utc)),
        ("2026-11-02T03:00Z", datetime(2026, 11, 2, 3, tzinfo=timezone.utc)),
        ("2026-11-02T03:00+01:00", datetime(2026, 11, 2, 2, tzinfo=timezone.utc)),
    ],
)
def test_reads_times(text: str, expected: datetime) -> None:
    """ISO 8601, in UTC unless it says otherwise."""
    assert TimeType().convert(text, None, None) == expected


def test_reads_how_long_ago() -> None:
    """A number and a unit."""
    before = datetime.now(timezone.utc)
    read = TimeType().convert("90m", None, None)
    assert before <= read + timedelta(minutes=90) <= datetime.now(timezone.utc)


@pytest.mark.parametrize("text", ["yesterday", "12", "-3d", "99999999999w", ""])
def test_rejects_a_text_that_is_not_a_time(text: str) -> None:
    """The error shows how to write a time."""
    with pytest.raises(click.BadParameter, match="write 2026-11-02T03:00"):
        TimeType().convert(text, None, None)
