"""Find asynchronous functions whose failures are lost, in an account.

It only reads, and needs boto3, not the CDK.
"""

from __future__ import annotations

from .actions import ACTIONS, policy
from .audit import ALL, Audit, Auditor
from .journal import Journal, JournalError

__all__ = ["ACTIONS", "ALL", "Audit", "Auditor", "Journal", "JournalError", "policy"]
