"""What waits in the queues: near expiry, undelivered, parked."""

from __future__ import annotations

from collections.abc import Iterator

from ..facts import Channel, Queue, Replayer, Unknown
from ..findings import Finding, aws_command, not_known, own_command
from .queues import span

# Of a queue's retention, like FailureMonitoring's alarm.
NEAR_EXPIRY = 0.8
_PARTS = {"queue": "main", "dead-letter queue": "dead-letter", "copy queue": "copies"}
_OFF = ("Disabled", "Disabling", "Deleting")


def judge_messages(channel: Channel) -> Iterator[Finding]:
    """Judge what waits, and who drains it."""
    for queue in channel.queues:
        if queue.known:
            yield from _judge_expiry(channel, queue)
            yield from _judge_waiting(channel, queue)
    for replayer in channel.replayers:
        yield from _judge_replayer(channel, replayer)


def _judge_expiry(channel: Channel, queue: Queue) -> Iterator[Finding]:
    oldest = queue.oldest_seconds
    if isinstance(oldest, Unknown) and queue.seen_seconds is None:
        yield not_known("events-expire", queue.name, oldest)
    known = [age for age in (oldest, queue.seen_seconds) if isinstance(age, (int, float))]
    # A copy is only the second of two.
    age = max(known, default=0.0)
    if not queue.waiting or age < NEAR_EXPIRY * queue.retention:
        return
    yield Finding(
        "info" if queue.kind == "copy queue" else "warning",
        "events-expire",
        queue.name,
        f"the oldest message of the {queue.kind} waits for {span(age)}; SQS deletes it after "
        f"{span(queue.retention)}. What was received three times may be older, unseen",
        _rescue(channel, queue),
    )


def _rescue(channel: Channel, queue: Queue) -> str:
    if queue.kind == "queue":
        return _replay(channel, "--yes", "--backup", "failed-events.jsonl")
    return _list(channel, queue)


def _judge_waiting(channel: Channel, queue: Queue) -> Iterator[Finding]:
    if not queue.waiting:
        return
    count = f"{queue.waiting:,} message{'' if queue.waiting == 1 else 's'}"
    if queue.kind == "queue":
        yield Finding(
            "info",
            "events-waiting",
            queue.name,
            f"{count} wait in the queue to be replayed",
            _replay(channel),
        )
    elif queue.kind == "dead-letter queue":
        yield Finding(
            "warning",
            "dead-letters",
            queue.name,
            f"{count} in the dead-letter queue: SNS or a schedule could not deliver them",
            _replay(channel, "--from", "dead-letter"),
        )
    elif queue.kind == "parked queue":
        yield Finding(
            "warning",
            "events-parked",
            queue.name,
            f"{count} in the parked queue: their replay failed again and again",
            _list(channel, queue),
        )


def _judge_replayer(channel: Channel, replayer: Replayer) -> Iterator[Finding]:
    mapping = replayer.mapping
    if isinstance(mapping, Unknown):
        yield not_known("replayer", replayer.path, mapping)
    elif mapping is None:
        yield Finding(
            "error",
            "replayer-missing",
            replayer.path,
            "its event source mapping is not there: nothing is replayed",
            f"remove the replayer {replayer.path} from the stack, deploy, and add it again",
        )
    elif mapping.get("State") in _OFF:
        yield Finding(
            "warning" if replayer.declared_enabled else "info",
            "replayer-off",
            replayer.path,
            "is switched off: failed events wait in the queue",
            aws_command(
                "lambda",
                "update-event-source-mapping",
                uuid=str(mapping.get("UUID", "")),
            )
            + " --enabled",
        )
    else:
        yield Finding("ok", "replayer", replayer.path, f"drains {channel.path}'s queue")


def _replay(channel: Channel, *options: str) -> str:
    return own_command("replay", *named(channel), *options)


def _list(channel: Channel, queue: Queue) -> str:
    part = _PARTS.get(queue.kind)
    if part is None:
        return own_command("list", "--queue", queue.name)
    return own_command("list", *named(channel), "--from", part)


def named(channel: Channel) -> list[str]:
    """Return the options that name a channel to this program."""
    return ["--stack", channel.stack, "--channel", channel.path]
