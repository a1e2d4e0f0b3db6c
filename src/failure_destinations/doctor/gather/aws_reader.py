"""Asks AWS one thing at a time: what is not permitted is not known, and the rest goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from failure_destinations.deployed.aws_errors import is_access_denied, is_not_found
from failure_destinations.errors import aws_message
from failure_destinations.progress import Progress

from ..facts import Unknown

T = TypeVar("T")


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
            if is_not_found(error):
                return None
            if is_access_denied(error):
                return Unknown(action, f"not known without permission for {action}")
            return Unknown(action, f"not known: {aws_message(error)}")
        finally:
            self._progress.advance()
