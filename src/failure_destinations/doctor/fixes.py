"""The steps of a fix: AWS API calls, and commands of this program.

Each step is data, which `render.py` writes as a command with the profile and Region.
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
    """An AWS API call.

    Attributes:
        service: The service's name in boto3 and the AWS CLI, such as `sqs`.
        operation: The operation's name in the API reference, such as `SetQueueAttributes`.
        parameters: The parameters in boto3's form.
    """

    service: str
    operation: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class OwnCommand:
    """A command of this program.

    Attributes:
        name: Such as `replay`.
        options: Names without dashes, and their values; None for a flag.
    """

    name: str
    options: Sequence[tuple[str, str | None]]


@dataclass(frozen=True)
class AddStatements:
    """Statements to add to the policy of a queue, topic or key.

    AWS can only replace such a policy as a whole: see `combine`.

    Attributes:
        of: The kind of resource that has the policy.
        id: The queue's URL, the topic's ARN or the key's ARN.
        policy: The current policy.
        statements: The missing statements.
    """

    of: Literal["queue", "topic", "key"]
    id: str
    policy: Document
    statements: tuple[Document, ...]

    def document(self) -> Document:
        """Return the policy with the statements added."""
        present = self.policy.get("Statement", [])
        before = [present] if isinstance(present, Mapping) else list(present)
        return {"Version": "2012-10-17", **self.policy, "Statement": [*before, *self.statements]}

    def call(self) -> AwsCall:
        """Return the call that writes the policy with the statements added."""
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
"""The steps to run, in order; empty if no command fixes the finding."""


def combine(fixes: Sequence[Fix]) -> list[Fix]:
    """Return fixes that do not undo one another.

    If several fixes add to the same policy, each one writes all missing statements.

    Args:
        fixes: The fixes that are shown together.
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
    """Return the call that grants a role some actions on one resource.

    The inline policy's name is derived from the resource, and it always has all the actions, so
    another grant never replaces it with fewer.

    Args:
        role: The role's name.
        actions: All actions that senders need on such a resource.
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
    """Return the name of the inline policy for a resource.

    Args:
        resource: Its ARN, such as `arn:aws:sqs:eu-west-1:111122223333:Failures-CopyQueue`.
    """
    service, *_, name = resource.split(":", 2)[-1].split(":")
    # Resources in two Regions or accounts may have the same name.
    digest = hashlib.sha256(resource.encode()).hexdigest()[:8]
    whole = _NOT_IN_POLICY_NAME.sub("-", f"failure-destinations-{service}-{name}")
    return f"{whole[: _MAX_POLICY_NAME - len(digest) - 1]}-{digest}"


def _additions(fixes: Sequence[Fix]) -> list[AddStatements]:
    return [step for fix in fixes for step in fix if isinstance(step, AddStatements)]
