"""What the payloads of a group have in common, and where they differ."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

_MAX_PATHS = 200
_MAX_DEPTH = 12
_MAX_VALUE = 120


@dataclass(frozen=True)
class Member:
    """A member of the payloads.

    Attributes:
        path: Where it is, such as `detail.order.id`; empty for the payload itself.
        values: Its values as JSON, each cut, with the number of payloads that have it, the most
            frequent first.
        count: The number of payloads that have it at all.
        of: The number of payloads.
    """

    path: str
    values: list[tuple[str, int]]
    count: int
    of: int

    @property
    def is_common(self) -> bool:
        """Whether every payload has it, with one value."""
        return self.count == self.of and len(self.values) == 1


def compare(payloads: Iterable[str]) -> list[Member]:
    """Return the members of payloads, as they come in them.

    Args:
        payloads: JSON texts; those that are not JSON count as one value.
    """
    found: dict[str, Counter[str]] = defaultdict(Counter)
    total = 0
    for payload in payloads:
        total += 1
        try:
            value = json.loads(payload)
        except (ValueError, RecursionError):
            value = payload
        for path, leaf in _leaves(value, "", 0):
            if path in found or len(found) < _MAX_PATHS:
                found[path][leaf] += 1
    return [
        Member(path, values.most_common(), values.total(), total) for path, values in found.items()
    ]


def _leaves(value: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value and depth < _MAX_DEPTH:
        for name, member in value.items():
            yield from _leaves(member, f"{path}.{name}" if path else name, depth + 1)
        return
    # Lists of other lengths cannot be compared member by member.
    written = json.dumps(value, ensure_ascii=False)
    yield path, written if len(written) <= _MAX_VALUE else f"{written[: _MAX_VALUE - 1]}…"
