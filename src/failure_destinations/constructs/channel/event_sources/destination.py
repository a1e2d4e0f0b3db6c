"""`channel.event_source_destination`: a channel for the `on_failure` of event source mappings."""

from __future__ import annotations

import functools
from typing import cast

import jsii
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from ...refusals import shown
from ...tree import ref
from ..wiring import Wiring
from .attaching import attach_event_source
from .failures import failures_of
from .retries import warn_of_blocked_shard

# How Node calls the configuration of a function's asynchronous events: jsii passes it as the
# interface of a mapping, and nothing that tells them apart is defined while CDK binds.
_ASYNC_CONFIG = "aws-cdk-lib.aws_lambda.EventInvokeConfig@"


@jsii.implements(lambda_.IEventSourceDlq)
class EventSourceDestination:
    """Attaches each event source mapping that CDK binds to it.

    CDK binds a destination before it sets the mapping's source and retries, so they are read at
    synthesis.
    """

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    def bind(
        self, target: lambda_.IEventSourceMapping, target_handler: lambda_.IFunction
    ) -> lambda_.DlqDestinationConfig:
        """Attach a mapping; CDK calls this.

        Args:
            target: The mapping.
            target_handler: The function, alias or version that it invokes.

        Raises:
            ValueError: The function cannot be attached; jsii turns the error into a RuntimeError
                with the same message.
        """
        if ref(target).startswith(_ASYNC_CONFIG):
            raise ValueError(
                "on_failure must be channel.destination here, got channel.event_source_destination "
                f"for {shown(target.node.path)}, which is not an event source mapping: pass "
                "channel.destination"
            )
        attached = attach_event_source(self._wiring, cast(Construct, target), target_handler)
        self._wiring.deferred.append(functools.partial(warn_of_blocked_shard, attached))
        return lambda_.DlqDestinationConfig(destination=failures_of(self._wiring).bucket.bucket_arn)
