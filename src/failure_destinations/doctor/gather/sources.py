"""The sources of facts."""

from __future__ import annotations

from typing import NamedTuple

from failure_destinations.deployed.session import Aws
from failure_destinations.deployed.stacks import DeployedStack

from .aws_reader import AwsReader
from .mappings import Mappings
from .metrics import Metrics


class Sources(NamedTuple):
    """The sources of facts.

    Attributes:
        aws: The account and Region.
        stack: The stack.
        reader: The reader of AWS.
        metrics: The reader of CloudWatch metrics.
        mappings: The event source mappings of the account and Region.
    """

    aws: Aws
    stack: DeployedStack
    reader: AwsReader
    metrics: Metrics
    mappings: Mappings
