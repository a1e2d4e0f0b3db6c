"""Reads a KMS key and its policy."""

from __future__ import annotations

import json

from ..facts import Key, Unknown
from .sources import Sources


def gather_key(sources: Sources, id: str | None) -> Key | Unknown | None:
    """Return the facts about a KMS key; None without an id.

    Args:
        sources: The sources of facts.
        id: Its ARN, id or alias.
    """
    if not id:
        return None
    if id.startswith("alias/aws/"):
        return Key(id, {"KeyManager": "AWS"}, None)
    kms = sources.aws.client("kms")
    read = sources.reader.read
    metadata = read("kms:DescribeKey", lambda: dict(kms.describe_key(KeyId=id)["KeyMetadata"]))
    if isinstance(metadata, Unknown):
        return metadata
    if metadata is None:
        return Key(id, {"KeyState": "deleted"}, {})
    arn = str(metadata.get("Arn", id))
    if metadata.get("KeyManager") == "AWS":
        return Key(arn, metadata, None)
    policy = read(
        "kms:GetKeyPolicy",
        lambda: dict(json.loads(kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"])),
    )
    return Key(arn, metadata, policy)


def key_to_grant(key: Key | Unknown | None) -> str | None:
    """Return the ARN of a key whose use must be granted; None if it need not be."""
    return key.id if isinstance(key, Key) and not key.of_aws else None
