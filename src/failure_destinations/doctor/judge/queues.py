"""Judges each queue: whether it exists, and its policy and key let SNS and EventBridge deliver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from .. import kinds
from ..facts import Channel, Queue, Unknown
from ..findings import Finding, Subject, unreadable
from ..fixes import AddStatements, AwsCall, Fix
from .keys import judge_key
from .services import EVENTBRIDGE, SNS, Service

# SQS's default: 4 days.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
DEFAULT_RETENTION = 345_600
_CHANNELS_RETENTION = 14 * 86_400


def judge_queues(channel: Channel) -> Iterator[Finding]:
    """Judge each queue, and the topic's key."""
    sns = Service("SNS", SNS, [channel.topic.arn])
    for queue in channel.queues:
        # The function itself sends copies, and the replayer sends parked events.
        by_sns = queue is channel.queue or queue is channel.dead_letter_queue
        senders = [sns] if by_sns else []
        if queue is channel.dead_letter_queue:
            senders += announcers(channel)
        yield from judge_queue(queue, senders)
    topic = channel.topic
    yield from judge_key(topic.key, Subject(topic.noun, topic.name))


def announcers(channel: Channel) -> list[Service]:
    """Return the service that announces objects, on behalf of a rule; nothing without one."""
    rule = None if channel.batch_store is None else channel.batch_store.rule
    live = {} if rule is None or not isinstance(rule.live, Mapping) else rule.live
    return [Service("EventBridge", EVENTBRIDGE, [str(live["Arn"])])] if "Arn" in live else []


def judge_queue(queue: Queue, senders: Sequence[Service] = ()) -> Iterator[Finding]:
    """Judge a queue.

    Args:
        queue: The queue.
        senders: The services that send to it, each on behalf of some resources.
    """
    subject = Subject(queue.noun, queue.name)
    if isinstance(queue.attributes, Unknown):
        yield unreadable(kinds.QUEUE, subject, queue.attributes)
        return
    if queue.attributes is None:
        yield Finding(kinds.QUEUE_MISSING, subject, fix=(_create(queue),))
        return
    found = [
        *_judge_senders(queue, subject, senders),
        *judge_key(queue.key, subject, senders),
        *_judge_retention(queue, subject),
    ]
    yield from found
    if not any(finding.severity != "info" for finding in found):
        names = [sender.name for sender in senders]
        yield Finding(kinds.QUEUE, subject, {"senders": names, "retention": queue.retention})


def _create(queue: Queue) -> AwsCall:
    attributes = {"MessageRetentionPeriod": str(_CHANNELS_RETENTION), **queue.declared}
    return AwsCall("sqs", "CreateQueue", {"QueueName": queue.name, "Attributes": attributes})


def _judge_senders(queue: Queue, subject: Subject, senders: Sequence[Service]) -> Iterator[Finding]:
    if senders and queue.name.endswith(".fifo"):
        yield Finding(kinds.QUEUE_FIFO, subject)
        return
    for sender in senders:
        yield from _judge_policy(queue, subject, sender)


def _judge_policy(queue: Queue, subject: Subject, sender: Service) -> Iterator[Finding]:
    arn = queue.arn or ""
    facts = {"service": sender.name}
    allowed = sender.may(queue.policy, "sqs:SendMessage", arn)
    if allowed is None:
        yield Finding(kinds.QUEUE_POLICY, subject, facts, given_severity="unknown")
    elif not allowed:
        sources = sender.sources[0] if len(sender.sources) == 1 else list(sender.sources)
        condition = {"ArnEquals": {"aws:SourceArn": sources}}
        statement = sender.statement("sqs:SendMessage", arn, condition)
        addition = AddStatements("queue", queue.url, queue.policy, (statement,))
        fix = sender.fix(addition, ["sqs:SendMessage"], arn)
        yield Finding(kinds.QUEUE_POLICY, subject, facts, fix)


def _judge_retention(queue: Queue, subject: Subject) -> Iterator[Finding]:
    declared = queue.declared_retention
    facts = {"retention": queue.retention, "declared": declared}
    if declared is not None and queue.retention < declared:
        yield Finding(kinds.RETENTION_SHORTENED, subject, facts, retain(queue, declared))
    elif queue.retention < DEFAULT_RETENTION:
        yield Finding(
            kinds.RETENTION_SHORT,
            subject,
            facts,
            retain(queue, _CHANNELS_RETENTION),
            given_severity=None if declared is None else "info",
        )


def retain(queue: Queue, seconds: int) -> Fix:
    """Return the step that has a queue keep messages for longer."""
    attributes = {"MessageRetentionPeriod": str(seconds)}
    parameters = {"QueueUrl": queue.url, "Attributes": attributes}
    return (AwsCall("sqs", "SetQueueAttributes", parameters),)
