"""The alarms about streams and queues: event source mappings and source queues of a channel."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

from aws_cdk import Annotations, Reference, Stack, Tokenization
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from failure_destinations import alarms, names

from ..called import function_and_qualifier
from ..channel.event_sources.failures import EventSourceFailures
from ..channel.event_sources.sources import STREAMS, source_kind
from ..channel.source_queues import SourceQueue
from ..channel.wiring import AttachedEventSource, Wiring
from ..refusals import is_token
from ..retention import known_retention
from ..tree import ref
from . import descriptions, metrics
from .dashboard import FailureDashboard
from .thresholds import MonitoringThresholds

# The default and the minimum of a Kinesis stream; DynamoDB streams have no other retention.
# https://docs.aws.amazon.com/streams/latest/dev/kinesis-extended-retention.html
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
STREAM_RETENTION_HOURS = 24
_HOUR_MILLISECONDS = 3_600_000
_PERCENT = 100

DefineAlarm = Callable[
    [Construct, alarms.FailureAlarm, float | None, Callable[[], cloudwatch.Metric], str], None
]


class PolledAlarms:
    """Defines the alarms about what Lambda polls, and shows it on the dashboard.

    Args:
        monitoring: The monitoring, for alarms about what is in the channel's stack.
        wiring: The channel's wiring.
        thresholds: When the alarms go off.
        dashboard: The monitoring's dashboard.
        scope_for: Returns where to define the alarms about a construct of a user.
        define: Defines an alarm, unless its threshold is None.
    """

    def __init__(
        self,
        monitoring: Construct,
        wiring: Wiring,
        thresholds: MonitoringThresholds,
        dashboard: FailureDashboard,
        *,
        scope_for: Callable[[Construct], Construct],
        define: DefineAlarm,
    ) -> None:
        self._monitoring = monitoring
        self._wiring = wiring
        self._thresholds = thresholds
        self._dashboard = dashboard
        self._scope_for = scope_for
        self._define = define
        self._watched: set[tuple[str, str]] = set()
        wiring.source_queues.observe(self._watch_queue)
        wiring.event_source_failures.observe(self._watch_failures)
        wiring.event_sources.observe(self._watch_event_source)

    def _watch_queue(self, source: SourceQueue) -> None:
        queue, dead_letters, thresholds = source.queue, source.dead_letter_queue, self._thresholds
        scope = Construct(self._monitoring, names.SOURCE_QUEUE_ALARMS_PREFIX + source.name)
        self._define(
            scope,
            alarms.SOURCE_DEAD_LETTERS,
            thresholds.source_dead_letters,
            functools.partial(metrics.events_in, dead_letters),
            descriptions.source_dead_letters(queue, dead_letters),
        )
        kept = _kept_at_least(source)
        age = self._seconds(dead_letters, thresholds.source_dead_letter_age_percent, kept)
        self._define(
            scope,
            alarms.SOURCE_DEAD_LETTER_AGE,
            age,
            functools.partial(metrics.oldest_age_in, dead_letters),
            descriptions.source_dead_letter_age(queue, dead_letters, age or 0),
        )
        age = self._seconds(queue, thresholds.source_message_age_percent, source.retention)
        if age is not None:
            self._define(
                self._scope_for(queue),
                alarms.SOURCE_MESSAGE_AGE,
                age,
                functools.partial(metrics.oldest_age_in, queue),
                descriptions.source_message_age(queue, age),
            )
        is_here = Stack.of(queue) is Stack.of(self._monitoring)
        self._dashboard.add_source_queue(source, shows_source=is_here)

    def _seconds(self, queue: Construct, percent: float | None, kept: float | None) -> float | None:
        """Return a percentage of a retention; None if the alarm is off or it is not known."""
        if percent is None:
            return None
        if kept is None:
            Annotations.of(queue).add_warning_v2(
                "failure-destinations:unknown-retention",
                "the retention of this queue is only known at deployment, so that no alarm can go "
                "off before SQS deletes its messages: give a number, or switch the alarms off with "
                "MonitoringThresholds(source_message_age_percent=None, "
                "source_dead_letter_age_percent=None).",
            )
            return None
        return kept * percent / _PERCENT

    def _watch_failures(self, failures: EventSourceFailures) -> None:
        queue, rule = failures.announcements, failures.rule
        self._define(
            self._monitoring,
            alarms.ANNOUNCEMENT_AGE,
            self._thresholds.announcement_age_seconds,
            functools.partial(metrics.oldest_age_in, queue),
            descriptions.announcement_age(queue),
        )
        self._define(
            self._monitoring,
            alarms.ANNOUNCEMENTS_LOST,
            self._thresholds.announcements_lost,
            functools.partial(
                metrics.rule_metric, alarms.ANNOUNCEMENTS_LOST.metric, rule.rule_name
            ),
            descriptions.announcements_lost(rule.rule_name, failures.bucket.bucket_name),
        )
        self._dashboard.add_announcements(queue)

    def _watch_event_source(self, attached: AttachedEventSource) -> None:
        # While CDK defines a mapping, its source is not known yet.
        if attached.resource is None:
            self._wiring.deferred.append(functools.partial(self._watch_mapping, attached))
        else:
            self._watch_mapping(attached)

    def _watch_mapping(self, attached: AttachedEventSource) -> None:
        handler, thresholds = attached.handler, self._thresholds
        kind = source_kind(attached.resource)
        wanted: dict[alarms.FailureAlarm, tuple[float | None, str]] = {}
        if kind in STREAMS:
            limit = self._age_limit(attached)
            wanted[alarms.ITERATOR_AGE] = (limit, descriptions.iterator_age(handler))
        if kind == "kafka":
            wanted[alarms.OFFSET_LAG] = (thresholds.offset_lag, descriptions.offset_lag(handler))
        if not self._has_delivery_alarm(handler):
            for failures in self._wiring.event_source_failures:
                wanted[alarms.BATCH_DELIVERY_FAILURES] = (
                    thresholds.batch_delivery_failures,
                    descriptions.batch_delivery_failures(handler, failures.bucket.bucket_name),
                )
        # The metrics are those of a function: it needs one alarm, however many mappings it has.
        missing = {
            alarm: value
            for alarm, value in wanted.items()
            if value[0] is not None and (_identity(handler), alarm.id) not in self._watched
        }
        is_here = Stack.of(attached.mapping) is Stack.of(self._monitoring)
        if (_identity(handler), "") not in self._watched:
            self._dashboard.add_event_source(handler if is_here else None, is_kafka=kind == "kafka")
        self._watched |= {(_identity(handler), id) for id in ("", *(each.id for each in missing))}
        if not missing:
            return
        scope = self._scope_for(attached.scope)
        for alarm, (threshold, description) in missing.items():
            metric = functools.partial(
                metrics.handler_metric, alarm.metric, handler, statistic=alarm.statistic
            )
            self._define(scope, alarm, threshold, metric, description)

    def _has_delivery_alarm(self, handler: lambda_.IFunction) -> bool:
        """Return whether the alarm of an asynchronous handler watches the same metric."""
        return self._thresholds.destination_delivery_failures is not None and any(
            each.has_destination and _identity(each.handler) == _identity(handler)
            for each in self._wiring.handlers
        )

    def _age_limit(self, attached: AttachedEventSource) -> float | None:
        """Return the age at which the alarm goes off, for the shortest of a handler's streams."""
        percent = self._thresholds.iterator_age_percent
        if percent is None:
            return None
        hours = min(_retentions(self._wiring.event_sources, attached))
        return hours * _HOUR_MILLISECONDS * percent / _PERCENT


