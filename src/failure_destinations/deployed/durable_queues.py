"""The queues from which a channel gets the failures of durable functions."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

from .aws_errors import is_not_found
from .location import Location

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class DurableQueues:
    """Decides whether a queue brings failures to a channel. May be used from several threads.

    Such a queue is the dead-letter queue of a durable function. Messages that do not reach the
    channel move from it to the channel's own dead-letter queue.

    Args:
        sqs: A boto3 client of SQS in the channel's account and Region.
        dead_letter_queue_arn: The channel's dead-letter queue; None if it has none.
    """

    def __init__(self, sqs: SQSClient, dead_letter_queue_arn: str | None) -> None:
        self._sqs = sqs
        self._dead_letter_queue_arn = dead_letter_queue_arn
        self._known: dict[str, bool] = {}
        self._lock = threading.Lock()

    def includes(self, arn: str | None) -> bool:
        """Return whether a queue brings failures to the channel.

        Args:
            arn: The ARN of a function's dead-letter queue or topic; None if it has none.

        Raises:
            ClientError: The queue's attributes cannot be read.
        """
        channels = self._dead_letter_queue_arn
        if not arn or channels is None or ":sqs:" not in arn:
            return False
        if Location.of(arn) != Location.of(channels):
            return False
        with self._lock:
            if arn not in self._known:
                self._known[arn] = self._dead_letters_of(arn) == channels
            return self._known[arn]

    def _dead_letters_of(self, arn: str) -> str | None:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up time

        try:
            url = self._sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
            answer = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])
        except ClientError as error:
            if is_not_found(error):
                return None
            raise
        policy = json.loads(answer.get("Attributes", {}).get("RedrivePolicy") or "{}")
        target: str | None = policy.get("deadLetterTargetArn")
        return target
