"""A service of AWS that sends for a resource: does a policy let it, and what would?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..policies import allows

SNS = "sns.amazonaws.com"
CLOUDWATCH = "cloudwatch.amazonaws.com"


class Service(NamedTuple):
    """A service that sends.

    Attributes:
        name: As people call it.
        principal: As policies call it.
        sources: The ARNs of what it sends for.
    """

    name: str
    principal: str
    sources: Sequence[str]

    def may(self, policy: Mapping[str, Any], action: str, resource: str) -> bool | None:
        """Tell whether a policy lets it do something for every source.

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

    def let(
        self, policy: Mapping[str, Any], action: str, resource: str, condition: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return a policy with a statement more, that lets the service do something."""
        statements = policy.get("Statement", [])
        permission = {
            "Effect": "Allow",
            "Principal": {"Service": self.principal},
            "Action": action,
            "Resource": resource,
            "Condition": condition,
        }
        before = [statements] if isinstance(statements, Mapping) else list(statements)
        return {"Version": "2012-10-17", **policy, "Statement": [*before, permission]}


def _request(source: str, action: str) -> dict[str, str]:
    """Return what a service tells a policy when it sends."""
    account = source.split(":")[4]
    context = {
        "aws:SourceArn": source,
        "aws:SourceAccount": account,
        "aws:SecureTransport": "true",
        "aws:PrincipalIsAWSService": "true",
    }
    # SNS tells it of who publishes; the policy that it gives every topic asks for it.
    # https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
    return {**context, "aws:SourceOwner": account} if action == "sns:Publish" else context
