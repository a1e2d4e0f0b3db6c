"""Judges a key: whether it is enabled, and its policy lets the sender use it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .. import kinds
from ..facts import KEY_ACTIONS, Key, Unknown
from ..findings import Finding, Subject, unreadable
from ..fixes import AddStatements, AwsCall, Fix
from .services import Service

# The same actions that the constructs grant.
# https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
_GRANTED = ("kms:Decrypt", "kms:GenerateDataKey*")


def judge_key(
    key: Key | Unknown | None, subject: Subject, services: Sequence[Service] = ()
) -> Iterator[Finding]:
    """Judge the key of a queue, topic or bucket.

    Args:
        key: The key; None if there is none.
        subject: The queue, topic or bucket.
        services: The AWS services that send to it and so use the key.
    """
    if key is None:
        return
    if isinstance(key, Unknown):
        yield unreadable(kinds.KEY, subject, key)
        return
    if key.of_aws:
        for service in services[:1]:
            yield Finding(kinds.KEY_OF_AWS, subject, {"key": key.id, "service": service.name})
        return
    if key.state != "Enabled":
        facts = {"key": key.id, "state": key.state}
        yield Finding(kinds.KEY_DISABLED, subject, facts, _enable(key))
    # A deleted key has no policy.
    if key.policy != {}:
        for service in services:
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
