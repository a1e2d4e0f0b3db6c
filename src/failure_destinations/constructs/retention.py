"""How long queues keep events."""

from __future__ import annotations

import functools

from aws_cdk import Duration

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
MIN_RETENTION_SECONDS = 60
MAX_RETENTION_SECONDS = 1_209_600
# What a queue of this library keeps unless it is told otherwise: as long as SQS can.
DEFAULT_RETENTION_DAYS = 14
# What a queue keeps that says nothing.
SQS_DEFAULT_RETENTION_SECONDS = 345_600


@functools.cache
def default_retention() -> Duration:
    """Return how long a queue of this library keeps an event."""
    return Duration.days(DEFAULT_RETENTION_DAYS)
