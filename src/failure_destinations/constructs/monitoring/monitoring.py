"""Alarms for every hop of a failed event, a topic that notifies people of them, and a dashboard."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_cloudwatch_actions import SnsAction
from constructs import Construct

from failure_destinations import names
from failure_destinations.alarms import (
    ASYNC_EVENT_AGE,
    DEAD_LETTER_ERRORS,
    DEAD_LETTER_EVENTS,
    DESTINATION_DELIVERY_FAILURES,
    FAILED_EVENTS_WAITING,
    INVOCATIONS_DROPPED,
    INVOCATIONS_LOST,
    NOTICE_AGE,
    NOTIFICATIONS_FAILED,
    NOTIFIER_FAILED,
    OLDEST_EVENT_AGE,
    PARKED_EVENTS,
    UNDELIVERED_NOTICES,
    FailureAlarm,
)

from ..channel.attaching import MAX_EVENT_AGE_SECONDS, MIN_EVENT_AGE_SECONDS, check_is_function
from ..channel.channel import FailureChannel
from ..channel.wiring import AttachedAlarm, AttachedHandler, AttachedReplayer, wiring_of
from ..refusals import check_age, check_scope, has_member, shown
from ..retention import (
    MAX_RETENTION_SECONDS,
    MIN_RETENTION_SECONDS,
    known_retention,
)
from . import descriptions, metrics
from .alarm import define_alarm
from .alarm_topic import check_alarm_topic, define_alarm_topic, note_silence, use_alarm_topic
from .dashboard import FailureDashboard
from .event_age import EventAge, seconds_of
from .polled import PolledAlarms
from .thresholds import MonitoringThresholds

if TYPE_CHECKING:
    from ..notifier.notifier import FailureNotifier

__all__ = ["FailureMonitoring", "MonitoringThresholds"]


class FailureMonitoring(Construct):
    """Notifies people when failed events wait, and when any hop on their path breaks.

    Defines CloudWatch alarms, an SNS topic for their messages with a subscription for each of the
    channel's mailboxes, and a dashboard that shows the order in which a failure travels from left
    to right.

    Alarms about the channel and the default schedule group are defined in this construct. Alarms
    about a handler, whenever it is attached to the channel, are defined beside its asynchronous
    configuration, so that the handler's stack refers to this one and never the other way round.
    But if the handler is in the channel's stack and this construct is not, they are defined here.
    The same holds for event source mappings of the channel, whose alarms are defined at synthesis,
    and for the queues that `dead_letter_queue_for` was called with.
    The dashboard shows handlers of this stack by name. For handlers of other stacks, it shows the
    failed deliveries of all the account's functions.

    An alarm notifies people when it goes off, and again only after it has returned to OK: a
    thousand failures send one message. Messages go to the alarm topic, never to the channel's
    topic, and so never into the queue of failed events. A channel has at most one monitoring.

    Example:
        >>> from aws_cdk import App, Stack
        >>> from failure_destinations import (
        ...     FailureChannel,
        ...     FailureMonitoring,
        ...     MonitoringThresholds,
        ... )
        >>> stack = Stack(App(), "Failures")
        >>> channel = FailureChannel(stack, "Channel", emails=["developer@example.com"])
        >>> monitoring = FailureMonitoring(
        ...     stack,
        ...     "Monitoring",
        ...     channel=channel,
        ...     thresholds=MonitoringThresholds(failed_events_waiting=10, dead_letter_errors=None),
        ... )
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        channel: FailureChannel,
        alarm_topic: sns.ITopic | None = None,
        thresholds: MonitoringThresholds | None = None,
        queue_retention: Duration | None = None,
    ) -> None:
        """Define the monitoring.

        Args:
            scope: The construct to define it in; preferably the channel's.
            id: Its name within the scope. Changing it replaces the alarm topic, and each person
                has to confirm the subscription again.
            channel: The channel to watch, with all its handlers, schedules and mailboxes, including
                later ones.
            alarm_topic: A standard topic for the alarms' messages, with its own subscribers;
                CloudWatch gets permission to publish to it. Default: a new one that refuses
                connections without TLS, is encrypted with the channel's key if it has one, and
                has the channel's mailboxes as subscribers; each person confirms this subscription
                too, within 2 days. `alarm_topic.add_subscription` adds others.
                https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
            thresholds: When each alarm goes off. Default: `MonitoringThresholds()`.
            queue_retention: How long the channel's queue keeps an event, if the queue is imported
                and the retention not known here. 60 seconds to 14 days. Default: the retention
                that the queue is defined with.

        Raises:
            ValueError: An argument is not as described, the channel already has a monitoring, or
                one of its handlers or schedules cannot be watched.
        """
        check_scope(scope)
        wiring = wiring_of(channel)
        wiring.check_unclaimed("monitoring")
        check_alarm_topic(alarm_topic, channel.topic)
        self._thresholds = _checked_thresholds(thresholds)
        oldest_age = self._oldest_age(channel.queue, queue_retention)
        super().__init__(scope, id)
        wiring.claim("monitoring", self)

        self._channel = channel
        self._alarms: list[cloudwatch.Alarm] = []
        self._watched: set[tuple[str, str]] = set()
        if alarm_topic is None:
            self._alarm_topic: sns.ITopic = define_alarm_topic(self, wiring)
            wiring.deferred.append(
                functools.partial(
                    note_silence,
                    self,
                    wiring,
                    self._alarm_topic,
                    "alarms-notify-nobody",
                    "nobody is subscribed to the topic of these alarms: pass alarm_topic=…, such "
                    "as that of a FailureNotifier, or give the channel emails=[…].",
                )
            )
        else:
            self._alarm_topic = alarm_topic
            # Another monitoring has already let CloudWatch publish to its own topic.
            if not isinstance(alarm_topic.node.scope, FailureMonitoring):
                use_alarm_topic(self, alarm_topic)
        self._action = SnsAction(self._alarm_topic)
        self._watch_channel(oldest_age)
        self._dashboard = FailureDashboard(self, wiring, self._alarms)
        wiring.handlers.observe(self._watch_handler)
        wiring.schedules.observe(self._watch_schedule)
        wiring.replayers.observe(self._watch_replayer)
        wiring.notifiers.observe(self._watch_notifier)
        wiring.alarms.observe(self._follow_alarm)
        self._polled = PolledAlarms(
            self,
            wiring,
            self._thresholds,
            self._dashboard,
            scope_for=self._scope_for_alarms,
            define=self._define_alarm,
        )

    @property
    def alarms(self) -> Sequence[cloudwatch.Alarm]:
        """The alarms defined so far, including those about handlers."""
        return tuple(self._alarms)

    @property
    def alarm_topic(self) -> sns.ITopic:
        """The topic through which alarms notify people."""
        return self._alarm_topic

    @property
    def dashboard(self) -> cloudwatch.Dashboard:
        """The dashboard: schedule, handler, destination, queue and dead-letter queue."""
        return self._dashboard.dashboard

    def watch(
        self,
        handler: lambda_.IFunction,
        *,
        max_event_age: Duration | None = None,
        schedule: scheduler.ISchedule | None = None,
    ) -> None:
        """Watch a handler whose failure destination was defined without this library.

        Handlers that `FailureChannel.notify_failures_of` or `FailureNotifiedFunction` attach to
        the channel are watched automatically. The alarms are defined beside the handler.

        Args:
            handler: The function, version or alias that is called.
            max_event_age: How long Lambda keeps an event for this handler. 60 seconds to 6 hours.
                Default: 6 hours, as in Lambda.
                https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
            schedule: The EventBridge Scheduler schedule that starts it, whose group is watched.
                Default: none.

        Raises:
            ValueError: The handler is already watched, or an argument is not as described.
        """
        check_is_function(handler)
        check_age("max_event_age", max_event_age, MIN_EVENT_AGE_SECONDS, MAX_EVENT_AGE_SECONDS)
        _check_schedule(schedule)
        self._watch_handler(
            AttachedHandler(handler, cast(Construct, handler), max_event_age=max_event_age)
        )
        if schedule is not None:
            self._watch_schedule(schedule)

    def metric_failed_events_waiting(self, **options: Any) -> cloudwatch.Metric:
        """Return `ApproximateNumberOfMessagesVisible` of the channel's queue.

        Args:
            options: As of `aws_cloudwatch.MetricOptions`. Default: the maximum of each minute.
                https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
        """
        return metrics.events_in(self._channel.queue, **options)

    def metric_oldest_event_age(self, **options: Any) -> cloudwatch.Metric:
        """Return `ApproximateAgeOfOldestMessage` of the channel's queue, in seconds.

        SQS leaves out events that were received three times or more but not deleted.

        Args:
            options: As of `aws_cloudwatch.MetricOptions`. Default: the maximum of 5 minutes.
                https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
        """
        return metrics.oldest_age_in(self._channel.queue, **options)

    def metric_dead_letter_events(self, **options: Any) -> cloudwatch.Metric:
        """Return `ApproximateNumberOfMessagesVisible` of the channel's dead-letter queue.

        Args:
            options: As of `aws_cloudwatch.MetricOptions`. Default: the maximum of each minute.
        """
        return metrics.events_in(self._channel.dead_letter_queue, **options)

    def metric_notifications_failed(self, **options: Any) -> cloudwatch.Metric:
        """Return `NumberOfNotificationsFailed` of the channel's topic.

        Args:
            options: As of `aws_cloudwatch.MetricOptions`. Default: the sum of 5 minutes.
                https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html
        """
        return metrics.topic_metric("NumberOfNotificationsFailed", self._channel.topic, **options)

    def metric_destination_delivery_failures(
        self, handler: lambda_.IFunction, **options: Any
    ) -> cloudwatch.Metric:
        """Return `DestinationDeliveryFailures` of a handler.

        Args:
            handler: The function, version or alias that is called.
            options: As of `aws_cloudwatch.MetricOptions`. Default: the sum of 5 minutes.
                https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
        """
        return metrics.handler_metric("DestinationDeliveryFailures", handler, **options)

    def metric_dead_letter_errors(
        self, handler: lambda_.IFunction, **options: Any
    ) -> cloudwatch.Metric:
        """Return `DeadLetterErrors` of a handler.

        Args:
            handler: The function, version or alias that is called.
            options: As of `aws_cloudwatch.MetricOptions`. Default: the sum of 5 minutes.
        """
        return metrics.handler_metric("DeadLetterErrors", handler, **options)

    def metric_async_event_age(
        self, handler: lambda_.IFunction, **options: Any
    ) -> cloudwatch.Metric:
        """Return `AsyncEventAge` of a handler, in milliseconds.

        Args:
            handler: The function, version or alias that is called.
            options: As of `aws_cloudwatch.MetricOptions`. Default: the maximum of 5 minutes.
        """
        return metrics.handler_metric(
            "AsyncEventAge", handler, **{"statistic": "Maximum", **options}
        )

    def metric_async_events_dropped(
        self, handler: lambda_.IFunction, **options: Any
    ) -> cloudwatch.Metric:
        """Return `AsyncEventsDropped` of a handler: all events that Lambda gave up on, kept or not.

        Args:
            handler: The function, version or alias that is called.
            options: As of `aws_cloudwatch.MetricOptions`. Default: the sum of 5 minutes.
        """
        return metrics.handler_metric("AsyncEventsDropped", handler, **options)

    def metric_invocations_dropped(
        self, group: str = metrics.DEFAULT_GROUP, **options: Any
    ) -> cloudwatch.Metric:
        """Return `InvocationDroppedCount` of a schedule group.

        Args:
            group: Its name. Default: the group of every schedule that is in no other.
            options: As of `aws_cloudwatch.MetricOptions`. Default: the sum of 5 minutes.
                https://docs.aws.amazon.com/scheduler/latest/UserGuide/monitoring-cloudwatch.html
        """
        return metrics.schedule_metric("InvocationDroppedCount", group, **options)

    def metric_invocations_lost(
        self, group: str = metrics.DEFAULT_GROUP, **options: Any
    ) -> cloudwatch.Metric:
        """Return `InvocationsFailedToBeSentToDeadLetterCount` of a schedule group.

        Args:
            group: Its name. Default: the group of every schedule that is in no other.
            options: As of `aws_cloudwatch.MetricOptions`. Default: the sum of 5 minutes.
        """
        return metrics.schedule_metric(
            "InvocationsFailedToBeSentToDeadLetterCount", group, **options
        )

    def _oldest_age(self, queue: sqs.IQueue, given: Duration | None) -> float | None:
        """Return the age in seconds at which the alarm goes off, or None if it is off."""
        check_age("queue_retention", given, MIN_RETENTION_SECONDS, MAX_RETENTION_SECONDS)
        percent = self._thresholds.oldest_event_age_percent
        known = known_retention(queue)
        if given is not None and known is not None:
            raise ValueError(
                f"queue_retention is for a queue whose retention is not known, got one for "
                f"{shown(queue.node.path)} with {known} seconds: leave it out"
            )
        seconds = known if given is None else seconds_of("queue_retention", given)
        if percent is None:
            return None
        if seconds is None:
            raise ValueError(
                f"queue_retention must be given, got None for {shown(queue.node.path)}: its "
                "retention "
                "is not known here; or switch the alarm off with "
                "thresholds=MonitoringThresholds(oldest_event_age_percent=None)"
            )
        return seconds * percent / 100

    def _watch_channel(self, oldest_age: float | None) -> None:
        channel, thresholds = self._channel, self._thresholds
        self._define_alarm(
            self,
            FAILED_EVENTS_WAITING,
            thresholds.failed_events_waiting,
            self.metric_failed_events_waiting,
            descriptions.failed_events_waiting(channel.queue),
        )
        self._define_alarm(
            self,
            OLDEST_EVENT_AGE,
            oldest_age,
            self.metric_oldest_event_age,
            descriptions.oldest_event_age(channel.queue, oldest_age or 0),
        )
        self._define_alarm(
            self,
            DEAD_LETTER_EVENTS,
            thresholds.dead_letter_events,
            self.metric_dead_letter_events,
            descriptions.dead_letter_events(channel.dead_letter_queue),
        )
        self._define_alarm(
            self,
            NOTIFICATIONS_FAILED,
            thresholds.notifications_failed,
            self.metric_notifications_failed,
            descriptions.notifications_failed(channel.topic),
        )

    def _watch_handler(self, attached: AttachedHandler) -> None:
        handler, scope = attached.handler, attached.scope
        path = handler.node.path
        key = (path, attached.arn)
        if key in self._watched or scope.node.try_find_child(names.FAILURE_ALARMS) is not None:
            raise ValueError(
                f"handler must be watched once, got {shown(path)} again: "
                "handlers of the channel are watched automatically; remove the call of watch"
            )
        self._watched.add(key)
        thresholds = self._thresholds
        percent = thresholds.async_event_age_percent
        max_age = EventAge(attached, is_watched=percent is not None)
        alarms = self._scope_for_alarms(scope)
        self._define_alarm(
            alarms,
            DESTINATION_DELIVERY_FAILURES,
            thresholds.destination_delivery_failures if attached.has_destination else None,
            functools.partial(self.metric_destination_delivery_failures, handler),
            descriptions.destination_delivery_failures(handler),
        )
        self._define_alarm(
            alarms,
            DEAD_LETTER_ERRORS,
            thresholds.dead_letter_errors,
            functools.partial(self.metric_dead_letter_errors, handler),
            descriptions.dead_letter_errors(handler),
        )
        self._define_alarm(
            alarms,
            ASYNC_EVENT_AGE,
            None if percent is None else max_age.milliseconds_at(percent),
            functools.partial(self.metric_async_event_age, handler),
            descriptions.async_event_age(handler, max_age.in_words),
        )
        if Stack.of(alarms) is Stack.of(self):
            self._dashboard.add_handler(handler)
        else:
            self._dashboard.add_handler_of_another_stack()

    def _watch_schedule(self, schedule: scheduler.ISchedule) -> None:
        group = schedule.schedule_group
        name = metrics.DEFAULT_GROUP if group is None else group.schedule_group_name
        if group is None or name == metrics.DEFAULT_GROUP:
            # The group and its metric are the same everywhere, so one alarm is enough.
            scope: Construct = self
        else:
            scope = cast(Construct, group)
        if scope.node.try_find_child(names.FAILURE_ALARMS) is not None:
            return
        alarms = self._scope_for_alarms(scope)
        self._define_alarm(
            alarms,
            INVOCATIONS_DROPPED,
            self._thresholds.invocations_dropped,
            functools.partial(self.metric_invocations_dropped, name),
            descriptions.invocations_dropped(name, self._channel.dead_letter_queue),
        )
        self._define_alarm(
            alarms,
            INVOCATIONS_LOST,
            self._thresholds.invocations_lost,
            functools.partial(self.metric_invocations_lost, name),
            descriptions.invocations_lost(name),
        )
        if scope is not self and Stack.of(alarms) is Stack.of(self):
            self._dashboard.add_schedules(name)

    def _watch_replayer(self, attached: AttachedReplayer) -> None:
        replayer = attached.replayer
        stack = Stack.of(replayer)
        if stack is Stack.of(self) or stack is not Stack.of(self._channel):
            replayer.parked_alarm.add_alarm_action(self._action)
            self._alarms.append(replayer.parked_alarm)
            return
        # This stack refers to the channel's: an alarm there cannot refer to the alarm topic.
        self._define_alarm(
            self,
            PARKED_EVENTS,
            attached.parked_alarm_threshold,
            replayer.metric_parked_events,
            descriptions.parked_events(replayer.parked_queue),
        )

    def _watch_notifier(self, notifier: FailureNotifier) -> None:
        alarms = self._scope_for_alarms(notifier)
        thresholds = self._thresholds
        self._define_alarm(
            alarms,
            NOTIFIER_FAILED,
            thresholds.notifier_errors,
            notifier.metric_failed_runs,
            descriptions.notifier_failed(notifier.function, notifier.log_group.log_group_name),
        )
        self._define_alarm(
            alarms,
            NOTICE_AGE,
            thresholds.notice_age_seconds,
            notifier.metric_oldest_record_age,
            descriptions.notice_age(notifier.queue),
        )
        self._define_alarm(
            alarms,
            UNDELIVERED_NOTICES,
            thresholds.undelivered_notices,
            notifier.metric_dead_letters,
            descriptions.undelivered_notices(notifier.dead_letter_queue),
        )
        if Stack.of(notifier) is Stack.of(self):
            self._dashboard.add_notifier(notifier)

    def _follow_alarm(self, attached: AttachedAlarm) -> None:
        """Notify people also of an alarm that is defined elsewhere."""
        stack = Stack.of(attached.alarm)
        if stack is Stack.of(self) or stack is not Stack.of(self._channel):
            if attached.topic is not self._alarm_topic:
                attached.alarm.add_alarm_action(self._action)
            self._alarms.append(attached.alarm)
            return
        # As for the replayer's alarm.
        self._define_alarm(
            self, attached.kind, attached.threshold, attached.metric, attached.description
        )

    def _scope_for_alarms(self, scope: Construct) -> Construct:
        """Return where to define the alarms about a handler or schedule group."""
        stack = Stack.of(scope)
        if stack is Stack.of(self) or stack is not Stack.of(self._channel):
            return Construct(scope, names.FAILURE_ALARMS)
        # This stack refers to the channel's queues, so that the channel's stack cannot refer to
        # the alarm topic.
        # This marks the handler as watched.
        Construct(scope, names.FAILURE_ALARMS)
        path = scope.node.path.removeprefix(f"{stack.node.path}/")
        return Construct(self, f"{names.FAILURE_ALARMS}-{path}")

    def _define_alarm(
        self,
        scope: Construct,
        kind: FailureAlarm,
        threshold: float | None,
        metric: Callable[[], cloudwatch.Metric],
        description: str,
    ) -> None:
        if threshold is None:
            return
        alarm = define_alarm(scope, kind, threshold, metric(), description)
        alarm.add_alarm_action(self._action)
        self._alarms.append(alarm)


def _checked_thresholds(thresholds: Any) -> MonitoringThresholds:
    if thresholds is None:
        return MonitoringThresholds()
    if not isinstance(thresholds, MonitoringThresholds):
        raise ValueError(
            f"thresholds must be MonitoringThresholds, got {shown(thresholds)}: "
            "write for example MonitoringThresholds(failed_events_waiting=10)"
        )
    return thresholds


def _check_schedule(schedule: Any) -> None:
    if schedule is not None and not has_member(schedule, "schedule_group"):
        raise ValueError(
            f"schedule must be an aws_scheduler.ISchedule, got {shown(schedule)}: "
            "pass the construct, not its expression"
        )
