"""The replayer's look for a copy, in a queue on an engine."""

from __future__ import annotations

import json
from collections.abc import Callable
from uuid import uuid4

import pytest

from failure_destinations.runtime import parse
from failure_destinations.runtime.copies import DIFFERENT, NOT_FOUND, Copy, CopyQueue, NoCopy
from failure_destinations.testing import LocalCloud

from . import messages

pytestmark = pytest.mark.integration

Send = Callable[..., None]


@pytest.fixture
def url(ministack: LocalCloud) -> str:
    """An empty queue."""
    name = f"copies-{uuid4()}"
    return str(ministack.client("sqs").create_queue(QueueName=name)["QueueUrl"])


@pytest.fixture
def send(ministack: LocalCloud, url: str) -> Send:
    """Send a copy, as the account's root user."""

    def send(payload: str, id: str = messages.REQUEST_ID) -> None:
        values = {**messages.FUNCTION_DLQ, "RequestID": id}
        ministack.client("sqs").send_message(
            QueueUrl=url,
            MessageBody=payload,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in values.items()
            },
        )

    return send


@pytest.fixture
def copies(ministack: LocalCloud, url: str) -> CopyQueue:
    """The queue."""
    return CopyQueue(ministack.client("sqs"), url)


@pytest.fixture
def event(ministack: LocalCloud) -> object:
    """A record without its payload, of a function of the engine's account."""
    function = messages.FUNCTION.replace("111122223333", ministack.account)
    context = {"requestId": messages.REQUEST_ID, "functionArn": function}
    return parse(messages.message(json.dumps({"requestContext": context})))


def visible(cloud: LocalCloud, url: str) -> list[str]:
    """Return the bodies of the visible messages."""
    return sorted(message.body for message in cloud.messages(url, count=0))


def test_finds_one_copy_among_many(
    ministack: LocalCloud, url: str, send: Send, copies: CopyQueue, event: object
) -> None:
    """The copy stays hidden until it is given back or deleted; the others are visible at once."""
    for number in range(25):
        send(str(number), str(uuid4()))
    send('{"order": 1.0}')
    found = copies.find(event)  # type: ignore[arg-type]
    assert isinstance(found, Copy)
    assert found.payload == '{"order": 1.0}'
    assert visible(ministack, url) == sorted(map(str, range(25)))
    copies.change_visibility(found, 0)
    assert len(visible(ministack, url)) == 26


def test_deletes_each_message_of_a_copy(
    ministack: LocalCloud, url: str, send: Send, copies: CopyQueue, event: object
) -> None:
    """Lambda may have sent it twice."""
    send("1")
    send("1")
    found = copies.find(event)  # type: ignore[arg-type]
    assert isinstance(found, Copy)
    copies.delete(found)
    copies.change_visibility(found, 0)
    assert visible(ministack, url) == []


def test_takes_neither_of_two_different_copies(
    ministack: LocalCloud, url: str, send: Send, copies: CopyQueue, event: object
) -> None:
    """One is forged; both stay."""
    send("1")
    send("2")
    assert copies.find(event) == NoCopy(DIFFERENT)  # type: ignore[arg-type]
    assert visible(ministack, url) == ["1", "2"]


def test_reports_a_copy_that_is_not_there(send: Send, copies: CopyQueue, event: object) -> None:
    """The whole queue was seen, so it will not come."""
    send("1", str(uuid4()))
    assert copies.find(event) == NoCopy(NOT_FOUND)  # type: ignore[arg-type]


def test_reports_a_copy_that_another_may_hold(
    ministack: LocalCloud, url: str, send: Send, copies: CopyQueue, event: object
) -> None:
    """What somebody else has received now is looked for again later."""
    send("1")
    ministack.client("sqs").receive_message(QueueUrl=url)
    found = copies.find(event)  # type: ignore[arg-type]
    assert isinstance(found, NoCopy)
    assert found.may_come


def test_ends_a_look_in_time(send: Send, ministack: LocalCloud, url: str, event: object) -> None:
    """So that time is left for the handler; the next look may find it."""
    send("1")
    found = CopyQueue(ministack.client("sqs"), url, look_seconds=0).find(event)  # type: ignore[arg-type]
    assert isinstance(found, NoCopy)
    assert found.may_come
