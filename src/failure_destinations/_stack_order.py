"""Tells which stacks are deployed before a stack, while CDK does not know it yet."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from aws_cdk import CfnElement, CfnOutput, CfnResource, Reference, Stack
from constructs import IConstruct

from ._app_model import references
from ._owners import resolve_references
from ._tree import outermost, outermost_stacks, ref, stage_of


class StackOrder:
    """What the stacks of an app say of their order: dependencies, and references to one another.

    Stacks stand for those nested in them. What `add_property_override` and its like refer to, and
    dependencies of single constructs, are not seen.
    """

    def __init__(self, construct: IConstruct) -> None:
        """Look at the app, or the stage of it, that a construct is in."""
        self._stacks = {ref(stack): stack for stack in outermost_stacks(stage_of(construct))}

    def before(self, stack: Stack) -> set[str]:
        """Return the stacks that are deployed before a stack, as `ref` names them."""
        found: set[str] = set()
        waiting = [outermost(stack)]
        while waiting:
            for each in self._directly_before(waiting.pop()):
                if ref(each) not in found:
                    found.add(ref(each))
                    waiting.append(each)
        return found

    def _directly_before(self, stack: Stack) -> Iterator[Stack]:
        yield from map(outermost, stack.dependencies)
        for construct in stack.node.dependencies:
            yield from [each for each in construct.node.scopes if isinstance(each, Stack)][:1]
        values = _values(stack)
        ids = set(references(stack.resolve(values)))
        if any(len(self._owners.get(id, ())) > 1 for id in ids):
            # The logical id does not say of which stack it is.
            yield from _owners_of_references(stack, values)
            return
        for id in ids:
            yield from (each for each in self._owners.get(id, ()) if ref(each) != ref(stack))

    @functools.cached_property
    def _owners(self) -> dict[str, list[Stack]]:
        owners: dict[str, list[Stack]] = {}
        for stack in self._stacks.values():
            for id in _ids(stack):
                owners.setdefault(id, []).append(stack)
        return owners


def _ids(stack: Stack) -> set[str]:
    ids = [each.logical_id for each in stack.node.find_all() if isinstance(each, CfnElement)]
    return set(stack.resolve(ids))


def _values(stack: Stack) -> list[Any]:
    constructs = stack.node.find_all()
    values: list[Any] = [
        each._cfn_properties for each in constructs if isinstance(each, CfnResource)
    ]
    return values + [each.value for each in constructs if isinstance(each, CfnOutput)]


def _owners_of_references(stack: Stack, values: list[Any]) -> list[Stack]:
    owners: dict[str, Stack] = {}

    def note(reference: Reference) -> str:
        owner = Stack.of(reference.target)
        owners[ref(owner)] = owner
        return ""

    resolve_references(stack, values, note)
    outer = (outermost(owner) for owner in owners.values())
    return [each for each in outer if ref(each) != ref(stack)]
