"""Checks whether a replayer can drain a queue that the user passed to the channel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import jsii
from aws_cdk import Annotations, IAspect, Stack
from aws_cdk import aws_sqs as sqs
from constructs import Construct, IConstruct

from failure_destinations.runtime.replayer import EXTRA_RECEIVES

from ..refusals import is_token

# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
VISIBILITY_FACTOR = 6
# SQS's default.
_DEFAULT_VISIBILITY_SECONDS = 30


@jsii.implements(IAspect)
class GivenQueueCheck:
    """Warns of a given queue's settings once these and all handlers are known."""

    def __init__(
        self,
        replayer: Construct,
        queue: sqs.IQueue,
        max_attempts: int,
        timeout: Callable[[], int],
    ) -> None:
        """Store what to check.

        Args:
            replayer: The construct that gets the warnings.
            queue: The queue.
            max_attempts: The number of attempts after which an event is parked.
            timeout: Returns the timeout of the replayer's function in seconds.
        """
        self._replayer = replayer
        self._queue = queue
        self._max_attempts = max_attempts
        self._timeout = timeout

    def visit(self, node: IConstruct) -> None:
        """Check the queue when CDK visits the replayer."""
        if node is self._replayer:
            self._check_visibility()
            self._check_redrive()

    def _check_visibility(self) -> None:
        timeout = self._timeout()
        needed = timeout * VISIBILITY_FACTOR
        queue = self._queue
        known = _known_visibility(queue)
        if known is not None and known >= needed:
            return
        got = "is not known here" if known is None else f"is {known:g} seconds"
        Annotations.of(self._replayer).add_warning_v2(
            "failure-destinations:visibility-timeout",
            f"queue {queue.node.path} was given to the channel, and its visibility timeout {got}: "
            f"set it to {needed} seconds, six times the timeout of the replayer's function, or an "
            "event may be replayed again while its replay is still running. Lambda rejects less "
            f"than {timeout} seconds.",
        )

    def _check_redrive(self) -> None:
        queue = self._queue
        receives = self._max_attempts + EXTRA_RECEIVES
        if not isinstance(queue, sqs.Queue):
            got = "it is not known here whether it has a redrive policy"
        else:
            limit = _redrive_limit(queue)
            if limit is None or limit > receives:
                return
            got = f"its redrive policy moves messages away after {limit} receives"
        Annotations.of(self._replayer).add_warning_v2(
            "failure-destinations:queue-redrive",
            f"queue {queue.node.path} was given to the channel, and {got}: give it no redrive "
            f"policy, or one with a maxReceiveCount of {receives + 1} or more. Otherwise SQS moves "
            "events that wait for a replay to another queue, and nobody is notified.",
        )


def _redrive_limit(queue: sqs.Queue) -> int | None:
    """Return how often SQS delivers a queue's message; None if no limit is known here."""
    policy = Stack.of(queue).resolve(cast(sqs.CfnQueue, queue.node.default_child).redrive_policy)
    # CloudFormation accepts text too.
    limit = str(policy.get("maxReceiveCount")) if isinstance(policy, Mapping) else ""
    return int(limit) if limit.isdecimal() else None


def _known_visibility(queue: sqs.IQueue) -> float | None:
    if not isinstance(queue, sqs.Queue):
        return None
    seconds = cast(sqs.CfnQueue, queue.node.default_child).visibility_timeout
    if seconds is None:
        return _DEFAULT_VISIBILITY_SECONDS
    return None if is_token(seconds) else seconds
