"""The dead-letter queues of durable functions that bring failures to a channel."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from failure_destinations.deployed.durable_queues import DurableQueues
from failure_destinations.deployed.handlers import ChannelHandlers

PLACE = "eu-west-1:111122223333"
DEAD_LETTERS = f"arn:aws:sqs:{PLACE}:Channel-DeadLetterQueue"
OWN = f"arn:aws:sqs:{PLACE}:orders-DurableFailures"
TOPIC = f"arn:aws:sns:{PLACE}:failures"
URL = "https://sqs.eu-west-1.amazonaws.com/111122223333/orders-DurableFailures"


def client(service: str) -> Any:
    """Return a client that nobody answers."""
    known: Any = boto3.client
    return known(
        service, region_name="eu-west-1", aws_access_key_id="id", aws_secret_access_key="secret"
    )


def moves_to(answers: Stubber, target: str | None) -> None:
    """Expect the queue to be read, and answer to which one it moves messages."""
    policy = {"deadLetterTargetArn": target, "maxReceiveCount": 5}
    answers.add_response(
        "get_queue_url", {"QueueUrl": URL}, {"QueueName": "orders-DurableFailures"}
    )
    answers.add_response(
        "get_queue_attributes",
        {"Attributes": {"RedrivePolicy": json.dumps(policy)} if target else {}},
        {"QueueUrl": URL, "AttributeNames": ["RedrivePolicy"]},
    )


@pytest.mark.parametrize(
    ("target", "expected"), [(DEAD_LETTERS, True), (f"{DEAD_LETTERS}2", False), (None, False)]
)
def test_is_the_channels_if_it_moves_messages_there(target: str | None, expected: bool) -> None:
    """SQS is asked once for each queue."""
    with Stubber(sqs := client("sqs")) as answers:
        moves_to(answers, target)
        queues = DurableQueues(sqs, DEAD_LETTERS)
        assert queues.includes(OWN) == expected
        assert queues.includes(OWN) == expected
        answers.assert_no_pending_responses()


@pytest.mark.parametrize(
    "arn", [None, "", TOPIC, OWN.replace("111122223333", "999999999999"), OWN.replace("eu", "us")]
)
def test_asks_for_no_queue_elsewhere(arn: str | None) -> None:
    """Nor for topics, which a function may have for its dead letters too."""
    with Stubber(sqs := client("sqs")):
        assert not DurableQueues(sqs, DEAD_LETTERS).includes(arn)


def test_a_channel_without_dead_letter_queue_has_none() -> None:
    """It is not one of this library."""
    with Stubber(sqs := client("sqs")):
        assert not DurableQueues(sqs, None).includes(OWN)


def test_a_deleted_queue_is_none() -> None:
    """Nothing says that it was one."""
    with Stubber(sqs := client("sqs")) as answers:
        answers.add_client_error("get_queue_url", "AWS.SimpleQueueService.NonExistentQueue")
        assert not DurableQueues(sqs, DEAD_LETTERS).includes(OWN)


def test_a_missing_permission_is_not_an_answer() -> None:
    """The caller decides what it means."""
    with Stubber(sqs := client("sqs")) as answers:
        answers.add_client_error("get_queue_url", "AccessDenied")
        with pytest.raises(ClientError, match="AccessDenied"):
            DurableQueues(sqs, DEAD_LETTERS).includes(OWN)


@pytest.mark.parametrize(("target", "expected"), [(DEAD_LETTERS, True), ("", False)])
def test_its_function_is_a_handler_of_the_channel(target: str, expected: bool) -> None:
    """So `replay` invokes it, though it has no asynchronous configuration."""
    with Stubber(sqs := client("sqs")) as queues, Stubber(lambda_ := client("lambda")) as answers:
        answers.add_response(
            "list_function_event_invoke_configs", {"FunctionEventInvokeConfigs": []}
        )
        answers.add_response("get_function_configuration", {"DeadLetterConfig": {"TargetArn": OWN}})
        moves_to(queues, target)
        handlers = ChannelHandlers(lambda_, TOPIC, None, DurableQueues(sqs, DEAD_LETTERS))
        assert handlers.includes(f"arn:aws:lambda:{PLACE}:function:orders") == expected
