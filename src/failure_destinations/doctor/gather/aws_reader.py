"""Asks AWS one thing at a time: what is not permitted is not known, and the rest goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from failure_destinations.errors import aws_message
from failure_destinations.progress import Progress

from ..facts import Unknown

T = TypeVar("T")

_DENIED = (
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "UnauthorizedOperation",
    "KMS.AccessDeniedException",
)
_MISSING = (
    "NotFound",
    "NotFoundException",
    "ResourceNotFoundException",
    "NoSuchEntity",
    "QueueDoesNotExist",
    "AWS.SimpleQueueService.NonExistentQueue",
)


class Looks:
    """Looks at AWS, and shows how many there were so far if it takes long.

    Args:
        progress: Shows it.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def at(self, action: str, look: Callable[[], T]) -> T | Unknown | None:
        """Return what a look shows; None if what is looked at is not there.

        Args:
            action: The IAM action that it takes, such as `sns:GetTopicAttributes`.
            look: Calls boto3.
        """
        from botocore.exceptions import ClientError  # noqa: PLC0415

        try:
            return look()
        except ClientError as error:
            code = error.response["Error"].get("Code", "")
            if code in _MISSING:
                return None
            if code in _DENIED:
                return Unknown(action, f"not known without permission for {action}")
            return Unknown(action, f"not known: {aws_message(error)}")
        finally:
            self._progress.advance()