def _identity(handler: lambda_.IFunction) -> str:
    """Return what two objects of one function, alias or version have in common."""
    function, _ = function_and_qualifier(handler)
    return f"{ref(function)} {'' if handler is function else handler.node.path}"


def _retentions(
    sources: Iterable[AttachedEventSource], own: AttachedEventSource
) -> Iterator[float]:
    """Yield how many hours each stream of a mapping's handler keeps a record."""
    yield _stream_hours(own.resource)
    for each in sources:
        is_known = each.resource is not None and source_kind(each.resource) in STREAMS
        if is_known and _identity(each.handler) == _identity(own.handler):
            yield _stream_hours(each.resource)


def _stream_hours(mapping: lambda_.CfnEventSourceMapping) -> float:
    """Return how many hours a mapping's stream keeps a record, as far as the app says."""
    token: Any = Tokenization.reverse_string(mapping.event_source_arn or "").first_token
    target: Any = token.target if token is not None and Reference.is_reference(token) else None
    hours = getattr(target, "retention_period_hours", None)
    return STREAM_RETENTION_HOURS if hours is None or is_token(hours) else float(hours)


def _kept_at_least(source: SourceQueue) -> float | None:
    """Return how many seconds a dead-letter queue keeps a message at least; None if not known.

    For a standard queue SQS counts from when the message was first sent, but its metric counts from
    when it was moved.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/setting-up-dead-letter-queue-retention.html
    """
    kept = known_retention(source.dead_letter_queue)
    if kept is None or source.is_fifo:
        return kept
    # A message that has spent more than half of that time in its source queue has set off the alarm
    # on the age of that queue's messages.
    return kept - min(cast(float, source.retention or 0), kept / 2)
