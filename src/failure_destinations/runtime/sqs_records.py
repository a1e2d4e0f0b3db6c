"""Handles the records of an SQS event one by one, and tells Lambda which ones stay in the queue."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

_log = logging.getLogger(__name__)
_log.setLevel(logging.INFO)


def finish_each(
    event: Mapping[str, Any], finish: Callable[[Mapping[str, Any]], bool]
) -> dict[str, Any]:
    """Finish each record of an SQS event, and return what Lambda is to leave in the queue.

    An error leaves only its own record, which SQS delivers again.

    Args:
        event: The event.
        finish: Returns whether a record may leave the queue.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """
    return {
        "batchItemFailures": [
            {"itemIdentifier": record["messageId"]}
            for record in event["Records"]
            if not _is_finished(record, finish)
        ]
    }


def forward_each(
    event: Mapping[str, Any], forward: Callable[[Mapping[str, Any]], None]
) -> dict[str, Any]:
    """Forward each record of an SQS event, and return what Lambda is to leave in the queue.

    What cannot be forwarded is delivered again, and at last moved to the channel's dead-letter
    queue.

    Args:
        event: The event.
        forward: Forwards a record, or raises an error.
    """

    def finish(record: Mapping[str, Any]) -> bool:
        forward(record)
        return True

    return finish_each(event, finish)


def _is_finished(record: Mapping[str, Any], finish: Callable[[Mapping[str, Any]], bool]) -> bool:
    try:
        return finish(record)
    except Exception:
        _log.exception("%s stays in the queue", record["messageId"])
        return False
