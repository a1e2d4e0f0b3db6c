"""May who sends use the key: is it on, and does its policy let the service?"""

from __future__ import annotations

from collections.abc import Iterator

from ..facts import KEY_ACTIONS, Key, Unknown
from ..findings import Finding, aws_command, not_known
from .services import Service

_OTHER_KEY = {
    "SNS": "deploy it with QueueEncryption.SQS_MANAGED, or encryption_key= of the channel",
    "CloudWatch": "deploy it with a key of yours, or with none",
}


def judge_key(key: Key | Unknown | None, name: str, service: Service | None) -> Iterator[Finding]:
    """Judge the key of a queue or topic.

    Args:
        key: The key; None if there is none.
        name: The queue's or topic's name.
        service: What sends to it, and uses the key for that; None if that is no service of AWS.
    """
    if key is None:
        return
    if isinstance(key, Unknown):
        yield not_known("key", name, key)
        return
    if key.of_aws:
        if service is not None:
            yield Finding(
                "error",
                "key-of-aws",
                name,
                f"is encrypted with {key.id}, a key that {service.name} may not use",
                _OTHER_KEY.get(service.name),
            )
        return
    if key.state != "Enabled":
        yield Finding(
            "error",
            "key-disabled",
            name,
            f"is encrypted with {key.id}, which is {key.state}",
            _enable(key),
        )
    if service is not None:
        yield from _judge_key_policy(key, name, service)


def _judge_key_policy(key: Key, name: str, service: Service) -> Iterator[Finding]:
    if isinstance(key.policy, Unknown):
        yield not_known("key-policy", name, key.policy)
        return
    answers = [service.may(key.policy or {}, action, key.id) for action in KEY_ACTIONS]
    if False in answers:
        yield Finding(
            "error",
            "key-policy",
            name,
            f"is encrypted with {key.id}, whose policy does not let {service.name} use it",
            f"add a statement that allows {service.principal} kms:Decrypt and "
            "kms:GenerateDataKey*: "
            + aws_command("kms", "put-key-policy", key_id=key.id, policy="file://policy.json"),
        )
    elif None in answers:
        yield Finding(
            "unknown",
            "key-policy",
            name,
            f"whether {service.name} may use {key.id} depends on a condition that only AWS can "
            "judge",
        )


def _enable(key: Key) -> str:
    enable = aws_command("kms", "enable-key", key_id=key.id)
    if key.state == "PendingDeletion":
        return f"{aws_command('kms', 'cancel-key-deletion', key_id=key.id)} && {enable}"
    return enable
