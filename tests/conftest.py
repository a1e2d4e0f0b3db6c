"""Apps, stacks and functions that most tests start from."""

from __future__ import annotations

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_


def define_handler(scope: cdk.Stack, id: str = "Handler", **properties: object) -> lambda_.Function:
    """Define a function that fails."""
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
