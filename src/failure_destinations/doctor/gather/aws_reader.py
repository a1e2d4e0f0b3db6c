"""Reads one fact at a time: one that is not permitted is unknown, and reading continues."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from failure_destinations.deployed.aws_errors import is_access_denied, is_not_found
from failure_destinations.errors import aws_message
from failure_destinations.progress import Progress

from ..facts import Unknown

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

T = TypeVar("T")


def unknown(action: str, error: ClientError) -> Unknown:
    """Return the unknown fact for an AWS error.

    Args:
        action: The IAM action that reading it requires.
        error: The error.
    """
    return Unknown(action, None if is_access_denied(error) else aws_message(error))


class AwsReader:
    """Reads from AWS and reports each read; may be used from several threads.

    Args:
        progress: Gets a report of each read.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def read(self, action: str, call: Callable[[], T]) -> T | Unknown | None:
        """Return the result of a call; None if the resource does not exist.

        Args:
            action: The IAM action that it requires, such as `sns:GetTopicAttributes`.
            call: Calls boto3.
        """
        from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up time

        try:
            return call()
        except ClientError as error:
            if is_not_found(error):
                return None
            return unknown(action, error)
        finally:
            self._progress.advance()
