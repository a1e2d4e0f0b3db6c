"""The parts of a fix: calls of AWS, and of this program.

Each is data. `render.py` writes them as commands with profile and Region.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Document = Mapping[str, Any]
"""A policy."""

# https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html
_MAX_POLICY_NAME = 128
_NOT_IN_POLICY_NAME = re.compile(r"[^\w+=,.@-]", re.ASCII)


@dataclass(frozen=True)
class AwsCall:
    """A call of AWS.

    Attributes:
        service: As boto3 and the AWS CLI call it, such as `sqs`.
        operation: As the API reference calls it, such as `SetQueueAttributes`.
        parameters: As boto3 takes them.
    """

    service: str
    operation: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class OwnCommand:
    """A command of this program.

    Attributes:
        name: Such as `replay`.
        options: Names without dashes, with their values; None for a flag.
    """

    name: str
    options: Sequence[tuple[str, str | None]]


@dataclass(frozen=True)
class AddStatements:
    """Statements to add to the policy of a queue, topic or key.

    AWS only replaces such a policy as a whole: see `combine`.

    Attributes:
        of: What has the policy.
        id: The queue's URL, the topic's ARN or the key's ARN.
        policy: The policy as it is.
        statements: What it lacks.
    """

    of: Literal["queue", "topic", "key"]
    id: str
    policy: Document
    statements: tuple[Document, ...]

    def document(self) -> Document:
        """Return the policy with the statements."""
        present = self.policy.get("Statement", [])
        before = [present] if isinstance(present, Mapping) else list(present)
        return {"Version": "2012-10-17", **self.policy, "Statement": [*before, *self.statements]}

    def call(self) -> AwsCall:
        """Return the call that writes the policy with the statements."""
        policy = json.dumps(self.document())
        if self.of == "queue":
            parameters: Document = {"QueueUrl": self.id, "Attributes": {"Policy": policy}}
            return AwsCall("sqs", "SetQueueAttributes", parameters)
        if self.of == "topic":
            attribute = {"AttributeName": "Policy", "AttributeValue": policy}
            return AwsCall("sns", "SetTopicAttributes", {"TopicArn": self.id, **attribute})
        parameters = {"KeyId": self.id, "PolicyName": "default", "Policy": policy}
        return AwsCall("kms", "PutKeyPolicy", parameters)


Step = AwsCall | OwnCommand | AddStatements
Fix = tuple[Step, ...]
"""What to run, in this order; empty if no command fixes it."""


def combine(fixes: Sequence[Fix]) -> list[Fix]:
    """Return the same fixes, so that none undoes what another did.

    Where several add to the same policy, each writes all that the policy lacks.

    Args:
        fixes: All those that are shown together.
    """
    missing: dict[tuple[str, str], tuple[Document, ...]] = {}
    for step in _additions(fixes):
        known = missing.get((step.of, step.id), ())
        new = tuple(statement for statement in step.statements if statement not in known)
        missing[step.of, step.id] = known + new
    return [
        tuple(
            dataclasses.replace(step, statements=missing[step.of, step.id])
            if isinstance(step, AddStatements)
            else step
            for step in fix
        )
        for fix in fixes
    ]


def grant_to_role(role: str, actions: Sequence[str], resource: str) -> AwsCall:
    """Return the call that lets a role do something with one resource.

    The inline policy's name is made of the resource, and its content is always all the actions:
    another grant never replaces it with less.

    Args:
        role: The role's name.
        actions: All that senders need of such a resource.
        resource: Its ARN.
    """
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return AwsCall(
        "iam",
        "PutRolePolicy",
        {
            "RoleName": role,
            "PolicyName": policy_name(resource),
            "PolicyDocument": json.dumps(document),
        },
    )


def policy_name(resource: str) -> str:
    """Return the name of the inline policy that grants the use of a resource.

    Args:
        resource: Its ARN, such as `arn:aws:sqs:eu-west-1:111122223333:Failures-CopyQueue`.
    """
    service, *_, name = resource.split(":", 2)[-1].split(":")
    # Names of two Regions or accounts may be the same.
    digest = hashlib.sha256(resource.encode()).hexdigest()[:8]
    whole = _NOT_IN_POLICY_NAME.sub("-", f"failure-destinations-{service}-{name}")
    return f"{whole[: _MAX_POLICY_NAME - len(digest) - 1]}-{digest}"


def _additions(fixes: Sequence[Fix]) -> list[AddStatements]:
    return [step for fix in fixes for step in fix if isinstance(step, AddStatements)]
