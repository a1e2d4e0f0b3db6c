"""The origin of events that the operator's options name: a queue, or several."""

from __future__ import annotations

from failure_destinations.deployed.queues import QueueChoice
from failure_destinations.deployed.session import Aws
from failure_destinations.deployed.source_queues import SourceQueues

from .origins import QueueOrigin
from .queue_dead_letters import QueueDeadLetters
from .several_queues import SeveralQueues


def choose_origin(
    aws: Aws, choice: QueueChoice, allowed: frozenset[str] = frozenset(), *, to_peek: bool
) -> QueueOrigin | SeveralQueues:
    """Return the queue that the operator named, or several.

    Args:
        aws: The account and Region to work in.
        choice: The operator's options.
        allowed: ARNs of functions that may be invoked in addition to the channel's handlers.
        to_peek: Whether messages will be received without being replayed.

    Raises:
        CommandError: The queue is not named, does not exist, or counts receives.
    """
    channel = choice.find_channel(aws)
    found = choice.find_to_peek(aws, channel) if to_peek else choice.find(aws, channel)
    of_sources = choice.part == "source-queues"
    sources = SourceQueues(aws)
    origins = []
    for queue in found.parts or (found,):
        # A channel's other queues hold failed events, wherever SQS moved them from.
        may_have_sources = of_sources or channel is None
        reading = QueueDeadLetters(sources, queue, all_messages=of_sources)
        origins.append(
            QueueOrigin(
                aws,
                queue,
                channel,
                allowed,
                part=choice.part,
                dead_letters=reading if may_have_sources else None,
            )
        )
    return origins[0] if len(origins) == 1 else SeveralQueues(found, origins)
