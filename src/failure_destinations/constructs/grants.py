"""Adds statements to the policy of a role, which may be one that cannot be changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aws_cdk import aws_iam as iam

# CDK's answer names the policy that got a statement. For these roles it may be another construct,
# because CDK may split their policies.
_CHANGEABLE = (iam.Role, iam.LazyRole)


def add_statements(role: iam.IRole, statements: Iterable[iam.PolicyStatement]) -> bool:
    """Add statements to a role's policy; return False if CDK silently dropped them."""
    dependables: list[Any] = [
        role.add_to_principal_policy(statement).policy_dependable for statement in statements
    ]
    return isinstance(role, _CHANGEABLE) or all(isinstance(d, iam.Policy) for d in dependables)
