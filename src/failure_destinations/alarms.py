"""The alarms that the constructs define and `doctor` looks for: the one table of both.

A new alarm begins here. Its order in `ALARMS` is that of the fields of `MonitoringThresholds`;
those of the replayer and the watchdog come last. Standard library only, so that tools without the
CDK read the same table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

AlarmScope = Literal[
    "channel",
    "handler",
    "schedule group",
    "notifier",
    "source queue",
    "event source",
    "replayer",
    "watchdog",
]
"""What an alarm is defined once for."""

WatchedResource = Literal[
    "queue",
    "dead-letter queue",
    "topic",
    "handler",
    "schedule group",
    "notifier's function",
    "notifier's queue",
    "notifier's dead-letter queue",
    "source dead-letter queue",
    "source queue",
    "event source's handler",
    "announcement queue",
    "announcement rule",
    "parked queue",
    "watchdog's function",
]
"""What has the metric that an alarm watches."""


@dataclass(frozen=True)
class FailureAlarm:
    """An alarm of FailureMonitoring, FailureReplayer or FailureWatchdog.

    Attributes:
        id: Its construct id.
        namespace: CloudWatch's namespace of the metric, such as `AWS/SQS`.
        metric: The metric's name.
        statistic: `Maximum` or `Sum`.
        period_minutes: How many minutes each data point covers; None if FailureWatchdog's `every`
            says it.
        per: What it is defined once for.
        resource: What has the metric.
        threshold: The field of MonitoringThresholds that sets when it goes off; None if
            FailureReplayer's `parked_alarm_threshold` does, or if nobody can set it.
        goes_off: Whether it goes off at or above its threshold, or below it.
        periods: How many data points in a row have to do so.
        missing: What a missing data point counts as. SQS sends no metrics for a queue that was not
            used for 6 hours, but its messages are still there. Other metrics have data only while
            there is something to report.
            https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-monitoring-using-cloudwatch.html
            https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    """

    id: str
    namespace: str
    metric: str
    statistic: Literal["Maximum", "Sum"]
    period_minutes: int | None
    per: AlarmScope
    resource: WatchedResource
    threshold: str | None
    goes_off: Literal["at or above", "below"] = "at or above"
    periods: int = 1
    missing: Literal["as before", "well", "not well"] = "well"


_VISIBLE = "ApproximateNumberOfMessagesVisible"
_AGE = "ApproximateAgeOfOldestMessage"
_LOST = "InvocationsFailedToBeSentToDeadLetterCount"

FAILED_EVENTS_WAITING = FailureAlarm(
    id="FailedEventsWaiting",
    namespace="AWS/SQS",
    metric=_VISIBLE,
    statistic="Maximum",
    period_minutes=1,
    per="channel",
    resource="queue",
    threshold="failed_events_waiting",
    missing="as before",
)
OLDEST_EVENT_AGE = FailureAlarm(
    id="OldestEventAge",
    namespace="AWS/SQS",
    metric=_AGE,
    statistic="Maximum",
    period_minutes=5,
    per="channel",
    resource="queue",
    threshold="oldest_event_age_percent",
)
DEAD_LETTER_EVENTS = FailureAlarm(
    id="DeadLetterEvents",
    namespace="AWS/SQS",
    metric=_VISIBLE,
    statistic="Maximum",
    period_minutes=1,
    per="channel",
    resource="dead-letter queue",
    threshold="dead_letter_events",
    missing="as before",
)
NOTIFICATIONS_FAILED = FailureAlarm(
    id="NotificationsFailed",
    namespace="AWS/SNS",
    metric="NumberOfNotificationsFailed",
    statistic="Sum",
    period_minutes=5,
    per="channel",
    resource="topic",
    threshold="notifications_failed",
)
DESTINATION_DELIVERY_FAILURES = FailureAlarm(
    id="DestinationDeliveryFailures",
    namespace="AWS/Lambda",
    metric="DestinationDeliveryFailures",
    statistic="Sum",
    period_minutes=5,
    per="handler",
    resource="handler",
    threshold="destination_delivery_failures",
)
DEAD_LETTER_ERRORS = FailureAlarm(
    id="DeadLetterErrors",
    namespace="AWS/Lambda",
    metric="DeadLetterErrors",
    statistic="Sum",
    period_minutes=5,
    per="handler",
    resource="handler",
    threshold="dead_letter_errors",
)
ASYNC_EVENT_AGE = FailureAlarm(
    id="AsyncEventAge",
    namespace="AWS/Lambda",
    metric="AsyncEventAge",
    statistic="Maximum",
    period_minutes=5,
    per="handler",
    resource="handler",
    threshold="async_event_age_percent",
)
INVOCATIONS_DROPPED = FailureAlarm(
    id="InvocationsDropped",
    namespace="AWS/Scheduler",
    metric="InvocationDroppedCount",
    statistic="Sum",
    period_minutes=5,
    per="schedule group",
    resource="schedule group",
    threshold="invocations_dropped",
)
INVOCATIONS_LOST = FailureAlarm(
    id="InvocationsLost",
    namespace="AWS/Scheduler",
    metric=_LOST,
    statistic="Sum",
    period_minutes=5,
    per="schedule group",
    resource="schedule group",
    threshold="invocations_lost",
)
NOTIFIER_FAILED = FailureAlarm(
    id="NotifierFailed",
    namespace="AWS/Lambda",
    metric="Errors",
    statistic="Sum",
    period_minutes=5,
    per="notifier",
    resource="notifier's function",
    threshold="notifier_errors",
)
NOTICE_AGE = FailureAlarm(
    id="NoticeAge",
    namespace="AWS/SQS",
    metric=_AGE,
    statistic="Maximum",
    period_minutes=5,
    per="notifier",
    resource="notifier's queue",
    threshold="notice_age_seconds",
)
UNDELIVERED_NOTICES = FailureAlarm(
    id="UndeliveredNotices",
    namespace="AWS/SQS",
    metric=_VISIBLE,
    statistic="Maximum",
    period_minutes=1,
    per="notifier",
    resource="notifier's dead-letter queue",
    threshold="undelivered_notices",
    missing="as before",
)
SOURCE_DEAD_LETTERS = FailureAlarm(
    id="SourceDeadLetters",
    namespace="AWS/SQS",
    metric=_VISIBLE,
    statistic="Maximum",
    period_minutes=1,
    per="source queue",
    resource="source dead-letter queue",
    threshold="source_dead_letters",
    missing="as before",
)
SOURCE_DEAD_LETTER_AGE = FailureAlarm(
    id="SourceDeadLetterAge",
    namespace="AWS/SQS",
    metric=_AGE,
    statistic="Maximum",
    period_minutes=5,
    per="source queue",
    resource="source dead-letter queue",
    threshold="source_dead_letter_age_percent",
)
SOURCE_MESSAGE_AGE = FailureAlarm(
    id="SourceMessageAge",
    namespace="AWS/SQS",
    metric=_AGE,
    statistic="Maximum",
    period_minutes=5,
    per="source queue",
    resource="source queue",
    threshold="source_message_age_percent",
)
ITERATOR_AGE = FailureAlarm(
    id="IteratorAge",
    namespace="AWS/Lambda",
    metric="IteratorAge",
    statistic="Maximum",
    period_minutes=5,
    per="event source",
    resource="event source's handler",
    threshold="iterator_age_percent",
)
OFFSET_LAG = FailureAlarm(
    id="OffsetLag",
    namespace="AWS/Lambda",
    metric="OffsetLag",
    statistic="Maximum",
    period_minutes=5,
    per="event source",
    resource="event source's handler",
    threshold="offset_lag",
)
BATCH_DELIVERY_FAILURES = FailureAlarm(
    id="BatchDeliveryFailures",
    namespace="AWS/Lambda",
    metric="DestinationDeliveryFailures",
    statistic="Sum",
    period_minutes=5,
    per="event source",
    resource="event source's handler",
    threshold="batch_delivery_failures",
)
ANNOUNCEMENT_AGE = FailureAlarm(
    id="AnnouncementAge",
    namespace="AWS/SQS",
    metric=_AGE,
    statistic="Maximum",
    period_minutes=5,
    per="channel",
    resource="announcement queue",
    threshold="announcement_age_seconds",
)
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
ANNOUNCEMENTS_LOST = FailureAlarm(
    id="AnnouncementsLost",
    namespace="AWS/Events",
    metric="InvocationsFailedToBeSentToDlq",
    statistic="Sum",
    period_minutes=5,
    per="channel",
    resource="announcement rule",
    threshold="announcements_lost",
)
PARKED_EVENTS = FailureAlarm(
    id="ParkedEvents",
    namespace="AWS/SQS",
    metric=_VISIBLE,
    statistic="Maximum",
    period_minutes=1,
    per="replayer",
    resource="parked queue",
    threshold=None,
    missing="as before",
)
WATCHDOG_STOPPED = FailureAlarm(
    id="WatchdogStopped",
    namespace="AWS/Lambda",
    metric="Invocations",
    statistic="Sum",
    period_minutes=None,
    per="watchdog",
    resource="watchdog's function",
    threshold=None,
    goes_off="below",
    # A period may lack its run, and the next one have two.
    periods=2,
    missing="not well",
)
WATCHDOG_FAILED = FailureAlarm(
    id="WatchdogFailed",
    namespace="AWS/Lambda",
    metric="Errors",
    statistic="Sum",
    period_minutes=5,
    per="watchdog",
    resource="watchdog's function",
    threshold=None,
)

ALARMS = (
    FAILED_EVENTS_WAITING,
    OLDEST_EVENT_AGE,
    DEAD_LETTER_EVENTS,
    NOTIFICATIONS_FAILED,
    DESTINATION_DELIVERY_FAILURES,
    DEAD_LETTER_ERRORS,
    ASYNC_EVENT_AGE,
    INVOCATIONS_DROPPED,
    INVOCATIONS_LOST,
    NOTIFIER_FAILED,
    NOTICE_AGE,
    UNDELIVERED_NOTICES,
    SOURCE_DEAD_LETTERS,
    SOURCE_DEAD_LETTER_AGE,
    SOURCE_MESSAGE_AGE,
    ITERATOR_AGE,
    OFFSET_LAG,
    BATCH_DELIVERY_FAILURES,
    ANNOUNCEMENT_AGE,
    ANNOUNCEMENTS_LOST,
    PARKED_EVENTS,
    WATCHDOG_STOPPED,
    WATCHDOG_FAILED,
)
