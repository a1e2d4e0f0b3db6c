"""Can SNS deliver: is each queue there, and do its policy and key let SNS send?"""

from __future__ import annotations

import json
from collections.abc import Iterator

from ..facts import Channel, Queue, Unknown
from ..findings import Finding, aws_command, not_known
from .keys import judge_key
from .services import SNS, Service

# What SQS gives a queue that says nothing: 4 days.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
DEFAULT_RETENTION = 345_600
_DAY = 86_400


def judge_queues(channel: Channel) -> Iterator[Finding]:
    """Judge each queue, and the topic's key."""
    for queue in channel.queues:
        if isinstance(queue.attributes, Unknown):
            yield not_known("queue", queue.name, queue.attributes)
            continue
        if queue.attributes is None:
            yield _missing(queue)
            continue
        # The function itself sends copies, and the replayer what it parks.
        by_sns = queue is channel.queue or queue is channel.dead_letter_queue
        sns = Service("SNS", SNS, [channel.topic.arn])
        found = [
            *(_judge_policy(queue, sns) if by_sns else ()),
            *judge_key(queue.key, queue.name, sns if by_sns else None),
            *_judge_retention(queue),
        ]
        yield from found
        if not any(finding.severity != "info" for finding in found):
            yield Finding("ok", "queue", queue.name, _described(queue, by_sns=by_sns))
    yield from judge_key(channel.topic.key, channel.topic.name, None)


def _missing(queue: Queue) -> Finding:
    lost = {
        "queue": "no failed event is kept but in the copy queue",
        "dead-letter queue": "what SNS or a schedule cannot deliver is lost",
        "copy queue": "no copies are kept, and a record of over 256 KB is lost",
    }.get(queue.kind, "what is parked is lost")
    return Finding(
        "error",
        "queue-missing",
        queue.name,
        f"the {queue.kind} is not there: {lost}; once it is there again, look again",
        aws_command(
            "sqs",
            "create-queue",
            queue_name=queue.name,
            attributes={"MessageRetentionPeriod": str(queue.declared_retention or 14 * _DAY)},
        ),
    )


def _judge_policy(queue: Queue, sns: Service) -> Iterator[Finding]:
    if queue.name.endswith(".fifo"):
        yield Finding(
            "error",
            "queue-fifo",
            queue.name,
            "is a FIFO queue: a standard topic cannot send to it",
            "define the channel without this queue, and deploy",
        )
        return
    arn = queue.arn or ""
    allowed = sns.may(queue.policy, "sqs:SendMessage", arn)
    if allowed is None:
        yield Finding(
            "unknown",
            "queue-policy",
            queue.name,
            f"whether SNS may send depends on a condition of the {queue.kind}'s policy that only "
            "AWS can judge",
        )
    elif not allowed:
        condition = {"ArnEquals": {"aws:SourceArn": sns.sources[0]}}
        policy = sns.let(queue.policy, "sqs:SendMessage", arn, condition)
        yield Finding(
            "error",
            "queue-policy",
            queue.name,
            f"the {queue.kind}'s policy does not let SNS send for this topic",
            aws_command(
                "sqs",
                "set-queue-attributes",
                queue_url=queue.url,
                attributes={"Policy": json.dumps(policy)},
            ),
        )


def _judge_retention(queue: Queue) -> Iterator[Finding]:
    declared = queue.declared_retention
    if declared is not None and queue.retention < declared:
        yield Finding(
            "warning",
            "retention-shortened",
            queue.name,
            f"the {queue.kind} keeps a message {span(queue.retention)}, and was deployed with "
            f"{span(declared)}",
            _retain(queue, declared),
        )
    elif queue.retention < DEFAULT_RETENTION:
        yield Finding(
            "info" if declared is not None else "warning",
            "retention-short",
            queue.name,
            f"the {queue.kind} keeps a message {span(queue.retention)}, less than SQS's default of "
            "4 days",
            _retain(queue, 14 * _DAY),
        )


def _retain(queue: Queue, seconds: int) -> str:
    return aws_command(
        "sqs",
        "set-queue-attributes",
        queue_url=queue.url,
        attributes={"MessageRetentionPeriod": str(seconds)},
    )


def _described(queue: Queue, *, by_sns: bool) -> str:
    may = "SNS may send to it" if by_sns else "is there"
    return f"{queue.kind}: {may}, and it keeps a message {span(queue.retention)}"


def span(seconds: float) -> str:
    """Return a time for people: `14 days`, `3.5 hours` or `60 seconds`."""
    for unit, name in ((_DAY, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * unit or seconds == unit:
            count = f"{seconds / unit:.1f}".removesuffix(".0")
            return f"{count} {name}{'' if count == '1' else 's'}"
    return f"{int(seconds)} second{'' if int(seconds) == 1 else 's'}"
