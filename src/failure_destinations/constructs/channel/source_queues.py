"""Dead-letter queues for the SQS queues that feed functions: `channel.dead_letter_queue_for`.

The redrive policy is in the source queue's stack and refers to the channel's stack, never the other
way round. So the dead-letter queue cannot name its source in a redrive allow policy, not even
within one stack: CloudFormation refuses resources that refer to each other. SQS's own default lets
any queue of the account and Region use it.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_cdk import Annotations, Duration
from aws_cdk import aws_sqs as sqs

from failure_destinations import names

from ..refusals import check_environment, checked_count, fifo_name, has_member, is_token, shown
from ..retention import MAX_RETENTION_SECONDS, known_retention
from ..suppressions import QUEUE_HAS_NO_KEY, skip
from ..tree import outermost, ref, stage_of
from .wiring import all_wirings

if TYPE_CHECKING:
    from .wiring import Wiring

# AWS: at least 5, so that throttles of the function alone do not use up the receives.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
DEFAULT_MAX_RECEIVES = 5
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
_MAX_RECEIVES = 1000


@dataclass(frozen=True)
class SourceQueue:
    """A queue that feeds functions, and its dead-letter queue in a channel.

    Attributes:
        queue: The queue.
        dead_letter_queue: Its dead-letter queue.
        max_receive_count: How often a message is received before SQS moves it; may be a token.
        retention: How long the queue keeps a message, in seconds; None if that is not known here.
        is_fifo: Whether both are FIFO queues.
    """

    queue: sqs.Queue
    dead_letter_queue: sqs.Queue
    max_receive_count: float
    retention: float | None
    is_fifo: bool

    @property
    def name(self) -> str:
        """The name that construct ids of what belongs to it end in."""
        return self.dead_letter_queue.node.id.removeprefix(names.SOURCE_DEAD_LETTER_PREFIX)


def define_source_dead_letter_queue(
    wiring: Wiring, queue: Any, max_receive_count: Any
) -> sqs.Queue:
    """Define the dead-letter queue of a queue in a channel, and return it.

    Args:
        wiring: The channel's wiring.
        queue: The queue.
        max_receive_count: How often a message is received before SQS moves it.

    Raises:
        ValueError: The queue cannot have a dead-letter queue here, or an argument is wrong.
    """
    resource = _checked_resource(wiring, queue)
    receives = checked_count(
        "max_receive_count", max_receive_count, _MAX_RECEIVES, "SQS accepts no other count", 1
    )
    known = _known(wiring, queue)
    if known is not None:
        if known.max_receive_count != receives:
            raise ValueError(
                f"max_receive_count must be the same for one queue, got {shown(receives)} and "
                f"before {shown(known.max_receive_count)} for {shown(queue.node.path)}: remove one "
                "call of dead_letter_queue_for"
            )
        return known.dead_letter_queue
    _check_free(wiring, queue, resource)
    is_fifo = bool(queue.fifo) or fifo_name(queue.queue_arn) is not None
    retention = known_retention(queue)
    id = names.SOURCE_DEAD_LETTER_PREFIX + _relative_path(wiring, queue)
    # The CDK writes a path as an id with `--`.
    if wiring.channel.node.try_find_child(id.replace("/", "--")) is not None:
        raise ValueError(
            "queue must have a path of its own below its stack, got "
            f"{shown(queue.node.path)}, whose dead-letter queue would get the construct id "
            f"{shown(id)}, which another one has: rename a construct on its path"
        )
    dead_letter_queue = sqs.Queue(
        wiring.channel,
        id,
        fifo=True if is_fifo else None,
        retention_period=_retention(wiring.retention, retention, is_fifo=is_fifo),
        enforce_ssl=True,
        encryption=sqs.QueueEncryption.KMS if wiring.key else sqs.QueueEncryption.SQS_MANAGED,
        encryption_master_key=wiring.key,
        removal_policy=wiring.removal_policy,
    )
    if wiring.key is None:
        skip(dead_letter_queue, QUEUE_HAS_NO_KEY)
    resource.redrive_policy = {
        "deadLetterTargetArn": dead_letter_queue.queue_arn,
        "maxReceiveCount": receives,
    }
    if not is_token(receives) and receives < DEFAULT_MAX_RECEIVES:
        Annotations.of(queue).add_warning_v2(
            "failure-destinations:few-receives",
            f"max_receive_count is {receives}, where AWS recommends at least "
            f"{DEFAULT_MAX_RECEIVES}: Lambda also receives messages while the function is "
            "throttled, and SQS may count a receive that nobody got. Messages whose handling has "
            "not failed may then land in the dead-letter queue.",
        )
    if ref(queue.stack) != ref(wiring.stack):
        wiring.deferred.append(functools.partial(_check_order, wiring, queue))
    wiring.source_queues.append(SourceQueue(queue, dead_letter_queue, receives, retention, is_fifo))
    return dead_letter_queue


def _checked_resource(wiring: Wiring, queue: Any) -> sqs.CfnQueue:
    """Return the resource of a queue, or raise ValueError if it is not one of the app's own."""
    if not isinstance(queue, sqs.Queue):
        if isinstance(queue, sqs.CfnQueue):
            way_out = (
                "define it as an aws_sqs.Queue, or set its redrive_policy to a queue of your own"
            )
        elif has_member(queue, "queue_arn"):
            way_out = (
                "it is imported, so its redrive policy cannot be changed here; set "
                "dead_letter_queue where it is defined"
            )
        else:
            way_out = "pass the construct"
        raise ValueError(
            f"queue must be an aws_sqs.Queue that this app defines, got {shown(queue)}: {way_out}"
        )
    resource = queue.node.default_child
    if not isinstance(resource, sqs.CfnQueue):
        raise ValueError(
            f"queue must define an AWS::SQS::Queue, got {shown(queue.node.path)} without one: "
            "pass the construct that defines it"
        )
    if ref(stage_of(queue)) != ref(stage_of(wiring.channel)):
        raise ValueError(
            f"queue must be in the channel's app or stage, got {shown(queue.node.path)} for the "
            f"channel {shown(wiring.channel.node.path)}: define a channel in that stage too"
        )
    check_environment("queue", queue, wiring.stack)
    return resource


