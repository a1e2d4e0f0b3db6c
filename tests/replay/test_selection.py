"""The decision which messages are replayed."""

from __future__ import annotations

import pytest

from failure_destinations.deployed.location import Location
from failure_destinations.replay.authority import Authority
from failure_destinations.replay.received_message import ReceivedMessage
from failure_destinations.replay.selection import Selection

from ..runtime import messages

AUTHORITY = Authority(lambda: Location.of(messages.FUNCTION))


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("orders", "replay"),
        ("orders:live", "replay"),
        ("111122223333:function:orders", "replay"),
        ("arn:aws:lambda:eu-west-1:111122223333:function:orders:live", "replay"),
        ("invoices", "other-sender"),
        (None, "without-function"),
    ],
)
def test_gives_a_copy_only_to_the_function_that_sent_it(name: str | None, verdict: str) -> None:
    """SQS names the sender; the operator may name the function in any form."""
    message = messages.message("{}", messages.FUNCTION_DLQ, SenderId="AROAEXAMPLE:orders")
    copy = ReceivedMessage.of(message)
    assert Selection(AUTHORITY, default_function=name).verdict(copy) == verdict
    assert Selection(AUTHORITY, default_function=name, any_sender=True).verdict(copy) in (
        "replay",
        "without-function",
    )


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("nightly-report", "other-function"),
        ("nightly-report:live", "replay"),
        ("111122223333:function:nightly-report:live", "replay"),
        (f"{messages.FUNCTION}:live", "replay"),
        ("nightly-report:canary", "other-function"),
        ("invoices", "other-function"),
    ],
)
def test_a_record_goes_to_no_other_function_than_the_operator_named(
    name: str, verdict: str
) -> None:
    """An alias is not its function: either both name the same, or the event stays."""
    record = ReceivedMessage.of(messages.message(messages.record("{}", qualifier="live")))
    assert record.event is not None
    assert record.event.called == "nightly-report:live"
    assert Selection(AUTHORITY, default_function=name).verdict(record) == verdict


@pytest.mark.parametrize("named", ["nightly-report", "nightly-report:$LATEST"])
def test_latest_is_the_function_that_the_operator_names(named: str) -> None:
    """A durable function's record says `$LATEST`, which is the function without a qualifier."""
    record = messages.record("{}", condition="DurableExecutionFailed")
    message = ReceivedMessage.of(messages.message(record))
    selection = Selection(AUTHORITY, default_function=named)
    assert selection.verdict(message) == "replay"
    assert message.event is not None
    assert selection.destination(message.event) == f"{messages.FUNCTION}:$LATEST"
