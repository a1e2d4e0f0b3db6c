"""How the replayer settles failed batches, with botocore's own clients."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber

from failure_destinations.runtime import (
    lambda_client,
    parse,
    records_of,
    replayer,
    with_records,
)
from failure_destinations.runtime.replayer import BatchBucket

from . import messages
from .test_replayer_handler import Aws, parked_attributes, record_of

OBJECT = str(messages.stored("batch-kinesis-s3")["Body"])
FORWARDED = str(messages.stored("batch-kinesis-forwarded")["Body"])
STORED = parse(messages.stored("batch-kinesis-forwarded")).batch
ACCOUNT = "111122223333"
FUNCTION = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:orders"


class Bucket(Aws):
    """Lambda, SQS and a bucket of failed batches."""

    def __init__(
        self,
        clients: tuple[Any, Any, Any],
        monkeypatch: pytest.MonkeyPatch,
        name: str,
        counts: Any = None,
    ) -> None:
        invoker, sqs, s3 = clients
        self.s3 = Stubber(s3)
        batches = BatchBucket(s3, name, ACCOUNT, invoker)
        super().__init__(invoker, sqs, monkeypatch, batches=batches, counts=counts)

    def holds(self, text: str = OBJECT, mapped: str | None = FUNCTION) -> None:
        """Expect the object to be read, only from the account's own bucket, and its mapping."""
        assert STORED is not None
        assert STORED.stored is not None
        request = {
            "Bucket": STORED.stored.bucket,
            "Key": STORED.stored.key,
            "VersionId": STORED.stored.version,
            "ExpectedBucketOwner": ACCOUNT,
        }
        content = text.encode()
        body = StreamingBody(io.BytesIO(content), len(content))
        self.s3.add_response("get_object", {"Body": body}, request)
        if mapped is not None:
            mapping = {"UUID": STORED.mapping}
            self.functions.add_response(
                "get_event_source_mapping", {"FunctionArn": mapped}, mapping
            )

    def reports(self, *identifiers: str) -> None:
        """Expect an invocation whose handler reports records as failed."""
        failures = [{"itemIdentifier": identifier} for identifier in identifiers]
        self._answers({}, json.dumps({"batchItemFailures": failures}).encode())

    @contextmanager
    def active(self) -> Iterator[None]:
        """Answer for S3, and check that every answer was asked for."""
        with self.s3:
            yield
            self.s3.assert_no_pending_responses()


@pytest.fixture(scope="module")
def clients() -> tuple[Any, Any, Any]:
    """Clients of Lambda, SQS and S3."""
    session = boto3.Session("id", "secret", region_name="eu-west-1")
    return lambda_client(session), session.client("sqs"), session.client("s3")


