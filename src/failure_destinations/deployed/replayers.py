"""The replayer that drains a queue, also while it is switched off."""

from __future__ import annotations

from dataclasses import dataclass

from .queues import Queue
from .session import Aws


@dataclass(frozen=True)
class AttachedReplayer:
    """A deployed `FailureReplayer`.

    Attributes:
        name: The name of its function.
        max_attempts: The number of receives after which it parks an event that fails.
        enabled: Whether it drains the queue now.
    """

    name: str
    max_attempts: int
    enabled: bool

    def parks_next(self, receives: int) -> bool:
        """Return whether it parks an event the next time that it fails.

        Args:
            receives: How often the event's message was received so far.
        """
        return receives + 1 >= self.max_attempts


def find_replayer(aws: Aws, queue: Queue) -> AttachedReplayer | None:
    """Return the replayer of a queue; None if there is none, or its function may not be read.

    Args:
        aws: The account and Region of the queue.
        queue: The queue.
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up time

    client = aws.client("lambda")
    for name in queue.attached:
        try:
            answer = client.get_function_configuration(FunctionName=name)
        except ClientError:
            continue
        variables = answer.get("Environment", {}).get("Variables", {})
        limit = variables.get("MAX_ATTEMPTS", "")
        if "PARKED_QUEUE_URL" in variables and limit.isdecimal():
            return AttachedReplayer(name, int(limit), name in queue.consumers)
    return None
