"""Attaches a channel to every asynchronous function that has no failure destination.

Who calls a function asynchronously is known once everything is defined: so this looks at the end,
as an aspect does. An aspect of Python's is called back for each construct, which takes longer than
all the rest of a synthesis. This one is of one construct without children: it is called back once,
and looks at the app by itself.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import jsii
from aws_cdk import Annotations, Aspects, Duration, IAspect, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct, IConstruct

from failure_destinations.check.kinds import OTHER_QUALIFIER, UNCOVERED

from ..channel.attaching import AsyncConfig, add_failure_destination
from ..channel.refusals import has_member
from ..tree import outermost, ref, stage_of
from .app_model import AppModel, Handler
from .node import AppReader

if TYPE_CHECKING:
    from ..channel.channel import FailureChannel

_MENDED = (UNCOVERED.id, OTHER_QUALIFIER.id)


def cover(
    channel: FailureChannel, scope: IConstruct, *, retries: int, max_event_age: Duration | None
) -> None:
    """Attach the channel below a scope, once everything is defined."""
    _check_scope(channel, scope)
    place = Construct(channel, _id_of(scope))
    Aspects.of(place).add(_Cover(channel, scope, place, retries, max_event_age))


@jsii.implements(IAspect)
class _Cover:
    def __init__(
        self,
        channel: FailureChannel,
        scope: IConstruct,
        place: Construct,
        retries: int,
        max_event_age: Duration | None,
    ) -> None:
        self._channel = channel
        self._scope = scope
        self._place = place
        self._retries = retries
        self._max_event_age = max_event_age

    def visit(self, node: IConstruct) -> None:  # noqa: ARG002
        """Look at the app, and attach; called by CDK for the one construct this is of."""
        attached: list[str] = []
        model = AppModel(stage_of(self._channel))
        below = f"{self._scope.node.path}/".lstrip("/")
        for finding in model.find_uncovered_functions():
            if finding.kind not in _MENDED:
                continue
            handler = model.handler_of(finding)
            if handler is None or handler.is_accepted:
                continue
            called = handler.called
            path = called.node.path
            if not f"{path}/".startswith(below):
                continue
            try:
                may_publish = self._attach(handler, model.config_of(finding))
            except ValueError as error:
                # It stays uncovered, and the check says so.
                Annotations.of(called.handler).add_warning_v2(
                    "failure-destinations:not-covered", f"cover could not attach it: {error}"
                )
            else:
                if may_publish:
                    attached.append(path)
        if model.has_conditions:
            self._channel._follow_conditions()
        if attached:
            Annotations.of(self._place).add_info_v2(
                "failure-destinations:covered",
                f"cover attached {len(attached)} of the app's functions: {', '.join(attached)}",
            )

    def _attach(self, handler: Handler, config: lambda_.CfnEventInvokeConfig | None) -> bool:
        """Attach a handler, and tell whether it may publish."""
        called = handler.called
        self._channel._check_within_reach(called.handler, called.stack)
        self._check_order(handler)
        if config is not None:
            return add_failure_destination(self._channel, called, config)
        settings = AsyncConfig(
            called, retries=self._retries, max_event_age=self._max_event_age, on_success=None
        )
        settings.define(self._channel)
        return settings.may_publish

    def _check_order(self, handler: Handler) -> None:
        """Refuse a handler that cannot refer to the channel, before CDK ends with a cycle."""
        if handler.outermost != self._own and handler.outermost in self._before:
            raise ValueError(
                "handler must not be of a stack that is deployed before the channel's, got "
                f"{handler.called.node.path!r}, whose stack the channel's, or that of its "
                "monitoring or replayer, refers to or depends on: define them in a stack of their "
                "own"
            )

    @functools.cached_property
    def _own(self) -> str:
        return str(outermost(self._channel._stack).node.path)

    @functools.cached_property
    def _before(self) -> frozenset[str]:
        channel = self._channel
        # What is about a handler is defined beside it, and refers to these.
        others = (channel._monitoring, channel._replayer)
        stacks = [channel._stack, *(Stack.of(other) for other in others if other is not None)]
        return frozenset(AppReader.before(stacks))


def _id_of(scope: IConstruct) -> str:
    return f"Cover{scope.node.addr}"


def _check_scope(channel: FailureChannel, scope: Any) -> None:
    if not has_member(scope, "node"):
        raise ValueError(
            f"scope must be a construct, got {scope!r}: pass the app, a stack or any construct"
        )
    if channel.node.try_find_child(_id_of(scope)) is not None:
        raise ValueError(
            f"scope must be covered once, got {scope.node.path or 'the app'!r} again: "
            "remove one call of cover"
        )
    if ref(stage_of(scope)) != ref(stage_of(channel)):
        raise ValueError(
            f"scope must be in the channel's app or stage, got {scope.node.path!r} for the channel "
            f"{channel.node.path!r}: define a channel in that stage too"
        )
