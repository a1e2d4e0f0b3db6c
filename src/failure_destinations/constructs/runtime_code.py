"""The code of the functions that the constructs define: the package `runtime`, and nothing else."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import IgnoreMode
from aws_cdk import aws_lambda as lambda_

PACKAGE = Path(__file__).parents[1]
RUNTIME = lambda_.Runtime.PYTHON_3_14
# The functions mostly wait; less memory would make their start slower.
MEMORY_MB = 256

_ALL_BUT_RUNTIME = ["*", "!runtime", "!runtime/*.py"]


def runtime_code() -> lambda_.AssetCode:
    """Return the code, whose handlers are named such as `runtime.replayer.handler`."""
    return lambda_.Code.from_asset(
        str(PACKAGE), exclude=_ALL_BUT_RUNTIME, ignore_mode=IgnoreMode.GIT
    )
