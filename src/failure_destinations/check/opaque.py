"""Resources to which something outside of their template may add policies or subscriptions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .loops import LOOP
from .scope import TRANSFORM, Scope
from .values import mapping

# Logical ids are alphanumeric.
_ID = re.compile(r"[A-Za-z0-9]+")
# Begins the names of properties that a macro or loop writes.
_WRITTEN_LATER = (TRANSFORM, LOOP)
# The CDK's own custom resources that name queues, and change nothing of them.
_OF_CDK = frozenset({"Custom::S3BucketNotifications"})
_NESTED_STACK = "AWS::CloudFormation::Stack"


class OpaqueParts:
    """What custom resources, exports and templates that were not given may change."""

    def __init__(self) -> None:
        """Start with no template read."""
        self._named: dict[Scope, set[str] | None] = {}

    def may_change(self, scope: Scope, logical_id: str) -> bool:
        """Return whether something that is not known may add to a resource."""
        if scope not in self._named:
            self._named[scope] = _named(scope)
        named = self._named[scope]
        return named is None or logical_id in named


def named_by_code(scope: Scope) -> frozenset[str]:
    """Return all words near which a logical id may be that a custom resource is given."""
    named: set[str] = set()
    for resource in scope.resources.values():
        type = mapping(resource).get("Type")
        if (
            isinstance(type, str)
            and type not in _OF_CDK
            and (not type.startswith("AWS::") or type == "AWS::CloudFormation::CustomResource")
        ):
            named.update(words(mapping(resource.get("Properties"))))
    return frozenset(named)


def _named(scope: Scope) -> set[str] | None:
    """Return all words near which a logical id may be; None for any."""
    if any(True for _ in scope.macros()):
        return None
    named: set[str] = set()
    for output in scope.outputs.values():
        if scope.parent is not None or "Export" in mapping(output):
            named.update(words(mapping(output).get("Value")))
    for logical_id, resource in scope.resources.items():
        type = mapping(resource).get("Type")
        if str(logical_id).startswith("Fn::") or not isinstance(type, str):
            return None
        if type.startswith("AWS::Serverless::") or TRANSFORM in resource:
            return None
        properties = mapping(resource.get("Properties"))
        if any(name.startswith(_WRITTEN_LATER) for name in properties if isinstance(name, str)):
            return None
        is_given = type == _NESTED_STACK and logical_id in scope.children
        if (not type.startswith("AWS::") or type.startswith("AWS::CloudFormation::")) and (
            not is_given
        ):
            named.update(words(properties))
    return named


def words(value: Any) -> Iterator[str]:
    """Yield all words in the texts of a value."""
    for one in parts(value):
        for inner in one.values() if isinstance(one, Mapping) else one:
            if isinstance(inner, str):
                yield from _ID.findall(inner)
    if isinstance(value, str):
        yield from _ID.findall(value)


def parts(value: Any) -> Iterator[Any]:
    """Yield every mapping and list in a value, each once, however often the value repeats it."""
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if not isinstance(one, (Mapping, list)) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting.extend(one.values() if isinstance(one, Mapping) else one)
