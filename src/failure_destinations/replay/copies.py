"""Looks for the copies of records without their payload, in one pass through the copy queue."""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from failure_destinations.deployed.aws_errors import is_access_denied
from failure_destinations.deployed.queues import Queue, describe_queue, queue_url
from failure_destinations.deployed.session import Aws
from failure_destinations.errors import CommandError, aws_message
from failure_destinations.progress import NO_PROGRESS, Progress
from failure_destinations.runtime import FailedEvent
from failure_destinations.runtime.copies import (
    DIFFERENT,
    NOT_FOUND,
    NOT_TRUSTED,
    has_id_of,
    refusal,
    with_payload,
    without_copy,
)

from .peek import CONNECTIONS, peek
from .received_message import ReceivedMessage

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient


class _Found(NamedTuple):
    """A copy: where its payload is in the file, and the queue and receipts of its messages."""

    digest: bytes
    start: int
    length: int
    receipts: list[tuple[str, str]]


class Copies:
    """The copies of some records, held until the end of the look.

    Their payloads are in a temporary file, because each may have 1 MiB.

    Args:
        sqs: A boto3 client.
        events: Records without their payload.
    """

    def __init__(self, sqs: SQSClient, events: Sequence[FailedEvent]) -> None:
        self._sqs = sqs
        self._wanted = {event.request_id: event for event in events}
        self._found: dict[str | None, _Found] = {}
        self._refused: dict[str | None, str] = {}
        self._otherwise = NOT_FOUND
        # It has no name and disappears with the process.
        self._file = tempfile.TemporaryFile("w+b")  # noqa: SIM115

    def add_all(self, url: str, messages: Iterable[ReceivedMessage]) -> None:
        """Keep the copies of records among the messages of a copy queue.

        Args:
            url: The queue's URL.
            messages: Its messages.
        """
        for message in messages:
            self._add(url, message)

    def _add(self, url: str, message: ReceivedMessage) -> None:
        """Keep a message of a copy queue if it is the copy of a record."""
        copy = message.event
        event = None if copy is None else self._wanted.get(copy.request_id)
        if copy is None or event is None or not has_id_of(copy, event):
            return
        why = refusal(copy, event)
        if why is not None:
            self._refused.setdefault(event.request_id, why)
            return
        payload = copy.payload_bytes
        digest = hashlib.sha256(payload).digest()
        known = self._found.get(event.request_id)
        if known is None:
            start = self._file.seek(0, 2)
            self._file.write(payload)
            found = _Found(digest, start, len(payload), [(url, message.receipt_handle)])
            self._found[event.request_id] = found
        elif known.digest == digest:
            known.receipts.append((url, message.receipt_handle))
        else:
            self._refused[event.request_id] = DIFFERENT

    def cannot_look(self, why: str) -> None:
        """Note why some copies, or all of them, were not seen."""
        self._otherwise = why

    def complete(self, message: ReceivedMessage) -> ReceivedMessage:
        """Return a message with the payload of its copy; or with why there is none."""
        event = message.event
        if event is None:
            return message
        found = self._usable(event.request_id)
        if found is None:
            why = self._refused.get(event.request_id, self._otherwise)
            return dataclasses.replace(message, event=without_copy(event, why))
        self._file.seek(found.start)
        payload = self._file.read(found.length).decode()
        return ReceivedMessage.of(with_payload(message.message, payload), message.retention)

    def delete(self, request_id: str | None) -> None:
        """Delete the copy of a record whose event succeeded; may be called from several threads."""
        found = self._usable(request_id)
        for url, receipt in found.receipts if found else ():
            self._sqs.delete_message(QueueUrl=url, ReceiptHandle=receipt)

    def close(self) -> None:
        """Remove the file."""
        self._file.close()

    def _usable(self, request_id: str | None) -> _Found | None:
        # What is not trusted is in nobody's way, but of two different ones, one is wrong.
        if self._refused.get(request_id, NOT_TRUSTED) != NOT_TRUSTED:
            return None
        return self._found.get(request_id)


@contextmanager
def look_for_copies(
    aws: Aws,
    copy_queues: Sequence[str],
    messages: Sequence[ReceivedMessage],
    warnings: list[str],
    progress: Progress = NO_PROGRESS,
) -> Iterator[Copies]:
    """Yield the copies of records without their payload, and give all copies back at the end.

    Nothing is received from a copy queue that a function drains, nor from one that moves messages
    away after a number of receives.

    Args:
        aws: The account and Region of the queues.
        copy_queues: The URLs or ARNs of the copy queues: where there are none, nothing is found.
        messages: The records.
        warnings: Gets a line if not all copies were seen.
        progress: Gets the number of copies that were received and given back.
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up time

    sqs = aws.client("sqs", connections=CONNECTIONS)
    events = [message.event for message in messages if message.event is not None]
    with ExitStack() as exits:
        copies = Copies(sqs, events)
        exits.callback(copies.close)
        if not copy_queues:
            copies.cannot_look("its function keeps no copies in a queue, as far as you may see")
        for copy_queue in copy_queues:
            try:
                queue = describe_queue(aws, queue_url(sqs, copy_queue))
                why = _why_not_read(queue)
                if why is None:
                    received = exits.enter_context(peek(sqs, queue, warnings, progress=progress))
                    copies.add_all(queue.url, received)
                if why is not None or queue.hidden:
                    copies.cannot_look(why or f"{NOT_FOUND} that can be received now")
            except (ClientError, CommandError) as error:
                if isinstance(error, ClientError) and not is_access_denied(error):
                    raise
                # Records with a payload must not wait for this one's copy.
                copies.cannot_look(f"the copy queue cannot be read: {aws_message(error)}")
        yield copies


def copy_queue_of(client: LambdaClient, function: str) -> str | None:
    """Return the ARN of the queue that keeps copies of a function's events; None if not known.

    That is its dead-letter queue, if it is a queue and the caller may see it.

    Args:
        client: A boto3 client of Lambda in the function's account and Region.
        function: The function's ARN, without a qualifier.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up time

    try:
        # By its name, which means the same there: not every emulator knows ARNs here.
        name = function.rpartition(":")[2]
        answer = client.get_function_configuration(FunctionName=name)
    except ClientError:
        return None
    target = answer.get("DeadLetterConfig", {}).get("TargetArn") or ""
    return target if target.split(":")[2:3] == ["sqs"] else None


def _why_not_read(queue: Queue) -> str | None:
    if queue.consumers:
        return f"{queue.consumers[0]} drains the copy queue, so it was not read"
    return None if queue.max_receives is None else "the copy queue counts receives: not read"
