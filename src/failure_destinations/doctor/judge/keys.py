"""Can the sender use the key: is it enabled, and does its policy allow the service?"""

from __future__ import annotations

from collections.abc import Iterator

from .. import kinds
from ..facts import KEY_ACTIONS, Key, Unknown
from ..findings import Finding, Subject, unreadable
from ..fixes import AddStatements, AwsCall, Fix
from .services import Service

# The same actions that the constructs grant.
# https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
_GRANTED = ("kms:Decrypt", "kms:GenerateDataKey*")


def judge_key(
    key: Key | Unknown | None, subject: Subject, service: Service | None
) -> Iterator[Finding]:
    """Judge the key of a queue or topic.

    Args:
        key: The key; None if there is none.
        subject: The queue or topic.
        service: The AWS service that sends to it and so uses the key; None without one.
    """
    if key is None:
        return
    if isinstance(key, Unknown):
        yield unreadable(kinds.KEY, subject, key)
        return
    facts = {"key": key.id, "service": None if service is None else service.name}
    if key.of_aws:
        if service is not None:
            yield Finding(kinds.KEY_OF_AWS, subject, facts)
        return
    if key.state != "Enabled":
        facts["state"] = key.state
        yield Finding(kinds.KEY_DISABLED, subject, facts, _enable(key))
    # A deleted key has no policy.
    if service is not None and key.policy != {}:
        yield from _judge_policy(key, subject, service)


def _judge_policy(key: Key, subject: Subject, service: Service) -> Iterator[Finding]:
    if isinstance(key.policy, Unknown):
        yield unreadable(kinds.KEY_POLICY, subject, key.policy)
        return
    policy = key.policy or {}
    facts = {"key": key.id, "service": service.name}
    answers = [service.may(policy, action, key.id) for action in KEY_ACTIONS]
    if False in answers:
        # In a key policy, `*` means the key itself.
        # https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-overview.html
        statement = service.statement(list(_GRANTED), "*", service.same_account)
        addition = AddStatements("key", key.id, policy, (statement,))
        yield Finding(kinds.KEY_POLICY, subject, facts, service.fix(addition, KEY_ACTIONS, key.id))
    elif None in answers:
        yield Finding(kinds.KEY_POLICY, subject, facts, given_severity="unknown")


def _enable(key: Key) -> Fix:
    """Return the steps that enable a key; a deleted key cannot be restored."""
    enable = AwsCall("kms", "EnableKey", {"KeyId": key.id})
    if key.state == "PendingDeletion":
        return (AwsCall("kms", "CancelKeyDeletion", {"KeyId": key.id}), enable)
    return (enable,) if key.state == "Disabled" else ()
