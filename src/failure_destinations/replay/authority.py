"""Which functions a message may have invoked: what the message says is not trusted.

Anyone with permission to send to a queue can name any function in a message, and a replay runs with
the operator's permissions.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from failure_destinations.deployed.aws_errors import is_access_denied
from failure_destinations.deployed.handlers import ChannelHandlers
from failure_destinations.deployed.location import Location
from failure_destinations.errors import CommandError
from failure_destinations.runtime import FailedEvent

Refusal = Literal["foreign", "not-a-handler"]
"""`foreign`: the function is in another account, Region or partition than the queue."""


@dataclass(frozen=True)
class Authority:
    """Decides which functions a message may have invoked.

    Attributes:
        locate: Returns the account, Region and partition in which functions may be invoked.
        handlers: The channel's handlers; None if the operator named a queue or a backup instead of
            a stack, so that every function of the location may be invoked.
        allowed: ARNs of functions that the operator allowed by name.

    Raises:
        CommandError: An allowed function is not in the location.
    """

    locate: Callable[[], Location]
    handlers: ChannelHandlers | None = None
    allowed: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for arn in sorted(self.allowed):
            if not self.location.contains(arn):
                raise CommandError(
                    f"--allow-function must be in the queue's account and Region, got {arn!r}: "
                    "a replay never invokes functions elsewhere"
                )

    @functools.cached_property
    def location(self) -> Location:
        """The account, Region and partition in which functions may be invoked."""
        return self.locate()

    def resolve(self, function: str, option: str) -> str:
        """Return the ARN of a function that the operator named.

        Args:
            function: What the operator typed: a name, `NAME:QUALIFIER`, or a full or partial ARN.
            option: The option, such as `--to`.

        Raises:
            CommandError: The function is not in the location.
        """
        arn = self.location.function_arn(function)
        if arn is None:
            raise CommandError(
                f"{option} must be in the queue's account, Region and partition, got {function!r}: "
                "a replay never invokes functions elsewhere"
            )
        return arn

    def refusal(self, event: FailedEvent) -> Refusal | None:
        """Return why the function that an event names may not be invoked; None if it may.

        Args:
            event: An event that names its function.

        Raises:
            CommandError: It cannot be read whether the function is a handler of the channel.
        """
        function = event.function or ""
        if not self.location.contains(function):
            return "foreign"
        if self.handlers is None or self.allowed & {function, event.function_arn}:
            return None
        return None if self._is_handler(self.handlers, function) else "not-a-handler"

    def shown(self, event: FailedEvent) -> str | None:
        """Return the name of an event's function, or its ARN if it is elsewhere.

        So different functions never look alike. None if the event does not name its function.
        """
        if event.function is None or self.location.contains(event.function):
            return event.called
        return event.function_arn

    def _is_handler(self, handlers: ChannelHandlers, function: str) -> bool:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up time

        try:
            return handlers.includes(function)
        except ClientError as error:
            if not is_access_denied(error):
                raise
            raise CommandError(
                f"cannot see whether {function} is a handler of the channel: allow "
                "lambda:ListFunctionEventInvokeConfigs, lambda:GetFunctionConfiguration and "
                "lambda:ListEventSourceMappings, or name the function with --allow-function"
            ) from None
