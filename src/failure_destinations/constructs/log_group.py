"""The log group of a function that the constructs define."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Annotations, RemovalPolicy, Stack
from aws_cdk import aws_logs as logs
from constructs import Construct

from . import keys
from .refusals import is_token

if TYPE_CHECKING:
    from .channel.wiring import Wiring


def define_log_group(
    scope: Construct, wiring: Wiring, whose: str, id: str = "Logs"
) -> logs.LogGroup:
    """Define a log group that keeps lines for a month, encrypted with the channel's key.

    It warns if the key's policy cannot be changed here.

    Args:
        scope: The construct to define it in.
        wiring: The channel's wiring.
        whose: What the warning calls it, such as `replayer's log group`.
        id: Its id.
    """
    given = wiring.given_key
    if given is not None and not keys.let_logs_write(given):
        region = Stack.of(scope).region
        Annotations.of(scope).add_warning_v2(
            "failure-destinations:imported-log-key",
            "encryption_key of the channel is imported, so its policy cannot be changed "
            f"here: allow logs.{'REGION' if is_token(region) else region}.amazonaws.com to use "
            f"{keys.in_words(keys.WRITE_LOGS)} in that policy, or CloudFormation cannot create "
            f"the {whose}.",
        )
    return logs.LogGroup(
        scope,
        id,
        retention=logs.RetentionDays.ONE_MONTH,
        encryption_key=wiring.key,
        removal_policy=RemovalPolicy.DESTROY,
    )
