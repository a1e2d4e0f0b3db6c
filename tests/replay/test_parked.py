"""Why a message was parked, according to its attributes."""

from __future__ import annotations

import pytest

from failure_destinations.replay.parked import Parked
from failure_destinations.replay.received_message import ReceivedMessage

from ..runtime import messages


def parked(**attributes: str) -> Parked | None:
    """Return why a message with these attributes was parked."""
    return ReceivedMessage.of(messages.message(messages.record("{}"), attributes)).parked


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("MaxAttempts", "its replay failed 3 times"),
        ("RetentionEnds", "its replay failed, and its queue was about to delete it"),
        ("NotReplayable", "it cannot be replayed"),
        ("RecordsGone", "its records could not be fetched"),
        ("NotAFailedEvent", "it is not a failed event"),
        ("ReceivedTooOften", "it was received 3 times"),
        ("SomethingNew", "SomethingNew"),
    ],
)
def test_says_why_in_words(reason: str, words: str) -> None:
    """A reason of a newer replayer stays as it is."""
    found = parked(ReplayReason=reason, ReplayAttempts="3")
    assert found is not None
    assert found.because == words


def test_reads_what_the_replayer_wrote() -> None:
    """Error, function, attempts and time."""
    found = parked(
        ReplayReason="MaxAttempts",
        ReplayErrorType="KeyError",
        ReplayErrorMessage="'id'",
        ReplayFunction=messages.FUNCTION,
        ReplayAttempts="3",
        ReplayMessageId="1",
        ReplayParkedAt="2026-11-02T04:00:00+00:00",
    )
    assert found is not None
    assert found.error == "KeyError: 'id'"
    assert found.to_json() == {
        "reason": "MaxAttempts",
        "error_type": "KeyError",
        "error_message": "'id'",
        "function": messages.FUNCTION,
        "attempts": 3,
        "message_id": "1",
        "time": "2026-11-02T04:00:00+00:00",
    }


@pytest.mark.parametrize("attempts", ["", "-1", "1e3", "٣", "9" * 5000])
@pytest.mark.parametrize("time", ["", "yesterday", "2026-13-01T00:00:00"])
def test_reads_attributes_that_somebody_forged(attempts: str, time: str) -> None:
    """What is not a number or a time is left out."""
    found = parked(ReplayReason="MaxAttempts", ReplayAttempts=attempts, ReplayParkedAt=time)
    assert found is not None
    assert (found.attempts, found.time) == (None, None)


def test_is_not_parked_without_a_reason() -> None:
    """Other attributes do not make it so."""
    assert parked(ReplayAttempts="3", RequestID="1") is None
