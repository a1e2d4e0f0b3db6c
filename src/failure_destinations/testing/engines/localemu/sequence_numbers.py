"""A patch that gives the records of localemu's streams sequence numbers as long as those of AWS.

localemu 1.3.2 counts from 1, and SDKs refuse to ask a DynamoDB stream for a number below 21 digits.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetShardIterator.html
"""

# localemu is installed where this module runs, not where it is type-checked.
# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import threading

from moto.kinesis.models import Record, Shard

_BEFORE_FIRST = 4_421_584_500_000_000_017_450_439_091
# Numbers of AWS have gaps.
_STEP = 17

_lock = threading.Lock()


def apply() -> None:
    """Patch localemu, whose DynamoDB streams are Kinesis streams inside."""
    Shard.put_record = _put_record


def _put_record(shard: Shard, partition_key: str, data: str, explicit_hash_key: str) -> str:
    with _lock:
        number = (shard.get_max_sequence_number() or _BEFORE_FIRST) + _STEP
        shard.records[number] = Record(partition_key, data, number, explicit_hash_key)
    return str(number)
