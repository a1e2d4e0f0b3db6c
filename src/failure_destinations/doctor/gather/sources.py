"""Where facts come from."""

from __future__ import annotations

from typing import NamedTuple

from failure_destinations.deployed.session import Aws
from failure_destinations.deployed.stacks import DeployedStack

from .aws_reader import AwsReader
from .metrics import Metrics


class Sources(NamedTuple):
    """Where facts come from.

    Attributes:
        aws: The account and Region.
        stack: The stack.
        reader: Reads from AWS.
        metrics: What CloudWatch counted.
    """

    aws: Aws
    stack: DeployedStack
    reader: AwsReader
    metrics: Metrics
