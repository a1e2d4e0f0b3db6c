"""The table with which an asynchronous replayer counts how often events were handed over."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from ..called import Called
from ..refusals import is_token

# How long the failure of an ordinary function may take to come back: it waits for 6 hours at most,
# and runs 3 times, for up to 5,400 seconds, 1 and 2 minutes apart. That is less than 11 hours.
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html
MIN_EXPIRE_SECONDS = 43_200
# The longest durable execution.
# https://docs.aws.amazon.com/lambda/latest/api/API_DurableConfig.html
_MAX_EXECUTION_SECONDS = 31_622_400


def expire_seconds(handler: lambda_.IFunction) -> int:
    """Return how long a handler's counts must hold, so that its failures come back meanwhile."""
    called = Called(handler)
    if not called.is_durable:
        return MIN_EXPIRE_SECONDS
    seconds = called.run_seconds
    known = seconds is not None and not is_token(seconds)
    return MIN_EXPIRE_SECONDS + (int(seconds) if known else _MAX_EXECUTION_SECONDS)


def define_counts(scope: Construct, function: lambda_.Function, role: iam.IRole) -> None:
    """Define the table in a replayer, and let its function use it.

    It holds a digest of function and payload, a number and a time; nothing of the payload.

    Args:
        scope: The replayer.
        function: Its function.
        role: The role of that function.
    """
    from aws_cdk import aws_dynamodb as dynamodb  # noqa: PLC0415 - start-up time

    table = dynamodb.Table(
        scope,
        "Counts",
        partition_key=dynamodb.Attribute(name="event", type=dynamodb.AttributeType.STRING),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        time_to_live_attribute="expires",
        removal_policy=RemovalPolicy.DESTROY,
    )
    role.add_to_principal_policy(
        iam.PolicyStatement(
            actions=["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem"],
            resources=[table.table_arn],
        )
    )
    function.add_environment("COUNTS_TABLE", table.table_name)
    set_expiry(function, MIN_EXPIRE_SECONDS)


def set_expiry(function: lambda_.Function, seconds: int) -> None:
    """Set how many seconds a count holds."""
    function.add_environment("COUNTS_EXPIRE_SECONDS", str(seconds))
