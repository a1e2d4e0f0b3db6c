"""Judges source queues and their dead-letter queues: whether failing messages are kept.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from .. import event_source_kinds as kinds
from .. import kinds as other_kinds
from ..facts import Channel, EventSource, SourceDeadLetters, SourceQueue, Unknown
from ..findings import Finding, Subject, unreadable
from ..fixes import AwsCall
from .event_sources import judge_reading
from .keys import judge_key
from .messages import judge_expiry, replay_command
from .queues import judge_queue, retain

# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
_VISIBILITY_FACTOR = 6
_RECEIVES = 5
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
_MAX_VISIBILITY = 43_200
_MAX_SOURCES = 10


def judge_source_queues(channel: Channel) -> Iterator[Finding]:
    """Judge the channel's dead-letter queues of source queues, and those source queues."""
    for dead_letters in channel.source_dead_letters:
        yield from _judge_dead_letters(channel, dead_letters)
        for source in dead_letters.sources:
            yield from _judge_source(dead_letters, source)


def _judge_dead_letters(channel: Channel, dead_letters: SourceDeadLetters) -> Iterator[Finding]:
    queue = dead_letters.queue
    subject = Subject(queue.noun, queue.name)
    yield from judge_queue(queue)
    if not queue.known:
        return
    if dead_letters.unlisted is not None:
        yield unreadable(kinds.SOURCE_QUEUE_REDRIVE, subject, dead_letters.unlisted)
    elif not dead_letters.sources:
        yield Finding(kinds.SOURCE_QUEUE_REDRIVE, subject, {"target": None, "of_queue": False})
    yield from _judge_retention(dead_letters, subject)
    yield from judge_expiry(channel, queue, subject)
    if queue.waiting:
        fix = (replay_command(channel, ("from", "source-queues")),)
        yield Finding(kinds.SOURCE_DEAD_LETTERS, subject, {"count": queue.waiting}, fix)


def _judge_retention(dead_letters: SourceDeadLetters, subject: Subject) -> Iterator[Finding]:
    queue = dead_letters.queue
    # SQS counts the age of a FIFO queue's message anew once it has moved it.
    if queue.name.endswith(".fifo"):
        return
    longest = max((source.retention for source in dead_letters.sources if source.known), default=0)
    if queue.retention < longest:
        facts = {"retention": queue.retention, "source": longest}
        wanted = max(longest, queue.declared_retention or 0)
        yield Finding(kinds.SOURCE_DEAD_LETTERS_RETENTION, subject, facts, retain(queue, wanted))


def _judge_source(dead_letters: SourceDeadLetters, source: SourceQueue) -> Iterator[Finding]:
    subject = Subject("source queue", source.name)
    if isinstance(source.attributes, Unknown):
        yield unreadable(kinds.SOURCE_QUEUE, subject, source.attributes)
        return
    if source.attributes is None:
        yield Finding(other_kinds.QUEUE_MISSING, subject)
        return
    found = [
        *_judge_redrive(dead_letters, source, subject),
        # SQS does not encrypt a message anew when it moves it.
        *judge_key(source.key, subject),
        *_judge_readers(source, subject),
    ]
    yield from found
    receives = source.redrive.get("maxReceiveCount")
    well = not any(finding.severity != "info" for finding in found)
    if well and receives is not None and dead_letters.queue.arn is not None:
        yield Finding(kinds.SOURCE_QUEUE, subject, {"receives": receives})


def _judge_redrive(
    dead_letters: SourceDeadLetters, source: SourceQueue, subject: Subject
) -> Iterator[Finding]:
    arn = dead_letters.queue.arn
    if arn is None:
        return
    target = source.redrive.get("deadLetterTargetArn")
    if target != arn:
        redrive = {
            "deadLetterTargetArn": arn,
            "maxReceiveCount": source.declared_receives or _RECEIVES,
        }
        fix = (_set(source.url, "RedrivePolicy", redrive),)
        facts = {"target": target, "of_queue": True}
        yield Finding(kinds.SOURCE_QUEUE_REDRIVE, subject, facts, fix)
    allowed = dead_letters.allowed
    permission = allowed.get("redrivePermission", "allowAll")
    listed = [str(each) for each in allowed.get("sourceQueueArns") or ()]
    if permission == "allowAll" or (permission == "byQueue" and source.arn in listed):
        return
    yield Finding(
        kinds.SOURCE_QUEUE_DENIED,
        subject,
        {"dead_letters": dead_letters.queue.name},
        (_set(dead_letters.queue.url, "RedriveAllowPolicy", _allowing(dead_letters, listed)),),
    )


def _allowing(dead_letters: SourceDeadLetters, listed: list[str]) -> dict[str, object]:
    """Return the policy that lets all source queues use a dead-letter queue."""
    arns = [source.arn for source in dead_letters.sources if source.arn is not None]
    wanted = list(dict.fromkeys([*listed, *arns]))
    if len(wanted) > _MAX_SOURCES:
        return {"redrivePermission": "allowAll"}
    return {"redrivePermission": "byQueue", "sourceQueueArns": wanted}


def _judge_readers(source: SourceQueue, subject: Subject) -> Iterator[Finding]:
    if isinstance(source.readers, Unknown):
        yield unreadable(kinds.SOURCE_QUEUE_UNREAD, subject, source.readers)
        return
    if not source.readers:
        yield Finding(kinds.SOURCE_QUEUE_UNREAD, subject)
    for reader in source.readers:
        yield from judge_reading(reader, Subject("event source", reader.name))
    yield from _judge_visibility(source, subject, source.readers)


def _judge_visibility(
    source: SourceQueue, subject: Subject, readers: Sequence[EventSource]
) -> Iterator[Finding]:
    unread = (reader.settings for reader in readers if isinstance(reader.settings, Unknown))
    if (unknown := next(unread, None)) is not None:
        yield unreadable(kinds.SOURCE_QUEUE_VISIBILITY, subject, unknown)
    known = [reader for reader in readers if reader.timeout is not None]
    if not known:
        return
    slowest = max(known, key=_recommended)
    timeout = max(reader.timeout or 0 for reader in known)
    wanted = min(_recommended(slowest), _MAX_VISIBILITY)
    if source.visibility >= wanted:
        return
    facts = {"visibility": source.visibility, "timeout": timeout, "wanted": wanted}
    yield Finding(
        kinds.SOURCE_QUEUE_VISIBILITY,
        subject,
        facts,
        (_set_text(source.url, "VisibilityTimeout", str(wanted)),),
        given_severity=None if source.visibility < timeout else "info",
    )


def _recommended(reader: EventSource) -> int:
    """Return the shortest visibility timeout that AWS recommends for a reader, in seconds."""
    window = int(reader.known.get("MaximumBatchingWindowInSeconds") or 0)
    return _VISIBILITY_FACTOR * (reader.timeout or 0) + window


def _set(url: str, name: str, value: dict[str, object]) -> AwsCall:
    return _set_text(url, name, json.dumps(value))


def _set_text(url: str, name: str, value: str) -> AwsCall:
    parameters = {"QueueUrl": url, "Attributes": {name: value}}
    return AwsCall("sqs", "SetQueueAttributes", parameters)
