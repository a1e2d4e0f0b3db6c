"""An AWS service that sends on behalf of a resource: whether a policy allows it, and what would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..fixes import AddStatements, Fix
from ..policies import allows

SNS = "sns.amazonaws.com"
CLOUDWATCH = "cloudwatch.amazonaws.com"
EVENTBRIDGE = "events.amazonaws.com"


class Service(NamedTuple):
    """A service that sends.

    Attributes:
        name: Its name for people.
        principal: Its principal in policies.
        sources: The ARNs of the resources on whose behalf it sends.
    """

    name: str
    principal: str
    sources: Sequence[str]

    def may(self, policy: Mapping[str, Any], action: str, resource: str) -> bool | None:
        """Return whether a policy allows an action on behalf of every source.

        Returns:
            None if it depends on a condition that is not known here.
        """
        answers = [
            allows(
                policy,
                principal=self.principal,
                action=action,
                resource=resource,
                context=_request(source, action),
            )
            for source in self.sources
        ]
        if False in answers:
            return False
        return None if None in answers else True

    def statement(
        self, action: str | Sequence[str], resource: str, condition: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the statement that allows actions under a condition."""
        return {
            "Effect": "Allow",
            "Principal": {"Service": self.principal},
            "Action": action,
            "Resource": resource,
            "Condition": condition,
        }

    def fix(self, addition: AddStatements, actions: Sequence[str], resource: str) -> Fix:
        """Return the step that adds statements to a policy; empty if the policy still denies it.

        Args:
            addition: The statements and the policy.
            actions: The actions that they allow.
            resource: The ARN of the resource that has the policy.
        """
        policy = addition.document()
        denied = any(self.may(policy, action, resource) is False for action in actions)
        return () if denied else (addition,)

    @property
    def same_account(self) -> dict[str, Any]:
        """Return the condition that it sends on behalf of a resource in the account."""
        return {"StringEquals": {"aws:SourceAccount": self.sources[0].split(":")[4]}}


def _request(source: str, action: str) -> dict[str, str]:
    """Return the context of a service's request, for evaluating a policy's conditions."""
    account = source.split(":")[4]
    context = {
        "aws:SourceArn": source,
        "aws:SourceAccount": account,
        "aws:SecureTransport": "true",
        "aws:PrincipalIsAWSService": "true",
    }
    # SNS adds the publisher's account, which the default topic policy requires.
    # https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
    return {**context, "aws:SourceOwner": account} if action == "sns:Publish" else context
