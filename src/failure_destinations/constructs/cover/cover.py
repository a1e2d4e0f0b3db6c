"""Attaches a channel to every asynchronous function and stream without a failure destination.

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

from failure_destinations.check import Finding
from failure_destinations.check.causes import Problem
from failure_destinations.check.kinds import (
    CUSTOM_RESOURCE,
    DISABLED,
    DURABLE,
    OTHER_QUALIFIER,
    UNCOVERED,
)

from ..called import Called
from ..refusals import has_member, shown
from ..tree import outermost, ref, stage_of
from .app_model import AppModel
from .node import AppReader

if TYPE_CHECKING:
    from ..channel.wiring import Wiring

_FIXED_BY_COVER = (UNCOVERED.id, OTHER_QUALIFIER.id, DISABLED.id, DURABLE.id)
# A caller whose failed action does not show the event. A failed deployment needs no replay.
_PIPELINE = "AWS::CodePipeline::Pipeline"


Attach = Callable[[Called, "lambda_.CfnEventInvokeConfig | None"], bool]
"""Attaches a handler with its existing configuration, and returns whether it may publish."""


AttachMapping = Callable[["Construct", "lambda_.CfnEventSourceMapping", "lambda_.IFunction"], bool]
"""Attaches an event source mapping with its resource and what it invokes, and returns whether
Lambda may write its failed batches."""


def cover(wiring: Wiring, scope: IConstruct, attach: Attach, attach_mapping: AttachMapping) -> None:
    """Attach a channel to what is uncovered below a scope once everything is defined.

    Args:
        wiring: The channel's wiring.
        scope: The construct below which functions and event source mappings are attached.
        attach: Attaches one handler, or raises ValueError.
        attach_mapping: Attaches one mapping, or raises ValueError.
    """
    _check_scope(wiring.channel, scope)
    place = Construct(wiring.channel, _id_of(scope))
    Aspects.of(place).add(_Cover(wiring, scope, place, attach, attach_mapping))


def _is_fixed_by_cover(finding: Finding) -> bool:
    """Return whether cover attaches the function: if its events may be lost, now or later."""
    return (
        finding.kind in _FIXED_BY_COVER
        or finding.cause.what is Problem.ONLY_WAITING_CALLERS
        or (
            finding.kind == CUSTOM_RESOURCE.id
            and any(caller.type == _PIPELINE for caller in finding.callers)
        )
    )


@jsii.implements(IAspect)
class _Cover:
    def __init__(
        self,
        wiring: Wiring,
        scope: IConstruct,
        place: Construct,
        attach: Attach,
        attach_mapping: AttachMapping,
    ) -> None:
        self._wiring = wiring
        self._scope = scope
        self._place = place
        self._attach = attach
        self._attach_mapping = attach_mapping
        self._below = f"{scope.node.path}/".lstrip("/")

    def visit(self, node: IConstruct) -> None:  # noqa: ARG002
        """Read the app and attach its functions and mappings; CDK calls this once."""
        model = AppModel(stage_of(self._wiring.channel))
        self._cover_functions(model)
        self._cover_mappings(model)
        if model.has_conditions:
            self._wiring.copy_conditions()

    def _cover_functions(self, model: AppModel) -> None:
        attached: list[str] = []
        for finding in model.find_uncovered_functions():
            if not _is_fixed_by_cover(finding):
                continue
            handler = model.handler_of(finding)
            if handler is None or handler.is_accepted:
                continue
            called = handler.called
            path = called.node.path
            if not self._is_below(path):
                continue
            try:
                config = model.config_of(finding)
                self._wiring.check_within_reach(called.handler, called.stack)
                self._check_order(handler.outermost, path)
                may_publish = self._attach(called, config)
            except ValueError as error:
                # It stays uncovered, and the check reports it.
                Annotations.of(called.handler).add_warning_v2(
                    "failure-destinations:not-covered", f"cover could not attach it: {error}"
                )
            else:
                if may_publish:
                    attached.append(path)
        if attached:
            Annotations.of(self._place).add_info_v2(
                "failure-destinations:covered",
                f"cover attached {len(attached)} of the app's functions: {', '.join(attached)}",
            )

    def _cover_mappings(self, model: AppModel) -> None:
        attached: list[str] = []
        for each in model.uncovered_mappings():
            path = each.mapping.node.path
            if each.is_accepted or not self._is_below(path):
                continue
            called = each.called
            try:
                self._wiring.check_within_reach(called.handler, called.stack)
                self._check_order(each.outermost, path)
                may_write = self._attach_mapping(each.mapping, each.resource, called.handler)
            except ValueError as error:
                Annotations.of(each.mapping).add_warning_v2(
                    "failure-destinations:not-covered", f"cover could not attach it: {error}"
                )
            else:
                if may_write:
                    attached.append(path)
        if attached:
            Annotations.of(self._place).add_info_v2(
                "failure-destinations:covered-event-sources",
                f"cover attached {len(attached)} of the app's event source mappings: "
                f"{', '.join(attached)}",
            )

    def _is_below(self, path: str) -> bool:
        return f"{path}/".startswith(self._below)

    def _check_order(self, outermost_path: str, path: str) -> None:
        """Raise ValueError for what cannot refer to the channel without a cycle."""
        if outermost_path != self._own and outermost_path in self._before:
            raise ValueError(
                "handler must not be in a stack that is deployed before the channel's, got "
                f"{shown(path)}, whose stack the channel's, or that of its "
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
