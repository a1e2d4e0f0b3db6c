"""A KMS key."""

from __future__ import annotations

from dataclasses import dataclass

from .answer import Attributes, Unknown

# A sender to an encrypted topic or queue needs both for its key: a function for the topic's key,
# SNS for the queue's.
# https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
KEY_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey")


@dataclass(frozen=True)
class Key:
    """A KMS key.

    Attributes:
        id: Its ARN; for an AWS managed key, possibly the alias that the queue or topic names.
        metadata: As `DescribeKey` returns it.
        policy: Its policy; None for an AWS managed key, whose policy nobody can change.
    """

    id: str
    metadata: Attributes
    policy: Attributes | Unknown | None

    @property
    def state(self) -> str:
        """Its state, such as `Enabled`, `Disabled` or `PendingDeletion`."""
        return str(self.metadata.get("KeyState", "Enabled"))

    @property
    def of_aws(self) -> bool:
        """Whether AWS manages it, such as `alias/aws/sqs`."""
        return self.metadata.get("KeyManager") == "AWS" or "alias/aws/" in self.id
