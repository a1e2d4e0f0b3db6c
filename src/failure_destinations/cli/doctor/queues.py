"""Can SNS deliver: is each queue there, and do its policy and key let SNS send?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from .facts import Attributes, Channel, Key, Queue, Unknown
from .findings import Finding, aws_command, not_known
from .policies import allows

SNS = "sns.amazonaws.com"
# SNS uses a queue's key with both.
# https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
KEY_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey")
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
        found = [
            *(_judge_policy(channel, queue) if by_sns else ()),
            *_judge_key(queue.key, queue.name, channel, by_sns=by_sns),
            *_judge_retention(queue),
        ]
        yield from found
        if not any(finding.severity != "info" for finding in found):
            yield Finding("ok", "queue", queue.name, _described(queue, by_sns=by_sns))
    yield from _judge_key(
        channel.topic_key, channel.topic_arn.rpartition(":")[2], channel, by_sns=False
    )


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


def _judge_policy(channel: Channel, queue: Queue) -> Iterator[Finding]:
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
    allowed = allows(
        queue.policy,
        principal=SNS,
        action="sqs:SendMessage",
        resource=arn,
        context=_request(channel.topic_arn),
    )
    if allowed is None:
        yield Finding(
            "unknown",
            "queue-policy",
            queue.name,
            f"whether SNS may send depends on a condition of the {queue.kind}'s policy that only "
            "AWS can judge",
        )
    elif not allowed:
        policy = _with_permission(queue.policy, arn, channel.topic_arn)
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


def _with_permission(policy: Attributes, arn: str, topic_arn: str) -> Attributes:
    statements = policy.get("Statement", [])
    permission = {
        "Effect": "Allow",
        "Principal": {"Service": SNS},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
    }
    before = [statements] if isinstance(statements, Mapping) else list(statements)
    return {"Version": "2012-10-17", **policy, "Statement": [*before, permission]}


def _judge_key(
    key: Key | Unknown | None, name: str, channel: Channel, *, by_sns: bool
) -> Iterator[Finding]:
    if key is None:
        return
    if isinstance(key, Unknown):
        yield not_known("key", name, key)
        return
    if key.of_aws:
        if by_sns:
            yield Finding(
                "error",
                "key-of-aws",
                name,
                f"is encrypted with {key.id}, a key that SNS may not use",
                "deploy it with QueueEncryption.SQS_MANAGED, or encryption_key= of the channel",
            )
        return
    if key.state != "Enabled":
        yield Finding(
            "error",
            "key-disabled",
            name,
            f"is encrypted with {key.id}, which is {key.state}",
            _enable(key),
        )
    if by_sns:
        yield from _judge_key_policy(key, name, channel)


def _judge_key_policy(key: Key, name: str, channel: Channel) -> Iterator[Finding]:
    if isinstance(key.policy, Unknown):
        yield not_known("key-policy", name, key.policy)
        return
    answers = [
        allows(
            key.policy or {},
            principal=SNS,
            action=action,
            resource=key.id,
            context=_request(channel.topic_arn),
        )
        for action in KEY_ACTIONS
    ]
    if False in answers:
        yield Finding(
            "error",
            "key-policy",
            name,
            f"is encrypted with {key.id}, whose policy does not let SNS use it",
            f"add a statement that allows {SNS} kms:Decrypt and kms:GenerateDataKey*: "
            + aws_command("kms", "put-key-policy", key_id=key.id, policy="file://policy.json"),
        )
    elif None in answers:
        yield Finding(
            "unknown",
            "key-policy",
            name,
            f"whether SNS may use {key.id} depends on a condition that only AWS can judge",
        )


def _enable(key: Key) -> str:
    enable = aws_command("kms", "enable-key", key_id=key.id)
    if key.state == "PendingDeletion":
        return f"{aws_command('kms', 'cancel-key-deletion', key_id=key.id)} && {enable}"
    return enable


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


def _request(topic_arn: str) -> dict[str, str]:
    """Return what SNS tells a policy when it delivers."""
    account = topic_arn.split(":")[4]
    return {
        "aws:SourceArn": topic_arn,
        "aws:SourceAccount": account,
        "aws:SecureTransport": "true",
        "aws:PrincipalIsAWSService": "true",
    }


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
