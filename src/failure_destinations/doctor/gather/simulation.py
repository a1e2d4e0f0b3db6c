"""Asks IAM's policy simulator what a role may do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..facts import Unknown
from ..policies import allows, context_of_role
from .aws_reader import AwsReader

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient


def simulated_decision(
    reader: AwsReader, iam: IAMClient, role: str, action: str, resource: str
) -> str | Unknown:
    """Return what IAM decides by a role's own policies, such as `allowed` or `implicitDeny`.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html

    Args:
        reader: The reader of AWS.
        iam: A boto3 client of IAM.
        role: The role's ARN.
        action: Such as `sns:Publish`.
        resource: The ARN of the resource.
    """
    decision = reader.read(
        "iam:SimulatePrincipalPolicy",
        lambda: str(
            iam.simulate_principal_policy(
                PolicySourceArn=role, ActionNames=[action], ResourceArns=[resource]
            )["EvaluationResults"][0]["EvalDecision"]
        ),
    )
    # A role that does not exist has no permissions.
    return "implicitDeny" if decision is None else decision


def resource_lets(policy: Mapping[str, Any], role: str, action: str, resource: str) -> bool:
    """Return whether a resource's own policy certainly lets a role do something.

    Args:
        policy: The policy of the topic, queue or bucket.
        role: The role's ARN, in the resource's account.
        action: Such as `sns:Publish`.
        resource: The ARN of the resource.
    """
    return bool(
        allows(
            policy,
            principal=role,
            action=action,
            resource=resource,
            context=context_of_role(role),
        )
    )
