"""The filter with which an operator chooses failed events."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from failure_destinations.errors import CommandError
from failure_destinations.replay.filters import Filter
from failure_destinations.replay.received_message import ReceivedMessage

from ..runtime import messages

ALIAS = ReceivedMessage.of(messages.stored("destination-alias"))
RECORDED = datetime(2026, 11, 2, 3, 3, 11, 412000, timezone.utc)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, True),
        ({"functions": ("nightly-report",)}, True),
        ({"functions": ("nightly-report:live",)}, True),
        ({"functions": ("nightly-*", "x")}, True),
        ({"functions": (f"{messages.FUNCTION}:live",)}, True),
        ({"functions": ("nightly",)}, False),
        ({"error_types": ("RuntimeError",)}, True),
        ({"error_types": ("*Timeout*",)}, False),
        ({"since": RECORDED, "until": RECORDED}, True),
        ({"since": RECORDED + timedelta(seconds=1)}, False),
        ({"until": RECORDED - timedelta(seconds=1)}, False),
        ({"ids": ("d3b07384",)}, True),
        ({"ids": ("6f1d0c0e-5a",)}, True),
        ({"ids": ("00000000",)}, False),
        ({"functions": ("nightly-*",), "error_types": ("X",)}, False),
    ],
)
def test_chooses_events(options: dict[str, Any], expected: bool) -> None:
    """By function, error, time and id; all of them must match."""
    assert Filter(**options).matches(ALIAS) == expected


def test_chooses_dead_letters_by_the_function_they_will_go_to() -> None:
    """They do not name their function, so --function-name stands for it."""
    letter = ReceivedMessage.of(messages.stored("function-dlq"))
    assert not Filter(functions=("orders",)).matches(letter)
    assert Filter(functions=("orders",)).matches(letter, default_function="orders")


def test_rejects_a_time_span_that_ends_before_it_begins() -> None:
    """The error shows both times."""
    with pytest.raises(CommandError, match="--since must be before --until, got 2026-11-02T03:03"):
        Filter(since=RECORDED, until=RECORDED - timedelta(hours=1))


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("nightly-report", True),
        ("nightly-report:$LATEST", True),
        (messages.FUNCTION, True),
        (f"{messages.FUNCTION}:$LATEST", True),
        ("nightly-report:live", False),
    ],
)
def test_latest_of_a_durable_function_is_the_function_itself(function: str, expected: bool) -> None:
    """Its record says `$LATEST`, with which Lambda wants it invoked."""
    record = messages.record("{}", condition="DurableExecutionFailed")
    message = ReceivedMessage.of(messages.message(record))
    assert Filter(functions=(function,)).matches(message) == expected
