"""A stack's template and its surroundings, against which references are resolved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .values import items, mapping

TRANSFORM = "Fn::Transform"
_INCLUDE = "AWS::Include"


@dataclass(eq=False)
class Scope:
    """A stack's template and its surroundings.

    Attributes:
        template: The template.
        name: The stack's name, or empty.
        file: The template's file, or empty.
        paths: The construct paths of its resources by logical id, where they are known.
        children: The scopes of nested stacks by their logical id.
        parent: The scope that this one is nested in.
        parameters: The values that the parent gives to the parameters, unresolved.
        deployed_name: The stack's name in CloudFormation, or empty.
        account: The account that it is deployed to, or empty.
        region: The Region that it is deployed to, or empty.
    """

    template: Mapping[str, Any]
    name: str = ""
    file: str = ""
    paths: Mapping[str, str] = field(default_factory=dict)
    children: dict[str, Scope] = field(default_factory=dict)
    parent: Scope | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    deployed_name: str = ""
    account: str = ""
    region: str = ""

    def __post_init__(self) -> None:
        """Read the sections of the template that are mappings."""
        self.resources = mapping(self.template.get("Resources"))
        self._parameters = mapping(self.template.get("Parameters"))
        self._mappings = mapping(self.template.get("Mappings"))
        self.outputs = mapping(self.template.get("Outputs"))

    @property
    def outermost(self) -> Scope:
        """The scope of the stack that this one is deployed with; itself unless nested."""
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope

    def macros(self) -> Iterator[str | None]:
        """Yield the macros that may change existing resources; None for one without a known name.

        Of AWS's own macros, only includes do.
        """
        for transform in (
            *items(self.template.get("Transform")),
            *items(self.template.get(TRANSFORM)),
        ):
            name = mapping(transform).get("Name", transform)
            if not isinstance(name, str):
                yield None
            elif name == _INCLUDE or not name.startswith("AWS::"):
                yield name

    def parameter(self, name: str) -> Mapping[str, Any] | None:
        """Return a parameter's definition."""
        found = self._parameters.get(name)
        return found if isinstance(found, Mapping) else None

    def table(self, name: str) -> Mapping[str, Any]:
        """Return one of the template's mappings."""
        return mapping(self._mappings.get(name))
