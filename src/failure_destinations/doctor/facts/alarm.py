"""A monitoring and its alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Monitoring:
    """A deployed `FailureMonitoring`.

    Attributes:
        path: Its construct path below the stack.
        topic: The topic that its alarms notify; None if it is not known.
        alarms: Its alarms in the stack.
        own_topic: Whether the monitoring defines the topic itself.
    """

    path: str
    topic: Topic | None
    alarms: Sequence[Alarm]
    own_topic: bool = True
