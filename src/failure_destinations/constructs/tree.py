"""The stages and stacks that constructs are in."""

from __future__ import annotations

from typing import Any, cast

from aws_cdk import Stack, Stage
from constructs import IConstruct


def stage_of(construct: IConstruct) -> Stage:
    """Return the app or stage that a construct is in, or is."""
    return construct if isinstance(construct, Stage) else cast(Stage, Stage.of(construct))


def ref(construct: Any) -> str:
    """Return what Node knows a construct by: Python may have two objects for one construct."""
    return str(construct.__jsii_ref__.ref)


def outermost(stack: Stack) -> Stack:
    """Return the stack that a nested stack is deployed with, and any other as it is."""
    while (parent := stack.nested_stack_parent) is not None:
        stack = parent
    return stack
