"""Which queues may be looked into, with a queue that counts receives."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from failure_destinations.cli.group import cli
from failure_destinations.deployed import session as aws
from failure_destinations.doctor.facts import Queue
from failure_destinations.doctor.gather import copies as comparing

ARN = "arn:aws:sqs:eu-west-1:111122223333:failures"
REFUSAL = (
    "Error: failures moves a message to its dead-letter queue after 3 receives, and a look is one: "
    "to look all the same, pass --spend-receives\n"
)


class Counting:
    """An empty queue that moves messages away after three receives, without a consumer."""

    def __init__(self) -> None:
        self.received = 0

    def get_queue_attributes(self, **_options: Any) -> dict[str, Any]:
        """Return what is known of it."""
        return {
            "Attributes": {"QueueArn": ARN, "RedrivePolicy": json.dumps({"maxReceiveCount": "3"})}
        }

    def receive_message(self, **_options: Any) -> dict[str, Any]:
        """Return nothing, and count that."""
        self.received += 1
        return {}

    def get_paginator(self, _name: str) -> Counting:
        """Stand for the pages of Lambda as well."""
        return self

    def paginate(self, **_options: Any) -> list[dict[str, Any]]:
        """Return no consumer."""
        return []

    @property
    def exceptions(self) -> Any:
        """Return what nothing raises here."""
        return type("Exceptions", (), {"QueueDoesNotExist": KeyError})


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Counting:
    """The queue, in the place of AWS."""
    queue = Counting()
    monkeypatch.setattr(aws.Aws, "client", lambda *_service, **_options: queue)
    monkeypatch.setattr(aws.Aws, "lambda_client", lambda *_service, **_options: queue)
    return queue


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["show", "d3b07384"],
        ["replay"],
        ["replay", "--yes", "--error-type", "KeyError"],
    ],
)
def test_rejects_a_look_that_may_move_messages(queue: Counting, arguments: list[str]) -> None:
    """Nothing is received: SQS shows only with one more how many are left."""
    result = CliRunner().invoke(cli, [*arguments, "--queue", "https://sqs/failures"])
    assert (result.exit_code, result.stderr) == (2, REFUSAL)
    assert queue.received == 0


@pytest.mark.parametrize("arguments", [["list", "--spend-receives"], ["replay", "--yes"]])
def test_looks_where_receives_may_be_spent(queue: Counting, arguments: list[str]) -> None:
    """Because somebody says so, or because all that is received is replayed."""
    result = CliRunner().invoke(cli, [*arguments, "--queue", "https://sqs/failures"])
    assert result.exit_code == 0
    assert queue.received == 1


def test_doctor_does_not_look_where_a_look_may_move_messages(
    queue: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It only reads: what it does not compare is said."""
    attributes = queue.get_queue_attributes()["Attributes"] | {"ApproximateNumberOfMessages": "1"}
    monkeypatch.setattr(queue, "get_queue_attributes", lambda **_: {"Attributes": attributes})
    look = comparing._Look(aws.Aws(), 10)
    assert list(look._messages(Queue("queue", "https://sqs/failures", attributes))) == []
    assert look._gaps == ["failures moves messages away after a number of looks"]
    assert queue.received == 0
