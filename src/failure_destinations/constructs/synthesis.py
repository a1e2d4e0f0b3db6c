"""Runs actions that must wait until an app is defined, with one aspect for each stack."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import cast

import jsii
from aws_cdk import Aspects, IAspect, Stack
from constructs import Construct, IConstruct


def at_synthesis(construct: Construct, stack: Stack, *actions: Callable[[], None]) -> None:
    """Run actions once everything is defined.

    Args:
        construct: The construct that they belong to.
        stack: Its stack.
        actions: The actions, in the order in which to run them.
    """
    pending = _PENDING.get(stack)
    if pending is None:
        pending = _PENDING[stack] = _AtSynthesis()
        # CDK calls an aspect for every construct in its scope: this one is empty.
        Aspects.of(Construct(construct, "Suppressions")).add(cast(IAspect, pending))
    pending.actions.extend(actions)


@jsii.implements(IAspect)
class _AtSynthesis:
    def __init__(self) -> None:
        self.actions: list[Callable[[], None]] = []

    def visit(self, node: IConstruct) -> None:  # noqa: ARG002 - CDK passes it by this name
        while self.actions:
            self.actions.pop(0)()


_PENDING: weakref.WeakKeyDictionary[Stack, _AtSynthesis] = weakref.WeakKeyDictionary()
