"""The part of a channel that keeps failed batches: a bucket, and what announces its objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .answer import Attributes, Unknown
from .key import Key
from .queue import Queue


@dataclass(frozen=True)
class Bucket:
    """The bucket for failed batches.

    Attributes:
        name: Its name.
        arn: Its ARN.
        region: Its Region.
        notifications: As `GetBucketNotificationConfiguration` returns it; None if the bucket does
            not exist.
        lifecycle: As `GetBucketLifecycleConfiguration` returns it; None if it deletes nothing.
        policy: Its policy; None if it has none.
        key: The KMS key that encrypts it; None without one.
        declared_days: For how many days the template has it keep objects; None if not known.
    """

    name: str
    arn: str
    region: str
    notifications: Attributes | Unknown | None
    lifecycle: Attributes | Unknown | None = None
    policy: Attributes | Unknown | None = None
    key: Key | Unknown | None = None
    declared_days: int | None = None

    @property
    def is_announcing(self) -> bool:
        """Whether it sends its events to EventBridge."""
        known = self.notifications if isinstance(self.notifications, Mapping) else {}
        return known.get("EventBridgeConfiguration") is not None


@dataclass(frozen=True)
class AnnouncementRule:
    """The rule that announces the bucket's new objects.

    Attributes:
        name: Its name.
        live: As `DescribeRule` returns it; None if it does not exist.
        targets: As `ListTargetsByRule` returns them.
        declared_pattern: The event pattern in the template; None if it is not known.
        declared_target: The target in the template; None if it is not known.
    """

    name: str
    live: Attributes | Unknown | None
    targets: Sequence[Attributes] | Unknown = ()
    declared_pattern: Attributes | None = None
    declared_target: Attributes | None = None


@dataclass(frozen=True)
class BatchForwarder:
    """The function that brings announced batches to the channel's topic.

    Attributes:
        name: Its name.
        mapping: Its event source mapping, as `GetEventSourceMapping` returns it.
        errors: How often it failed in the last hour.
    """

    name: str
    mapping: Attributes | Unknown | None
    errors: float | Unknown = 0.0


@dataclass(frozen=True)
class BatchStore:
    """The part of a channel that keeps failed batches, with their records.

    Attributes:
        bucket: The bucket to which Lambda writes failed batches.
        rule: The rule that announces the bucket's new objects.
        queue: The queue that gets these announcements.
        forwarder: The function that reads the queue.

    Each is None if the template no longer defines it.
    """

    bucket: Bucket | None
    rule: AnnouncementRule | None
    queue: Queue | None
    forwarder: BatchForwarder | None
