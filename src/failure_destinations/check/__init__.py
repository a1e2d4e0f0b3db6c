"""Find the asynchronous functions of CloudFormation templates whose failures are lost.

The check reads nothing but templates. It needs only the standard library, not the CDK.
"""

from __future__ import annotations

from .findings import Finding
from .findings import Finding as UncoveredFunction
from .kinds import KINDS, Kind
from .stacks import Stack, find_uncovered_functions, find_uncovered_functions_in

__all__ = [
    "KINDS",
    "Finding",
    "Kind",
    "Stack",
    "UncoveredFunction",
    "find_uncovered_functions",
    "find_uncovered_functions_in",
]