@pytest.fixture
def aws(clients: tuple[Any, Any, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """Lambda, SQS and the bucket that the record names."""
    assert STORED is not None
    assert STORED.stored is not None
    made = Bucket(clients, monkeypatch, STORED.stored.bucket)
    with made.active():
        yield made


def error_of(attributes: dict[str, Any]) -> tuple[str, str]:
    """Return why a message was parked."""
    reason, text = attributes["ReplayReason"], attributes["ReplayErrorMessage"]
    return reason["StringValue"], text["StringValue"]


def test_replays_a_batch_from_the_channels_bucket(aws: Bucket) -> None:
    """The handler gets the event as the mapping built it."""
    aws.holds()
    aws.succeeds(FunctionName=FUNCTION)
    assert aws.handle(record_of(FORWARDED)) == []


@pytest.mark.parametrize(
    ("mapped", "qualifier"),
    [
        (f"{FUNCTION}:live", {"Qualifier": "live"}),
        (f"{FUNCTION}:$LATEST", {}),
        # Somebody has given the mapping another function since.
        (f"{FUNCTION}-v2:live", {}),
        ("", {}),
    ],
)
def test_invokes_what_the_mapping_invokes(
    aws: Bucket, mapped: str, qualifier: dict[str, str]
) -> None:
    """AWS does not say whether the record of a batch names the alias."""
    aws.holds(mapped=mapped)
    aws.succeeds(FunctionName=FUNCTION, **qualifier)
    assert aws.handle(record_of(FORWARDED)) == []


def test_invokes_the_function_of_a_mapping_that_is_gone(aws: Bucket) -> None:
    """As the record names it."""
    aws.holds(mapped=None)
    aws.functions.add_client_error("get_event_source_mapping", "ResourceNotFoundException", "", 404)
    aws.succeeds(FunctionName=FUNCTION)
    assert aws.handle(record_of(FORWARDED)) == []


def test_keeps_the_alias_that_a_record_names(aws: Bucket) -> None:
    """Nothing is asked then."""
    named = "function:orders:live"
    aws.holds(OBJECT.replace("function:orders", named), mapped=None)
    aws.succeeds(FunctionName=FUNCTION, Qualifier="live")
    assert aws.handle(record_of(FORWARDED.replace("function:orders", named))) == []


def test_an_asynchronous_replayer_waits_for_a_batch(
    clients: tuple[Any, Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lambda would ignore which records the handler reports, and nothing is counted."""
    assert STORED is not None
    assert STORED.stored is not None
    aws = Bucket(clients, monkeypatch, STORED.stored.bucket, counts=object())
    aws.holds()
    aws.succeeds()
    with aws.active():
        assert aws.handle(record_of(FORWARDED)) == []


SEQUENCES = [
    record.identifier for record in records_of(parse(messages.stored("batch-kinesis-s3")).payload)
]


def test_runs_the_rest_at_once_while_the_handler_advances(aws: Bucket) -> None:
    """From the first record that it reports, as Lambda does."""
    payload = parse(messages.stored("batch-kinesis-s3")).payload
    aws.holds()
    aws.reports(SEQUENCES[1])
    aws.succeeds(Payload=with_records(payload, SEQUENCES[1:]).encode())
    assert aws.handle(record_of(FORWARDED)) == []


def test_a_partial_failure_is_not_a_success(aws: Bucket) -> None:
    """The message waits, and is parked with what the handler reported after its last attempt."""
    aws.holds()
    aws.reports(SEQUENCES[1])
    aws.reports(SEQUENCES[1])
    aws.hides(60)
    assert aws.handle(record_of(FORWARDED)) == ["first"]
    aws.holds()
    aws.reports(SEQUENCES[1])
    aws.reports(SEQUENCES[1])
    aws.parks()
    reason, text = error_of(parked_attributes(aws, record_of(FORWARDED, received=3)))
    assert reason == "MaxAttempts"
    assert text == f"1 of 2 records handled; the first that failed is {SEQUENCES[1]}"


def test_runs_nothing_twice_at_once_without_progress(aws: Bucket) -> None:
    """Its first record fails, or its report is invalid: it waits."""
    for reported in (SEQUENCES[0], "unknown"):
        aws.holds()
        aws.reports(reported)
        aws.hides(60)
        assert aws.handle(record_of(FORWARDED)) == ["first"]


def test_leaves_the_rest_of_a_slow_batch_for_later(
    aws: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The replayer's own time must last for it."""
    monkeypatch.setattr(replayer, "REST_SECONDS", 0)
    aws.holds()
    aws.reports(SEQUENCES[1])
    aws.hides(60)
    assert aws.handle(record_of(FORWARDED)) == ["first"]


def test_parks_a_batch_whose_object_is_gone(aws: Bucket) -> None:
    """At once, with the reason: neither time nor a fixed handler brings it back."""
    aws.s3.add_client_error("get_object", "NoSuchVersion", http_status_code=404)
    aws.parks()
    reason, text = error_of(parked_attributes(aws, record_of(FORWARDED)))
    assert reason == "RecordsGone"
    assert text.startswith(
        "its records cannot be fetched: s3://shop-failures-batches-1a2b3c/aws/lambda/"
    )
    assert text.endswith("no longer exists; stream/orders is not read here")


def test_parks_a_batch_of_another_object(aws: Bucket) -> None:
    """Whoever may send to the queue can name any."""
    aws.holds(OBJECT.replace("function:orders", "function:other"), mapped=None)
    aws.parks()
    reason, text = error_of(parked_attributes(aws, record_of(FORWARDED)))
    assert reason == "RecordsGone"
    assert "is the record of another function" in text


def test_reads_no_other_bucket(
    clients: tuple[Any, Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor asks for one."""
    aws = Bucket(clients, monkeypatch, "another-bucket")
    aws.parks()
    with aws.active():
        reason, text = error_of(parked_attributes(aws, record_of(FORWARDED)))
    assert reason == "RecordsGone"
    assert "is not in the channel's bucket" in text


@pytest.mark.parametrize("name", ["kinesis-sns", "dynamodb-sns", "self-managed-kafka-sns"])
def test_parks_a_batch_that_is_only_in_its_stream(aws: Bucket, name: str) -> None:
    """The command can fetch it; the replayer reads no stream."""
    aws.parks()
    body = str(messages.stored(f"batch-{name}")["Body"])
    reason, text = error_of(parked_attributes(aws, record_of(body)))
    assert reason == "NotReplayable"
    assert text.startswith("its records are not fetched yet: they are in ")


@pytest.mark.parametrize(
    ("code", "status", "seconds"), [("SlowDown", 503, 80), ("AccessDenied", 403, 60)]
)
def test_waits_while_the_object_cannot_be_read(
    aws: Bucket, code: str, status: int, seconds: int
) -> None:
    """It is still there: it counts as an attempt."""
    # boto3 asks S3 again while it is slow.
    aws.s3.add_client_error("get_object", code, http_status_code=status)
    aws.hides(seconds)
    assert aws.handle(record_of(FORWARDED)) == ["first"]


def test_parks_a_batch_whose_function_is_not_known(aws: Bucket) -> None:
    """A record may not say it."""
    record = json.loads(json.loads(FORWARDED)["Message"])
    del record["requestContext"]
    aws.parks()
    reason, _ = error_of(parked_attributes(aws, record_of(json.dumps(record))))
    assert reason == "NotReplayable"
