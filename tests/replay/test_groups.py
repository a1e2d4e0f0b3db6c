"""Failed events by what failed."""

from __future__ import annotations

import pytest

from failure_destinations.cli.spark_line import spark_line
from failure_destinations.replay.contents import Contents
from failure_destinations.replay.groups import FailureGroups, over_time
from failure_destinations.replay.received_message import ReceivedMessage

from ..runtime import messages


def event(
    number: int = 0, error: str = "no data", minute: int = 0, receives: str = "1", **attributes: str
) -> ReceivedMessage:
    """Return a failed event."""
    body = messages.record("{}").replace("no data", error).replace("03:03:11", f"03:{minute:02}:11")
    message = messages.message(body, attributes, ApproximateReceiveCount=receives)
    return ReceivedMessage.of({**message, "MessageId": f"{number:08x}"})


def groups(*events: ReceivedMessage) -> FailureGroups:
    """Return the groups of some events."""
    found = FailureGroups()
    for one in events:
        found.add(one)
    return found


def test_counts_events_that_failed_alike() -> None:
    """The largest group first, each with its first and last failure."""
    found = groups(
        event(1, "order 1 failed", minute=5),
        event(2, "no data"),
        event(3, "order 22 failed", minute=1),
        event(4, "order 3 failed", minute=3),
    ).largest_first
    assert [(one.count, one.fingerprint.message) for one in found] == [
        (3, "order * failed"),
        (1, "no data"),
    ]
    first, last = found[0].first, found[0].last
    assert first is not None
    assert last is not None
    assert (first.minute, last.minute, found[0].latest) == (1, 5, "00000001")


def test_counts_what_was_replayed_before() -> None:
    """Parked events were; of others only receives are known."""
    (found,) = groups(
        event(receives="2"), event(receives="4", ReplayReason="MaxAttempts"), event()
    ).largest_first
    assert (found.count, found.replayed, found.received_before) == (3, 1, 2)


def test_counts_what_this_machine_has_replayed() -> None:
    """By the message's id."""
    found = FailureGroups({"00000002"})
    for number in (1, 2, 3):
        found.add(event(number))
    assert [one.replayed for one in found.largest_first] == [1]


def test_counts_other_messages_apart() -> None:
    """They have no group."""
    found = groups(ReceivedMessage.of(messages.message("hello")))
    assert (found.others, found.largest_first, found.span) == (1, [], None)


@pytest.mark.parametrize(
    ("times", "span", "counts"),
    [
        ([0, 1, 2, 3], (0, 4), [1, 1, 1, 1]),
        ([0, 4], (0, 4), [1, 0, 0, 1]),
        ([7, 7], (7, 7), [2, 0, 0, 0]),
        ([], (0, 4), [0, 0, 0, 0]),
    ],
)
def test_counts_over_time(times: list[float], span: tuple[float, float], counts: list[int]) -> None:
    """In parts of the same length; the last one includes its end."""
    assert over_time(times, span, 4) == counts


def test_draws_bars_that_can_be_compared() -> None:
    """A dot for none; the same height for the same number in each line."""
    assert spark_line([0, 1, 50, 100], 100) == "·▁▅█"


def test_names_what_a_filter_did_not_choose() -> None:
    """Functions, error types and groups with their numbers, at most five of each."""
    contents = Contents()
    for number in range(7):
        contents.add(event(number, error=f"{'x' * number} failed"))
    contents.add(ReceivedMessage.of(messages.message("hello")))
    first, second, functions, types, ids = contents.lines()
    assert first == "1 message is not a failed event"
    assert second == "7 failed events not chosen:"
    assert functions == "  functions: nightly-report (7)"
    assert types == "  error types: RuntimeError (7)"
    assert ids.count("(1)") == 5
    assert ids.endswith(", …")
    assert contents.sentence().startswith("7 failed events not chosen; functions: ")


def test_shows_names_from_outside_escaped() -> None:
    """An error type is whatever somebody wrote."""
    contents = Contents()
    body = messages.record("{}").replace("RuntimeError", "\\u001b[31m" + "x" * 100)
    contents.add(ReceivedMessage.of(messages.message(body)))
    assert r"\x1b[31m" in contents.sentence()
    assert all(line.isprintable() for line in contents.lines())
