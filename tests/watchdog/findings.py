"""Findings for tests of the watchdog."""

from __future__ import annotations

from failure_destinations.doctor import kinds
from failure_destinations.doctor.facts import Unknown
from failure_destinations.doctor.findings import Finding, Noun, Subject, unreadable
from failure_destinations.doctor.fixes import OwnCommand


def dead_letters(count: int = 1, queue: str = "orders-dead") -> Finding:
    """Return the warning that a dead-letter queue holds messages."""
    fix = (OwnCommand("replay", [("queue", queue)]),)
    return Finding(kinds.DEAD_LETTERS, Subject("dead-letter queue", queue), {"count": count}, fix)


def missing(handler: str = "orders") -> Finding:
    """Return the error that a handler does not exist."""
    return Finding(kinds.HANDLER_MISSING, Subject("handler", handler))


def alarm_missing(name: str = "Monitoring/FailedEventsWaiting") -> Finding:
    """Return the error that an alarm does not exist."""
    return Finding(kinds.ALARM_MISSING, Subject("alarm", name))


def unknown(noun: Noun = "queue", name: str = "orders") -> Finding:
    """Return the finding that something could not be read."""
    kind = {"queue": kinds.QUEUE, "monitoring": kinds.ALARMS, "channel": kinds.NO_HANDLERS}[noun]
    return unreadable(kind, Subject(noun, name), Unknown("sqs:GetQueueAttributes", "slow down"))


WELL = Finding(
    kinds.QUEUE, Subject("queue", "orders"), {"senders": ["SNS"], "retention": 1_209_600}
)
WAITING = Finding(kinds.EVENTS_WAITING, Subject("queue", "orders"), {"count": 3})
