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
        declared: As the template defines it, for `PutMetricAlarm`; None where that refers to what
            only CloudFormation knows.
        actions: The ARNs of what the template has it notify, as far as they are known.
        declared_enabled: Whether the template switches its actions on.
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
        topic: The topic that its alarms notify; None if nothing says.
        alarms: Those of the stack.
        own_topic: Whether the monitoring defines the topic, and was not given it.
    """

    path: str
    topic: Topic | None
    alarms: Sequence[Alarm]
    own_topic: bool = True
