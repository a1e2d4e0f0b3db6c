"""Positions in a batch as a short text for the journal: `1-499,501`, counted from 1."""

from __future__ import annotations

import re
from collections.abc import Iterable

# A batch has at most 10,000 records, of which a journal's line names each once.
# https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
_MOST = 100_000
_RANGE = re.compile(r"(?P<first>[0-9]{1,6})(?:-(?P<last>[0-9]{1,6}))?", re.ASCII)


def to_text(positions: Iterable[int]) -> str:
    """Return positions as ranges; empty for none.

    Args:
        positions: From 0.
    """
    ranges: list[list[int]] = []
    for at in sorted(set(positions)):
        if ranges and at == ranges[-1][1] + 1:
            ranges[-1][1] = at
        else:
            ranges.append([at, at])
    return ",".join(
        f"{first + 1}" if first == last else f"{first + 1}-{last + 1}" for first, last in ranges
    )


def from_text(text: object) -> frozenset[int]:
    """Return the positions that `to_text` wrote; none for any other text.

    Args:
        text: What a journal holds, which may be anything.
    """
    if not isinstance(text, str):
        return frozenset()
    found: set[int] = set()
    for part in text.split(","):
        named = _RANGE.fullmatch(part)
        if named is None:
            return frozenset()
        first, last = int(named["first"]), int(named["last"] or named["first"])
        if not 0 < first <= last <= _MOST:
            return frozenset()
        found.update(range(first - 1, last))
    return frozenset(found)
