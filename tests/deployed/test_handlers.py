"""The handlers of a channel, found by their configurations."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from failure_destinations.deployed.handlers import ChannelHandlers, find_handlers
from failure_destinations.deployed.session import Aws
from failure_destinations.testing import LocalCloud

from ..cli.conftest import create_function

TOPIC = "arn:aws:sns:eu-west-1:111122223333:failures"
COPIES = "arn:aws:sqs:eu-west-1:111122223333:copies"
PREFIX = "arn:aws:lambda:eu-west-1:111122223333:function:"


def config(function: str, qualifier: str, destination: str) -> dict[str, Any]:
    """Return an asynchronous configuration as Lambda lists it."""
    return {
        "FunctionArn": f"{PREFIX}{function}:{qualifier}",
        "DestinationConfig": {"OnFailure": {"Destination": destination}},
    }


@pytest.fixture
def lambda_() -> Any:
    """A client of Lambda."""
    return boto3.client(
        "lambda", region_name="eu-west-1", aws_access_key_id="id", aws_secret_access_key="secret"
    )


@pytest.fixture
def answers(lambda_: Any) -> Stubber:
    """The answers of that client, in order."""
    return Stubber(lambda_)


def list_configs(answers: Stubber, function: str, *pages: list[dict[str, Any]]) -> None:
    """Expect a function's configurations to be listed."""
    for number, page in enumerate(pages):
        more = {} if number == len(pages) - 1 else {"NextMarker": str(number + 1)}
        marker = {} if number == 0 else {"Marker": str(number)}
        answers.add_response(
            "list_function_event_invoke_configs",
            {"FunctionEventInvokeConfigs": page, **more},
            {"FunctionName": function, **marker},
        )


def test_a_function_of_any_qualifier_is_a_handler(lambda_: Any, answers: Stubber) -> None:
    """The configuration may be on a later page; AWS is asked once for each function."""
    list_configs(answers, "orders", [config("orders", "1", "x")], [config("orders", "live", TOPIC)])
    with answers:
        handlers = ChannelHandlers(lambda_, TOPIC, None)
        assert handlers.includes(f"{PREFIX}orders")
        assert handlers.includes(f"{PREFIX}orders")
        answers.assert_no_pending_responses()


@pytest.mark.parametrize(("target", "expected"), [(COPIES, True), (f"{COPIES}-other", False)])
def test_a_function_with_the_copy_queue_is_a_handler(
    lambda_: Any, answers: Stubber, target: str, expected: bool
) -> None:
    """Its dead-letter queue must be the channel's copy queue."""
    list_configs(answers, "orders", [])
    answers.add_response("get_function_configuration", {"DeadLetterConfig": {"TargetArn": target}})
    with answers:
        assert ChannelHandlers(lambda_, TOPIC, COPIES).includes(f"{PREFIX}orders") == expected


def test_a_deleted_function_is_not_a_handler(lambda_: Any, answers: Stubber) -> None:
    """Nothing says that it was one."""
    answers.add_client_error("list_function_event_invoke_configs", "ResourceNotFoundException")
    with answers:
        assert not ChannelHandlers(lambda_, TOPIC, COPIES).includes(f"{PREFIX}orders")


@pytest.mark.parametrize("location", ["eu-west-1:999999999999", "us-east-1:111122223333"])
def test_a_function_elsewhere_is_not_a_handler(lambda_: Any, location: str) -> None:
    """Lambda is not asked, as it would answer for the function of that name here."""
    function = f"arn:aws:lambda:{location}:function:orders"
    with Stubber(lambda_):
        assert not ChannelHandlers(lambda_, TOPIC, COPIES).includes(function)


def test_a_missing_permission_is_not_an_answer(lambda_: Any, answers: Stubber) -> None:
    """The caller decides what it means."""
    answers.add_client_error("list_function_event_invoke_configs", "AccessDeniedException")
    with answers, pytest.raises(ClientError, match="AccessDenied"):
        ChannelHandlers(lambda_, TOPIC, COPIES).includes(f"{PREFIX}orders")


@pytest.mark.integration
def test_finds_the_handlers_of_a_topic(
    ministack: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever stack defined them, or none did."""
    for name, value in ministack.environment.items():
        monkeypatch.setenv(name, value)
    function = create_function(ministack, "found")
    topic = ministack.client("sns").create_topic(Name="found-by-handlers")["TopicArn"]
    client = ministack.client("lambda")
    destinations = {"OnFailure": {"Destination": topic}}
    client.put_function_event_invoke_config(
        FunctionName="found", Qualifier="$LATEST", DestinationConfig=destinations
    )
    try:
        search = find_handlers(Aws(), topic, None)
        assert ChannelHandlers(Aws().client("lambda"), topic, None).includes(function)
    finally:
        client.delete_function_event_invoke_config(FunctionName="found", Qualifier="$LATEST")
    (handler,) = search.handlers
    assert (handler.function_arn, handler.qualifier) == (function, None)
    assert search.unreadable == {}
    assert not ChannelHandlers(Aws().client("lambda"), topic, None).includes(function)
