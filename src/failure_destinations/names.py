"""The construct ids and alarms that the constructs define and the operators' tools look for.

Each is defined here once. Construct ids are part of logical ids: changing one replaces deployed
resources. The module needs only the standard library, so that tools without the CDK can use it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# Within a FailureChannel.
TOPIC = "Topic"
QUEUE = "Queue"
DEAD_LETTER_QUEUE = "DeadLetterQueue"
COPY_QUEUE = "CopyQueue"
QUEUE_SUBSCRIPTION = "QueueSubscription"

# The subscription of a mailbox to a channel's topic or an alarm topic: this, then the address.
MAILBOX_PREFIX = "Email-"

# The asynchronous configuration of a handler.
EVENT_INVOKE_CONFIG = "EventInvokeConfig"

# Within a FailureReplayer.
PARKED_QUEUE = "ParkedQueue"
REPLAYER_FUNCTION = "Function"
EVENT_SOURCE = "EventSource"

# Within a FailureMonitoring.
ALARM_TOPIC = "AlarmTopic"
DASHBOARD = "Dashboard"

# The child of a handler, construct or schedule group that holds its alarms. Where the alarms must
# be defined in the monitoring instead, the id is this, `-` and the path.
FAILURE_ALARMS = "FailureAlarms"

AlarmScope = Literal["channel", "handler", "schedule group", "replayer"]
"""What gets one alarm each."""

WatchedResource = Literal[
    "queue", "dead-letter queue", "topic", "handler", "schedule group", "parked queue"
]
"""The resource whose metric an alarm watches."""


@dataclass(frozen=True)
class FailureAlarm:
    """An alarm of FailureMonitoring or FailureReplayer.

    Attributes:
        id: Its construct id.
        namespace: The metric's CloudWatch namespace, such as `AWS/SQS`.
        metric: The metric's name.
        statistic: `Maximum` or `Sum`.
        period_minutes: How many minutes each data point covers.
        per: What gets one such alarm each.
        resource: The resource whose metric it watches.
        threshold: The field of MonitoringThresholds that sets its threshold; None if
            FailureReplayer's `parked_alarm_threshold` does.
    """

    id: str
    namespace: str
    metric: str
    statistic: Literal["Maximum", "Sum"]
    period_minutes: int
    per: AlarmScope
    resource: WatchedResource
    threshold: str | None


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
PARKED_EVENTS = FailureAlarm(
    id="ParkedEvents",
    namespace="AWS/SQS",
    metric=_VISIBLE,
    statistic="Maximum",
    period_minutes=1,
    per="replayer",
    resource="parked queue",
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
    PARKED_EVENTS,
)
