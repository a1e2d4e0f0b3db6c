"""Answers from AWS, and why one is missing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Attributes = Mapping[str, Any]
"""An AWS response, or a part of one, as boto3 returns it."""


@dataclass(frozen=True)
class Unknown:
    """A fact that could not be read.

    Attributes:
        action: The IAM action that reading it requires, such as `sns:GetTopicAttributes`.
        error: The error from AWS, in one line; None if the action is not permitted.
    """

    action: str
    error: str | None = None


class Readable:
    """A resource whose attributes were requested from AWS."""

    attributes: Attributes | Unknown | None

    @property
    def known(self) -> Attributes:
        """Its attributes; empty if they could not be read or it does not exist."""
        return self.attributes if isinstance(self.attributes, Mapping) else {}


class ReadableQueue(Readable):
    """A queue whose attributes were requested from SQS."""

    url: str

    @property
    def name(self) -> str:
        """Its name."""
        return name_of(self.url)

    @property
    def arn(self) -> str | None:
        """Its ARN; None if it does not exist or could not be read."""
        return self.known.get("QueueArn")

    @property
    def retention(self) -> int:
        """Its retention in seconds."""
        return int(self.known.get("MessageRetentionPeriod", 345_600))


def name_of(id: str) -> str:
    """Return the name in a queue's URL or in the ARN of a queue, topic or function."""
    return re.split("[:/]", id)[-1]
