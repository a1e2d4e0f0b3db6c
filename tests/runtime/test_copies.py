"""Records without their payload, and the copies that have it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given

from failure_destinations.runtime import FailedEvent, parse
from failure_destinations.runtime.copies import (
    NOT_JSON,
    NOT_TRUSTED,
    has_id_of,
    lacks_payload,
    refusal,
    with_payload,
    without_copy,
)

from . import messages

RECORD = messages.record("1").replace('"requestPayload": 1, ', "")
SHAPES = {
    "raw": messages.message(RECORD),
    "in an envelope": messages.message(messages.envelope(RECORD)),
    "in a notification": messages.message(messages.notification(RECORD)),
    "of EventBridge": messages.message(messages.of_event_bridge(RECORD)),
    "of EventBridge, in an envelope": messages.message(
        messages.envelope(messages.of_event_bridge(RECORD))
    ),
}


def copy(payload: str = "{}", **noted: str) -> FailedEvent:
    """Return a copy as Lambda sends it, or with another sender."""
    sender = {"SenderId": "AROAEX:nightly-report", **noted}
    return parse(messages.message(payload, messages.FUNCTION_DLQ, **sender))


@pytest.mark.parametrize("message", SHAPES.values(), ids=SHAPES)
@messages.patient
@given(messages.payloads)
def test_completes_a_record_with_its_copy(message: dict[str, Any], payload: str) -> None:
    """The payload is that of the copy to the last character, and the rest is that of the record."""
    event = parse(message)
    assert lacks_payload(event)
    assert event.obstacle is not None
    completed = parse(with_payload(message, payload))
    assert completed == dataclasses.replace(event, payload=payload)
    assert completed.obstacle is None


@pytest.mark.parametrize("payload", ["null", '""', "{}"])
def test_takes_an_empty_payload_for_what_it_is(payload: str) -> None:
    """A caller may have sent it."""
    event = parse(messages.message(messages.record(payload)))
    assert not lacks_payload(event)
    assert event.obstacle is None


@pytest.mark.parametrize(
    ("sender", "why"),
    [
        ("AROAEX:nightly-report", None),
        ("AROAEX:orders", NOT_TRUSTED),
        ("AROAEX:", NOT_TRUSTED),
        ("AIDAEX", NOT_TRUSTED),
        ("111122223333", None),
        ("999999999999", NOT_TRUSTED),
        ("", NOT_TRUSTED),
    ],
)
def test_takes_a_copy_of_its_function_only(sender: str, why: str | None) -> None:
    """SQS names the sender: the session of a role, a user, or the account's root user."""
    event = parse(messages.message(RECORD))
    assert has_id_of(copy(SenderId=sender), event)
    assert refusal(copy(SenderId=sender), event) == why


def test_takes_only_json() -> None:
    """Anything else would break the record."""
    assert refusal(copy('1, "requestContext": {}'), parse(messages.message(RECORD))) == NOT_JSON


def test_takes_only_a_copy_with_the_same_request_id() -> None:
    """Not another copy, a record, or an event without an id."""
    event = parse(messages.message(RECORD))
    other = {**messages.FUNCTION_DLQ, "RequestID": "other"}
    assert not has_id_of(parse(messages.message("{}", other, SenderId="AROAEX:x")), event)
    assert not has_id_of(parse(messages.message(messages.record("1"))), event)
    assert not has_id_of(None, event)
    body = json.dumps({"requestContext": {"functionArn": messages.FUNCTION}})
    assert not lacks_payload(parse(messages.message(body)))


def test_says_why_there_is_no_copy() -> None:
    """The obstacle of the event has the reason."""
    event = without_copy(parse(messages.message(RECORD)), "nobody has one")
    assert event.obstacle == "its record does not hold the payload: nobody has one"
