"""What the operator should know about a queue beside its messages, on standard error."""

from __future__ import annotations

import sys

from failure_destinations.deployed.account_channels import count_source_queues
from failure_destinations.deployed.channels import Channel
from failure_destinations.deployed.queues import Queue
from failure_destinations.deployed.replayers import AttachedReplayer
from failure_destinations.deployed.session import Aws
from failure_destinations.replay.contents import Contents
from failure_destinations.text import plural

from .output import note


def warn_of_consumers(queue: Queue) -> None:
    """Warn of functions that drain the queue from which the command receives."""
    if queue.consumers:
        names = ", ".join(queue.consumers)
        note(
            f"warning: {names} drains this queue: each receive counts as one of its attempts, and "
            "it does not get the messages that are received here meanwhile"
        )


def warn_of_parking(replayer: AttachedReplayer, count: int) -> None:
    """Warn of a replayer that parks messages which were received too often.

    Args:
        replayer: The replayer.
        count: The number of messages that it would park after one failure.
    """
    verb = "was" if count == 1 else "were"
    when = "" if replayer.enabled else ", once it is switched on,"
    note(
        f"warning: {plural(count, 'message')} {verb} received so often, this time included, that "
        f"the replayer {replayer.name}{when} parks them as soon as they fail once, instead of "
        f"{plural(replayer.max_attempts, 'time')}: a receive counts as one of its attempts"
    )


def hidden_note(hidden: int, queue: Queue | None = None) -> str:
    """Return the end of a line about messages that could not be received; empty if none.

    Args:
        hidden: Their number.
        queue: The queue. Default: a standard queue.
    """
    if not hidden:
        return ""
    others = "other consumers have them, or they are delayed"
    return f"; {hidden:,} more cannot be received now: {others}{_or_fifo(queue)}"


def not_received(count: int, queue: Queue | None = None) -> str:
    """Return that messages could not be received, and what to do.

    Args:
        count: Their number.
        queue: The queue. Default: a standard queue.
    """
    have = "has it, or it is" if count == 1 else "has them, or they are"
    return (
        f"about {plural(count, 'message')} cannot be received now, since another consumer {have} "
        f"delayed{_or_fifo(queue)}: repeat the command later"
    )


def _or_fifo(queue: Queue | None) -> str:
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html
    if queue is None or not queue.has_fifo:
        return ""
    return (
        ", or come later in a FIFO message group of which SQS hands out ten at once, and more only "
        "when those are deleted"
    )


def note_source_queues(aws: Aws, channel: Channel) -> None:
    """Say how many dead letters of SQS event sources a channel keeps in other queues.

    Args:
        aws: The account and Region of the channel.
        channel: The channel.
    """
    if not channel.source_dead_letter_queues:
        return
    counts = count_source_queues(aws.client("sqs"), channel)
    if counts is not None and counts.visible + counts.hidden:
        wait = "waits" if counts.visible + counts.hidden == 1 else "wait"
        note(
            f"{plural(counts.visible + counts.hidden, 'message')} {wait} in the dead-letter queues "
            "of source queues: list them with --from source-queues"
        )


def note_contents(contents: Contents) -> None:
    """Say what there is, where a filter chose nothing of it."""
    sys.stdout.flush()
    for line in contents.lines():
        note(line)
