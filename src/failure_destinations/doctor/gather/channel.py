"""Reads a stack's channels."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from failure_destinations.deployed.session import Aws
from failure_destinations.deployed.stacks import DeployedStack
from failure_destinations.errors import CommandError
from failure_destinations.names import COPY_QUEUE, EVENT_SOURCE, PARKED_QUEUE, QUEUE_SUBSCRIPTION

from ..facts import Attributes, Channel, Queue, Replayer, Subscription, Topic
from .alarms import gather_monitoring
from .aws_reader import AwsReader
from .construct_ids import above, child, has_id
from .handlers import gather_handlers
from .metrics import Metrics
from .queues import gather_queue
from .sources import Sources
from .topics import gather_topic

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

_QUEUE = "AWS::SQS::Queue"


class ChannelReader:
    """Reads all that is judged of the channels of a stack.

    Args:
        aws: Where the stack is.
        stack: Its name or id.
        reader: Reads from AWS.

    Raises:
        CommandError: The stack does not exist.
    """

    def __init__(self, aws: Aws, stack: str, reader: AwsReader) -> None:
        self._aws = aws
        self._stack = DeployedStack(aws, stack)
        self._reader = reader
        self._sources = Sources(aws, self._stack, reader, Metrics(aws, reader))

    def channels(self, path: str | None) -> Iterator[Channel]:
        """Yield the channels, or the one with a path.

        Raises:
            CommandError: The stack has none, or none with the path.
        """
        stack = self._stack
        found = {
            above(stack.path(id), QUEUE_SUBSCRIPTION): id
            for id in stack.of_type("AWS::SNS::Subscription")
            if has_id(stack.path(id), QUEUE_SUBSCRIPTION)
        }
        if not found:
            raise CommandError(
                f"stack {stack.name!r} has no failure channel: name another with --stack"
            )
        # Without the CLI's metadata, paths are known by their logical ids.
        wanted = (path, None if path is None else path.replace("/", ""))
        chosen = {each: id for each, id in found.items() if path is None or each in wanted}
        if not chosen:
            raise CommandError(
                f"stack {stack.name!r} has no channel {path!r}: it has {', '.join(found)}"
            )
        for channel_path, id in chosen.items():
            yield self._channel(channel_path, id)

    def _channel(self, path: str, id: str) -> Channel:
        stack = self._stack
        properties = stack.properties(id)
        topic_arn = stack.resolve(properties.get("TopicArn"))
        if topic_arn is None:
            topic_arn = stack.physical_ids[id].rpartition(":")[0]
        topic = gather_topic(self._sources, "topic", topic_arn, of_queue=id)
        endpoint = self._endpoint(properties, topic.subscriptions)
        queue = None if endpoint is None else gather_queue(self._sources, "queue", endpoint)
        topic = _with_queue(topic, queue)
        redrive = properties.get("RedrivePolicy") or {}
        dead_letters = stack.resolve(redrive.get("deadLetterTargetArn"))
        copies = child(stack, _QUEUE, path, COPY_QUEUE)
        copy_queue = (
            None
            if copies is None
            else gather_queue(self._sources, "copy queue", stack.physical_ids[copies])
        )
        return Channel(
            stack=stack.name,
            path=path,
            topic=topic,
            queue=queue,
            dead_letter_queue=None
            if dead_letters is None
            else gather_queue(self._sources, "dead-letter queue", dead_letters),
            copy_queue=copy_queue,
            handlers=gather_handlers(self._aws, stack, self._reader, topic, copy_queue),
            replayers=list(self._replayers(queue)),
            monitoring=gather_monitoring(self._sources, topic, properties.get("TopicArn")),
        )

    def _endpoint(self, properties: Attributes, found: Sequence[Subscription]) -> str | None:
        """Return the URL or ARN of the channel's queue."""
        endpoint = self._stack.resolve(properties.get("Endpoint"))
        return endpoint or next((s.endpoint for s in found if s.of_queue), None)

    def _replayers(self, queue: Queue | None) -> Iterator[Replayer]:
        stack = self._stack
        client: LambdaClient = self._aws.client("lambda")
        for id in stack.of_type("AWS::Lambda::EventSourceMapping"):
            properties = stack.properties(id)
            path = above(stack.path(id), EVENT_SOURCE)
            parked = child(stack, _QUEUE, path, PARKED_QUEUE)
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
                parked=gather_queue(self._sources, "parked queue", stack.physical_ids[parked]),
            )


def _with_queue(topic: Topic, queue: Queue | None) -> Topic:
    """Return a topic whose subscription of the queue names that by its ARN, as SNS does."""
    if queue is None or queue.arn is None:
        return topic
    subscriptions = [
        dataclasses.replace(each, endpoint=queue.arn) if each.of_queue else each
        for each in topic.subscriptions
    ]
    return dataclasses.replace(topic, subscriptions=subscriptions)
