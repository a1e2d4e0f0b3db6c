"""A KMS key."""

from __future__ import annotations

from dataclasses import dataclass

from .answer import Attributes, Unknown

# Whoever sends to an encrypted topic or queue uses its key with both: a function the topic's key,
# SNS the queue's.
# https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
KEY_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey")


@dataclass(frozen=True)
class Key:
    """A KMS key.

    Attributes:
        id: Its ARN; of a key of AWS perhaps the alias by which the queue or topic names it.
        metadata: As `DescribeKey` returns it.
        policy: Its policy; None for a key of AWS, whose policy nobody can change.
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
