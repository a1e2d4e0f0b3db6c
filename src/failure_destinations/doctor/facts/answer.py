"""What AWS answered, or why it did not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Attributes = Mapping[str, Any]
"""An answer of AWS, or a part of one, as boto3 returns it."""


@dataclass(frozen=True)
class Unknown:
    """What could not be read.

    Attributes:
        action: The IAM action that reading it takes, such as `sns:GetTopicAttributes`.
        error: What AWS said, in one line; None if the action is not permitted.
    """

    action: str
    error: str | None = None


class Readable:
    """Something whose attributes AWS was asked for."""

    attributes: Attributes | Unknown | None

    @property
    def known(self) -> Attributes:
        """Its attributes; empty if they could not be read, or it does not exist."""
        return self.attributes if isinstance(self.attributes, Mapping) else {}


def name_of(id: str) -> str:
    """Return the name in a queue's URL, or in the ARN of a queue, topic or function."""
    return re.split("[:/]", id)[-1]
