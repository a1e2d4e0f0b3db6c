"""Resource policies: whether a queue's or key's policy may let a service in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .marks import Marks
from .resolver import Resolver
from .scope import Scope
from .services import service_of
from .values import branches, intrinsic, items

_PRINCIPALS = ("AWS", "Service", "Federated", "CanonicalUser")


class Policies:
    """Judges policy documents. What is not known counts as allowed, and so does any condition.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
    """

    def __init__(self, marks: Marks, resolver: Resolver) -> None:
        """Take what resolves the values of the documents."""
        self._marks = marks
        self._resolver = resolver

    def may_let_in(self, document: Any, scope: Scope, service: str, action: str) -> bool:
        """Return whether a document may allow a service an action, such as `sqs:sendmessage`."""
        for one in branches(document):
            if not isinstance(one, Mapping) or intrinsic(one) or "Statement" not in one:
                return True
            for statement in items(one["Statement"]):
                if self._allows(statement, scope, service, action):
                    return True
        return False

    def _allows(self, statement: Any, scope: Scope, service: str, action: str) -> bool:
        if not isinstance(statement, Mapping) or any(
            str(name).startswith("Fn::") for name in statement
        ):
            return True
        effects = self._resolver.texts(statement.get("Effect"), scope)
        if all(text is not None and text.lower() == "deny" for text in effects):
            return False
        return self._is_for(statement, scope, service) and self._is_about(statement, scope, action)

    def _is_for(self, statement: Mapping[str, Any], scope: Scope, service: str) -> bool:
        if "Principal" not in statement:
            return True
        for principal in items(statement["Principal"]):
            if not isinstance(principal, Mapping) or not principal.keys() <= set(_PRINCIPALS):
                return True
            for name, value in principal.items():
                for text in self._texts(value, scope):
                    mark = self._marks.only(text)
                    if text == "*" or (mark is not None and mark.kind == "unknown"):
                        return True
                    if name == "Service" and service_of(self._marks.start(text)) in ("", service):
                        return True
        return False

    def _is_about(self, statement: Mapping[str, Any], scope: Scope, action: str) -> bool:
        if "Action" not in statement:
            return True
        for text in self._texts(statement["Action"], scope):
            if not self._marks.is_known(text):
                return True
            start, wildcard, _ = text.lower().replace("?", "*").partition("*")
            if action.startswith(start) if wildcard else action == start:
                return True
        return False

    def _texts(self, value: Any, scope: Scope) -> Iterable[str]:
        for item in items(value):
            for text in self._resolver.texts(item, scope):
                if text is not None:
                    yield text
