"""Gathers what is known of a stack's channels; changes nothing."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any

from failure_destinations.deployed.queues import queue_url
from failure_destinations.deployed.session import Aws
from failure_destinations.deployed.stacks import DeployedStack
from failure_destinations.errors import CommandError

from ..facts import Attributes, Channel, Queue, Replayer, Subscription, Topic, name_of
from .alarms import gather_monitoring
from .aws_reader import Looks
from .handlers import gather_handlers
from .metrics import Metrics
from .topics import Sources, gather_key, gather_topic

_SUBSCRIPTION = "QueueSubscription"
_COPY_QUEUE = "CopyQueue"
_PARKED_QUEUE = "ParkedQueue"
_EVENT_SOURCE = "EventSource"


class Gatherer:
    """Asks AWS what is to be known of the channels of a stack.

    Args:
        aws: Where the stack is.
        stack: Its name or id.
        looks: Does the asking.

    Raises:
        CommandError: There is no such stack.
    """

    def __init__(self, aws: Aws, stack: str, looks: Looks) -> None:
        self._aws = aws
        self._stack = DeployedStack(aws, stack)
        self._looks = looks
        self._metrics = Metrics(aws, looks)
        self._sources = Sources(aws, self._stack, looks, self._metrics)

    def channels(self, path: str | None) -> Iterator[Channel]:
        """Yield the channels, or the one with a path.

        Raises:
            CommandError: There is none, or no such.
        """
        stack = self._stack
        found = {
            _above(stack.path(id), _SUBSCRIPTION): id
            for id in stack.of_type("AWS::SNS::Subscription")
            if stack.path(id).endswith(_SUBSCRIPTION)
        }
        if not found:
            raise CommandError(
                f"stack {stack.name!r} has no failure channel: name another with --stack"
            )
        # Without the CLI's metadata, paths are known by their logical ids.
        chosen = {p: id for p, id in found.items() if path in (None, p) or _flat(path) == p}
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
        queue = self._queue("queue", self._endpoint(properties, topic.subscriptions))
        topic = _with_queue(topic, queue)
        dead_letters = (properties.get("RedrivePolicy") or {}).get("deadLetterTargetArn")
        copies = self._sibling(path, _COPY_QUEUE)
        copy_queue = None if copies is None else self._queue("copy queue", copies)
        return Channel(
            stack=stack.name,
            path=path,
            topic=topic,
            queue=queue,
            dead_letter_queue=self._queue("dead-letter queue", stack.resolve(dead_letters)),
            copy_queue=copy_queue,
            handlers=gather_handlers(self._aws, stack, self._looks, topic, copy_queue),
            replayers=self._replayers(queue),
            monitoring=gather_monitoring(self._sources, topic, properties.get("TopicArn")),
        )

    def _endpoint(self, properties: Attributes, found: Sequence[Subscription]) -> str | None:
        """Return the URL or ARN of the channel's queue."""
        endpoint = self._stack.resolve(properties.get("Endpoint"))
        return endpoint or next((s.endpoint for s in found if s.of_queue), None)

    def _queue(self, kind: str, id: str | None) -> Any:
        """Return a queue by its URL or ARN; None if there is no id."""
        if id is None:
            return None
        sqs: Any = self._aws.client("sqs")
        if id.startswith("arn:"):
            url = self._looks.at("sqs:GetQueueUrl", lambda: queue_url(sqs, id))
            if not isinstance(url, str):
                return Queue(kind, id, url)
        else:
            url = id
        attributes = self._looks.at(
            "sqs:GetQueueAttributes",
            lambda: dict(
                sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
            ),
        )
        known = attributes if isinstance(attributes, dict) else {}
        return Queue(
            kind=kind,
            url=url,
            attributes=attributes,
            key=gather_key(self._aws, self._looks, known.get("KmsMasterKeyId")),
            oldest_seconds=self._metrics.oldest(name_of(url)) if known else None,
            declared_retention=self._declared_retention(url),
        )

    def _declared_retention(self, url: str) -> int | None:
        for id, physical in self._stack.physical_ids.items():
            if physical == url:
                seconds = self._stack.properties(id).get("MessageRetentionPeriod")
                return seconds if isinstance(seconds, int) else None
        return None

    def _replayers(self, queue: Queue | None) -> list[Replayer]:
        stack = self._stack
        client = self._aws.client("lambda")
        found = []
        for id in stack.of_type("AWS::Lambda::EventSourceMapping"):
            properties = stack.properties(id)
            path = _above(stack.path(id), _EVENT_SOURCE)
            parked = self._sibling(path, _PARKED_QUEUE)
            source = stack.resolve(properties.get("EventSourceArn"))
            if parked is None or queue is None or source not in (queue.url, queue.arn):
                continue
            uuid = stack.physical_ids[id]
            mapping = self._looks.at(
                "lambda:GetEventSourceMapping",
                functools.partial(client.get_event_source_mapping, UUID=uuid),
            )
            enabled = properties.get("Enabled", True) is not False
            found.append(Replayer(path, mapping, enabled, self._queue("parked queue", parked)))
        return found

    def _sibling(self, path: str, name: str) -> str | None:
        """Return the URL of a queue that is defined beside something."""
        stack = self._stack
        wanted = (f"{path}/{name}", f"{path}{name}")
        queues = stack.of_type("AWS::SQS::Queue")
        return next((stack.physical_ids[id] for id in queues if stack.path(id) in wanted), None)


def _with_queue(topic: Topic, queue: Queue | None) -> Topic:
    """Return a topic whose subscription of the queue names that by its ARN, as SNS does."""
    if queue is None or queue.arn is None:
        return topic
    subscriptions = [
        dataclasses.replace(each, endpoint=queue.arn) if each.of_queue else each
        for each in topic.subscriptions
    ]
    return dataclasses.replace(topic, subscriptions=subscriptions)


def _above(path: str, name: str) -> str:
    return path.removesuffix(name).removesuffix("/")


def _flat(path: str | None) -> str | None:
    return None if path is None else path.replace("/", "")
