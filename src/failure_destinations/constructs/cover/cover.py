"""Attaches a channel to every asynchronous function that has no failure destination.

The callers of a function are only known once everything is defined, so this runs as an aspect. CDK
calls a Python aspect once for each construct in its scope, which would take longer than the rest of
the synthesis. So this one is applied to a construct without children: it is called once, and reads
the app itself.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jsii
from aws_cdk import Annotations, Aspects, IAspect, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct, IConstruct

from failure_destinations.check.kinds import OTHER_QUALIFIER, UNCOVERED

from ..called import Called
from ..refusals import has_member, shown
from ..tree import outermost, ref, stage_of
from .app_model import AppModel, Handler
from .node import AppReader

if TYPE_CHECKING:
    from ..channel.wiring import Wiring

_FIXED_BY_COVER = (UNCOVERED.id, OTHER_QUALIFIER.id)


Attach = Callable[[Called, "lambda_.CfnEventInvokeConfig | None"], bool]
"""Attaches a handler with its existing configuration, and returns whether it may publish."""


def cover(wiring: Wiring, scope: IConstruct, attach: Attach) -> None:
    """Attach a channel to the uncovered functions below a scope once everything is defined.

    Args:
        wiring: The channel's wiring.
        scope: The construct below which functions are attached.
        attach: Attaches one handler, or raises ValueError.
    """
    _check_scope(wiring.channel, scope)
    place = Construct(wiring.channel, _id_of(scope))
    Aspects.of(place).add(_Cover(wiring, scope, place, attach))


@jsii.implements(IAspect)
class _Cover:
    def __init__(
        self,
        wiring: Wiring,
        scope: IConstruct,
        place: Construct,
        attach: Attach,
    ) -> None:
        self._wiring = wiring
        self._scope = scope
        self._place = place
        self._attach = attach

    def visit(self, node: IConstruct) -> None:  # noqa: ARG002
        """Read the app and attach its functions; CDK calls this once."""
        attached: list[str] = []
        model = AppModel(stage_of(self._wiring.channel))
        below = f"{self._scope.node.path}/".lstrip("/")
        for finding in model.find_uncovered_functions():
            if finding.kind not in _FIXED_BY_COVER:
                continue
            handler = model.handler_of(finding)
            if handler is None or handler.is_accepted:
                continue
            called = handler.called
            path = called.node.path
            if not f"{path}/".startswith(below):
                continue
            try:
                config = model.config_of(finding)
                self._wiring.check_within_reach(called.handler, called.stack)
                self._check_order(handler)
                may_publish = self._attach(called, config)
            except ValueError as error:
                # It stays uncovered, and the check reports it.
                Annotations.of(called.handler).add_warning_v2(
                    "failure-destinations:not-covered", f"cover could not attach it: {error}"
                )
            else:
                if may_publish:
                    attached.append(path)
        if model.has_conditions:
            self._wiring.copy_conditions()
        if attached:
            Annotations.of(self._place).add_info_v2(
                "failure-destinations:covered",
                f"cover attached {len(attached)} of the app's functions: {', '.join(attached)}",
            )

    def _check_order(self, handler: Handler) -> None:
        """Raise ValueError for a handler that cannot refer to the channel without a cycle."""
        if handler.outermost != self._own and handler.outermost in self._before:
            raise ValueError(
                "handler must not be in a stack that is deployed before the channel's, got "
                f"{shown(handler.called.node.path)}, whose stack the channel's, or that of its "
                "monitoring or replayer, refers to or depends on: define them in a stack of their "
                "own"
            )

    @functools.cached_property
    def _own(self) -> str:
        return str(outermost(self._wiring.stack).node.path)

    @functools.cached_property
    def _before(self) -> frozenset[str]:
        # A handler's resources are defined beside it, and refer to these.
        stacks = [self._wiring.stack, *map(Stack.of, self._wiring.companions)]
        return frozenset(AppReader.before(stacks))


def _id_of(scope: IConstruct) -> str:
    return f"Cover{scope.node.addr}"


def _check_scope(channel: Construct, scope: Any) -> None:
    if not has_member(scope, "node"):
        raise ValueError(
            f"scope must be a construct, got {shown(scope)}: pass the app, a stack or any construct"
        )
    if channel.node.try_find_child(_id_of(scope)) is not None:
        raise ValueError(
            f"scope must be covered once, got {shown(scope.node.path or 'the app')} again: "
            "remove one call of cover"
        )
    if ref(stage_of(scope)) != ref(stage_of(channel)):
        raise ValueError(
            f"scope must be in the channel's app or stage, got {shown(scope.node.path)} for the "
            "channel "
            f"{shown(channel.node.path)}: define a channel in that stage too"
        )
