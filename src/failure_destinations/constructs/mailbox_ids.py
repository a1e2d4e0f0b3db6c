"""The construct ids of mailboxes."""

from __future__ import annotations

import hashlib
import json

from aws_cdk import Stack
from constructs import Construct

from failure_destinations import names

from .refusals import is_token


def mailbox_id(scope: Construct, address: str) -> str:
    """Return the construct id of a mailbox, independent of the address's order and case."""
    if not is_token(address):
        return f"{names.MAILBOX_PREFIX}{address.casefold()}"
    reference = json.dumps(Stack.of(scope).resolve(address), sort_keys=True)
    return f"{names.MAILBOX_PREFIX}{hashlib.sha256(reference.encode()).hexdigest()[:8]}"
