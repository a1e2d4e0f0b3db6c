"""Parse failed events from queue messages, and replay them.

It needs only the standard library and boto3: Lambda runs this package alone, under the name
`runtime`. It never imports `aws_cdk`.
"""

from __future__ import annotations

from .batch_response import BatchResult, read_response
from .event_records import Record, only_latest, records_of, with_records
from .failed_batch import FailedBatch, PartitionOffsets, StoredObject
from .failed_event import (
    FailedEvent,
    NotAFailedEvent,
    Source,
    parse,
    parse_notification,
    sqs_message,
)
from .fingerprint import Fingerprint, fingerprint
from .message_pattern import normalise
from .record_fetching import RecordClients, RecordsGone, fetch_records
from .replay import Outcome, Reason, Status, lambda_client, replay

__all__ = [
    "BatchResult",
    "FailedBatch",
    "FailedEvent",
    "Fingerprint",
    "NotAFailedEvent",
    "Outcome",
    "PartitionOffsets",
    "Reason",
    "Record",
    "RecordClients",
    "RecordsGone",
    "Source",
    "Status",
    "StoredObject",
    "fetch_records",
    "fingerprint",
    "lambda_client",
    "normalise",
    "only_latest",
    "parse",
    "parse_notification",
    "read_response",
    "records_of",
    "replay",
    "sqs_message",
    "with_records",
]
