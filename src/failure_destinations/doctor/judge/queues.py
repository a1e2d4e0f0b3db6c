"""Can SNS deliver: does each queue exist, and do its policy and key allow SNS to send?"""

from __future__ import annotations

from collections.abc import Iterator

from .. import kinds
from ..facts import Channel, Queue, Unknown
from ..findings import Finding, Subject, unreadable
from ..fixes import AddStatements, AwsCall, Fix
from .keys import judge_key
from .services import SNS, Service

# SQS's default: 4 days.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
DEFAULT_RETENTION = 345_600
_CHANNELS_RETENTION = 14 * 86_400


def judge_queues(channel: Channel) -> Iterator[Finding]:
    """Judge each queue, and the topic's key."""
    for queue in channel.queues:
        subject = Subject(queue.noun, queue.name)
        if isinstance(queue.attributes, Unknown):
            yield unreadable(kinds.QUEUE, subject, queue.attributes)
            continue
        if queue.attributes is None:
            yield Finding(kinds.QUEUE_MISSING, subject, fix=(_create(queue),))
            continue
        # The function itself sends copies, and the replayer sends parked events.
        by_sns = queue is channel.queue or queue is channel.dead_letter_queue
        sns = Service("SNS", SNS, [channel.topic.arn])
        found = [
            *(_judge_policy(queue, subject, sns) if by_sns else ()),
            *judge_key(queue.key, subject, sns if by_sns else None),
            *_judge_retention(queue, subject),
        ]
        yield from found
        if not any(finding.severity != "info" for finding in found):
            yield Finding(kinds.QUEUE, subject, {"by_sns": by_sns, "retention": queue.retention})
    topic = channel.topic
    yield from judge_key(topic.key, Subject(topic.noun, topic.name), None)


def _create(queue: Queue) -> AwsCall:
    attributes = {"MessageRetentionPeriod": str(_CHANNELS_RETENTION), **queue.declared}
    return AwsCall("sqs", "CreateQueue", {"QueueName": queue.name, "Attributes": attributes})


def _judge_policy(queue: Queue, subject: Subject, sns: Service) -> Iterator[Finding]:
    if queue.name.endswith(".fifo"):
        yield Finding(kinds.QUEUE_FIFO, subject)
        return
    arn = queue.arn or ""
    allowed = sns.may(queue.policy, "sqs:SendMessage", arn)
    if allowed is None:
        yield Finding(kinds.QUEUE_POLICY, subject, given_severity="unknown")
    elif not allowed:
        condition = {"ArnEquals": {"aws:SourceArn": sns.sources[0]}}
        statement = sns.statement("sqs:SendMessage", arn, condition)
        addition = AddStatements("queue", queue.url, queue.policy, (statement,))
        fix = sns.fix(addition, ["sqs:SendMessage"], arn)
        yield Finding(kinds.QUEUE_POLICY, subject, fix=fix)


def _judge_retention(queue: Queue, subject: Subject) -> Iterator[Finding]:
    declared = queue.declared_retention
    facts = {"retention": queue.retention, "declared": declared}
    if declared is not None and queue.retention < declared:
        yield Finding(kinds.RETENTION_SHORTENED, subject, facts, _retain(queue, declared))
    elif queue.retention < DEFAULT_RETENTION:
        yield Finding(
            kinds.RETENTION_SHORT,
            subject,
            facts,
            _retain(queue, _CHANNELS_RETENTION),
            given_severity=None if declared is None else "info",
        )


def _retain(queue: Queue, seconds: int) -> Fix:
    attributes = {"MessageRetentionPeriod": str(seconds)}
    parameters = {"QueueUrl": queue.url, "Attributes": attributes}
    return (AwsCall("sqs", "SetQueueAttributes", parameters),)
