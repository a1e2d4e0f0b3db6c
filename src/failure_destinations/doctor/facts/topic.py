"""A topic and its subscriptions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .answer import Attributes, Readable, Unknown, name_of
from .key import Key

TopicNoun = Literal["topic", "alarm topic", "notifier's topic"]


@dataclass(frozen=True)
class Subscription(Readable):
    """A subscription of a topic.

    Attributes:
        protocol: Such as `sqs` or `email`.
        endpoint: The subscriber's address, URL or ARN; None if only a parameter has it.
        arn: Its ARN; None if SNS does not show one yet.
        attributes: As `GetSubscriptionAttributes` returns them; None if it does not exist.
        declared: Whether the template defines it.
        of_queue: Whether it is the subscription of the channel's queue.
    """

    protocol: str
    endpoint: str | None
    arn: str | None
    attributes: Attributes | Unknown | None
    declared: bool = True
    of_queue: bool = False

    @property
    def name(self) -> str:
        """The displayed name of the subscriber."""
        if self.protocol in ("sqs", "lambda", "firehose") and self.endpoint:
            return name_of(self.endpoint)
        return self.endpoint or self.arn or self.protocol

    @property
    def is_mailbox(self) -> bool:
        """Whether it sends e-mail."""
        return self.protocol.startswith("email")

    @property
    def pending(self) -> bool:
        """Whether it waits for confirmation."""
        return str(self.known.get("PendingConfirmation", "false")).lower() == "true"

    @property
    def by_link(self) -> bool:
        """Whether it is a mailbox that was confirmed without credentials.

        Whoever has an e-mail can then unsubscribe the mailbox, without credentials too.
        https://docs.aws.amazon.com/sns/latest/api/API_GetSubscriptionAttributes.html
        """
        confirmed = str(self.known.get("ConfirmationWasAuthenticated", "true")).lower()
        return self.is_mailbox and confirmed == "false"


@dataclass(frozen=True)
class Topic(Readable):
    """A topic and its subscriptions.

    Attributes:
        noun: `topic` for the channel's own, else whose it is.
        arn: Its ARN.
        attributes: As `GetTopicAttributes` returns them.
        subscriptions: Its subscriptions: those in the template, and any others.
        key: The KMS key that encrypts it; None without one.
        peak: The most messages published within one minute in the last three days.
        unlisted: Why its other subscriptions are not known; None if they are known.
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
