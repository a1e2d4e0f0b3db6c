"""Find the events of functions in CloudFormation templates that are lost when they fail.

The check reads nothing but templates. It needs only the standard library, not the CDK.
"""

from __future__ import annotations

from .findings import Finding
from .findings import Finding as UncoveredFunction
from .kinds import KINDS, Kind
from .stacks import (
    Stack,
    find_lost_events,
    find_lost_events_in,
    find_uncovered_functions,
    find_uncovered_functions_in,
)

__all__ = [
    "KINDS",
    "Finding",
    "Kind",
    "Stack",
    "UncoveredFunction",
    "find_lost_events",
    "find_lost_events_in",
    "find_uncovered_functions",
    "find_uncovered_functions_in",
]
