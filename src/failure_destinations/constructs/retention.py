"""How long queues keep events."""

from __future__ import annotations

import functools
import math
from typing import Any, cast

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs

from .refusals import check_age, is_token

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
MIN_RETENTION_SECONDS = 60
MAX_RETENTION_SECONDS = 1_209_600
# What a queue of this library keeps unless it is told otherwise: as long as SQS can.
DEFAULT_RETENTION_DAYS = 14
# What a queue keeps that says nothing.
SQS_DEFAULT_RETENTION_SECONDS = 345_600


# Of a rule that expires objects, in days.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html
MIN_BATCH_RETENTION_SECONDS = 86_400
MAX_BATCH_RETENTION_SECONDS = 3_650 * 86_400
_DAY_SECONDS = 86_400


@functools.cache
def default_retention() -> Duration:
    """Return how long a queue of this library keeps an event."""
    return Duration.days(DEFAULT_RETENTION_DAYS)


def known_retention(queue: sqs.IQueue) -> float | None:
    """Return the retention of a queue of this app in seconds; None if it is not known."""
    if not isinstance(queue, sqs.Queue):
        return None
    seconds = cast(sqs.CfnQueue, queue.node.default_child).message_retention_period
    if seconds is None:
        return SQS_DEFAULT_RETENTION_SECONDS
    return None if is_token(seconds) else seconds


def check_batch_retention(value: Any) -> None:
    """Raise ValueError if a bucket cannot keep objects so long."""
    check_age("batch_retention", value, MIN_BATCH_RETENTION_SECONDS, MAX_BATCH_RETENTION_SECONDS)
    if value is None:
        return
    if value.is_unresolved():
        try:
            value.to_days()
        except RuntimeError:
            raise ValueError(
                "batch_retention must be in days, got a token in another unit: S3 counts days; "
                "write Duration.days(…)"
            ) from None
        return
    seconds = value.to_seconds()
    if seconds % _DAY_SECONDS:
        raise ValueError(
            f"batch_retention must be whole days, got {seconds:g} seconds: S3 counts days; "
            f"write Duration.days({math.ceil(seconds / _DAY_SECONDS)})"
        )


def batch_retention(given: Duration | None, retention: Duration) -> Duration:
    """Return how long a channel's bucket keeps a failed batch.

    Args:
        given: How long the user wants it to. Default: twice as long as the queues keep an event,
            because a replayer that gives an event up keeps it as long again.
        retention: How long the queues keep an event.
    """
    if given is not None:
        return given
    if retention.is_unresolved():
        return Duration.days(2 * DEFAULT_RETENTION_DAYS)
    return Duration.days(math.ceil(2 * retention.to_seconds() / _DAY_SECONDS))
