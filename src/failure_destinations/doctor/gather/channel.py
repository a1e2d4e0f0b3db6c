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
from .batch_store import gather_batch_store
from .construct_ids import above
from .event_sources import EventSourceReader
from .handlers import gather_handlers
from .mappings import Mappings
from .metrics import Metrics
from .notifiers import gather_notifiers
from .queues import gather_queue
from .source_queues import gather_source_dead_letters
from .sources import Sources
from .topics import gather_topic


class ChannelReader:
    """Reads all facts about the channels of a stack, and of the stacks nested in it.

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
        self._reader = AwsReader(progress)
        self._mappings = Mappings(aws, self._reader)

    def channels(self, path: str | None) -> Iterator[Channel]:
        """Yield all channels, or the one with a path.

        Raises:
            CommandError: The stack has no channel, or none with this path.
        """
        stack = self._stack
        found = [
            (self._sources_of(each), channel)
            for each in stack.with_nested()
            for channel in declared_channels(each)
        ]
        if not found:
            raise CommandError(
                f"stack {stack.name!r} has no failure channel: name another with --stack"
            )
        chosen = [each for each in found if path is None or is_path_of(each[1], path)]
        if not chosen:
            names = ", ".join(channel.path for _, channel in found)
            raise CommandError(f"stack {stack.name!r} has no channel {path!r}: it has {names}")
        for sources, channel in chosen:
            yield self._channel(sources, channel)

    def _sources_of(self, stack: DeployedStack) -> Sources:
        metrics = Metrics(self._aws, self._reader)
        return Sources(self._aws, stack, self._reader, metrics, self._mappings)

    def _channel(self, sources: Sources, deployed: DeployedChannel) -> Channel:
        id = deployed.subscription_id
        topic = gather_topic(sources, "topic", deployed.topic_arn, of_queue=id)
        subscribed = (each.endpoint for each in topic.subscriptions if each.of_queue)
        queue = _queue(sources, "queue", deployed.queue or next(subscribed, None))
        topic = _with_queue(topic, queue)
        copy_queue = _queue(sources, "copy queue", deployed.copy_queue)
        found = gather_handlers(
            sources, topic, copy_queue, deployed.dead_letter_queue_arn, self._progress
        )
        store = gather_batch_store(sources, deployed.path, topic.arn)
        declared_topic = sources.stack.properties(id).get("TopicArn")
        return Channel(
            stack=self._stack.name,
            path=deployed.path,
            topic=topic,
            queue=queue,
            dead_letter_queue=_queue(sources, "dead-letter queue", deployed.dead_letter_queue),
            copy_queue=copy_queue,
            handlers=found.handlers,
            unlisted=found.unlisted,
            replayers=list(self._replayers(sources, queue)),
            monitoring=gather_monitoring(sources, topic, declared_topic),
            notifiers=gather_notifiers(sources, topic),
            event_sources=EventSourceReader(sources, topic, queue, store).gather(),
            batch_store=store,
            source_dead_letters=gather_source_dead_letters(
                sources, deployed.source_dead_letter_queues
            ),
        )

    def _replayers(self, sources: Sources, queue: Queue | None) -> Iterator[Replayer]:
        stack = sources.stack
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
                parked=gather_queue(sources, "parked queue", parked),
                max_attempts=self._max_attempts(stack.resolve(properties.get("FunctionName"))),
            )

    def _max_attempts(self, function: str | None) -> int | None:
        if function is None:
            return None
        client = self._aws.client("lambda")
        variables = self._reader.read(
            "lambda:GetFunctionConfiguration",
            lambda: (
                client.get_function_configuration(FunctionName=function)
                .get("Environment", {})
                .get("Variables", {})
            ),
        )
        limit = variables.get("MAX_ATTEMPTS", "") if isinstance(variables, dict) else ""
        return int(limit) if limit.isdecimal() else None


def _queue(sources: Sources, noun: QueueNoun, id: str | None) -> Queue | None:
    return None if id is None else gather_queue(sources, noun, id)


def _with_queue(topic: Topic, queue: Queue | None) -> Topic:
    """Return a topic whose queue subscription has the queue's ARN as its endpoint, as in SNS."""
    if queue is None or queue.arn is None:
        return topic
    subscriptions = [
        dataclasses.replace(each, endpoint=queue.arn) if each.of_queue else each
        for each in topic.subscriptions
    ]
    return dataclasses.replace(topic, subscriptions=subscriptions)
