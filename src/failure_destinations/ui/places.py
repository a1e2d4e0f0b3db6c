"""The queues that the page looks into: those of every channel of the stacks it was given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from failure_destinations.deployed.channels import Channel, choose_channel, find_channels
from failure_destinations.deployed.queues import Part, QueueChoice
from failure_destinations.deployed.session import Aws
from failure_destinations.deployed.stacks import DeployedStack
from failure_destinations.errors import CommandError

_PARTS: tuple[tuple[Part, str], ...] = (
    ("main", "waiting"),
    ("parked", "parked"),
    ("dead-letter", "dead letters"),
    ("copies", "copies"),
)


SOURCE_QUEUES = "source queues"


@dataclass(frozen=True)
class Place:
    """A queue that the page looks into.

    Attributes:
        channel: The channel that it belongs to: `Stack/Path`; the queue's name for a queue that is
            named without a stack.
        state: What the messages in it do: `waiting`, `parked`, `dead letters`, `copies`, or
            `source queues` for dead letters of SQS event sources.
        choice: The options that name it to a command.
        deployed: The channel as it was found, so that a look need not find it again; None for a
            queue that is named without a stack.
    """

    channel: str
    state: str
    choice: QueueChoice
    deployed: Channel | None = None


def find_places(
    aws: Aws, stacks: Sequence[str], channel: str | None = None, queues: Sequence[str] = ()
) -> list[Place]:
    """Return the queues of the channels of some stacks.

    Args:
        aws: The account and Region to work in.
        stacks: The stacks' names.
        channel: The construct path of the only channel to look at. Default: all channels.
        queues: Names, URLs or ARNs of more queues.

    Raises:
        CommandError: A stack does not exist or has no channel, or nothing is named.
    """
    places = [place for stack in stacks for place in _of_stack(aws, stack, channel)]
    places += [Place(name, "waiting", QueueChoice(None, None, name)) for name in queues]
    if not places:
        raise CommandError("which queues? name a stack with --stack NAME, or a queue with --queue")
    return places


def _of_stack(aws: Aws, name: str, path: str | None) -> list[Place]:
    channels = find_channels(aws, DeployedStack(aws, name))
    if path is not None or not channels:
        channels = [choose_channel(channels, name, path)]
    return [place for channel in channels for place in _of_channel(name, channel)]


def _of_channel(stack: str, channel: Channel) -> list[Place]:
    queues: dict[Part, str | None] = {
        "main": channel.queue,
        "parked": channel.parked_queue,
        "dead-letter": channel.dead_letter_queue,
        "copies": channel.copy_queue,
    }
    name = f"{stack}/{channel.path}"
    places = [
        Place(name, state, QueueChoice(stack, channel.path, None, part), channel)
        for part, state in _PARTS
        if queues[part] is not None
    ]
    # Each by itself, so that a job has one queue.
    return places + [
        Place(name, SOURCE_QUEUES, QueueChoice(None, None, queue, "source-queues"))
        for queue in channel.source_dead_letter_queues
    ]
