"""Joins a record without its payload with the copy of its event.

Lambda leaves the payload out of a record that is over SNS's limit. The copy, which Lambda sends to
the function's own dead-letter queue, is the payload itself, with the record's request id.
https://docs.aws.amazon.com/lambda/latest/api/API_OnFailure.html
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .failed_event import FailedEvent, NotAFailedEvent, parse, record_text
from .json_text import is_json

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType
    from mypy_boto3_sqs.type_defs import MessageTypeDef

NOT_FOUND = "the copy queue does not hold a copy of it"
NOT_TRUSTED = "what the copy queue holds with its request id was not sent by its function"
DIFFERENT = "the copy queue holds different copies of it"
NOT_JSON = "its copy is not JSON"
# Part of the 30 seconds that the replayer has beyond the longest handler. At 10 copies in 20
# milliseconds, each thread sees 5,000.
_LOOK_SECONDS = 10.0
# Longer than a look, so that it sees no copy twice; if this process is killed, all are back soon.
_HIDDEN_SECONDS = 60
_THREADS = 8
_EMPTY_ANSWERS = 3


def lacks_payload(event: FailedEvent | None) -> bool:
    """Return whether an event is a record without its payload, which a copy may have."""
    return (
        event is not None
        and event.source == "destination"
        and not event.payload
        and event.request_id is not None
    )


def has_id_of(copy: FailedEvent | None, event: FailedEvent) -> bool:
    """Return whether an event is a copy with the request id of another event."""
    return (
        copy is not None
        and copy.source == "function-dlq"
        and copy.request_id is not None
        and copy.request_id == event.request_id
    )


def is_sent_by_function(copy: FailedEvent, event: FailedEvent) -> bool:
    """Return whether SQS says that a copy was sent by the function of an event.

    Lambda sends it in a session of the function's role that has the function's name. The root user
    of the function's account, which emulators use for everything, may do anything anyway.

    Args:
        copy: The copy.
        event: An event that names its function.
    """
    if copy.sender is not None:
        return copy.sender == event.function_name
    account = (event.function or "").split(":")[4:5]
    return [copy.sender_id] == account


def refusal(copy: FailedEvent, event: FailedEvent) -> str | None:
    """Return why a copy with the request id of an event is not to be used; None if it is.

    Args:
        copy: The copy.
        event: A record without its payload.
    """
    if not is_sent_by_function(copy, event):
        return NOT_TRUSTED
    return None if is_json(copy.payload) else NOT_JSON


def with_payload(message: Mapping[str, Any], payload: str) -> dict[str, Any]:
    """Return a message whose record has the payload in it, as if Lambda had written it.

    Args:
        message: A message with a record that has no payload, as `parse` takes it.
        payload: The payload: JSON text.
    """
    record = record_text(str(message.get("Body", ""))) or ""
    start = record.index("{") + 1
    body = f'{record[:start]}"requestPayload": {payload}, {record[start:]}'
    return {**message, "Body": body, "MessageAttributes": {}}


def without_copy(event: FailedEvent, why: str) -> FailedEvent:
    """Return an event that says why no copy gives its payload."""
    return dataclasses.replace(event, copy_obstacle=why)


@dataclass(frozen=True)
class Copy:
    """A copy that gives a record its payload.

    Attributes:
        payload: The payload: JSON text.
        receipts: The receipt handles of its messages, 10 at most; Lambda may have sent it twice.
    """

    payload: str
    receipts: tuple[str, ...]


@dataclass(frozen=True)
class NoCopy:
    """Why a record gets no payload.

    Attributes:
        why: The reason, in a few words.
        may_come: Whether another look may find a copy: not all of the queue was seen.
    """

    why: str
    may_come: bool = False


@dataclass
class _Seen:
    """What a thread saw of the queue: copies with the id, and receipts of all messages."""

    copies: list[tuple[FailedEvent, str]] = field(default_factory=list)
    receipts: list[str] = field(default_factory=list)


class CopyQueue:
    """Looks for one copy at a time in the copy queue of a channel.

    Args:
        sqs: A boto3 client of SQS.
        url: The queue's URL.
        look_seconds: How long a look may take.
    """

    def __init__(self, sqs: SQSClient, url: str, look_seconds: float = _LOOK_SECONDS) -> None:
        self._sqs = sqs
        self._url = url
        self._look_seconds = look_seconds

    def find(self, event: FailedEvent) -> Copy | NoCopy:
        """Return the copy of a record without its payload, or why there is none.

        The whole queue is received, since a forged copy may come first. All copies but the one that
        is returned are visible again then.

        Args:
            event: The record.
        """
        # Asked before, because this look hides copies too.
        others_hold_some = self._hidden() > 0
        ends = time.monotonic() + self._look_seconds
        with ThreadPoolExecutor(_THREADS) as pool:
            looks = [pool.submit(self._look, event, ends) for _ in range(_THREADS)]
            seen = [look.result() for look in looks]
            copies = [found for each in seen for found in each.copies]
            sees_all = not others_hold_some and time.monotonic() < ends
            result = _judge(event, copies, sees_all=sees_all)
            kept = result.receipts if isinstance(result, Copy) else ()
            others = [one for each in seen for one in each.receipts if one not in kept]
            list(pool.map(self._show, [others[at : at + 10] for at in range(0, len(others), 10)]))
        return result

    def change_visibility(self, copy: Copy, seconds: int) -> None:
        """Hide a copy while its event is replayed, or make it visible with 0 seconds."""
        self._change(copy.receipts, seconds)

    def delete(self, copy: Copy) -> None:
        """Delete a copy whose event succeeded."""
        for receipt in copy.receipts:
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=receipt)

    def _look(self, event: FailedEvent, ends: float) -> _Seen:
        seen = _Seen()
        empty = 0
        while empty < _EMPTY_ANSWERS and time.monotonic() < ends:
            answer = self._sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=10,
                WaitTimeSeconds=1,
                VisibilityTimeout=_HIDDEN_SECONDS,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            messages = answer.get("Messages", [])
            empty = 0 if messages else empty + 1
            for message in messages:
                seen.receipts.append(message["ReceiptHandle"])
                copy = _parsed(message)
                if copy is not None and has_id_of(copy, event):
                    seen.copies.append((copy, message["ReceiptHandle"]))
        return seen

    def _hidden(self) -> int:
        name: QueueAttributeNameType = "ApproximateNumberOfMessagesNotVisible"
        answer = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=[name])
        return int(answer["Attributes"].get(name, 0))

    def _show(self, receipts: Sequence[str]) -> None:
        self._change(receipts, 0)

    def _change(self, receipts: Sequence[str], seconds: int) -> None:
        self._sqs.change_message_visibility_batch(
            QueueUrl=self._url,
            Entries=[
                {"Id": str(index), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
                for index, receipt in enumerate(receipts)
            ],
        )


def _judge(
    event: FailedEvent, copies: Sequence[tuple[FailedEvent, str]], *, sees_all: bool
) -> Copy | NoCopy:
    """Return what the messages with the id of a record give it.

    Args:
        event: The record.
        copies: The messages, with their receipt handles.
        sees_all: Whether the whole queue was seen.
    """
    refusals = [why for copy, _ in copies if (why := refusal(copy, event)) is not None]
    usable = [found for found in copies if refusal(found[0], event) is None]
    payloads = {copy.payload for copy, _ in usable}
    if len(payloads) == 1:
        return Copy(payloads.pop(), tuple(receipt for _, receipt in usable[:10]))
    if payloads:
        return NoCopy(DIFFERENT)
    if not sees_all:
        return NoCopy(f"{NOT_FOUND} that can be received now", may_come=True)
    return NoCopy(refusals[0] if refusals else NOT_FOUND)


def _parsed(message: MessageTypeDef) -> FailedEvent | None:
    try:
        return parse(message)
    except NotAFailedEvent:
        return None
