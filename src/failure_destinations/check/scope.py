"""A stack's template and its surroundings, against which references are resolved."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .model import Tool
from .values import items, mapping

TRANSFORM = "Fn::Transform"
_CDK_METADATA = "AWS::CDK::Metadata"
_CDK_KEYS = frozenset({"aws:cdk:path", "aws:asset:path"})
_BOOTSTRAP = "BootstrapVersion"
_PLACEHOLDER = re.compile(r"\$\{([A-Za-z0-9]+)\}")
# No real value is larger.
_MAX_STEPS = 1_000
_INCLUDE = "AWS::Include"


def role_of(function: str) -> str:
    """Return how the role is named that SAM generates for a function without one."""
    return f"role of {function}"


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
        written_as: How the author of a template of AWS SAM names what SAM generates, by logical id.
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
    written_as: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read the sections of the template that are mappings."""
        self.resources = mapping(self.template.get("Resources"))
        self._parameters = mapping(self.template.get("Parameters"))
        self._mappings = mapping(self.template.get("Mappings"))
        self.outputs = mapping(self.template.get("Outputs"))

    @cached_property
    def tool(self) -> Tool:
        """What its template is written in, apart from what SAM generates."""
        if self.paths or self._is_of_cdk():
            return Tool.CDK
        return Tool.CLOUDFORMATION if self.file else Tool.ANY

    def _is_of_cdk(self) -> bool:
        """Return whether the template has a resource, parameter or metadata that the CDK writes."""
        return _BOOTSTRAP in self._parameters or any(
            mapping(resource).get("Type") == _CDK_METADATA
            or not _CDK_KEYS.isdisjoint(mapping(mapping(resource).get("Metadata")))
            for resource in self.resources.values()
        )

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

    def is_given(self, value: Any) -> bool:
        """Return whether a value depends on parameters that whoever deploys the stack gives."""
        waiting, steps = [(self, value)], 0
        while waiting and steps < _MAX_STEPS:
            steps += 1
            scope, one = waiting.pop()
            if isinstance(one, Mapping):
                waiting += ((scope, inner) for inner in one.values())
            elif isinstance(one, list):
                waiting += ((scope, inner) for inner in one)
            elif isinstance(one, str):
                for name in (one, *_PLACEHOLDER.findall(one)):
                    if scope.parameter(name) is None:
                        continue
                    if scope.parent is None or name not in scope.parameters:
                        return True
                    waiting.append((scope.parent, scope.parameters[name]))
        return bool(waiting)

    def table(self, name: str) -> Mapping[str, Any]:
        """Return one of the template's mappings."""
        return mapping(self._mappings.get(name))
