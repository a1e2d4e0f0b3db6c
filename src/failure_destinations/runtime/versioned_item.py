"""One item of a DynamoDB table, written only by who read its last version."""

from __future__ import annotations

import json
import zlib
from typing import Any

KEY = "Id"
UNREADABLE = (AttributeError, LookupError, TypeError, ValueError, zlib.error)
"""What is raised where somebody else wrote the item."""

_ID = {KEY: {"S": "state"}}
_MAX_UNPACKED = 50_000_000


def packed(value: Any) -> bytes:
    """Return a value that JSON can hold as the bytes that an item holds."""
    return zlib.compress(json.dumps(value).encode())


class VersionedItem:
    """Reads and writes an item, so that of two runs at once only one writes.

    Args:
        dynamodb: A boto3 client of DynamoDB.
        table: The table's name.
    """

    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def read(self) -> tuple[Any, int]:
        """Return the value and its version: None if it cannot be read, and 0 if there is none."""
        answer = self._dynamodb.get_item(TableName=self._table, Key=_ID, ConsistentRead=True)
        item = answer.get("Item")
        if not item:
            return None, 0
        version = int(item["Version"]["N"])
        try:
            data = zlib.decompressobj().decompress(bytes(item["State"]["B"]), _MAX_UNPACKED)
            return json.loads(data), version
        except UNREADABLE:
            return None, version

    def write(self, data: bytes, version: int) -> bool:
        """Write over the version that was read; return False if somebody was faster.

        Args:
            data: What `packed` returned, at most 400 KB with the item's other attributes.
            version: The version that was read.
        """
        item = {**_ID, "State": {"B": data}, "Version": {"N": str(version + 1)}}
        # Placeholders, because DynamoDB reserves hundreds of words.
        # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html
        condition: dict[str, Any] = {
            "ConditionExpression": "attribute_not_exists(#id)",
            "ExpressionAttributeNames": {"#id": KEY},
        }
        if version:
            condition = {
                "ConditionExpression": "#version = :version",
                "ExpressionAttributeNames": {"#version": "Version"},
                "ExpressionAttributeValues": {":version": {"N": str(version)}},
            }
        try:
            self._dynamodb.put_item(TableName=self._table, Item=item, **condition)
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True
