"""Choosing events with an expression in JMESPath, and with a text."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest

from failure_destinations.errors import CommandError
from failure_destinations.replay.filters import Filter
from failure_destinations.replay.received_message import ReceivedMessage
from failure_destinations.replay.search import unescaped

from ..runtime import messages

PAYLOAD = '{"customer": {"name": "M\\u00fcller \\ud83d\\ude00"}, "items": [{"n": 1}], "zero": 0}'
ORDER = ReceivedMessage.of(messages.message(messages.record(PAYLOAD)))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("payload.customer.name", True),
        ("starts_with(payload.customer.name, 'Müller')", True),
        ("payload.items[0].n == `1`", True),
        ("payload.items[?n > `1`]", False),
        # JMESPath takes 0 as true.
        ("payload.zero", True),
        ("payload.missing", False),
        ("error_type == 'RuntimeError' && error_message == 'no data'", True),
        ("attempts > `2`", False),
        ("source == 'destination'", True),
        ("parked", False),
        ("stack_trace", False),
        # What cannot be evaluated for an event does not choose it.
        ("length(payload.missing) > `1`", False),
        ("sum(payload.items) > `1`", False),
        ("contains(payload.missing, 'x')", False),
    ],
)
def test_chooses_by_payload_and_record(expression: str, expected: bool) -> None:
    """Over the fields that `list --json` prints."""
    assert Filter(where=expression).matches(ORDER) == expected


@pytest.mark.parametrize("payload", ["[" * 5000 + "]" * 5000, "9" * 5000, '"\\ud800"', "NaN"])
def test_evaluates_odd_payloads(payload: str) -> None:
    """Payloads that Python does not decode have fields of a record all the same."""
    odd = ReceivedMessage.of(messages.message(messages.record(payload)))
    assert Filter(where="error_type == 'RuntimeError'").matches(odd)
    assert not Filter(where="payload.customer == 'x'").matches(odd)


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("payload.", "must be a JMESPath expression, got 'payload.': "),
        ("payload.n > 5", "numbers in backticks"),
        ("(" * 5000, "must be a JMESPath expression"),
        ("upper(error_type)", "calls upper(), which JMESPath does not have"),
        ("payload && lenght(payload)", "calls lenght(), which JMESPath does not have"),
        ("length(payload, payload)", "calls length() with 2 arguments"),
        ("not_null()", "it takes at least 1"),
    ],
)
def test_rejects_what_is_not_jmespath(expression: str, said: str) -> None:
    """In one line, before anything is received."""
    with pytest.raises(CommandError) as rejected:
        Filter(where=expression)
    assert said in str(rejected.value)
    assert "\n" not in str(rejected.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("müller", True),
        ("MÜLLER 😀", True),
        ("M\\u00fcller", True),
        ('"n": 1', True),
        ("runtimeerror", True),
        ("no data", True),
        ("nightly-report", True),
        ("6f1d0c0e", True),
        ("d3b07384", True),
        ("Meier", False),
    ],
)
def test_finds_a_text_however_json_writes_it(text: str, expected: bool) -> None:
    """In payload and record, in upper or lower case."""
    assert Filter(search=text).matches(ORDER) == expected


def test_finds_a_text_in_the_stack_trace_and_in_why_it_was_parked() -> None:
    """Which the payload does not have."""
    body = json.loads(messages.record("{}"))
    body["responsePayload"]["stackTrace"] = ['File "/var/task/pay.py", line 3']
    parked = {"ReplayReason": "MaxAttempts", "ReplayErrorMessage": "no such card"}
    message = ReceivedMessage.of(messages.message(json.dumps(body), parked))
    assert Filter(search="pay.py").matches(message)
    assert Filter(search="no such card").matches(message)


def test_decodes_no_escape_of_a_backslash() -> None:
    r"""`\\u00fc` is a backslash and `u00fc`."""
    assert unescaped(r"\\u00fc \u00fc \" \n \ud83d\ude00 \ud83d") == '\\u00fc ü " \n 😀 \ufffd'


@pytest.mark.parametrize("pattern", ["RUNTIMEERROR", "runtime*", "*ERROR"])
def test_error_types_forgive_case(pattern: str) -> None:
    """An operator does not look up how a class is written."""
    assert Filter(error_types=(pattern,)).matches(ORDER)


def test_chooses_by_group() -> None:
    """By its id, or by its beginning."""
    assert ORDER.group is not None
    assert Filter(groups=(ORDER.group,)).matches(ORDER)
    assert Filter(groups=("0000", ORDER.group[:4])).matches(ORDER)
    assert not Filter(groups=("0000",)).matches(ORDER)


def test_rejects_the_beginning_of_several_groups() -> None:
    """The error names them."""
    chosen = Filter(groups=("abcd",))
    chosen.check_groups(["abcd000000", "abcd000000", None, "ffff000000"])
    with pytest.raises(CommandError, match="2 groups: write one of abcd000000, abcd111111"):
        chosen.check_groups(["abcd111111", "abcd000000"])


def test_writes_out_the_beginning_of_a_group() -> None:
    """So that a run starts no group that comes later; an unknown one stays as it is."""
    chosen = Filter(groups=("abcd", "9999"), search="x")
    groups = ["abcd000000", "ffff000000", None]
    whole = chosen.with_whole_groups(groups)
    assert whole == Filter(groups=("abcd000000", "9999"), search="x")
    with pytest.raises(CommandError, match="--group abcd stands for 2 groups"):
        chosen.with_whole_groups([*groups, "abcd111111"])


@pytest.mark.parametrize(("kept", "expected"), [(1, True), (3, False)])
def test_chooses_what_expires(kept: int, expected: bool) -> None:
    """From when it was sent and how long its queue keeps it."""
    sent = datetime.now(timezone.utc) - timedelta(days=4) + timedelta(days=kept)
    message = messages.message(
        messages.record("{}"), SentTimestamp=str(int(sent.timestamp() * 1000))
    )
    received = ReceivedMessage.of(message, timedelta(days=4))
    assert Filter(expiring=timedelta(days=2)).matches(received) == expected


def test_does_not_choose_what_may_not_expire() -> None:
    """A message of a file has no retention."""
    assert not Filter(expiring=timedelta(days=2)).matches(ORDER)
