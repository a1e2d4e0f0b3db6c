"""Find the events of an account's functions that are lost when they fail.

The audit is read-only. It needs boto3, but not the CDK.
"""

from __future__ import annotations

from .actions import ACTIONS, policy
from .audit import ALL, Audit, Auditor
from .journal import Journal, JournalError

__all__ = ["ACTIONS", "ALL", "Audit", "Auditor", "Journal", "JournalError", "policy"]
