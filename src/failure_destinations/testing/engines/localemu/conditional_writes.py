"""A patch that makes conditional writes to DynamoDB tables atomic.

localemu 1.3.2 looks at the condition and then writes, without a lock: of two writes at once, both
over the same version, both succeed.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithItems.html
"""

# localemu is installed where this module runs, not where it is type-checked.
# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import functools
import threading
from typing import Any

from moto.dynamodb.models import DynamoDBBackend

# A transaction calls the other operations.
_lock = threading.RLock()


def apply() -> None:
    """Patch localemu."""
    for operation in ("put_item", "update_item", "delete_item", "transact_write_items"):
        setattr(DynamoDBBackend, operation, _alone(getattr(DynamoDBBackend, operation)))


def _alone(operation: Any) -> Any:
    @functools.wraps(operation)
    def write(*arguments: Any, **options: Any) -> Any:
        with _lock:
            return operation(*arguments, **options)

    return write
