"""Checks at synthesis whether a replayer can replay every handler of its channel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import cast

import jsii
from aws_cdk import aws_lambda as lambda_
from constructs import IValidation, Node

from ..called import Called
from ..refusals import is_token, shown

WAY_OUT = (
    "give the handler a channel without a FailureReplayer, and replay its events with "
    "failure-destinations replay"
)
_HAND_OVER = "pass asynchronous=True to the replayer; or "


def check_handlers(
    node: Node,
    handlers: Callable[[], Iterable[lambda_.IFunction]],
    max_seconds: int | None,
    *,
    of_batches: bool = False,
) -> None:
    """Let synthesis fail if a replayer could not replay a handler.

    Args:
        node: The replayer's node.
        handlers: Returns the handlers, once all are known.
        max_seconds: The longest timeout of a handler that the replayer can wait for; None if it
            does not wait.
        of_batches: Whether they are handlers of batches, which every replayer waits for.
    """
    check = _HandlerCheck(handlers, max_seconds, of_batches=of_batches)
    node.add_validation(cast(IValidation, check))


def check_permission(called: Called) -> None:
    """Raise ValueError for a handler that no permission of its own can let a replayer invoke.

    Args:
        called: A handler in another stack than the channel and the replayer.
    """
    if called.is_durable and called.function is called.handler:
        raise ValueError(
            f"handler must be a version or alias of {shown(called.node.path)}, got the durable "
            "function itself: Lambda invokes it only with a qualifier, and takes no permission for "
            "$LATEST; pass handler=function.current_version, or an alias"
        )


@jsii.implements(IValidation)
class _HandlerCheck:
    def __init__(
        self,
        handlers: Callable[[], Iterable[lambda_.IFunction]],
        max_seconds: int | None,
        *,
        of_batches: bool,
    ) -> None:
        self._handlers = handlers
        self._max_seconds = max_seconds
        self._way_out = WAY_OUT if of_batches else f"{_HAND_OVER}{WAY_OUT} --asynchronous"

    def validate(self) -> list[str]:
        """Return an error for each handler that cannot be replayed."""
        return [error for handler in self._handlers() for error in self._errors(Called(handler))]

    def _errors(self, called: Called) -> Iterator[str]:
        if called.isolates_tenants:
            yield (
                f"{called.node.path} must not have tenancy_config: each invocation has to name a "
                f"tenant, which a replayer does not know; {WAY_OUT} --tenant-id"
            )
        seconds = called.run_seconds
        if self._max_seconds is None:
            return
        if seconds is not None and not is_token(seconds) and seconds > self._max_seconds:
            what = "execution timeout" if called.is_durable else "timeout"
            yield (
                f"{what} of {called.node.path} must be at most {self._max_seconds} seconds, got "
                f"{seconds:g}: the replayer is a Lambda function that cannot wait longer, and "
                f"would run an event again while it still runs; {self._way_out}"
            )
