"""Which queues the commands receive from, with a queue that counts receives."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse, HTTPHeaders
from botocore.model import OperationModel
from click.testing import CliRunner

from failure_destinations.cli.group import cli
from failure_destinations.deployed.session import Aws

REGION_AND_KEYS: Any = {
    "region_name": "eu-west-1",
    "aws_access_key_id": "id",
    "aws_secret_access_key": "secret",
}
ANSWERED: Any = AWSResponse("https://sqs", 200, HTTPHeaders(), None)
ARN = "arn:aws:sqs:eu-west-1:111122223333:failures"
REFUSAL = (
    "Error: failures moves a message to its dead-letter queue after 3 receives, and showing a "
    "message is one: to do it all the same, pass --spend-receives\n"
)


ATTRIBUTES = {"QueueArn": ARN, "RedrivePolicy": json.dumps({"maxReceiveCount": "3"})}


class CountingQueue:
    """An empty queue that moves messages away after three receives; botocore's own client.

    Attributes:
        received: How often it was received from.
    """

    def __init__(self) -> None:
        self.received = 0
        self.sqs: Any = boto3.client("sqs", **REGION_AND_KEYS)
        self.lambda_: Any = boto3.client("lambda", **REGION_AND_KEYS)
        for client, answer in ((self.sqs, self._answer_sqs), (self.lambda_, self._answer_lambda)):
            events: Any = client.meta.events
            events.register("before-call", answer)

    def client(self, service: str) -> Any:
        """Return a client that never sends a request."""
        return {"sqs": self.sqs, "lambda": self.lambda_}[service]

    def _answer_sqs(self, model: OperationModel, **_arguments: Any) -> tuple[Any, Any]:
        if model.name == "ReceiveMessage":
            self.received += 1
            return ANSWERED, {}
        assert model.name == "GetQueueAttributes"
        return ANSWERED, {"Attributes": ATTRIBUTES}

    def _answer_lambda(self, **_arguments: Any) -> tuple[Any, Any]:
        return ANSWERED, {"EventSourceMappings": []}


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> CountingQueue:
    """The queue, in the place of AWS."""
    queue = CountingQueue()
    monkeypatch.setattr(Aws, "client", lambda _aws, service, **_options: queue.client(service))
    monkeypatch.setattr(Aws, "lambda_client", lambda _aws, **_options: queue.client("lambda"))
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
def test_rejects_receives_that_may_move_messages(
    queue: CountingQueue, arguments: list[str]
) -> None:
    """SQS shows how many receives are left only with one more."""
    result = CliRunner().invoke(cli, [*arguments, "--queue", "https://sqs/failures"])
    assert (result.exit_code, result.stderr) == (2, REFUSAL)
    assert queue.received == 0


@pytest.mark.parametrize("arguments", [["list", "--spend-receives"], ["replay", "--yes"]])
def test_receives_where_receives_may_be_spent(queue: CountingQueue, arguments: list[str]) -> None:
    """The operator says so, or everything that is received is replayed."""
    result = CliRunner().invoke(cli, [*arguments, "--queue", "https://sqs/failures"])
    assert result.exit_code == 0
    assert queue.received == 1
