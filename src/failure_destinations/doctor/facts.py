"""What is known of a deployed channel: AWS's own answers, and what the template says.

Wherever a fact may be `Unknown`, looking was not possible; where it may be None, the thing itself
is not there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

# Who sends to what is encrypted uses its key with both: a function a topic's, SNS a queue's.
# https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
KEY_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey")


@dataclass(frozen=True)
class Unknown:
    """What could not be looked at.

    Attributes:
        action: The IAM action that it takes.
        why: What AWS said, in one line.
    """

    action: str
    why: str


Attributes = Mapping[str, Any]


@dataclass(frozen=True)
class Key:
    """A KMS key.

    Attributes:
        id: Its ARN, or as the queue or topic names it.
        metadata: As `DescribeKey` returns it.
        policy: Its policy; None for a key of AWS, whose policy nobody can change.
    """

    id: str
    metadata: Attributes
    policy: Attributes | Unknown | None

    @property
    def state(self) -> str:
        """Such as `Enabled`, `Disabled` or `PendingDeletion`."""
        return str(self.metadata.get("KeyState", "Enabled"))

    @property
    def of_aws(self) -> bool:
        """Whether it is one of AWS's own, such as `alias/aws/sqs`."""
        return self.metadata.get("KeyManager") == "AWS" or "alias/aws/" in self.id


class _Looked:
    """What AWS was asked for the attributes of."""

    attributes: Attributes | Unknown | None

    @property
    def known(self) -> Attributes:
        """What is known of its attributes."""
        return self.attributes if isinstance(self.attributes, Mapping) else {}


@dataclass(frozen=True)
class Queue(_Looked):
    """A queue of a channel.

    Attributes:
        kind: `queue`, `dead-letter queue`, `copy queue` or `parked queue`.
        url: Its URL.
        attributes: As `GetQueueAttributes` returns them.
        key: The KMS key that encrypts it; None if there is none.
        oldest_seconds: The newest `ApproximateAgeOfOldestMessage` of CloudWatch; None if it has
            none of the last hour.
        seen_seconds: The age of the oldest message that was seen in it.
        declared_retention: The retention that the template gives it, in seconds.
    """

    kind: str
    url: str
    attributes: Attributes | Unknown | None
    key: Key | Unknown | None = None
    oldest_seconds: float | Unknown | None = None
    seen_seconds: float | None = None
    declared_retention: int | None = None

    @property
    def name(self) -> str:
        """Its name."""
        return name_of(self.url)

    @property
    def arn(self) -> str | None:
        """Its ARN, if it is there."""
        return self.known.get("QueueArn")

    @property
    def policy(self) -> Attributes:
        """Its policy; empty if it has none."""
        policy: Attributes = json.loads(self.known.get("Policy") or "{}")
        return policy

    @property
    def waiting(self) -> int:
        """About how many messages are in it, also those that are hidden now."""
        names = ("", "NotVisible", "Delayed")
        return sum(int(self.known.get(f"ApproximateNumberOfMessages{name}", 0)) for name in names)

    @property
    def retention(self) -> int:
        """How long it keeps a message, in seconds."""
        return int(self.known.get("MessageRetentionPeriod", 345_600))


@dataclass(frozen=True)
class Subscription:
    """A subscription of a topic.

    Attributes:
        protocol: Such as `sqs` or `email`.
        endpoint: Who is told: an address, URL or ARN. None if only a parameter says.
        arn: Its ARN; None while SNS tells none.
        attributes: As `GetSubscriptionAttributes` returns them; None if it is not there.
        declared: Whether the template defines it.
        of_queue: Whether it is that of the channel's queue.
    """

    protocol: str
    endpoint: str | None
    arn: str | None
    attributes: Attributes | Unknown | None
    declared: bool = True
    of_queue: bool = False

    @property
    def name(self) -> str:
        """Who is told, for people."""
        if self.protocol in ("sqs", "lambda", "firehose") and self.endpoint:
            return name_of(self.endpoint)
        return self.endpoint or self.arn or self.protocol

    @property
    def is_mailbox(self) -> bool:
        """Whether it is told by e-mail."""
        return self.protocol.startswith("email")

    @property
    def pending(self) -> bool:
        """Whether it is not confirmed."""
        known = self.attributes if isinstance(self.attributes, Mapping) else {}
        return str(known.get("PendingConfirmation", "false")).lower() == "true"


@dataclass(frozen=True)
class Topic(_Looked):
    """A topic, and who listens to it.

    Attributes:
        kind: `topic`, which is the channel's, or `alarm topic`.
        arn: Its ARN.
        attributes: As `GetTopicAttributes` returns them.
        subscriptions: Those of the template, and others that it has.
        key: The KMS key that encrypts it; None if there is none.
        peak: The most messages published within one minute of the last three days.
        unlisted: Why its other subscriptions are not known; None if they are.
    """

    kind: Literal["topic", "alarm topic"]
    arn: str
    attributes: Attributes | Unknown | None
    subscriptions: Sequence[Subscription] = ()
    key: Key | Unknown | None = None
    peak: float | Unknown | None = None
    unlisted: Unknown | None = None

    @property
    def name(self) -> str:
        """Its name."""
        return name_of(self.arn)


