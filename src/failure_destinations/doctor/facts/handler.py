"""A handler: a function, version or alias whose failed events go to the channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from .answer import Attributes, Unknown, name_of


@dataclass(frozen=True)
class Permission:
    """A permission that a role needs or lacks.

    Attributes:
        action: Such as `sns:Publish`.
        resource: The ARN of the topic, queue or key.
        serves: Its purpose: sending to the topic or to the copy queue, or writing failed batches.
        explicit: For a missing permission, whether a policy explicitly denies it.
    """

    action: str
    resource: str
    serves: Literal["topic", "copy queue", "failed batches"]
    explicit: bool = False


@dataclass(frozen=True)
class Handler:
    """A function, version or alias whose failed events go to the channel.

    Attributes:
        function: Its function's name or ARN.
        qualifier: The alias or version; None without one.
        config: As `GetFunctionEventInvokeConfig` returns it; None if there is none.
        settings: As `GetFunctionConfiguration` returns them; None if the function does not exist.
        destination_exists: Whether its failure destination exists; None if that is not the
            channel's topic.
        needed: The permissions that its role needs.
        denied: The permissions of these that its role lacks.
        declares_copies: Whether the template sets the channel's copy queue on the function.
        delivery_failures: The 5-minute periods in which Lambda could not send to the destination.
        role_id: The unique id of its role, such as `AROAEXAMPLEID`, by which SQS identifies the
            role's sessions as senders; None if the role does not exist.
        is_forwarded: For a durable function, whether its dead-letter queue brings its failures to
            the channel.
        forwarder: The event source mapping of that queue, as `ListEventSourceMappings` returns it;
            None if there is none.
    """

    function: str
    qualifier: str | None
    config: Attributes | Unknown | None
    settings: Attributes | Unknown | None
    destination_exists: bool | Unknown | None = None
    needed: Sequence[Permission] = ()
    denied: Sequence[Permission] | Unknown = ()
    declares_copies: bool = False
    delivery_failures: Sequence[datetime] | Unknown = ()
    role_id: str | Unknown | None = None
    is_forwarded: bool | Unknown = False
    forwarder: Attributes | Unknown | None = None

    @property
    def is_durable(self) -> bool:
        """Whether it is a durable function, whose failures only its dead-letter queue gets.

        https://docs.aws.amazon.com/lambda/latest/dg/durable-invoking.html
        """
        return isinstance(self.settings, Mapping) and bool(self.settings.get("DurableConfig"))

    @property
    def function_name(self) -> str:
        """Its function's name."""
        return name_of(self.function)

    @property
    def name(self) -> str:
        """The function's name, and the qualifier if there is one."""
        return f"{self.function_name}:{self.qualifier}" if self.qualifier else self.function_name

    @property
    def role(self) -> str | None:
        """The name of its role; None if that is not known."""
        known = self.settings if isinstance(self.settings, Mapping) else {}
        return str(known.get("Role", "")).rpartition("/")[2] or None

    @property
    def destination(self) -> str | None:
        """Its failure destination."""
        return failure_destination(self.config)

    @property
    def dead_letter_target(self) -> str | None:
        """The ARN of the function's own dead-letter queue; None if it has none."""
        known = self.settings if isinstance(self.settings, Mapping) else {}
        target: str | None = (known.get("DeadLetterConfig") or {}).get("TargetArn")
        return target or None


def failure_destination(config: Attributes | Unknown | None) -> str | None:
    """Return the failure destination of an asynchronous configuration; None without one."""
    known = config if isinstance(config, Mapping) else {}
    on_failure = (known.get("DestinationConfig") or {}).get("OnFailure") or {}
    return on_failure.get("Destination") or None
