"""Evaluates resource policies: may a service or a role do something?

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

_QUANTIFIER = re.compile(r"^(ForAnyValue|ForAllValues):")
_LIKE = ("StringLike", "ArnLike", "ArnEquals")


def allows(
    policy: Mapping[str, Any],
    *,
    principal: str,
    action: str,
    resource: str,
    context: Mapping[str, str],
) -> bool | None:
    """Return whether a policy allows an AWS service or a role to do something.

    Args:
        policy: The policy.
        principal: Such as `sns.amazonaws.com`, or a role's ARN.
        action: Such as `sqs:SendMessage`.
        resource: The ARN of the resource that the policy is attached to.
        context: The known context of the request by condition key, such as `aws:SourceArn`.

    Returns:
        None if it depends on a condition that is not known here.
    """
    known = {key.lower(): value for key, value in context.items()}
    allowed: bool | None = False
    denied: bool | None = False
    for statement in _list(policy.get("Statement")):
        matches = _all(
            (
                _applies_to(statement, principal),
                _covers(statement, "Action", action),
                _covers(statement, "Resource", resource),
                _conditions_hold(statement.get("Condition") or {}, known),
            )
        )
        if statement.get("Effect") == "Allow":
            allowed = _any(allowed, matches)
        else:
            denied = _any(denied, matches)
    if denied is None:
        return None if allowed is not False else False
    return False if denied else allowed


def context_of_role(role: str) -> dict[str, str]:
    """Return what is known of a request with a role's credentials, by condition key.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html

    Args:
        role: The role's ARN.
    """
    account = role.split(":")[4]
    return {
        "aws:PrincipalAccount": account,
        "aws:PrincipalArn": role,
        "aws:PrincipalIsAWSService": "false",
        "aws:SecureTransport": "true",
        # SNS adds it. https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
        "aws:SourceOwner": account,
    }


def denies(policy: Mapping[str, Any], *, role: str, action: str, resource: str) -> bool | None:
    """Return whether a resource's policy denies something to a role that its own policies allow.

    Args:
        policy: The policy.
        role: The role's ARN.
        action: Such as `s3:PutObject`.
        resource: The ARN of the resource, or of a part of it.

    Returns:
        None if it depends on a condition that is not known here.
    """
    allow_all = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
    open_policy = {**policy, "Statement": [allow_all, *_list(policy.get("Statement"))]}
    allowed = allows(
        open_policy,
        principal=role,
        action=action,
        resource=resource,
        context=context_of_role(role),
    )
    return None if allowed is None else not allowed


def _applies_to(statement: Mapping[str, Any], principal: str) -> bool:
    if "Principal" not in statement:
        return not _matches_principal(statement.get("NotPrincipal"), principal)
    return _matches_principal(statement["Principal"], principal)


def _matches_principal(named: Any, principal: str) -> bool:
    if named == "*":
        return True
    if not isinstance(named, Mapping):
        return False
    accounts = _list(named.get("AWS"))
    return principal in [*_list(named.get("Service")), *accounts] or "*" in accounts


def _covers(statement: Mapping[str, Any], element: str, value: str) -> bool:
    if f"Not{element}" in statement:
        return not _like(value, statement[f"Not{element}"])
    # Without an element, a policy applies to the resource that it is attached to.
    return element not in statement or _like(value, statement[element])


def _like(value: str, patterns: Any) -> bool:
    return any(_matches(value.lower(), str(pattern).lower()) for pattern in _list(patterns))


def _matches(value: str, pattern: str) -> bool:
    # IAM's only wildcards are * and ?.
    return fnmatchcase(value, pattern.replace("[", "[[]"))


def _conditions_hold(conditions: Mapping[str, Any], context: Mapping[str, str]) -> bool | None:
    return _all(
        _condition(operator, key, wanted, context)
        for operator, tests in conditions.items()
        for key, wanted in tests.items()
    )


def _condition(operator: str, key: str, wanted: Any, context: Mapping[str, str]) -> bool | None:
    kind = _QUANTIFIER.sub("", operator)
    if_exists = kind.endswith("IfExists")
    kind = kind.removesuffix("IfExists")
    value = context.get(key.lower())
    if value is None:
        return True if if_exists else None
    negated = "Not" in kind
    kind = kind.replace("Not", "")
    if kind in _LIKE:
        found = any(_matches(value, str(pattern)) for pattern in _list(wanted))
    elif kind in ("StringEquals", "StringEqualsIgnoreCase", "Bool"):
        fold = str if kind == "StringEquals" else str.lower
        found = fold(value) in [fold(_text(each)) for each in _list(wanted)]
    else:
        return None
    return found is not negated


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _all(parts: Iterable[bool | None]) -> bool | None:
    known = list(parts)
    if False in known:
        return False
    return None if None in known else True


def _any(first: bool | None, second: bool | None) -> bool | None:
    if True in (first, second):
        return True
    return None if None in (first, second) else False


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]
