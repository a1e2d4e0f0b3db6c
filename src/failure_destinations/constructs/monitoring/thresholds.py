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
            handler's `max_event_age`, after which Lambda gives it up. Default: 80, which is
            4 hours and 48 minutes of 6 hours.
        invocations_dropped: Scheduled runs within 5 minutes that EventBridge Scheduler gave up
            after its last retry. Default: 1.
        invocations_lost: Scheduled runs within 5 minutes that EventBridge Scheduler gave up and
            could not send to the dead-letter queue either. Default: 1.
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
