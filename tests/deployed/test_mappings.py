"""The event source mappings of an account, and which functions they make handlers of a channel."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from failure_destinations.deployed.channels import Channel
from failure_destinations.deployed.handlers import ChannelHandlers
from failure_destinations.deployed.mappings import Mappings

PREFIX = "arn:aws:lambda:eu-west-1:111122223333:function:"
TOPIC = "arn:aws:sns:eu-west-1:111122223333:failures"
QUEUE = "https://sqs.eu-west-1.amazonaws.com/111122223333/failures"
STREAM = "arn:aws:kinesis:eu-west-1:111122223333:stream/orders"
ONE = "0f3c6c1e-93c4-4f6e-8a54-2f4c1b7d9e10"
TWO = "1f3c6c1e-93c4-4f6e-8a54-2f4c1b7d9e10"
CHANNEL = Channel("Failures", "Id", f"{TOPIC}:1", TOPIC, QUEUE, batch_bucket="batches")


def mapping(
    id: str, function: str, destination: str | None, source: str = STREAM
) -> dict[str, Any]:
    """Return a mapping as Lambda lists it."""
    on_failure: dict[str, Any] = (
        {} if destination is None else {"OnFailure": {"Destination": destination}}
    )
    return {
        "UUID": id,
        "FunctionArn": f"{PREFIX}{function}",
        "EventSourceArn": source,
        "DestinationConfig": on_failure,
    }


@pytest.fixture
def lambda_() -> Any:
    """A client of Lambda."""
    return boto3.client(
        "lambda", region_name="eu-west-1", aws_access_key_id="id", aws_secret_access_key="secret"
    )


def list_mappings(answers: Stubber, *pages: list[dict[str, Any]]) -> Stubber:
    """Expect the mappings to be listed."""
    for number, page in enumerate(pages, 1):
        more = {"NextMarker": str(number)} if number < len(pages) else {}
        answers.add_response("list_event_source_mappings", {"EventSourceMappings": page, **more})
    return answers


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        ("arn:aws:s3:::batches", True),
        (TOPIC, True),
        ("arn:aws:sqs:eu-west-1:111122223333:failures", True),
        ("arn:aws:s3:::batches-of-others", False),
        (f"{TOPIC}-of-others", False),
        (None, False),
    ],
)
@pytest.mark.parametrize("qualifier", ["", ":live", ":$LATEST"])
def test_a_function_whose_batches_come_to_the_channel_is_a_handler(
    lambda_: Any, destination: str | None, expected: bool, qualifier: str
) -> None:
    """Whichever qualifier the mapping names; the account is asked once."""
    listed = [[mapping(ONE, "other", TOPIC)], [mapping(TWO, f"orders{qualifier}", destination)]]
    none: dict[str, Any] = {"FunctionEventInvokeConfigs": []}
    answers = Stubber(lambda_)
    answers.add_response("list_function_event_invoke_configs", none)
    list_mappings(answers, *listed)
    answers.add_response("list_function_event_invoke_configs", none)
    with answers:
        mappings = Mappings(lambda: lambda_, CHANNEL.failure_destinations)
        handlers = ChannelHandlers(lambda_, TOPIC, None, mappings=mappings)
        assert handlers.includes(f"{PREFIX}orders") == expected
        assert not handlers.includes(f"{PREFIX}invoices")
        answers.assert_no_pending_responses()


def test_finds_a_mapping_only_with_its_function(lambda_: Any) -> None:
    """A message names both, and may name the mapping of another function."""
    listed = [mapping(ONE, "orders:live", "arn:aws:s3:::batches")]
    with list_mappings(Stubber(lambda_), listed):
        mappings = Mappings(lambda: lambda_)
        found = mappings.find(ONE, f"{PREFIX}orders")
        assert found is not None
        assert found.function_arn == f"{PREFIX}orders:live"
        assert mappings.find(ONE, f"{PREFIX}invoices") is None
        assert mappings.find(TWO, f"{PREFIX}orders") is None
        assert mappings.find(None, f"{PREFIX}orders") is None
        assert mappings.buckets() == {"batches"}


def test_knows_which_streams_functions_read_for_the_channel(lambda_: Any) -> None:
    """A stream without a mapping of the function, or with another destination, is not theirs."""
    payroll = STREAM.replace("orders", "payroll")
    table = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders/stream/2026-10-01T08:15:30.123"
    sources = [
        ("orders:live", "arn:aws:s3:::batches", STREAM),
        ("invoices", TOPIC, f"{STREAM}/consumer/fast:1793588585"),
        ("salaries", None, payroll),
        ("orders", f"{TOPIC}-of-others", payroll),
        ("orders", TOPIC, table),
    ]
    listed = [mapping(f"{at:036}", *source) for at, source in enumerate(sources)]
    # Self-managed Kafka has no ARN.
    listed.append({"UUID": ONE, "FunctionArn": f"{PREFIX}kafka"})
    with list_mappings(Stubber(lambda_), listed):
        mappings = Mappings(lambda: lambda_, CHANNEL.failure_destinations)
        read = {
            (name, stream)
            for name in ("orders", "invoices", "salaries", "kafka")
            for stream in (STREAM, payroll, table)
            if mappings.read_for_channel(f"{PREFIX}{name}", stream)
        }
        assert read == {("orders", STREAM), ("invoices", STREAM), ("orders", table)}
        assert not mappings.read_for_channel(None, STREAM)


def test_a_missing_permission_is_not_an_answer(lambda_: Any) -> None:
    """The caller decides what it means."""
    answers = Stubber(lambda_)
    none: dict[str, Any] = {"FunctionEventInvokeConfigs": []}
    answers.add_response("list_function_event_invoke_configs", none)
    answers.add_client_error("list_event_source_mappings", "AccessDeniedException")
    mappings = Mappings(lambda: lambda_, CHANNEL.failure_destinations)
    with answers, pytest.raises(ClientError, match="AccessDenied"):
        ChannelHandlers(lambda_, TOPIC, None, mappings=mappings).includes(f"{PREFIX}orders")


def test_asks_once_whoever_may_not_list_mappings(lambda_: Any) -> None:
    """A run asks for each failed batch, and another failure may pass."""
    answers = Stubber(lambda_)
    answers.add_client_error("list_event_source_mappings", "TooManyRequestsException")
    answers.add_client_error("list_event_source_mappings", "AccessDeniedException")
    mappings = Mappings(lambda: lambda_)
    with answers:
        for code in ("TooManyRequests", "AccessDenied", "AccessDenied"):
            with pytest.raises(ClientError, match=code):
                mappings.find(ONE, f"{PREFIX}orders")
        answers.assert_no_pending_responses()


def test_a_channel_without_batches_needs_no_permission_to_list_mappings(lambda_: Any) -> None:
    """Whoever replayed from it before still can; what is not seen is not a handler."""
    answers = Stubber(lambda_)
    none: dict[str, Any] = {"FunctionEventInvokeConfigs": []}
    answers.add_response("list_function_event_invoke_configs", none)
    answers.add_client_error("list_event_source_mappings", "AccessDeniedException")
    mappings = Mappings(lambda: lambda_, {TOPIC})
    with answers:
        handlers = ChannelHandlers(lambda_, TOPIC, None, mappings=mappings)
        assert not handlers.includes(f"{PREFIX}orders")
