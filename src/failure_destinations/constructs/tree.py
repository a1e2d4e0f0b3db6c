"""The stages and stacks of constructs."""

from __future__ import annotations

from typing import Any, cast

from aws_cdk import Stack, Stage
from constructs import IConstruct


def stage_of(construct: IConstruct) -> Stage:
    """Return the app or stage that contains a construct, or the construct itself."""
    return construct if isinstance(construct, Stage) else cast(Stage, Stage.of(construct))


def ref(construct: Any) -> str:
    """Return the id of a construct in Node: Python may have two objects for one construct."""
    return str(construct.__jsii_ref__.ref)


def outermost(stack: Stack) -> Stack:
    """Return the stack that a nested stack is deployed with, and any other as it is."""
    while (parent := stack.nested_stack_parent) is not None:
        stack = parent
    return stack
