"""Reads a stack's channels."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator

from failure_destinations.deployed.channels import Channel as DeployedChannel
from failure_destinations.deployed.channels import declared_channels, is_path_of
from failure_destinations.deployed.session import Aws
from failure_destinations.deployed.stacks import DeployedStack
from failure_destinations.errors import CommandError
from failure_destinations.names import EVENT_SOURCE, PARKED_QUEUE
from failure_destinations.progress import Progress

from ..facts import Channel, Queue, QueueNoun, Replayer, Topic
from .alarms import gather_monitoring
from .aws_reader import AwsReader
from .construct_ids import above
from .handlers import gather_handlers
from .metrics import Metrics
from .queues import gather_queue
from .sources import Sources
from .topics import gather_topic


class ChannelReader:
    """Reads all facts about the channels of a stack.

    Args:
        aws: The account and Region of the stack.
        stack: Its name or id.
        progress: Gets a report of each read.

    Raises:
        CommandError: The stack does not exist.
    """

    def __init__(self, aws: Aws, stack: str, progress: Progress) -> None:
        self._aws = aws
        self._stack = DeployedStack(aws, stack)
        self._progress = progress
        self._reader = reader = AwsReader(progress)
        self._sources = Sources(aws, self._stack, reader, Metrics(aws, reader))

    def channels(self, path: str | None) -> Iterator[Channel]:
        """Yield all channels, or the one with a path.

        Raises:
            CommandError: The stack has no channel, or none with this path.
        """
        stack = self._stack
        found = declared_channels(stack)
        if not found:
            raise CommandError(
                f"stack {stack.name!r} has no failure channel: name another with --stack"
            )
        chosen = [each for each in found if path is None or is_path_of(each, path)]
        if not chosen:
            names = ", ".join(each.path for each in found)
            raise CommandError(f"stack {stack.name!r} has no channel {path!r}: it has {names}")
        for each in chosen:
            yield self._channel(each)

    def _channel(self, deployed: DeployedChannel) -> Channel:
        sources = self._sources
        id = deployed.subscription_id
        topic = gather_topic(sources, "topic", deployed.topic_arn, of_queue=id)
        subscribed = (each.endpoint for each in topic.subscriptions if each.of_queue)
        queue = self._queue("queue", deployed.queue or next(subscribed, None))
        topic = _with_queue(topic, queue)
        copy_queue = self._queue("copy queue", deployed.copy_queue)
        found = gather_handlers(sources, topic, copy_queue, self._progress)
        declared_topic = self._stack.properties(id).get("TopicArn")
        return Channel(
            stack=self._stack.name,
            path=deployed.path,
            topic=topic,
            queue=queue,
            dead_letter_queue=self._queue("dead-letter queue", deployed.dead_letter_queue),
            copy_queue=copy_queue,
            handlers=found.handlers,
            unlisted=found.unlisted,
            replayers=list(self._replayers(queue)),
            monitoring=gather_monitoring(sources, topic, declared_topic),
        )

    def _queue(self, noun: QueueNoun, id: str | None) -> Queue | None:
        return None if id is None else gather_queue(self._sources, noun, id)

    def _replayers(self, queue: Queue | None) -> Iterator[Replayer]:
        stack = self._stack
        client = self._aws.client("lambda")
        for id in stack.of_type("AWS::Lambda::EventSourceMapping"):
            properties = stack.properties(id)
            path = above(stack.path(id), EVENT_SOURCE)
            parked = stack.sibling(path, PARKED_QUEUE, "AWS::SQS::Queue")
            source = stack.resolve(properties.get("EventSourceArn"))
            if parked is None or queue is None or source not in (queue.url, queue.arn):
                continue
            mapping = self._reader.read(
                "lambda:GetEventSourceMapping",
                functools.partial(client.get_event_source_mapping, UUID=stack.physical_ids[id]),
            )
            yield Replayer(
                path=path,
                mapping=mapping,
                declared_enabled=properties.get("Enabled", True) is not False,
                parked=gather_queue(self._sources, "parked queue", parked),
            )


def _with_queue(topic: Topic, queue: Queue | None) -> Topic:
    """Return a topic whose queue subscription has the queue's ARN as its endpoint, as in SNS."""
    if queue is None or queue.arn is None:
        return topic
    subscriptions = [
        dataclasses.replace(each, endpoint=queue.arn) if each.of_queue else each
        for each in topic.subscriptions
    ]
    return dataclasses.replace(topic, subscriptions=subscriptions)