@dataclass(frozen=True)
class Alarm:
    """An alarm of a monitoring.

    Attributes:
        path: Its construct path below the stack.
        name: Its name.
        live: As `DescribeAlarms` returns it.
        declared: As the template defines it, for `PutMetricAlarm`; None where that refers to what
            only CloudFormation knows.
        actions: The ARNs of those whom the template has it tell, as far as they are known.
        declared_enabled: Whether the template lets it tell them.
    """

    path: str
    name: str
    live: Attributes | Unknown | None
    declared: Attributes | None = None
    actions: Sequence[str] = ()
    declared_enabled: bool = True


@dataclass(frozen=True)
class Monitoring:
    """A deployed `FailureMonitoring`.

    Attributes:
        path: Its construct path below the stack.
        topic: Whom its alarms tell; None if nothing says.
        alarms: Those of the stack.
        own_topic: Whether the topic is its own, and not one that it was given.
    """

    path: str
    topic: Topic | None
    alarms: Sequence[Alarm]
    own_topic: bool = True


@dataclass(frozen=True)
class Handler:
    """A function, version or alias whose failed events go to the channel.

    Attributes:
        function: Its function's name or ARN.
        qualifier: The alias or version; None for none.
        config: As `GetFunctionEventInvokeConfig` returns it; None if there is none.
        settings: As `GetFunctionConfiguration` returns them; None if there is no such function.
        destination_there: Whether where its failed events go exists; None if it is no topic, and
            so not of a channel.
        denied: The IAM actions that its role needs and lacks.
        declares_copies: Whether the template sets a dead-letter queue for the function.
        delivery_failures: When Lambda could not send to the destination, in periods of 5 minutes.
    """

    function: str
    qualifier: str | None
    config: Attributes | Unknown | None
    settings: Attributes | Unknown | None
    destination_there: bool | Unknown | None = None
    denied: Sequence[str] | Unknown = ()
    declares_copies: bool = False
    delivery_failures: Sequence[datetime] | Unknown = ()

    @property
    def name(self) -> str:
        """Name and qualifier of what is called."""
        name = name_of(self.function)
        return f"{name}:{self.qualifier}" if self.qualifier else name

    @property
    def destination(self) -> str | None:
        """Where its failed events go."""
        return failure_destination(self.config)

    @property
    def dead_letter_target(self) -> str | None:
        """The function's own dead-letter queue."""
        known = self.settings if isinstance(self.settings, Mapping) else {}
        target: str | None = (known.get("DeadLetterConfig") or {}).get("TargetArn")
        return target or None


@dataclass(frozen=True)
class Replayer:
    """What drains a channel's queue into the handlers that failed.

    Attributes:
        path: Its construct path below the stack.
        mapping: Its event source mapping as `ListEventSourceMappings` returns it.
        declared_enabled: Whether the template switches it on.
        parked: Its queue for what fails again and again.
    """

    path: str
    mapping: Attributes | Unknown | None
    declared_enabled: bool
    parked: Queue


@dataclass(frozen=True)
class Copy:
    """A copy of a failed event, of a function's own dead-letter queue.

    Attributes:
        request_id: Lambda's id of the invocation.
        size: Bytes of the event.
        time: When Lambda sent it.
        sender: The function's name, as far as SQS tells.
    """

    request_id: str
    size: int
    time: datetime | None
    sender: str | None


@dataclass(frozen=True)
class Copies:
    """What a look into the queues showed.

    Attributes:
        copies: Those whose record is in none of the channel's other queues.
        compared: How many were compared.
        gap: Why not all of the queues was seen; None if all was.
        drained_by: The function that drains the queue, which was therefore not looked into.
    """

    copies: Sequence[Copy]
    compared: int
    gap: str | None = None
    drained_by: str | None = None

    @property
    def complete(self) -> bool:
        """Whether a record that was not seen is in none of the queues."""
        return self.gap is None and self.drained_by is None


@dataclass(frozen=True)
class Channel:
    """A deployed channel.

    Attributes:
        stack: Its stack's name.
        path: Its construct path below the stack.
        topic: Its topic.
        queue: Its queue; None if another stack defines it and its subscription is gone.
        dead_letter_queue: Where SNS puts what it cannot deliver; None if the template names none.
        copy_queue: The queue that keeps copies; None if the template defines none.
        handlers: Those of the stack.
        replayers: Those of the stack that drain its queue.
        monitoring: What watches it; None if nothing of the stack does.
        copies: How copies and records compare; None if nobody looked.
    """

    stack: str
    path: str
    topic: Topic
    queue: Queue | None
    dead_letter_queue: Queue | None = None
    copy_queue: Queue | None = None
    handlers: Sequence[Handler] = ()
    replayers: Sequence[Replayer] = ()
    monitoring: Monitoring | None = None
    copies: Copies | Unknown | None = None

    @property
    def queues(self) -> Sequence[Queue]:
        """Its queues, in the way of a failure."""
        own = (self.queue, self.dead_letter_queue, self.copy_queue)
        return [
            *(queue for queue in own if queue is not None),
            *(replayer.parked for replayer in self.replayers),
        ]


def failure_destination(config: Attributes | Unknown | None) -> str | None:
    """Return where the failed events of an asynchronous configuration go; None if nowhere."""
    known = config if isinstance(config, Mapping) else {}
    on_failure = (known.get("DestinationConfig") or {}).get("OnFailure") or {}
    return on_failure.get("Destination") or None


def name_of(id: str) -> str:
    """Return the name in a queue's URL, or in the ARN of a queue, topic or function."""
    return re.split("[:/]", id)[-1]
