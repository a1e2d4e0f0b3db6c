"""Checks at synthesis whether a replayer can replay every handler of its channel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import cast

import jsii
from aws_cdk import aws_lambda as lambda_
from constructs import IValidation, Node

from ..called import Called
from ..refusals import is_token

WAY_OUT = (
    "give the handler a channel without a FailureReplayer, and replay its events with "
    "failure-destinations replay"
)


def check_handlers(
    node: Node, handlers: Callable[[], Iterable[lambda_.IFunction]], max_seconds: int
) -> None:
    """Let synthesis fail if a replayer could not replay a handler.

    Args:
        node: The replayer's node.
        handlers: Returns the handlers, once all are known.
        max_seconds: The longest timeout of a handler that the replayer can wait for.
    """
    node.add_validation(cast(IValidation, _HandlerCheck(handlers, max_seconds)))


@jsii.implements(IValidation)
class _HandlerCheck:
    def __init__(
        self, handlers: Callable[[], Iterable[lambda_.IFunction]], max_seconds: int
    ) -> None:
        self._handlers = handlers
        self._max_seconds = max_seconds

    def validate(self) -> list[str]:
        """Return an error for each handler that cannot be replayed."""
        return [error for handler in self._handlers() for error in self._errors(Called(handler))]

    def _errors(self, called: Called) -> Iterator[str]:
        if called.isolates_tenants:
            yield (
                f"{called.node.path} must not have tenancy_config: each invocation has to name a "
                f"tenant, which a replayer does not know; {WAY_OUT} --tenant-id"
            )
        resource = called.resource
        seconds = None if resource is None else resource.timeout
        if seconds is not None and not is_token(seconds) and seconds > self._max_seconds:
            yield (
                f"timeout of {called.node.path} must be at most {self._max_seconds} seconds, got "
                f"{seconds:g}: the replayer is a Lambda function that cannot wait longer, and "
                f"would run an event again while it still runs; {WAY_OUT}"
            )
