"""What a run of the watchdog takes for new, and what for over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

import pytest

from failure_destinations.doctor import event_source_kinds as kinds
from failure_destinations.doctor.facts import Unknown
from failure_destinations.doctor.findings import Finding, Noun, Subject, unreadable
from failure_destinations.doctor.kinds import Kind
from failure_destinations.watchdog.changes import Changes, Known, compare

from .findings import WAITING, WELL, alarm_missing, dead_letters, missing, unknown

NOW = datetime(2026, 11, 2, 3, 3, tzinfo=timezone.utc)


def runs(*found: Sequence[Finding]) -> Changes:
    """Return the changes of the last of several runs."""
    known = Known()
    for findings in found:
        changes = compare(known, findings, NOW)
        known = changes.known
    return changes


def said(changes: Changes) -> tuple[list[str], list[str]]:
    """Return the names of what is new and of what is over."""
    return [each.subject.name for each in changes.new], [each.name for each in changes.over]


@pytest.mark.parametrize(
    ("found", "new", "over"),
    [
        ([[]], [], []),
        ([[WELL, WAITING]], [], []),
        ([[missing(), dead_letters()]], ["orders", "orders-dead"], []),
        ([[missing()], [missing()]], [], []),
        ([[missing()], [missing(), missing("bills")]], ["bills"], []),
        ([[missing()], []], [], ["orders"]),
        ([[missing()], [], []], [], []),
        ([[missing()], [], [missing()]], ["orders"], []),
        ([[missing("bills")], [missing()]], ["orders"], ["bills"]),
        # The same finding with other figures.
        ([[dead_letters(1)], [dead_letters(20)]], [], []),
        # What cannot be read is said the second time.
        ([[unknown()]], [], []),
        ([[unknown()], [unknown()]], ["orders"], []),
        ([[unknown()], [unknown()], [unknown()]], [], []),
        ([[unknown()], [], [unknown()]], [], []),
        ([[unknown()], [unknown()], []], [], ["orders"]),
        # What may be hidden is not over.
        ([[missing()], [unknown("channel", "Failures")]], [], []),
        ([[missing()], [unknown("channel", "Failures")], []], [], ["orders"]),
        ([[alarm_missing()], [unknown("monitoring", "Monitoring")]], [], []),
        ([[alarm_missing()], [unknown()]], [], ["Monitoring/FailedEventsWaiting"]),
        ([[dead_letters(queue="orders")], [unknown("queue", "orders")]], [], ["orders"]),
    ],
)
def test_says_each_thing_once(
    found: Sequence[Sequence[Finding]], new: list[str], over: list[str]
) -> None:
    """When it begins, and when it is over."""
    assert said(runs(*found)) == (new, over)


def test_keeps_a_sentence_for_the_end() -> None:
    """Printable and short, since names are untrusted."""
    changes = runs([missing("a\x1b[2J\n" + "b" * 500)], [])
    (over,) = changes.over
    assert over.text == "the function does not exist"
    assert over.since == "2026-11-02T03:03:00+00:00"


@pytest.mark.parametrize(
    ("noun", "kind"),
    [
        ("channel", kinds.EVENT_SOURCE),
        ("source queue", kinds.SOURCE_QUEUE),
        ("source dead-letter queue", kinds.SOURCE_QUEUE_REDRIVE),
    ],
)
def test_nothing_is_over_that_cannot_be_seen(noun: Noun, kind: Kind) -> None:
    """An event source was disabled, and now nobody may list event sources or source queues."""
    off = Finding(kinds.EVENT_SOURCE_OFF, Subject("event source", "orders"), {"reason": ""})
    hidden = unreadable(kind, Subject(noun, "somewhere"), Unknown("lambda:ListEventSourceMappings"))
    assert runs([off], [hidden]).over == ()
    assert len(runs([off], []).over) == 1


def test_tells_apart_what_has_the_same_name() -> None:
    """A queue and its dead-letter queue may be called alike."""
    both = [dead_letters(queue="orders"), missing("orders")]
    assert len(runs(both).known.problems) == 2
