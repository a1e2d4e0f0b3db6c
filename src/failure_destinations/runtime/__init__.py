"""Failed events as their queues hold them, and how to run them again.

Standard library and boto3 only: this package runs in Lambda by itself, under the name `runtime`,
and never imports `aws_cdk`.
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
