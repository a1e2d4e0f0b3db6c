"""What every test needs: a Node that CDK supports, and stacks to define things in."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

# Both must be set before aws_cdk is imported. An unactivated environment's node is not on PATH,
# and synth's own validation costs two seconds once; test_readme.py leaves it on.
_node = Path(sys.executable).with_name("node")
if _node.exists():
    os.environ.setdefault("JSII_NODE", str(_node))
os.environ.setdefault("CDK_VALIDATION", "false")

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_


def define_handler(scope: cdk.Stack, id: str = "Handler", **properties: object) -> lambda_.Function:
    """Define a function as people have them."""
    return lambda_.Function(
        scope,
        id,
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="index.handler",
        code=lambda_.Code.from_inline("def handler(event, context): raise RuntimeError"),
        **properties,  # type: ignore[arg-type]
    )


@pytest.fixture
def app() -> cdk.App:
    """A fresh app."""
    return cdk.App()


@pytest.fixture
def stack(app: cdk.App) -> cdk.Stack:
    """A fresh stack."""
    return cdk.Stack(app, "Stack")


@pytest.fixture
def handler(stack: cdk.Stack) -> lambda_.Function:
    """A function of the stack."""
    return define_handler(stack)
