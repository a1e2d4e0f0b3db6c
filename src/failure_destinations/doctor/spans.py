"""Durations and lists, as people write them."""

from __future__ import annotations

from collections.abc import Sequence

from failure_destinations.text import plural

_DAY = 86_400


def span(seconds: float) -> str:
    """Return a duration for people: `14 days`, `3.5 hours` or `60 seconds`."""
    for unit, name in ((_DAY, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * unit or seconds == unit:
            count = f"{seconds / unit:.1f}".removesuffix(".0")
            return f"{count} {name}{'' if count == '1' else 's'}"
    return plural(int(seconds), "second")


def listed(words: Sequence[str]) -> str:
    """Return words as a list: `a, b and c`."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