def _known(wiring: Wiring, queue: sqs.Queue) -> SourceQueue | None:
    """Return what the channel has for a queue already."""
    return next((each for each in wiring.source_queues if ref(each.queue) == ref(queue)), None)


def _check_free(wiring: Wiring, queue: sqs.Queue, resource: sqs.CfnQueue) -> None:
    """Raise ValueError if a queue is one of a channel's own, or has a dead-letter queue."""
    within = {ref(scope) for scope in queue.node.scopes}
    for other in all_wirings():
        own = [other.channel, *other.companions]
        if ref(queue) == ref(other.queue) or any(ref(each) in within for each in own):
            raise ValueError(
                "queue must be a queue that feeds a function, got "
                f"{shown(queue.node.path)}, which belongs to the channel "
                f"{shown(other.channel.node.path)}: what that keeps must not be moved"
            )
    if resource.redrive_policy is None:
        return
    whose = next(
        (
            f", which the channel {shown(other.channel.node.path)} defined"
            for other in all_wirings()
            if other is not wiring and _known(other, queue) is not None
        ),
        "",
    )
    way_out = (
        "call dead_letter_queue_for of one channel only"
        if whose
        else "remove dead_letter_queue where the queue is defined"
    )
    raise ValueError(
        f"queue must have no dead-letter queue yet, got {shown(queue.node.path)} with one{whose}: "
        f"{way_out}"
    )


def _relative_path(wiring: Wiring, queue: sqs.Queue) -> str:
    """Return the path of a queue below the channel's stack, or else below the app or stage."""
    path = queue.node.path
    for scope in (wiring.stack, stage_of(queue)):
        above = f"{scope.node.path}/".lstrip("/")
        if path.startswith(above):
            return path[len(above) :]
    return path


def _retention(channels: Duration, sources: float | None, *, is_fifo: bool) -> Duration:
    """Return how long a dead-letter queue keeps a message.

    Args:
        channels: How long the channel's queues keep an event.
        sources: How long the source queue keeps a message, in seconds; None if not known.
        is_fifo: Whether they are FIFO queues.
    """
    if channels.is_unresolved() or sources is None:
        return channels
    seconds = channels.to_seconds()
    wanted = max(seconds, sources) if is_fifo else seconds + sources
    return Duration.seconds(min(wanted, MAX_RETENTION_SECONDS))


def _check_order(wiring: Wiring, queue: sqs.Queue) -> None:
    """Raise ValueError if the stack of a queue is deployed before the channel's."""
    from ..cover.node import AppReader  # noqa: PLC0415 - start-up time

    own, theirs = outermost(wiring.stack).node.path, outermost(queue.stack).node.path
    if theirs != own and theirs in AppReader.before([wiring.stack]):
        raise ValueError(
            "queue must not be in a stack that is deployed before the channel's, got "
            f"{shown(queue.node.path)}, whose stack the channel's refers to or depends on: define "
            "the channel in a stack that refers to no other"
        )
