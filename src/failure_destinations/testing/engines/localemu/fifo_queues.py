"""Patches that let functions read FIFO queues, and messages return from FIFO dead-letter queues.

localemu 1.3.2 creates no mapping of a FIFO queue. And a message keeps its deduplication id when it
moves to a dead-letter queue and back, so that the source queue takes it for the one that it got
before. SQS gives it its message id as deduplication id, and moves it back with a new message id.

https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html
"""

# localemu is installed where this module runs, not where it is type-checked.
# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import functools
import uuid
from typing import Any

from localemu.services.lambda_ import provider
from localemu.services.sqs.models import FifoQueue

_NAME_OF_ITS_OWN = "sqs-fifo"


def apply() -> None:
    """Patch localemu."""
    load = provider.load_service

    def load_service(name: str, *arguments: Any, **options: Any) -> Any:
        # localemu looks for a service of the name that it gives FIFO queues.
        return load("sqs" if name == _NAME_OF_ITS_OWN else name, *arguments, **options)

    provider.load_service = load_service
    FifoQueue.put = _with_own_deduplication_id(FifoQueue.put)


def _with_own_deduplication_id(original: Any) -> Any:
    @functools.wraps(original)
    def put(queue: Any, message: Any, *arguments: Any, **options: Any) -> Any:
        source = message.get("Attributes", {}).get("DeadLetterQueueSourceArn")
        if source == queue.arn:
            message["MessageId"] = str(uuid.uuid4())
        elif source:
            options["message_deduplication_id"] = message["MessageId"]
        return original(queue, message, *arguments, **options)

    return put
