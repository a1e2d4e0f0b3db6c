"""Runs actions that must wait until an app is defined, with one aspect for each stack."""

from __future__ import annotations

import inspect
import warnings
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import cast

import jsii
from aws_cdk import Aspects, IAspect, Stack
from constructs import Construct, IConstruct, IValidation

from .refusals import shown

_NOT_THE_USERS = (str(Path(__file__).parents[1]), str(Path(jsii.__file__).parent))


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
        empty = Construct(construct, "Suppressions")
        Aspects.of(empty).add(cast(IAspect, pending))
        empty.node.add_validation(cast(IValidation, pending))
    pending.actions.extend(actions)


def warn_if_synthesised(stack: Stack, construct: IConstruct) -> None:
    """Warn that a construct comes too late: CDK keeps the templates of the first synthesis.

    Args:
        stack: A stack of the app, in which a channel is.
        construct: The construct.
    """
    pending = _PENDING.get(stack)
    if pending is not None and pending.is_over:
        warnings.warn(
            f"{shown(construct.node.path)} is defined after app.synth(), so it is not deployed: "
            "call app.synth() at the end",
            stacklevel=_level_of_user(),
        )


def _level_of_user() -> int:
    """Return the stack level of the first caller outside this package and jsii."""
    level, frame = 0, inspect.currentframe()
    while frame is not None and frame.f_code.co_filename.startswith(_NOT_THE_USERS):
        level, frame = level + 1, frame.f_back
    return level


@jsii.implements(IAspect, IValidation)
class _AtSynthesis:
    def __init__(self) -> None:
        self.actions: list[Callable[[], None]] = []
        self.is_over = False

    def visit(self, node: IConstruct) -> None:  # noqa: ARG002 - CDK passes it by this name
        while self.actions:
            self.actions.pop(0)()

    def validate(self) -> list[str]:
        # CDK validates once all aspects have run: some define constructs.
        self.is_over = True
        return []


_PENDING: weakref.WeakKeyDictionary[Stack, _AtSynthesis] = weakref.WeakKeyDictionary()
