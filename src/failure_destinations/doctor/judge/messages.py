"""Judges the messages in the queues: near expiry, undelivered or parked."""

from __future__ import annotations

from collections.abc import Iterator

from .. import kinds
from ..facts import OFF, Channel, Queue, Replayer, Unknown
from ..findings import Finding, Subject, unreadable
from ..fixes import AwsCall, OwnCommand

# The share of a queue's retention, as in FailureMonitoring's alarm.
NEAR_EXPIRY = 0.8
_PARTS = {
    "queue": "main",
    "dead-letter queue": "dead-letter",
    "copy queue": "copies",
    "source dead-letter queue": "source-queues",
}


def judge_messages(channel: Channel) -> Iterator[Finding]:
    """Judge the waiting messages and the replayers."""
    for queue in channel.queues:
        if queue.known:
            subject = Subject(queue.noun, queue.name)
            yield from judge_expiry(channel, queue, subject)
            yield from _judge_waiting(channel, queue, subject)
    for replayer in channel.replayers:
        yield from _judge_replayer(channel, replayer)


def judge_expiry(channel: Channel, queue: Queue, subject: Subject) -> Iterator[Finding]:
    """Judge whether SQS will soon delete the oldest message of a queue."""
    oldest = queue.oldest_seconds
    if isinstance(oldest, Unknown) and queue.seen_seconds is None:
        yield unreadable(kinds.EVENTS_EXPIRE, subject, oldest)
    known = [age for age in (oldest, queue.seen_seconds) if isinstance(age, (int, float))]
    age = max(known, default=0.0)
    if not queue.waiting or age < NEAR_EXPIRY * queue.retention:
        return
    yield Finding(
        kinds.EVENTS_EXPIRE,
        subject,
        {"age": age, "retention": queue.retention},
        (
            replay_command(channel, ("yes", None), ("backup", "failed-events.jsonl"))
            if queue.noun == "queue"
            else list_command(channel, queue),
        ),
        # A copy is only a duplicate of a record.
        given_severity="info" if queue.noun == "copy queue" else None,
    )


def _judge_waiting(channel: Channel, queue: Queue, subject: Subject) -> Iterator[Finding]:
    if not queue.waiting:
        return
    facts = {"count": queue.waiting}
    if queue.noun == "queue":
        yield Finding(kinds.EVENTS_WAITING, subject, facts, (replay_command(channel),))
    elif queue.noun == "dead-letter queue":
        fix = (replay_command(channel, ("from", "dead-letter")),)
        yield Finding(kinds.DEAD_LETTERS, subject, facts, fix)
    elif queue.noun == "parked queue":
        yield Finding(kinds.EVENTS_PARKED, subject, facts, (list_command(channel, queue),))


def _judge_replayer(channel: Channel, replayer: Replayer) -> Iterator[Finding]:
    mapping = replayer.mapping
    subject = Subject("replayer", replayer.path)
    if isinstance(mapping, Unknown):
        yield unreadable(kinds.REPLAYER, subject, mapping)
    elif mapping is None:
        yield Finding(kinds.REPLAYER_MISSING, subject)
    elif mapping.get("State") in OFF:
        yield from _judge_receives(channel, replayer, subject)
        parameters = {"UUID": str(mapping.get("UUID", "")), "Enabled": True}
        yield Finding(
            kinds.REPLAYER_OFF,
            subject,
            fix=(AwsCall("lambda", "UpdateEventSourceMapping", parameters),),
            given_severity=None if replayer.declared_enabled else "info",
        )
    else:
        yield Finding(kinds.REPLAYER, subject, {"channel": channel.path})


def _judge_receives(channel: Channel, replayer: Replayer, subject: Subject) -> Iterator[Finding]:
    """Judge whether it would park events that were only looked at, once it is switched on."""
    queue, limit = channel.queue, replayer.max_attempts
    if queue is None or limit is None:
        return
    # The next receive is the replayer's own.
    often = sum(n for receives, n in queue.seen_receives.items() if receives + 1 >= limit)
    if often:
        facts = {"count": often, "max_attempts": limit}
        yield Finding(kinds.REPLAYER_PARKS_AT_ONCE, subject, facts)


def replay_command(channel: Channel, *options: tuple[str, str | None]) -> OwnCommand:
    """Return the command that replays the messages of a channel."""
    return OwnCommand("replay", [*options_of(channel), *options])


def list_command(channel: Channel, queue: Queue) -> OwnCommand:
    """Return the command that lists the messages in a queue."""
    part = _PARTS.get(queue.noun)
    if part is None:
        return OwnCommand("list", [("queue", queue.name)])
    return OwnCommand("list", [*options_of(channel), ("from", part)])


def options_of(channel: Channel) -> list[tuple[str, str | None]]:
    """Return this program's options that name a channel."""
    return [("stack", channel.stack), ("channel", channel.path)]
