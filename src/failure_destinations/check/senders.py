"""Whether the role of a function may send failed batches to their destination.

Only a role of the templates is judged, and only if everything that may let it send is known: any
statement for the action counts, whatever its resources and conditions are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .marks import Mark, Marks
from .opaque import named_by_code, words
from .policies import Policies
from .resolver import Resolver
from .scope import Scope
from .values import items, mapping, members, scalar

# What the role needs. https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
ACTIONS = {"sqs": "sqs:SendMessage", "sns": "sns:Publish", "s3": "s3:PutObject"}
_ROLE = "AWS::IAM::Role"
_MANAGED = "AWS::IAM::ManagedPolicy"
# Each type of an identity policy with the property that names its roles.
_POLICIES = {
    "AWS::IAM::Policy": "Roles",
    _MANAGED: "Roles",
    "AWS::IAM::RolePolicy": "RoleName",
}
_RESOURCE_POLICIES = {
    "sqs": ("AWS::SQS::QueuePolicy", "AWS::SQS::QueueInlinePolicy"),
    "sns": ("AWS::SNS::TopicPolicy", "AWS::SNS::TopicInlinePolicy"),
    "s3": ("AWS::S3::BucketPolicy",),
}
# AWS's own policies that do not let a function send; of any other one, that is not known.
# https://docs.aws.amazon.com/lambda/latest/dg/permissions-managed-policies.html
_HARMLESS = frozenset(
    {
        "AWSLambdaBasicExecutionRole",
        "AWSLambdaDynamoDBExecutionRole",
        "AWSLambdaKinesisExecutionRole",
        "AWSLambdaMSKExecutionRole",
        "AWSLambdaSQSQueueExecutionRole",
        "AWSLambdaVPCAccessExecutionRole",
        "AWSXRayDaemonWriteAccess",
        "AWSXrayWriteOnlyAccess",
    }
)
_OF_AWS = ":iam::aws:policy/"
# A principal that no policy names.
_NOBODY = "nobody"
_Document = tuple[Any, Scope]


class Senders:
    """Judges the roles of stacks that may refer to one another."""

    def __init__(self, scopes: list[Scope], marks: Marks, resolver: Resolver) -> None:
        """Take all scopes that may refer to one another."""
        self._scopes = scopes
        self._marks = marks
        self._resolver = resolver
        self._policies = Policies(marks, resolver)
        self._attached: dict[str, list[_Document]] | None = None
        self._known: dict[tuple[str, str], bool] = {}
        self._by_code: dict[Scope, frozenset[str] | None] = {}
        self._of_service: dict[str, tuple[frozenset[str], bool]] = {}

    def may_send(self, function: str, service: str) -> bool:
        """Return whether the role of a function may send to a service's destination.

        Args:
            function: The function's key.
            service: The service of the destination.
        """
        if (function, service) not in self._known:
            self._known[function, service] = self._may_send(function, service)
        return self._known[function, service]

    def _may_send(self, function: str, service: str) -> bool:
        action = ACTIONS.get(service, "").lower()
        role = self._role_of(function)
        if role is None or not action or self._is_open(role):
            return True
        definition = mapping(role.scope.resources.get(role.what))
        documents = self._documents(role, mapping(definition.get("Properties")))
        if documents is None or any(self._allows(one, action) for one in documents):
            return True
        named, is_open = self._let_in(service, action)
        return is_open or role.what in named

    def _allows(self, document: _Document, action: str) -> bool:
        return self._policies.may_let_in(*document, _NOBODY, action)

    def _is_open(self, role: Mark) -> bool:
        """Return whether a macro or custom resource may change a role."""
        if role.scope not in self._by_code:
            has_macro = any(True for _ in role.scope.macros())
            self._by_code[role.scope] = None if has_macro else named_by_code(role.scope)
        named = self._by_code[role.scope]
        return named is None or role.what in named

    def _role_of(self, function: str) -> Mark | None:
        """Return the role of a function, if a template defines both."""
        mark = self._marks.only(function)
        if mark is None:
            return None
        properties = mapping(mapping(mark.scope.resources.get(mark.what)).get("Properties"))
        texts = self._resolver.texts(properties.get("Role"), mark.scope)
        role = self._marks.only((texts[0] or "").rpartition("/")[2]) if len(texts) == 1 else None
        if role is None or role.kind != "name":
            return None
        definition = mapping(role.scope.resources.get(role.what))
        return (
            role if definition.get("Type") == _ROLE and not _is_written_later(definition) else None
        )

    def _documents(self, role: Mark, properties: Mapping[str, Any]) -> list[_Document] | None:
        """Return the policies of a role; None if not all of them are known."""
        attached = self._attached_documents()
        names = [self._marks.text(role), *self._texts(properties.get("RoleName"), role.scope)]
        found = [one for name in names for one in attached.get(name, ())]
        for policy in members(properties, "Policies"):
            if not isinstance(policy, Mapping) or "PolicyDocument" not in policy:
                return None
            found.append((policy["PolicyDocument"], role.scope))
        for value in items(properties.get("ManagedPolicyArns")):
            for text in self._texts(value, role.scope):
                mark = self._marks.only(text)
                if mark is not None and mark.kind != "unknown":
                    definition = mapping(mark.scope.resources.get(mark.what))
                    if definition.get("Type") != _MANAGED:
                        return None
                    document = mapping(definition.get("Properties")).get("PolicyDocument")
                    found.append((document, mark.scope))
                elif _OF_AWS not in text or text.rpartition("/")[2] not in _HARMLESS:
                    return None
        return found

    def _attached_documents(self) -> dict[str, list[_Document]]:
        """Return the documents of policies by their roles; empty for one that is not known."""
        if self._attached is None:
            self._attached = {}
            for scope, type, properties in self._resources(_POLICIES):
                document = (properties.get("PolicyDocument"), scope)
                for value in members(properties, _POLICIES[type]):
                    for text in self._texts(value, scope):
                        name = text if self._marks.is_known(text) else ""
                        self._attached.setdefault(name, []).append(document)
        return self._attached

    def _let_in(self, service: str, action: str) -> tuple[frozenset[str], bool]:
        """Return all words in the policies of queues, topics or buckets; whether one is open."""
        if service not in self._of_service:
            documents = [
                (properties.get("PolicyDocument"), scope)
                for scope, _, properties in self._resources(_RESOURCE_POLICIES[service])
            ]
            named = frozenset(words([document for document, _ in documents]))
            # A policy that nobody knows the roles of may be for any role.
            unknown = self._attached_documents().get("", [])
            is_open = any(self._allows(one, action) for one in [*documents, *unknown])
            self._of_service[service] = (named, is_open)
        return self._of_service[service]

    def _resources(self, types: Iterable[str]) -> Iterator[tuple[Scope, str, Mapping[str, Any]]]:
        wanted = frozenset(types)
        for scope in self._scopes:
            for resource in scope.resources.values():
                type = scalar(mapping(resource).get("Type"))
                if type in wanted:
                    yield scope, type, mapping(resource.get("Properties"))

    def _texts(self, value: Any, scope: Scope) -> Iterator[str]:
        for text in self._resolver.texts(value, scope):
            if text:
                yield text


def _is_written_later(definition: Mapping[str, Any]) -> bool:
    """Return whether a macro or loop gives a resource unknown properties."""
    return any(
        isinstance(name, str) and name.startswith("Fn::")
        for part in (definition, mapping(definition.get("Properties")))
        for name in part
    )
