"""Fetches the records of failed batches: several at a time, from the objects or streams named.

A message is not trusted: an object is read only from the channel's bucket, and a stream only in the
queue's account and Region, and only if the function that failed reads it for the channel.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import threading
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from failure_destinations.deployed.location import Location
from failure_destinations.deployed.session import Aws
from failure_destinations.errors import aws_message, is_aws_error
from failure_destinations.runtime import FailedEvent
from failure_destinations.runtime.failed_event import record_text
from failure_destinations.runtime.record_fetching import RecordClients, RecordsGone, fetch_records

from .received_message import ReceivedMessage

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

# A batch has up to 6 MB, of which a message holds two copies.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
FETCHED_AT_ONCE = 4

Wanted = Callable[[ReceivedMessage], bool]
"""Returns whether to fetch the records of a failed batch."""


def batches(count: int) -> str:
    """Return `1 failed batch` or `2,000 failed batches`."""
    return f"{count:,} failed {'batch' if count == 1 else 'batches'}"


def short_obstacle(event: FailedEvent) -> str | None:
    """Return why an event cannot be replayed, in words that are the same for all alike.

    Args:
        event: The event.
    """
    if lacks_records(event) and event.records_gone is not None:
        return "its records cannot be fetched: `show` says why"
    if lacks_records(event) and event.records_unread is not None:
        return f"its records were not read: {event.records_unread}"
    return event.obstacle


def lacks_records(event: FailedEvent | None) -> bool:
    """Return whether an event is a failed batch whose records are not in its message."""
    return event is not None and event.batch is not None and not event.payload


class BatchFetcher:
    """Fetches the records of failed batches. May be used from several threads.

    Args:
        aws: The account and Region to work in.
        locate: Returns where streams and functions may be.
        buckets: Returns the names of the buckets of which objects may be read.
        check_stream: Is called with an event and the ARN of the stream that holds its records, and
            raises PermissionError if it may not be read. Default: any of the location may.

    Attributes:
        unread: Why records could not be read, each with the number of batches.
    """

    def __init__(
        self,
        aws: Aws,
        locate: Callable[[], Location],
        buckets: Callable[[], Collection[str]],
        check_stream: Callable[[FailedEvent, str], None] = lambda _event, _stream: None,
    ) -> None:
        self._aws = aws
        self._locate = locate
        self._read_buckets = buckets
        self._check_stream = check_stream
        self._roles: dict[str, str | None] = {}
        self._lock = threading.Lock()
        self.unread: Counter[str] = Counter()

    def complete_all(
        self, messages: Iterable[ReceivedMessage], wanted: Wanted
    ) -> Iterator[ReceivedMessage]:
        """Yield messages, those of wanted batches with their records.

        At most `FETCHED_AT_ONCE` batches are in memory besides those that were yielded.

        Args:
            messages: The messages.
            wanted: Decides whose records are fetched.
        """
        running: deque[Future[ReceivedMessage]] = deque()
        with ThreadPoolExecutor(FETCHED_AT_ONCE) as pool:
            for message in messages:
                if not (lacks_records(message.event) and wanted(message)):
                    yield message
                    continue
                self.prepare()
                running.append(pool.submit(self.complete, message))
                if len(running) == FETCHED_AT_ONCE:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()

    def complete(self, message: ReceivedMessage) -> ReceivedMessage:
        """Return a message with the records of its batch; or with why they are not there.

        Args:
            message: The message of a failed batch.
        """
        event = message.event
        if event is None or not lacks_records(event):
            return message
        try:
            location, role = self._location, self._role(event.function)
            fetched = fetch_records(
                event,
                self._clients,
                account=location.account,
                region=location.region,
                buckets=self._buckets,
                role=role,
                check_stream=lambda stream: self._check_stream(event, stream),
            )
        except RecordsGone as gone:
            with self._lock:
                self.unread["`show` says why"] += 1
            return dataclasses.replace(
                message, event=dataclasses.replace(event, records_gone=str(gone))
            )
        except Exception as error:
            if not is_aws_error(error) and not isinstance(error, (TimeoutError, OSError)):
                raise
            why = aws_message(error) if is_aws_error(error) else str(error) or "it took too long"
            with self._lock:
                self.unread[why] += 1
            return dataclasses.replace(
                message, event=dataclasses.replace(event, records_unread=why)
            )
        return message_with_records(message, fetched.payload)

    def prepare(self) -> None:
        """Make what `complete` needs, in the one thread that may make it."""
        _ = self._clients, self._location, self._lambda

    def lines(self) -> list[str]:
        """Return why records were not read, a line for each reason."""
        return [
            f"the records of {batches(count)} were not read: {why}"
            for why, count in self.unread.most_common()
        ]

    @functools.cached_property
    def _clients(self) -> RecordClients:
        return RecordClients(
            self._aws.client("s3", connections=FETCHED_AT_ONCE),
            self._aws.client("kinesis", connections=FETCHED_AT_ONCE),
            self._aws.client("dynamodbstreams", connections=FETCHED_AT_ONCE),
        )

    @functools.cached_property
    def _lambda(self) -> LambdaClient:
        return self._aws.client("lambda")

    @functools.cached_property
    def _location(self) -> Location:
        return self._locate()

    @functools.cached_property
    def _buckets(self) -> Collection[str]:
        return self._read_buckets()

    def _role(self, function: str | None) -> str | None:
        """Return the role of a function, which is in each record of Kinesis; None if unknown."""
        from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up time

        if function is None or not self._location.contains(function):
            return None
        with self._lock:
            if function not in self._roles:
                try:
                    name = function.rpartition(":")[2]
                    answer = self._lambda.get_function_configuration(FunctionName=name)
                    self._roles[function] = answer.get("Role")
                except ClientError:
                    self._roles[function] = None
            return self._roles[function]


def message_with_records(message: ReceivedMessage, payload: str) -> ReceivedMessage:
    """Return a message of a failed batch with its records, as an object in S3 has them.

    A backup of it holds the records, whatever the stream and the bucket forget.

    Args:
        message: The message.
        payload: The event that the function gets: JSON text.
    """
    body = body_with_records(message.message, payload)
    return ReceivedMessage.of(
        {**message.message, "Body": body, "MessageAttributes": {}}, message.retention
    )


def body_with_records(message: Mapping[str, Any], payload: str) -> str:
    """Return the record of a failed batch with its payload in it.

    Args:
        message: The message, with the record in any envelope.
        payload: The event: JSON text.
    """
    record = record_text(str(message.get("Body", ""))) or ""
    start = record.index("{") + 1
    # Last, because the last of two members of one name counts.
    end = record.rindex("}")
    separator = ", " if record[start:end].strip() else ""
    written = json.dumps(payload, ensure_ascii=False)
    return f'{record[:end].rstrip()}{separator}"payload": {written}}}'
