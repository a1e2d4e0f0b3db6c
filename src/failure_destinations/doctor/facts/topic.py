"""A topic and its subscriptions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .answer import Attributes, Readable, Unknown, name_of
from .key import Key

TopicNoun = Literal["topic", "alarm topic"]


@dataclass(frozen=True)
class Subscription(Readable):
    """A subscription of a topic.

    Attributes:
        protocol: Such as `sqs` or `email`.
        endpoint: Who is notified: an address, URL or ARN. None if only a parameter says.
        arn: Its ARN; None while SNS shows none.
        attributes: As `GetSubscriptionAttributes` returns them; None if it does not exist.
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
        """Who is notified, for people."""
        if self.protocol in ("sqs", "lambda", "firehose") and self.endpoint:
            return name_of(self.endpoint)
        return self.endpoint or self.arn or self.protocol

    @property
    def is_mailbox(self) -> bool:
        """Whether it sends e-mail."""
        return self.protocol.startswith("email")

    @property
    def pending(self) -> bool:
        """Whether it is not confirmed."""
        return str(self.known.get("PendingConfirmation", "false")).lower() == "true"


@dataclass(frozen=True)
class Topic(Readable):
    """A topic and its subscriptions.

    Attributes:
        noun: `topic`, which is the channel's, or `alarm topic`.
        arn: Its ARN.
        attributes: As `GetTopicAttributes` returns them.
        subscriptions: Those of the template, and others that it has.
        key: The KMS key that encrypts it; None if there is none.
        peak: The most messages published within one minute of the last three days.
        unlisted: Why its other subscriptions are not known; None if they are.
    """

    noun: TopicNoun
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
