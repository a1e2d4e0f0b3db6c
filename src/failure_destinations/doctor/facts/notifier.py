"""A notifier: what it reads, what wakes it, and whom it notifies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .answer import Attributes, Unknown
from .queue import Queue
from .topic import Topic


@dataclass(frozen=True)
class WebhookSecret:
    """The secret that holds the URL of a webhook.

    Attributes:
        webhook: The webhook's name, such as `1 (slack)`.
        store: Where it is: a secret of Secrets Manager or a parameter of Systems Manager.
        name: Its name or ARN.
        live: As `DescribeSecret` or `DescribeParameters` returns it; None if it does not exist.
        arn: Its ARN; None if it does not exist.
        decision: What IAM decides about the function that reads it, such as `allowed`; None if it
            does not exist or belongs to another account.
        role: The name of that function's role; None if it is not known.
    """

    webhook: str
    store: Literal["secret", "parameter"]
    name: str
    live: Attributes | Unknown | None
    arn: str | None = None
    decision: str | Unknown | None = None
    role: str | None = None


@dataclass(frozen=True)
class Notifier:
    """A deployed `FailureNotifier`.

    Attributes:
        path: Its construct path below the stack.
        topic: The topic to which people are subscribed; None if the stack has none.
        queue: The queue with copies of records; None if the stack has none.
        dead_letter_queue: The queue for what could not be counted or delivered; None without one.
        mapping: Its event source mapping as `GetEventSourceMapping` returns it.
        schedule: The schedule that wakes it as `GetSchedule` returns it.
        webhooks: The secrets of its webhooks.
    """

    path: str
    topic: Topic | None
    queue: Queue | None
    dead_letter_queue: Queue | None
    mapping: Attributes | Unknown | None
    schedule: Attributes | Unknown | None
    webhooks: Sequence[WebhookSecret] | Unknown = ()
