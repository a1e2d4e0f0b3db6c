"""Counts how often events were handed over to Lambda, in a DynamoDB table.

An event that fails again comes back as a new message, which does not say how often it was replayed.
It has the same function and payload, and so the same key.
"""

from __future__ import annotations

import hashlib
import time
from typing import Any

from .failed_event import FailedEvent


class ReplayCounts:
    """The counts of one replayer.

    Args:
        dynamodb: A boto3 client of DynamoDB.
        table: The name of the table, whose partition key is the text `event`.
        expires_seconds: How many seconds a count holds after an event was handed over: at least as
            long as its failure may take to come back.
    """

    def __init__(self, dynamodb: Any, table: str, expires_seconds: int) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._expires_seconds = expires_seconds

    def read(self, event: FailedEvent) -> int:
        """Return how often an event was handed over."""
        answer = self._dynamodb.get_item(
            TableName=self._table, Key=_key(event), ConsistentRead=True
        )
        item = answer.get("Item")
        # DynamoDB may take days to delete an item that has expired.
        if item is None or int(item["expires"]["N"]) < time.time():
            return 0
        return int(item["count"]["N"])

    def write(self, event: FailedEvent, count: int, wait_seconds: int = 0) -> None:
        """Set how often an event was handed over.

        Args:
            event: The event.
            count: How often.
            wait_seconds: How many seconds it waits before it is handed over again.
        """
        if not count:
            self._dynamodb.delete_item(TableName=self._table, Key=_key(event))
            return
        expires = int(time.time()) + wait_seconds + self._expires_seconds
        self._dynamodb.put_item(
            TableName=self._table,
            Item={**_key(event), "count": {"N": str(count)}, "expires": {"N": str(expires)}},
        )


def _key(event: FailedEvent) -> dict[str, Any]:
    digest = hashlib.blake2b(digest_size=32)
    for part in (event.function_arn or "", event.payload):
        digest.update(part.encode() + b"\0")
    return {"event": {"S": digest.hexdigest()}}
