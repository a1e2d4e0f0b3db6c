"""When each alarm of FailureMonitoring goes off."""

from __future__ import annotations

import dataclasses
from typing import Any

from ..refusals import checked_count, shown

_PERCENT = 100
# The largest whole number that JSON and CloudFormation hold exactly.
_MAX_COUNT = 2**53
_COUNTS = "the alarm goes off at this count; None switches it off"


@dataclasses.dataclass(frozen=True)
class MonitoringThresholds:
    """The thresholds at or above which alarms go off. None switches an alarm off.

    Counts are whole numbers from 1; percentages are numbers over 0, up to 100. An alarm that is
    switched off is not defined and costs nothing. The alarm about parked events belongs to the
    replayer: see `parked_alarm_threshold` of `FailureReplayer`.

    Attributes:
        failed_events_waiting: Events in the channel's queue. Default: 1.
        oldest_event_age_percent: Age of the oldest event in the channel's queue, in percent of the
            queue's retention, after which SQS deletes it. Default: 80, which is 11 days and 4 hours
            of 14 days.
        dead_letter_events: Events in the channel's dead-letter queue. Default: 1.
        notifications_failed: Messages within 5 minutes that the topic could not deliver to the
            queue, a mailbox or another subscriber. Default: 1.
        destination_delivery_failures: Records within 5 minutes that Lambda could not send to the
            topic or to the success destination. Default: 1.
        dead_letter_errors: Events within 5 minutes that Lambda could not send to the function's
            own dead-letter queue. Default: 1.
        async_event_age_percent: How long an event has waited for its handler, in percent of the
            handler's `max_event_age`, after which Lambda gives up on it. Default: 80, which is
            4 hours and 48 minutes of 6 hours.
        invocations_dropped: Scheduled runs within 5 minutes that EventBridge Scheduler gave up on
            after its last retry. Default: 1.
        invocations_lost: Scheduled runs within 5 minutes that EventBridge Scheduler gave up on and
            could not send to the dead-letter queue either. Default: 1.
        notifier_errors: Failed runs within 5 minutes of the function of the channel's
            `FailureNotifier`. Default: 1.
        notice_age_seconds: Age of the oldest record that the notifier has not counted yet, in
            seconds. Default: 900; it takes seconds while all is well.
        undelivered_notices: Messages in the notifier's dead-letter queue. Default: 1.
        source_dead_letters: Messages in a queue of `FailureChannel.dead_letter_queue_for`.
            Default: 1.
        source_dead_letter_age_percent: How long the oldest of these messages has been in its
            dead-letter queue, in percent of the time that SQS keeps it there at least: the queue's
            retention, for a standard queue without what the message may have spent in its source.
            Default: 80.
            https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/setting-up-dead-letter-queue-retention.html
        source_message_age_percent: Age of the oldest message in a queue that has such a dead-letter
            queue, in percent of its retention, after which SQS deletes the message although nobody
            has received it. Default: 80, which is 3 days and 5 hours of SQS's default of 4 days.
        iterator_age_percent: How long a record of a Kinesis or DynamoDB stream has waited for its
            function, in percent of the stream's retention, after which the record is gone. A stream
            that is imported counts as one that keeps 24 hours, the shortest retention there is.
            Default: 50, which leaves 12 of 24 hours to fix the cause.
            https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
        offset_lag: Records of a Kafka topic that wait for their function. Default: None, because
            only you know how many records a topic gets before it deletes them.
        batch_delivery_failures: Failed batches within 5 minutes that Lambda could not write to the
            channel's bucket. Default: 1.
        announcement_age_seconds: Age of the oldest failed batch that the channel's topic has not
            got yet, in seconds. Default: 900; it takes seconds while all is well.
        announcements_lost: Failed batches within 5 minutes that EventBridge could neither announce
            nor send to the channel's dead-letter queue; the bucket still has them. Default: 1.
    """

    failed_events_waiting: int | None = 1
    oldest_event_age_percent: float | None = 80
    dead_letter_events: int | None = 1
    notifications_failed: int | None = 1
    destination_delivery_failures: int | None = 1
    dead_letter_errors: int | None = 1
    async_event_age_percent: float | None = 80
    invocations_dropped: int | None = 1
    invocations_lost: int | None = 1
    notifier_errors: int | None = 1
    notice_age_seconds: int | None = 900
    undelivered_notices: int | None = 1
    source_dead_letters: int | None = 1
    source_dead_letter_age_percent: float | None = 80
    source_message_age_percent: float | None = 80
    iterator_age_percent: float | None = 50
    offset_lag: int | None = None
    batch_delivery_failures: int | None = 1
    announcement_age_seconds: int | None = 900
    announcements_lost: int | None = 1

    def __post_init__(self) -> None:
        """Check the thresholds.

        Raises:
            ValueError: A threshold is not as described; the message names it.
        """
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is None:
                continue
            if field.name.endswith("_percent"):
                _check_percentage(field.name, value)
            else:
                count = checked_count(field.name, value, _MAX_COUNT, _COUNTS, 1)
                object.__setattr__(self, field.name, count)


def _check_percentage(name: str, value: Any) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 < value <= _PERCENT:
        raise ValueError(
            f"{name} must be a number over 0, up to 100, got {shown(value)}: "
            "it is a percentage; None switches the alarm off"
        )
