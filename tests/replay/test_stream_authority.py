"""Which streams a replay reads: those that the failed function reads for the channel."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any, cast

import boto3
import pytest
from botocore.stub import Stubber

from failure_destinations.deployed.channels import Channel
from failure_destinations.deployed.queues import Queue
from failure_destinations.deployed.session import Aws
from failure_destinations.replay.origins import QueueOrigin
from failure_destinations.replay.plan import make_plan
from failure_destinations.replay.received_message import ReceivedMessage
from failure_destinations.replay.selection import Selection

from ..runtime import messages
from .kinesis_batches import SHARD, STREAM, number, record
from .test_run import AUTHORITY

TOPIC = "arn:aws:sns:eu-west-1:111122223333:failures"
URL = "https://sqs.eu-west-1.amazonaws.com/111122223333/failures"
CHANNEL = Channel("Failures", "Id", f"{TOPIC}:1", TOPIC, URL)
QUEUE = Queue(URL, "arn:aws:sqs:eu-west-1:111122223333:failures", 1, 0, None, ())
PAYROLL = STREAM.replace("orders", "payroll")


class Answering:
    """An account whose clients answer what the test gives them."""

    def __init__(self) -> None:
        session = boto3.Session("testing", "testing", region_name="eu-west-1")
        names: list[Any] = ["lambda", "kinesis", "dynamodbstreams", "s3", "sqs"]
        self.clients = {name: session.client(name) for name in names}
        self.lambda_ = Stubber(self.clients["lambda"])
        self.kinesis = Stubber(self.clients["kinesis"])
        self.lambda_.add_response("get_function_configuration", {})

    def client(self, name: str, *, connections: int = 1) -> Any:
        """Return a client."""
        del connections
        return self.clients[name]

    def maps(self, *streams: str) -> None:
        """Answer with mappings of the function that send failed batches to the channel."""
        listed = [
            {
                "UUID": f"{at:036}",
                "FunctionArn": f"{messages.FUNCTION}:live",
                "EventSourceArn": stream,
                "DestinationConfig": {"OnFailure": {"Destination": TOPIC}},
            }
            for at, stream in enumerate(streams)
        ]
        self.lambda_.add_response("list_event_source_mappings", {"EventSourceMappings": listed})

    def holds_one_record(self) -> None:
        """Answer with the record of the batch."""
        one = {
            "SequenceNumber": number(0),
            "ApproximateArrivalTimestamp": datetime(2026, 11, 2, tzinfo=timezone.utc),
            "Data": b"1",
            "PartitionKey": "a",
        }
        self.kinesis.add_response("get_shard_iterator", {"ShardIterator": "i"})
        self.kinesis.add_response("get_records", {"Records": [one]})

    def complete(self, channel: Channel | None, stream: str) -> ReceivedMessage:
        """Return a batch that names a stream as a run of the queue gets it."""
        batch = ReceivedMessage.of(messages.message(json.dumps(record(1, stream=stream))))
        origin = QueueOrigin(cast(Aws, self), QUEUE, channel)
        with self.lambda_, self.kinesis:
            (message,) = origin.batches.complete_all([batch], lambda _: True)
        self.lambda_.assert_no_pending_responses()
        self.kinesis.assert_no_pending_responses()
        return message


def test_reads_the_stream_that_a_mapping_of_the_function_names() -> None:
    """Of the channel; the mapping may name an alias."""
    aws = Answering()
    aws.maps(PAYROLL, STREAM)
    aws.holds_one_record()
    event = aws.complete(CHANNEL, STREAM).event
    assert event is not None
    assert SHARD in event.payload


@pytest.mark.parametrize("mapped", [[], [STREAM]])
def test_reads_no_stream_that_the_function_does_not_read(mapped: list[str]) -> None:
    """A message names any stream, which is not read; its mapping may be gone, so it says how."""
    aws = Answering()
    aws.maps(*mapped)
    message = aws.complete(CHANNEL, PAYROLL)
    assert message.event is not None
    assert not message.event.payload
    ((why, _),) = make_plan([message], Selection(AUTHORITY)).would_stay.items()
    assert why == (
        f"its records were not read: no event source mapping of {messages.FUNCTION} and {PAYROLL} "
        "sends failed batches to the channel; if you trust the messages of the queue, pass "
        "--queue failures instead of --stack"
    )
    # So it is not taken for gone, and discarded without its records.
    assert message.event.records_gone is None


def test_reads_no_stream_where_mappings_cannot_be_seen() -> None:
    """It names the permission."""
    aws = Answering()
    aws.lambda_.add_client_error("list_event_source_mappings", "AccessDeniedException")
    event = aws.complete(CHANNEL, STREAM).event
    assert event is not None
    assert event.records_unread == (
        f"cannot see whether {messages.FUNCTION} reads {STREAM}: allow "
        "lambda:ListEventSourceMappings"
    )


def test_trusts_a_queue_that_the_operator_named() -> None:
    """A mapping that is deleted is in nobody's way."""
    aws = Answering()
    aws.maps()
    aws.holds_one_record()
    event = aws.complete(None, STREAM).event
    assert event is not None
    assert SHARD in event.payload
