"""A monitoring and its alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .answer import Attributes, Unknown
from .topic import Topic


@dataclass(frozen=True)
class Alarm:
    """An alarm of a monitoring.

    Attributes:
        path: Its construct path below the stack.
        name: Its name.
        live: As `DescribeAlarms` returns it.
        declared: As the template defines it, for `PutMetricAlarm`; None if the template refers to
            values that only CloudFormation knows.
        actions: The ARNs that the template has it notify, as far as they are known.
        declared_enabled: Whether the template enables its actions.
    """

    path: str
    name: str
    live: Attributes | Unknown | None
    declared: Attributes | None = None
    actions: Sequence[str] = ()
    declared_enabled: bool = True


class MuteRule(NamedTuple):
    """A mute rule of CloudWatch: while it is active, its alarms go off without notifying anybody.

    Attributes:
        name: Its name.
        active: Whether it mutes its alarms now, rather than later.
        schedule: When it mutes them, such as `cron(0 2 * * *)`.
        duration: For how long each time, such as `PT4H`.
        alarms: The names of its alarms.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutAlarmMuteRule.html
    """

    name: str
    active: bool
    schedule: str
    duration: str
    alarms: Sequence[str]


class NotOffered(NamedTuple):
    """A fact that cannot be asked for.

    Attributes:
        by: What does not know the request: the installed boto3, or CloudWatch in this place.
    """

    by: str


@dataclass(frozen=True)
class Monitoring:
    """A deployed `FailureMonitoring`.

    Attributes:
        path: Its construct path below the stack.
        topic: The topic that its alarms notify; None if it is not known.
        alarms: Its alarms in the stack.
        own_topic: Whether the monitoring defines the topic itself.
        mute_rules: The mute rules of the account and Region that mute any alarm now or later.
    """

    path: str
    topic: Topic | None
    alarms: Sequence[Alarm]
    own_topic: bool = True
    mute_rules: Sequence[MuteRule] | Unknown | NotOffered = ()
