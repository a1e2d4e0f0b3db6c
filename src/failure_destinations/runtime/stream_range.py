"""Reads the records of a shard of Kinesis or of a DynamoDB stream between two sequence numbers.

https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# Both services may give empty pages while more records follow. Kinesis says how far behind the tip
# of the shard a page is; DynamoDB does not.
_EMPTY_PAGES = 5
_EMPTY_PAGES_OF_DYNAMODB = 20
_PAUSE_SECONDS = 0.25
_MAX_PAUSE_SECONDS = 5.0
# Twice what a function's event may have: Lambda passes the data in base64, or as longer JSON.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
_MAX_BYTES = 12 * 1024 * 1024
_THROTTLED = (
    "ProvisionedThroughputExceededException",
    "LimitExceededException",
    "KMSThrottlingException",
    "ThrottlingException",
)
# Kinesis answers InvalidArgumentException to a sequence number that the shard cannot have.
_NOT_THERE = (
    "ResourceNotFoundException",
    "TrimmedDataAccessException",
    "InvalidArgumentException",
    "ValidationException",
)


class Gone(Exception):  # noqa: N818 - the name says what happened
    """The shard no longer holds all records of the range; the error says which are gone."""


class TooMany(Exception):  # noqa: N818 - the name says what happened
    """The range holds more than the caller wants; the error says more than what."""


@dataclass(frozen=True)
class Range:
    """Records of one shard.

    Attributes:
        source: ARN of the stream, or of a consumer of a Kinesis stream.
        shard: Id of the shard.
        first: Sequence number of the first record.
        last: Sequence number of the last record.
    """

    source: str
    shard: str
    first: str
    last: str

    @property
    def stream(self) -> str:
        """ARN of the stream, also if the source is a consumer with enhanced fan-out."""
        return self.source.partition("/consumer/")[0]


def read_range(
    client: Any,
    span: Range,
    seconds: float,
    pause: Callable[[float], None] = time.sleep,
    *,
    at_most: int | None = None,
) -> list[dict[str, Any]]:
    """Return the records of a range, as boto3 returns them.

    Args:
        client: A boto3 client of Kinesis or of DynamoDB streams.
        span: The range.
        seconds: How long it may take.
        pause: Waits for a number of seconds.
        at_most: The number of records that the range may hold, and with them the bytes that Lambda
            may pass to a function. Default: as many as there are, which may be the whole shard.

    Raises:
        Gone: The shard does not hold the whole range.
        TooMany: It holds more. Nothing after that was read.
        TimeoutError: It took too long.
        botocore.exceptions.ClientError: Any other error.
    """
    return _Reader(client, span, time.monotonic() + seconds, pause, at_most).read()


class _Reader:
    def __init__(
        self,
        client: Any,
        span: Range,
        ends: float,
        pause: Callable[[float], None],
        at_most: int | None,
    ) -> None:
        self._client = client
        self._span = span
        self._ends = ends
        self._pause = pause
        self._at_most = at_most
        self._bytes = 0
        self._is_kinesis = client.meta.service_model.service_name == "kinesis"
        self._first, self._last = int(span.first), int(span.last)
        self._found: dict[int, dict[str, Any]] = {}

    def read(self) -> list[dict[str, Any]]:
        """Return the records in order."""
        empty = 0
        iterator = self._iterator()
        while iterator is not None:
            answer = self._page(iterator)
            if answer is None:
                # An iterator lives for 5 minutes at Kinesis, and 15 at DynamoDB.
                iterator = self._iterator()
                continue
            for record in answer["Records"]:
                number = int(self._number(record))
                if number > self._last:
                    return self._complete()
                if number >= self._first:
                    self._add(number, record)
            if self._last in self._found:
                return self._complete()
            iterator = answer.get("NextShardIterator")
            if answer["Records"]:
                empty = 0
                continue
            behind = answer.get("MillisBehindLatest")
            empty = 0 if behind else empty + 1
            if empty >= (_EMPTY_PAGES if self._is_kinesis else _EMPTY_PAGES_OF_DYNAMODB):
                break
            self._wait(_PAUSE_SECONDS)
        return self._complete()

    def _add(self, number: int, record: dict[str, Any]) -> None:
        """Take a record of the range.

        Raises:
            TooMany: There are more than the caller wants.
        """
        self._found[number] = record
        if self._at_most is None:
            return
        self._bytes += (
            len(record["Data"]) if self._is_kinesis else record["dynamodb"].get("SizeBytes", 0)
        )
        if len(self._found) > self._at_most:
            raise TooMany(f"more records than the {self._at_most} of the batch")
        if self._bytes > _MAX_BYTES:
            raise TooMany("more than a function's event can hold")

    def _complete(self) -> list[dict[str, Any]]:
        """Return what was found.

        Raises:
            Gone: The first or the last record is not among it.
        """
        span = self._span
        found = sorted(self._found)
        where = f"{span.shard} of {span.stream}"
        if not found:
            raise Gone(f"{where} holds none of the records from {span.first} to {span.last}")
        if found[0] != self._first:
            raise Gone(
                f"{where} no longer holds the records from {span.first} to before {found[0]}"
                f"; {len(found)} of the batch are left"
            )
        if found[-1] != self._last:
            raise Gone(f"{where} does not hold the records after {found[-1]} to {span.last}")
        return [self._found[number] for number in found]

    def _iterator(self) -> str | None:
        """Return an iterator that begins at the first record that is not found yet.

        Raises:
            Gone: There is no such stream, shard or record.
        """
        from botocore.exceptions import ClientError  # noqa: PLC0415

        span = self._span
        start = str(max(self._found)) if self._found else span.first
        kind = "AFTER_SEQUENCE_NUMBER" if self._found else "AT_SEQUENCE_NUMBER"
        arguments = {
            "ShardId": span.shard,
            "ShardIteratorType": kind,
            "StreamARN" if self._is_kinesis else "StreamArn": span.stream,
            "StartingSequenceNumber" if self._is_kinesis else "SequenceNumber": start,
        }
        try:
            answer = self._call(self._client.get_shard_iterator, arguments)
        except ClientError as error:
            if _code(error) in _NOT_THERE:
                raise Gone(self._refusal(error)) from None
            raise
        return answer.get("ShardIterator") or None

    def _page(self, iterator: str) -> Mapping[str, Any] | None:
        """Return a page of records; None if the iterator has expired."""
        from botocore.exceptions import ClientError  # noqa: PLC0415

        arguments: dict[str, Any] = {"ShardIterator": iterator}
        if self._is_kinesis:
            arguments["StreamARN"] = self._span.stream
        try:
            answer: Mapping[str, Any] = self._call(self._client.get_records, arguments)
        except ClientError as error:
            if _code(error) == "ExpiredIteratorException":
                return None
            if _code(error) in _NOT_THERE:
                raise Gone(self._refusal(error)) from None
            raise
        return answer

    def _refusal(self, error: Any) -> str:
        span = self._span
        text = " ".join(str(error.response.get("Error", {}).get("Message", "")).split())
        return (
            f"{span.shard} of {span.stream} no longer holds the records from {span.first} to "
            f"{span.last}: {_code(error)}{f', {text}' if text else ''}"
        )

    def _call(self, operation: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        """Call an operation, again after growing waits while the service throttles it."""
        from botocore.exceptions import ClientError  # noqa: PLC0415

        wait = _PAUSE_SECONDS
        while True:
            if time.monotonic() > self._ends:
                raise TimeoutError(f"reading {self._span.stream} took too long")
            try:
                return operation(**arguments)
            except ClientError as error:
                if _code(error) not in _THROTTLED or time.monotonic() + wait > self._ends:
                    raise
            self._wait(wait)
            wait = min(2 * wait, _MAX_PAUSE_SECONDS)

    def _wait(self, seconds: float) -> None:
        self._pause(min(seconds, max(0.0, self._ends - time.monotonic())))

    def _number(self, record: Mapping[str, Any]) -> str:
        if self._is_kinesis:
            return str(record["SequenceNumber"])
        return str(record["dynamodb"]["SequenceNumber"])


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
