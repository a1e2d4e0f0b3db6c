"""Which queues may be looked into, with a queue that counts receives."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from failure_destinations.cli.group import cli
from failure_destinations.deployed import session as aws

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
