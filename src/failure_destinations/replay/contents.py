"""The functions, errors and groups of a queue's events, for an operator whose filter chose none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from failure_destinations.text import cut, plural

from .received_message import ReceivedMessage

_SHOWN = 5
_LENGTH = 64
# Whoever may send to the queue chooses the names.
_MAX_KEPT = 1000


class Contents:
    """Counts the messages that a filter did not choose, by function, error type and group."""

    def __init__(self) -> None:
        self._events = 0
        self._others = 0
        self._functions: Counter[str] = Counter()
        self._error_types: Counter[str] = Counter()
        self._groups: Counter[str] = Counter()

    def add(self, message: ReceivedMessage) -> None:
        """Count a message."""
        event = message.event
        if event is None:
            self._others += 1
            return
        self._events += 1
        _count(self._functions, event.called or event.sender or "not named")
        _count(self._error_types, event.error_type or "not named")
        _count(self._groups, message.group or "?")

    def lines(self) -> list[str]:
        """Return what was counted, each line fit to print; none if there was nothing."""
        lines = []
        if self._others:
            are = "is not a failed event" if self._others == 1 else "are not failed events"
            lines.append(f"{plural(self._others, 'message')} {are}")
        if self._events:
            lines.append(f"{plural(self._events, 'failed event')} not chosen:")
            lines += [f"  {heading}: {shown}" for heading, shown in self._shown()]
        return lines

    def sentence(self) -> str:
        """Return the same as one line, fit to print; empty if there was nothing."""
        if not self._events:
            return "; ".join(self.lines())
        counted = [f"{heading}: {shown}" for heading, shown in self._shown()]
        return "; ".join([f"{plural(self._events, 'failed event')} not chosen", *counted])

    def _shown(self) -> Iterator[tuple[str, str]]:
        for heading, counts in (
            ("functions", self._functions),
            ("error types", self._error_types),
            ("groups", self._groups),
        ):
            shown = [
                f"{cut(name, _LENGTH)} ({count:,})" for name, count in counts.most_common(_SHOWN)
            ]
            more = ", …" if len(counts) > _SHOWN else ""
            yield heading, f"{', '.join(shown)}{more}"


def _count(counts: Counter[str], name: str) -> None:
    if name in counts or len(counts) < _MAX_KEPT:
        counts[name] += 1
