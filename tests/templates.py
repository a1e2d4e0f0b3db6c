"""Finds resources in a synthesised template by type and reference, never by hashed id."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from aws_cdk.assertions import Annotations, Match, Template

Resource = Mapping[str, Any]


def template_of(stack: cdk.Stack) -> Mapping[str, Any]:
    """Synthesise the stack's app and return the stack's template."""
    template: Mapping[str, Any] = Template.from_stack(stack).to_json()
    return template


def resources_of(stack: cdk.Stack, type: str = "") -> dict[str, Resource]:
    """Return the stack's resources of a type by logical id, or all."""
    resources = template_of(stack).get("Resources", {})
    return {id: resource for id, resource in resources.items() if type in ("", resource["Type"])}


def only(stack: cdk.Stack, type: str) -> tuple[str, Any]:
    """Return logical id and properties of the one resource of a type."""
    ((id, resource),) = resources_of(stack, type).items()
    return id, resource.get("Properties", {})


def logical_id(stack: cdk.Stack, construct: Any) -> str:
    """Return the logical id of an L2 construct's resource."""
    return str(stack.get_logical_id(construct.node.default_child))


def listed(value: Any) -> list[Any]:
    """Return a list of what a policy may write alone or as a list."""
    return value if isinstance(value, list) else [value]


def is_reference(value: Any) -> bool:
    """Return whether a value comes from another stack, in either way in which the CDK writes it."""
    return isinstance(value, dict) and value.keys() <= {"Fn::ImportValue", "Fn::GetStackOutput"}


def without_hash(logical_id: str) -> str:
    """Return a logical id without its hash."""
    return re.sub(r"[0-9A-F]{8}$", "", logical_id)


def types_of(resources: Mapping[str, Resource]) -> dict[str, int]:
    """Count resources by type."""
    counts: dict[str, int] = {}
    for resource in resources.values():
        counts[resource["Type"]] = counts.get(resource["Type"], 0) + 1
    return counts


def assert_warns(stack: cdk.Stack, text: str) -> None:
    """Assert that the CDK CLI would show a warning for the stack."""
    Annotations.from_stack(stack).has_warning("*", Match.string_like_regexp(text))


def assert_does_not_warn(stack: cdk.Stack) -> None:
    """Assert that the CDK CLI would show no warning for the stack."""
    Annotations.from_stack(stack).has_no_warning("*", Match.any_value())
