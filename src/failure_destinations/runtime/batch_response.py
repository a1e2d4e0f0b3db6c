"""What a handler's response says about its batch: which records it has not handled.

https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html
https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
https://docs.aws.amazon.com/lambda/latest/dg/kafka-retry-configurations.html
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .event_records import Record, records_of
from .json_text import elements, inner_members

_FAILURES = "batchItemFailures"
_MAX_SHOWN = 100
# Python refuses to read longer integers, which JSON allows.
_MAX_DIGITS = 4_000


@dataclass(frozen=True)
class BatchResult:
    """What a handler did with a batch.

    Attributes:
        total: The number of records in the batch.
        left: Identifiers of the records that are not handled, in the order of the batch. Of a
            stream these are the failed record with the lowest sequence number and all that follow
            it, for each partition of Kafka alike; of a queue, the failed messages.
        problem: Why all of the batch counts as failed, if the response names no record of it. None
            if the response is valid.
    """

    total: int
    left: tuple[str, ...] = ()
    problem: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the handler handled every record."""
        return not self.left and self.problem is None

    @property
    def handled(self) -> int:
        """The number of records that are handled."""
        return self.total - len(self.left)

    @property
    def message(self) -> str | None:
        """Say what is not handled; None if everything is. Identifiers are text from outside."""
        if self.problem is not None:
            return f"all {self.total} records failed: {self.problem}"
        if not self.left:
            return None
        first = self.left[0][:_MAX_SHOWN]
        return f"{self.handled} of {self.total} records handled; the first that failed is {first}"


def read_response(response: bytes | str, payload: str) -> BatchResult:
    """Read the response of a handler to the event of a batch, by the rules of Lambda.

    The response counts whether or not the mapping has `ReportBatchItemFailures`: a handler that
    reports failures has not handled those records. No response, an object without
    `batchItemFailures` or with an empty list, and a text or number are success. A text or list that
    holds `batchItemFailures` is not: the handler meant to report failures.

    Args:
        response: The response: JSON text.
        payload: The event: JSON text.
    """
    records = records_of(payload)
    text = response if isinstance(response, str) else response.decode(errors="replace")
    try:
        names = _named(text)
        failed = _positions(records, names)
    except _ResponseError as error:
        left = tuple(record.identifier for record in records)
        return BatchResult(len(records), left, str(error))
    if not _has_positions(payload):
        return BatchResult(len(records), tuple(records[at].identifier for at in sorted(failed)))
    # Of a stream there is one shard; of Kafka each partition has a position of its own.
    lowest: dict[str, int] = {}
    for at in failed:
        part = _part(records[at])
        lowest[part] = min(records[at].order, lowest.get(part, records[at].order))
    after = [
        record.identifier
        for at, record in enumerate(records)
        if at in failed or (_part(record) in lowest and record.order >= lowest[_part(record)])
    ]
    return BatchResult(len(records), tuple(after))


class _ResponseError(Exception):
    pass


def _named(text: str) -> list[str]:
    """Return the identifiers that a response reports as failed.

    Raises:
        _ResponseError: Lambda would take all of the batch for failed.
    """
    if not text.strip():
        return []
    try:
        answer = json.loads(text, parse_int=_number)
    except (ValueError, RecursionError):
        raise _ResponseError("its response is not JSON") from None
    if isinstance(answer, str) and _FAILURES in answer:
        raise _ResponseError(
            f"its response is a string that holds {_FAILURES}: return the object itself, not its "
            "JSON text"
        )
    if isinstance(answer, list) and _FAILURES in text:
        raise _ResponseError(
            f"its response is a list that holds {_FAILURES}: return one object, not a list"
        )
    failures = answer.get(_FAILURES) if isinstance(answer, dict) else None
    if failures is None:
        return []
    if not isinstance(failures, list):
        raise _ResponseError("batchItemFailures is not a list")
    return [_identifier(failure) for failure in failures]


def _number(digits: str) -> int | float:
    return int(digits) if len(digits) < _MAX_DIGITS else float(digits)


def _positions(records: Sequence[Record], names: Sequence[str]) -> set[int]:
    """Return where in a batch the named records are.

    Raises:
        _ResponseError: One of them is not in it.
    """
    known = {record.identifier: at for at, record in enumerate(records)}
    for name in names:
        if name not in known:
            raise _ResponseError(
                f"its batchItemFailures names {name[:_MAX_SHOWN]}, which it did not get"
            )
    return {known[name] for name in names}


def _identifier(failure: Any) -> str:
    name = failure.get("itemIdentifier") if isinstance(failure, dict) else None
    if isinstance(name, dict):
        # Kafka's are objects.
        partition, offset = name.get("partition"), name.get("offset")
        if isinstance(partition, str) and isinstance(offset, int) and not isinstance(offset, bool):
            return f"{partition}:{offset}"
    elif isinstance(name, str) and name:
        return name
    raise _ResponseError("an entry of batchItemFailures has no valid itemIdentifier")


def _has_positions(payload: str) -> bool:
    """Return whether an event comes from a stream or Kafka, not from a queue."""
    known = inner_members(payload)
    first = next(iter(elements(known.get("Records"))), None)
    return first is None or not {"kinesis", "dynamodb"}.isdisjoint(inner_members(first))


def _part(record: Record) -> str:
    return record.identifier.rpartition(":")[0]
