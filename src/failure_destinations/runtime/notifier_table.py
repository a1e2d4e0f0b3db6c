"""The DynamoDB item that holds a notifier's state."""

from __future__ import annotations

from typing import Any

from .notifier_state import NotifierState
from .versioned_item import UNREADABLE, VersionedItem, packed


class NotifierTable:
    """Reads and writes the state.

    Args:
        dynamodb: A boto3 client of DynamoDB.
        table: The table's name.
    """

    def __init__(self, dynamodb: Any, table: str) -> None:
        self._item = VersionedItem(dynamodb, table)

    def read(self) -> tuple[NotifierState, int]:
        """Return the state and its version: a new state if there is none, or one cannot be read."""
        value, version = self._item.read()
        try:
            return NotifierState() if value is None else NotifierState.from_json(value), version
        except UNREADABLE:
            # Somebody else wrote it: a message too many is better than none.
            return NotifierState(), version

    def write(self, state: NotifierState, version: int) -> bool:
        """Write the state over the version that was read; return False if somebody was faster."""
        return self._item.write(packed(state.to_json()), version)
