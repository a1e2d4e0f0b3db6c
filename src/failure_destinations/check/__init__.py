"""Find asynchronous functions whose failures are lost, in CloudFormation templates alone.

It needs the standard library only, and not the CDK.
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
