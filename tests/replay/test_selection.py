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
