"""Each way to lose an event of a stream or queue is closed, as in test_losses.py."""

from __future__ import annotations

import functools

import aws_cdk as cdk
import pytest
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs

from failure_destinations import FailureChannel, FailureMonitoring

from .conftest import define_handler
from .polled_losses import CHECKS, CLOSED_BY, INDIFFERENT
from .template_parts import Template, forgotten, unnoticed, unused, without_flags
from .templates import template_of

KINDS = ("plain", "encrypted")
TRIM_HORIZON = lambda_.StartingPosition.TRIM_HORIZON
EVERY_PATTERN = [pattern for patterns in CLOSED_BY.values() for pattern in patterns]


@functools.cache
def closed(kind: str) -> Template:
    """Synthesise functions that read two streams and a queue on one channel, with alarms."""
    stack = cdk.Stack(cdk.App(), "Losses")
    key = kms.Key(stack, "Key") if kind == "encrypted" else None
    failures = FailureChannel(
        stack, "Failures", emails=["developer@example.com"], encryption_key=key
    )
    define_handler(stack, "Count").add_event_source(
        sources.KinesisEventSource(
            kinesis.Stream(stack, "Clicks"),
            starting_position=TRIM_HORIZON,
            retry_attempts=3,
            on_failure=failures.event_source_destination,
        )
    )
    customers = dynamodb.Table(
        stack,
        "Customers",
        partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
        stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
    )
    define_handler(stack, "Index").add_event_source(
        sources.DynamoEventSource(
            customers,
            starting_position=TRIM_HORIZON,
            retry_attempts=3,
            on_failure=failures.event_source_destination,
        )
    )
    orders = sqs.Queue(stack, "Orders")
    failures.dead_letter_queue_for(orders)
    define_handler(stack, "Ship").add_event_source(sources.SqsEventSource(orders))
    FailureMonitoring(stack, "Monitoring", channel=failures)
    return template_of(stack)


@functools.cache
def without_sources() -> Template:
    """Synthesise a channel without sources, whose parts test_losses.py accounts for."""
    stack = cdk.Stack(cdk.App(), "Losses")
    failures = FailureChannel(
        stack,
        "Failures",
        emails=["developer@example.com"],
        encryption_key=kms.Key(stack, "Key"),
    )
    FailureMonitoring(stack, "Monitoring", channel=failures)
    return template_of(stack)


@pytest.mark.parametrize("kind", KINDS)
def test_batches_are_kept_with_their_records(kind: str) -> None:
    """Row 17: Lambda may write each batch that it gives up to a bucket that keeps it."""
    CHECKS["17"](closed(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_batches_are_announced(kind: str) -> None:
    """Row 21: each object leads to a record in the channel's queue, or to a dead letter."""
    CHECKS["21"](closed(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_messages_move_to_a_dead_letter_queue(kind: str) -> None:
    """Row 24: what a function cannot handle moves to a queue that keeps it, and people know."""
    CHECKS["24"](closed(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_sources_are_watched(kind: str) -> None:
    """Row 18: people are notified before records expire in their source."""
    CHECKS["18"](closed(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_else_has_access_to_batches(kind: str) -> None:
    """The bucket and queues demand TLS, are encrypted, and let each service in for one resource."""
    CHECKS["access"](closed(kind))


@pytest.mark.parametrize("row", CHECKS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_check_notices_each_removed_part_of_a_source(kind: str, row: str) -> None:
    """A row's check fails when a part that closes the row is removed."""
    assert unnoticed(closed(kind), CHECKS[row], CLOSED_BY[row], INDIFFERENT) == []


@without_flags
@pytest.mark.parametrize("kind", KINDS)
def test_every_other_part_of_a_source_is_accounted_for(kind: str) -> None:
    """A check notices every other part too, or the part is listed as closing nothing."""
    listed = [*EVERY_PATTERN, *INDIFFERENT]
    assert forgotten(closed(kind), CHECKS.values(), listed, beside=without_sources()) == []


@without_flags
def test_every_pattern_of_sources_is_in_use() -> None:
    """Every pattern matches a part of a template, so none is mistyped."""
    templates = [closed(kind) for kind in KINDS]
    assert unused(templates, {*EVERY_PATTERN, *INDIFFERENT}) == []
