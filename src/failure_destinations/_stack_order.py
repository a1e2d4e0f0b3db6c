"""Tells which stacks are deployed before others, while CDK does not know it yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from aws_cdk import CfnOutput, CfnResource, Reference, Stack

from ._owners import resolve_references
from ._tree import outermost, ref


def stacks_before(stacks: Iterable[Stack]) -> set[str]:
    """Return the stacks that are deployed before some stacks, as `ref` names them.

    They follow from dependencies of stacks, and from references to one another. Stacks stand for
    those nested in them. What `add_property_override` and its like refer to, and dependencies of
    single constructs, are not seen.
    """
    found: set[str] = set()
    waiting = list({ref(stack): stack for stack in map(outermost, stacks)}.values())
    while waiting:
        for each in _directly_before(waiting.pop()):
            if ref(each) not in found:
                found.add(ref(each))
                waiting.append(each)
    return found


def _directly_before(stack: Stack) -> Iterator[Stack]:
    yield from map(outermost, stack.dependencies)
    for construct in stack.node.dependencies:
        yield from [each for each in construct.node.scopes if isinstance(each, Stack)][:1]
    yield from _referred_stacks(stack)


def _referred_stacks(stack: Stack) -> Iterator[Stack]:
    """Yield the other stacks that a stack refers to, and imports from once it is synthesised."""
    constructs = stack.node.find_all()
    values: list[Any] = [
        each._cfn_properties for each in constructs if isinstance(each, CfnResource)
    ]
    values += [each.value for each in constructs if isinstance(each, CfnOutput)]
    own = set(map(ref, constructs))
    others: dict[str, Any] = {}

    def note(reference: Reference) -> str:
        target = reference.target
        if ref(target) not in own:
            others[ref(target)] = target
        return ""

    resolve_references(stack, values, note)
    return (outermost(Stack.of(target)) for target in others.values())
