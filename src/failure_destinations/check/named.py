"""Find queues, topics, streams and tables by the names that templates give them."""

from __future__ import annotations

from dataclasses import dataclass

from .marks import Mark, Marks
from .resolver import Resolver
from .scope import Scope
from .values import mapping, scalar


@dataclass(frozen=True)
class _Named:
    """How resources of a service are named.

    Attributes:
        types: Their types.
        property: The property that gives them a name.
        before: What is before the name in the last part of the ARN.
    """

    types: frozenset[str]
    property: str
    before: str = ""


_TABLES = frozenset({"AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable"})
_SERVICES = {
    "sqs": _Named(frozenset({"AWS::SQS::Queue"}), "QueueName"),
    "sns": _Named(frozenset({"AWS::SNS::Topic"}), "TopicName"),
    "kinesis": _Named(frozenset({"AWS::Kinesis::Stream"}), "Name", "stream/"),
    "dynamodb": _Named(_TABLES, "TableName", "table/"),
}
_BY_TYPE = {type: service for service, one in _SERVICES.items() for type in one.types}
# arn:partition:service:region:account:rest
_ARN_FIELDS = 6
# Marks of what has one value in a stack, other than those of resources.
_FIXED = ("parameter ", "export ", "AWS::", "{{resolve:")


class NamedResources:
    """Finds resources by their names, in stacks that may refer to one another."""

    def __init__(self, scopes: list[Scope], marks: Marks, resolver: Resolver) -> None:
        """Take all scopes that may refer to one another."""
        self._scopes = scopes
        self._marks = marks
        self._resolver = resolver
        self._found: dict[tuple[str, str], list[Mark]] | None = None

    def referred(self, text: str, scope: Scope, *, is_here: bool = False) -> str:
        """Return an ARN as a reference to the resource would give it, if a template defines it.

        Args:
            text: The resolved text of the ARN.
            scope: The stack that names it.
            is_here: Whether it must be in the stack's own account and Region.

        Returns:
            The ARN with a mark in place of the name; the text unchanged if it is not certain which
            resource it names.
        """
        parts = self._marks.split(text, ":")
        if parts[0] != "arn" or len(parts) != _ARN_FIELDS:
            return text
        *start, service, region, account, rest = parts
        one = _SERVICES.get(service)
        if one is None or not rest.startswith(one.before):
            return text
        if not is_here and not _is_own(region, account, scope):
            return text
        name, *more = self._marks.split(rest.removeprefix(one.before), "/")
        mark = self._find(service, name, scope)
        if mark is None:
            return text
        last = "/".join([one.before + self._marks.text(mark), *more])
        return ":".join([*start, service, region, account, last])

    def _find(self, service: str, name: str, scope: Scope) -> Mark | None:
        """Return the only resource with a name in a stack's account and Region, or None."""
        if self._found is None:
            self._found = {}
            for there in self._scopes:
                self._read(there, self._found)
        found = self._found.get((service, name), [])
        here = [mark for mark in found if mark.scope.outermost is scope.outermost]
        near = here or [mark for mark in found if _are_neighbours(mark.scope, scope)]
        return near[0] if len(near) == 1 else None

    def _read(self, scope: Scope, found: dict[tuple[str, str], list[Mark]]) -> None:
        for logical_id, resource in scope.resources.items():
            service = _BY_TYPE.get(scalar(mapping(resource).get("Type")))
            if service is None or not isinstance(logical_id, str):
                continue
            value = mapping(resource.get("Properties")).get(_SERVICES[service].property)
            texts = self._resolver.texts(value, scope)
            text = texts[0] if len(texts) == 1 else None
            if text and all(map(_is_fixed, self._marks.of(text))):
                mark = Mark("name", scope, logical_id)
                found.setdefault((service, text), []).append(mark)


def _is_fixed(mark: Mark) -> bool:
    """Return whether a mark stands for the same text wherever it is in a stack."""
    return mark.kind != "unknown" or mark.what.startswith(_FIXED)


def _is_own(region: str, account: str, scope: Scope) -> bool:
    """Return whether a Region and an account are certainly those of a stack."""
    own = scope.outermost
    return region in ("${Region}", own.region or None) and account in (
        "${AccountId}",
        own.account or None,
    )


def _are_neighbours(one: Scope, other: Scope) -> bool:
    """Return whether two stacks are certainly in the same account and Region."""
    places = [(scope.outermost.account, scope.outermost.region) for scope in (one, other)]
    return all(places[0]) and places[0] == places[1]
