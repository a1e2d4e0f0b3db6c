"""Parse failed events from queue messages, and replay them.

It needs only the standard library and boto3: Lambda runs this package alone, under the name
`runtime`. It never imports `aws_cdk`.
"""

from __future__ import annotations

from .failed_event import FailedEvent, NotAFailedEvent, Source, parse, sqs_message
from .replay import Outcome, Reason, Status, lambda_client, replay

__all__ = [
    "FailedEvent",
    "NotAFailedEvent",
    "Outcome",
    "Reason",
    "Source",
    "Status",
    "lambda_client",
    "parse",
    "replay",
    "sqs_message",
]
