"""Fetches the records of a failed batch: from its object in S3, else from its stream.

What is gone is reported, never guessed.
https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .failed_batch import MAX_OBJECT_BYTES, FailedBatch, StoredObject, batch_of, payload_of
from .failed_event import FailedEvent
from .json_text import inner_members, string
from .stream_events import dynamodb_event, kinesis_event
from .stream_range import Gone, Range, TooMany, read_range

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
_NO_OBJECT = ("NoSuchKey", "NoSuchVersion", "NoSuchBucket", "404", "MethodNotAllowed")


class RecordsGone(Exception):  # noqa: N818 - the name says what happened
    """The records of a failed batch cannot be fetched; the error says which, and why.

    The text holds names from the message, which are not made fit to print.
    """


@dataclass(frozen=True)
class RecordClients:
    """The boto3 clients that read the records of failed batches.

    Attributes:
        s3: For objects. None: no object is read.
        kinesis: For Kinesis streams. None: none is read.
        dynamodb_streams: For DynamoDB streams. None: none is read.
    """

    s3: S3Client | None = None
    kinesis: Any = None
    dynamodb_streams: Any = None


def fetch_records(
    event: FailedEvent,
    clients: RecordClients,
    *,
    account: str,
    region: str,
    buckets: Collection[str] | None = None,
    role: str | None = None,
    exact: bool = True,
    seconds: float = 120,
    check_stream: Callable[[str], None] | None = None,
) -> FailedEvent:
    """Return the event of a failed batch with its records as payload.

    The object in S3 gives the event as Lambda passed it. From a stream it is built as a mapping
    builds it, from the first sequence number to the last. Only what is in the given account and
    Region is read: a message can name anything. Clients can be shared by threads.

    Args:
        event: The event. One that has a payload or is not a batch is returned as it is.
        clients: What to read with.
        account: The account whose buckets and streams may be read.
        region: The Region whose streams may be read.
        buckets: The buckets that may be read. Default: any of the account.
        role: ARN of the function's role, for `invokeIdentityArn` of records of Kinesis. Default:
            it is not known, and the member is empty.
        exact: Whether the stream must hold as many records in the batch's range as the batch had.
            There are more if the mapping has filters, or a `ParallelizationFactor` above 1: which
            of them the batch had is not known then. A record that does not say how many there were
            is refused. With False, the event has all of the range.
        seconds: How long reading a stream may take. Default: 2 minutes.
        check_stream: Is called with the ARN of a stream before it is read, and raises an error if
            it may not be read. Default: any of the account and Region may.

    Raises:
        RecordsGone: They are not there, or not in the account, Region and buckets.
        TimeoutError: It took too long.
        botocore.exceptions.ClientError: AWS refused for another reason, such as permissions.
    """
    batch = event.batch
    if batch is None or event.payload:
        return event
    missing: list[str] = []
    if batch.stored is not None:
        try:
            payload = _from_object(event, batch.stored, clients.s3, account, buckets)
            return dataclasses.replace(event, payload=payload, records_gone=None)
        except RecordsGone as gone:
            missing.append(str(gone))
    try:
        client = clients.kinesis if batch.kind == "kinesis" else clients.dynamodb_streams
        if client is None and batch.kind in ("kinesis", "dynamodb"):
            raise RecordsGone(f"{batch.source_name} is not read here")
        span = _range(batch, account, region)
        if check_stream is not None:
            check_stream(span.stream)
        records = _from_stream(client, batch, span, seconds, exact=exact)
    except (RecordsGone, Gone) as gone:
        raise RecordsGone("; ".join([*missing, str(gone)])) from None
    if batch.kind == "kinesis":
        payload = kinesis_event(records, span, region, role or "")
    else:
        payload = dynamodb_event(records, span.source, region)
    return dataclasses.replace(event, payload=payload, records_gone=None)


def _from_object(
    event: FailedEvent,
    stored: StoredObject,
    s3: S3Client | None,
    account: str,
    buckets: Collection[str] | None,
) -> str:
    from botocore.exceptions import ClientError  # noqa: PLC0415

    where = stored.address
    if s3 is None or (buckets is not None and stored.bucket not in buckets):
        raise RecordsGone(f"{where} is not in the channel's bucket")
    version: Any = {} if stored.version is None else {"VersionId": stored.version}
    try:
        answer = s3.get_object(
            Bucket=stored.bucket, Key=stored.key, ExpectedBucketOwner=account, **version
        )
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in _NO_OBJECT:
            raise RecordsGone(f"{where} no longer exists") from None
        raise
    with answer["Body"] as body:
        content = body.read(MAX_OBJECT_BYTES + 1)
    if len(content) > MAX_OBJECT_BYTES:
        raise RecordsGone(f"{where} is larger than any record of Lambda")
    try:
        record = inner_members(content.decode())
    except UnicodeDecodeError:
        record = {}
    context = inner_members(record.get("requestContext"))
    found = batch_of(record)
    if found is None:
        raise RecordsGone(f"{where} is not the record of a failed batch")
    # Whoever may send to the queue can name another batch's object.
    if string(context.get("requestId")) != event.request_id or not _is_same(event.batch, found):
        raise RecordsGone(f"{where} is the record of another batch")
    named = string(context.get("functionArn")) or ""
    if named.split(":")[:7] != (event.function or "").split(":")[:7]:
        raise RecordsGone(f"{where} is the record of another function")
    payload = payload_of(record)
    if not payload:
        raise RecordsGone(f"{where} does not hold the records")
    try:
        payload.encode()
    except UnicodeEncodeError:
        raise RecordsGone(f"{where} holds half of a surrogate pair") from None
    return payload


def _is_same(announced: FailedBatch | None, found: FailedBatch) -> bool:
    """Return whether a stored batch is the one that a record announced."""
    if announced is None:
        return False
    if not announced.offsets:
        # A channel's forwarder leaves them out where a record would be too large for SQS.
        found = dataclasses.replace(found, offsets=())
    return announced.identity == found.identity


def _range(batch: FailedBatch, account: str, region: str) -> Range:
    """Return which records of a stream a batch has.

    Raises:
        RecordsGone: They are not in a stream of the account and Region.
    """
    if batch.kind == "kafka":
        raise RecordsGone(
            f"Kafka's records are not fetched here: read them {batch.where} with a Kafka client"
        )
    if batch.kind not in ("kinesis", "dynamodb"):
        raise RecordsGone(f"records of {batch.source_name} cannot be read again")
    if batch.has_window:
        raise RecordsGone("its tumbling window has a state, which the stream does not hold")
    source, shard, first, last = batch.source, batch.shard, batch.first, batch.last
    if source is None or shard is None or first is None or last is None:
        raise RecordsGone("the record does not say which records of which stream they are")
    if (batch.account, batch.region) != (account, region):
        raise RecordsGone(f"{source} is not in account {account} and Region {region}")
    return Range(source, shard, first, last)


def _from_stream(
    client: Any, batch: FailedBatch, span: Range, seconds: float, *, exact: bool
) -> list[dict[str, Any]]:
    """Return the records of a batch from its stream.

    Raises:
        RecordsGone: They cannot be told from others.
        Gone: They are not all there.
    """
    if not exact:
        return read_range(client, span, seconds)
    if batch.count is None:
        # Lambda always says it. Without it, any range of any stream would be taken for the batch.
        raise RecordsGone("the record does not say how many records the batch had")
    where = f"from {span.first} to {span.last}, {span.shard} of {span.source} holds"
    try:
        records = read_range(client, span, seconds, at_most=batch.count)
    except TooMany as more:
        raise RecordsGone(
            f"{where} {more}: filters or a ParallelizationFactor above 1 of the mapping chose some "
            "of them, and which is not known"
        ) from None
    if len(records) != batch.count:
        raise RecordsGone(f"{where} {len(records)} records, and the batch had {batch.count}")
    return records
