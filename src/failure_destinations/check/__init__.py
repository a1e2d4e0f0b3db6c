"""Finds asynchronous functions whose failures are lost, from CloudFormation templates alone.

It knows nothing of CDK, and needs the standard library only.
"""

from __future__ import annotations

from .findings import KINDS, UncoveredFunction
from .stacks import Stack, find_uncovered_functions, find_uncovered_functions_in

__all__ = [
    "KINDS",
    "Stack",
    "UncoveredFunction",
    "find_uncovered_functions",
    "find_uncovered_functions_in",
]
