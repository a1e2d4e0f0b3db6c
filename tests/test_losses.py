"""Each way to lose an event is closed, and a check notices when what closes it is removed."""

from __future__ import annotations

import functools
import inspect
import re

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk.aws_scheduler import ScheduleExpression

from failure_destinations import FailureChannel, FailureMonitoring, FailureNotifiedFunction
from failure_destinations.constructs.channel import attaching, channel, given_parts

from . import test_refusals
from .conftest import define_handler
from .losses import CHECKS, CLOSED_BY, INDIFFERENT
from .template_parts import Template, forgotten, unnoticed, unused, without_flags
from .templates import template_of

KINDS = ("plain", "encrypted")
# Each refusal of row 13, with the function that refuses.
REFUSALS = {
    "test_rejects_a_fifo_queue": (channel, "check_queue"),
    "test_rejects_an_imported_fifo_queue": (channel, "check_queue"),
    "test_rejects_a_fifo_topic": (channel, "check_topic"),
    "test_rejects_an_imported_fifo_topic": (channel, "check_topic"),
    "test_rejects_a_subscription_of_a_fifo_queue": (channel, "check_subscribed"),
    "test_rejects_s3_as_success_destination": (attaching, "check_success_argument"),
    "test_rejects_fifo_as_success_destination": (attaching, "check_bound_success"),
    "test_rejects_fifo_as_success_destination_of_a_handler_of_another_stack": (
        attaching,
        "check_bound_success",
    ),
    "test_rejects_fifo_queues_and_topics_by_an_arn_with_tokens": (given_parts, "fifo_name"),
}
EVERY_PATTERN = [pattern for patterns in CLOSED_BY.values() for pattern in patterns]


@functools.cache
def closed(kind: str) -> Template:
    """Synthesise a function, a version and an alias on one channel, with a schedule and alarms."""
    stack = cdk.Stack(cdk.App(), "Losses")
    key = kms.Key(stack, "Key") if kind == "encrypted" else None
    failures = FailureChannel(
        stack, "Failures", emails=["developer@example.com"], encryption_key=key
    )
    FailureNotifiedFunction(
        stack,
        "Notified",
        handler=define_handler(stack, "Report"),
        channel=failures,
        schedule=ScheduleExpression.rate(cdk.Duration.hours(1)),
        payload={"report": "hourly"},
    )
    failures.notify_failures_of(define_handler(stack, "Checkout").add_alias("live"))
    failures.notify_failures_of(define_handler(stack, "Invoice").current_version)
    FailureMonitoring(stack, "Monitoring", channel=failures)
    return template_of(stack)


@pytest.mark.parametrize("kind", KINDS)
def test_ages_are_watched(kind: str) -> None:
    """Row 2: alarms go off before Lambda gives events up."""
    CHECKS["2"](closed(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_schedules_are_caught(kind: str) -> None:
    """Row 4: each schedule has a dead-letter queue that its role may send to, and alarms."""
    CHECKS["4"](closed(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_subscriptions_are_caught(kind: str) -> None:
    """Row 5: each subscription has a dead-letter queue that SNS may send to, and alarms."""
    CHECKS["5"](closed(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_destinations_are_caught(kind: str) -> None:
    """Row 6: each function has a queue for copies that its role may send to, and alarms."""
    CHECKS["6"](closed(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_retention_is_watched(kind: str) -> None:
    """Row 7: each queue keeps events 14 days, and alarms go off before they end."""
    CHECKS["7"](closed(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_queues_and_key_outlive_the_stack(kind: str) -> None:
    """Row 8: each queue is retained, and so is the key that it needs."""
    CHECKS["8"](closed(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_everything_that_is_called_is_configured(kind: str) -> None:
    """Row 9: function, version and alias each have a configuration that leads to the queue."""
    CHECKS["9"](closed(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_else_has_access(kind: str) -> None:
    """Queues and topics demand TLS, are encrypted, and let each service in for one resource."""
    CHECKS["access"](closed(kind))


@pytest.mark.parametrize("row", CHECKS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_check_notices_each_removed_part(kind: str, row: str) -> None:
    """A row's check fails when a part that closes the row is removed."""
    assert unnoticed(closed(kind), CHECKS[row], CLOSED_BY[row], INDIFFERENT) == []


@without_flags
@pytest.mark.parametrize("kind", KINDS)
def test_every_other_part_is_accounted_for(kind: str) -> None:
    """A check notices every other part too, or the part is listed as closing nothing."""
    listed = [*EVERY_PATTERN, *INDIFFERENT]
    assert forgotten(closed(kind), CHECKS.values(), listed) == []


@without_flags
def test_every_pattern_is_in_use() -> None:
    """Every pattern matches a part of a template, so none is mistyped."""
    templates = [closed(kind) for kind in KINDS]
    assert unused(templates, {*EVERY_PATTERN, *INDIFFERENT}) == []


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_rests_on_its_check(
    name: str, stack: cdk.Stack, handler: lambda_.Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 13: without its check neither this library nor CDK refuses, and its test fails."""
    module, check = REFUSALS[name]
    monkeypatch.setattr(module, check, lambda *_: None)
    refusal = getattr(test_refusals, name)
    given = {
        "app": cdk.App(),
        "stack": stack,
        "handler": handler,
        "kind": "queue",
        "where": "same stack",
    }
    arguments = {parameter: given[parameter] for parameter in inspect.signature(refusal).parameters}
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        refusal(**arguments)


def test_every_refusal_of_fifo_and_s3_rests_on_a_check() -> None:
    """Every refusal that closes row 13 is listed here."""
    refusals = {name for name in vars(test_refusals) if re.search("^test_.*(fifo|s3)", name)}
    assert refusals == set(REFUSALS)
