"""Find the asynchronous functions of an account whose failures are lost.

The audit is read-only. It needs boto3, but not the CDK.
"""

from __future__ import annotations

from .actions import ACTIONS, policy
from .audit import ALL, Audit, Auditor
from .journal import Journal, JournalError

__all__ = ["ACTIONS", "ALL", "Audit", "Auditor", "Journal", "JournalError", "policy"]
