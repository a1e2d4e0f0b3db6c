"""Roles that let EventBridge Scheduler call a function, for schedules created at run time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..model import Waits
from ..references import is_arn_of
from ..resource import Resource
from ..services import service_of, waits
from ..values import items, mapping, member, members

_INVOKE = ("lambda:invokefunction", "lambda:invoke*", "lambda:*", "*")
# Each type with the property that names its roles.
_POLICIES = (
    ("AWS::IAM::Policy", "Roles"),
    ("AWS::IAM::ManagedPolicy", "Roles"),
    ("AWS::IAM::RolePolicy", "RoleName"),
)


def read_role(resource: Resource) -> None:
    """Read a role that Scheduler assumes: Scheduler may call what the role's policies allow.

    If functions assume the role too, they may be the callers.
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html
    """
    services = list(_services(resource))
    if "scheduler" not in services:
        return
    goes_on = all(waits(service) is Waits.NO for service in services)
    documents = list(members(resource.properties, "Policies", "PolicyDocument"))
    names = [resource.name, *resource.known_texts(resource.properties.get("RoleName"))]
    for type, roles in _POLICIES:
        policies = resource.index(type, roles)
        for name in names:
            for properties in policies.get(name, ()):
                documents += members(properties, "PolicyDocument")
    for value in members(resource.properties, "ManagedPolicyArns"):
        for text in resource.known_texts(value):
            mark = resource.marks.only(text)
            if mark is not None:
                definition = mark.scope.resources.get(mark.what)
                documents += members(definition, "Properties", "PolicyDocument")
    for statement in _allowed(resource, documents):
        for value in items(mapping(statement).get("Resource")):
            for text in resource.known_texts(value):
                # The CDK grants versions with `arn:…:*` beside the ARN itself.
                if is_arn_of("lambda", text) and "*" not in text:
                    resource.calls_text(
                        text,
                        "scheduler",
                        waits=Waits.NO if goes_on else Waits.UNKNOWN,
                        is_permission=True,
                    )


def _services(resource: Resource) -> Iterator[str]:
    """Yield the services that may assume a role."""
    for principal in members(
        resource.properties, "AssumeRolePolicyDocument", "Statement", "Principal", "Service"
    ):
        for text in resource.known_texts(principal):
            yield service_of(resource.marks.start(text))


def _allowed(resource: Resource, documents: list[Any]) -> Iterator[Any]:
    for document in documents:
        for statement in members(document, "Statement"):
            effect = member(statement, "Effect")
            actions = members(statement, "Action")
            if effect == "Allow" and any(resource.is_text(one, *_INVOKE) for one in actions):
                yield statement


CALLERS = {"AWS::IAM::Role": read_role}
