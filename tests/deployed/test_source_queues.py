"""Source queues and their functions, as the API models of SQS and Lambda describe the answers."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from failure_destinations.deployed.queues import Queue, joined
from failure_destinations.deployed.source_queues import SourceQueues, is_queue_arn

PLACE = "arn:aws:sqs:eu-west-1:111122223333"
ORDERS = f"{PLACE}:orders"
FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function"
URL = "https://sqs.eu-west-1.amazonaws.com/111122223333"
KEYS: Any = {
    "region_name": "eu-west-1",
    "aws_access_key_id": "id",
    "aws_secret_access_key": "secret",
}


class Stubbed:
    """Clients that answer once for each answer that the test adds."""

    def __init__(self) -> None:
        self.clients: dict[str, Any] = {
            name: boto3.client(name, **KEYS) for name in ("sqs", "lambda")
        }
        self.stubs = {name: Stubber(client) for name, client in self.clients.items()}
        for stub in self.stubs.values():
            stub.activate()

    def client(self, service: str) -> Any:
        """Return a client."""
        return self.clients[service]

    def mappings(self, *mappings: dict[str, Any]) -> None:
        """Answer the next request for mappings."""
        answer = {"EventSourceMappings": [*mappings]}
        asked = {"EventSourceArn": ORDERS}
        self.stubs["lambda"].add_response("list_event_source_mappings", answer, asked)

    def handler(self, name: str, handler: str) -> None:
        """Answer the next request for a function's configuration."""
        self.stubs["lambda"].add_response(
            "get_function_configuration", {"Handler": handler}, {"FunctionName": name}
        )


@pytest.fixture
def aws() -> Any:
    """Clients without answers yet."""
    return Stubbed()


def mapping(function: str, **more: Any) -> dict[str, Any]:
    """Return a mapping as Lambda lists it."""
    known = {
        "UUID": "5a7b3d1c-0c6a-4f0f-9a53-6f1d0c0e7b1a",
        "EventSourceArn": ORDERS,
        "FunctionArn": f"{FUNCTION}:{function}",
    }
    return {**known, "State": "Enabled", **more}


def test_finds_the_functions_that_read_a_queue(aws: Any) -> None:
    """With alias or version, also while they are switched off; asked for once."""
    aws.mappings(
        mapping("stock:live", State="Disabled"),
        mapping("orders", FilterCriteria={"Filters": [{"Pattern": "{}"}]}),
        mapping("gone", State="Deleting"),
        mapping("other", EventSourceArn=f"{PLACE}:other"),
    )
    aws.handler("stock", "index.handler")
    aws.handler("orders", "runtime.handler")
    sources = SourceQueues(aws)
    readers = sources.readers(ORDERS)
    assert readers is not None
    assert [(one.called, one.state, one.filtered, one.is_own) for one in readers] == [
        ("orders", "Enabled", True, False),
        ("stock:live", "Disabled", False, False),
    ]
    assert readers[1].function == f"{FUNCTION}:stock"
    assert sources.readers(ORDERS) is readers


@pytest.mark.parametrize("module", ["batch_forwarder", "forwarder", "notifier", "replayer"])
def test_knows_functions_of_this_library(aws: Any, module: str) -> None:
    """What they read are failed events."""
    aws.mappings(mapping("Failures-Function"))
    aws.handler("Failures-Function", f"runtime.{module}.handler")
    (reader,) = SourceQueues(aws).readers(ORDERS) or ()
    assert reader.is_own


def test_a_function_that_may_not_be_read_is_the_users(aws: Any) -> None:
    """The text of its messages then decides nothing."""
    aws.mappings(mapping("orders"))
    aws.stubs["lambda"].add_client_error("get_function_configuration", "AccessDeniedException")
    (reader,) = SourceQueues(aws).readers(ORDERS) or ()
    assert not reader.is_own


def test_finds_the_sources_of_a_queue(aws: Any) -> None:
    """On all pages of the list."""
    asked = {"QueueUrl": f"{URL}/dead", "MaxResults": 1000}
    for urls, token, more in (
        ([f"{URL}/stock"], {}, {"NextToken": "1"}),
        ([f"{URL}/orders"], {"NextToken": "1"}, {}),
    ):
        aws.stubs["sqs"].add_response(
            "list_dead_letter_source_queues", {"queueUrls": urls, **more}, {**asked, **token}
        )
    sources = SourceQueues(aws)
    found = sources.of(f"{URL}/dead", f"{PLACE}:dead")
    assert found == (ORDERS, f"{PLACE}:stock")
    assert sources.of(f"{URL}/dead", f"{PLACE}:dead") is found


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidAction"])
def test_what_may_not_be_listed_is_not_known(aws: Any, code: str) -> None:
    """Neither sources nor readers; no empty list is made of it."""
    aws.stubs["sqs"].add_client_error("list_dead_letter_source_queues", code)
    aws.stubs["lambda"].add_client_error("list_event_source_mappings", "AccessDeniedException")
    sources = SourceQueues(aws)
    assert sources.of(f"{URL}/dead", f"{PLACE}:dead") is None
    assert sources.readers(ORDERS) is None


def test_passes_on_other_errors(aws: Any) -> None:
    """Such as throttling that does not end."""
    aws.stubs["lambda"].add_client_error("list_event_source_mappings", "TooManyRequestsException")
    with pytest.raises(ClientError):
        SourceQueues(aws).readers(ORDERS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ORDERS, True),
        ("arn:aws-cn:sqs:cn-north-1:111122223333:orders.fifo", True),
        ("arn:aws:sns:eu-west-1:111122223333:orders", False),
        (f"{ORDERS}\n", False),
        (f"{PLACE}:\u0131", False),
        ("", False),
    ],
)
def test_knows_the_arn_of_a_queue(text: str, expected: bool) -> None:
    """A backup may say anything."""
    assert is_queue_arn(text) is expected


def test_joins_queues() -> None:
    """The numbers are sums, the limit the smallest, and each is still there."""
    first = Queue("1", f"{PLACE}:one", 1, 2, None, ("a",), attached=("a", "b"))
    second = Queue("2", f"{PLACE}:two.fifo", 3, 4, 5, ("a",), attached=("a",))
    both = joined([first, second])
    assert (both.name, both.visible, both.hidden) == ("one, two.fifo", 4, 6)
    assert (both.max_receives, both.consumers, both.attached) == (5, ("a",), ("a", "b"))
    assert both.parts == (first, second)
    assert (first.has_fifo, second.has_fifo, both.has_fifo) == (False, True, True)
    assert joined([first]) is first
