"""Warns of event source mappings that retry a failing batch until it expires."""

from __future__ import annotations

from typing import Any

from aws_cdk import Annotations
from aws_cdk import aws_lambda as lambda_

from ..wiring import AttachedEventSource
from .sources import STREAMS, source_kind

# https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
_WITHOUT_LIMIT = -1


def warn_of_blocked_shard(source: AttachedEventSource) -> None:
    """Warn if a stream's failing batch is retried until it expires, and blocks its shard so long.

    AWS does not say whether Lambda sends the record of a batch that expires in the stream itself,
    rather than by a limit of the mapping.
    https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
    """
    resource = source.resource
    kind = source_kind(resource)
    if kind not in STREAMS or not is_endless(resource):
        return
    how_long = "up to a week" if kind == "kinesis" else "a day"
    Annotations.of(source.mapping).add_warning_v2(
        "failure-destinations:blocked-shard",
        "this mapping retries a failing batch until it expires in the stream: it blocks its shard "
        f"for {how_long}, and AWS does not say that the failure destination gets it then. Set "
        "retry_attempts or max_record_age.",
    )


def is_endless(mapping: lambda_.CfnEventSourceMapping) -> bool:
    """Return whether neither retries nor the age of a record are limited."""
    limits: tuple[Any, ...] = (
        mapping.maximum_retry_attempts,
        mapping.maximum_record_age_in_seconds,
    )
    return all(limit is None or limit == _WITHOUT_LIMIT for limit in limits)
