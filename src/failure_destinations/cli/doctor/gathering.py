"""Gathers what is known of a stack's channels; changes nothing."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from failure_destinations.cli.aws import Aws
from failure_destinations.cli.channels import queue_url
from failure_destinations.cli.errors import CommandError
from failure_destinations.cli.stacks import DeployedStack

from .facts import (
    Attributes,
    Channel,
    Key,
    Queue,
    Replayer,
    Subscription,
    Unknown,
    name_of,
)
from .gathering_handlers import Topic, gather_handlers
from .looks import Looks
from .metrics import Metrics

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
        topic = self._topic(topic_arn)
        listed = self._listed(topic_arn)
        subscriptions = self._subscriptions(topic_arn, id, listed)
        queue = self._queue("queue", self._endpoint(properties, subscriptions))
        dead_letters = (properties.get("RedrivePolicy") or {}).get("deadLetterTargetArn")
        copies = self._sibling(path, _COPY_QUEUE)
        copy_queue = None if copies is None else self._queue("copy queue", copies)
        topic_key = self._key(topic.get("KmsMasterKeyId") if isinstance(topic, Mapping) else None)
        return Channel(
            stack=stack.name,
            path=path,
            topic_arn=topic_arn,
            topic=topic,
            topic_key=topic_key,
            subscriptions=subscriptions,
            queue=queue,
            dead_letter_queue=self._queue("dead-letter queue", stack.resolve(dead_letters)),
            copy_queue=copy_queue,
            handlers=gather_handlers(
                self._aws,
                stack,
                self._looks,
                Topic(topic_arn, topic, topic_key),
                copy_queue,
            ),
            replayers=self._replayers(queue),
            peak=self._metrics.peak(name_of(topic_arn))
            if any(s.is_mailbox for s in subscriptions)
            else None,
        )

    def _topic(self, arn: str) -> Attributes | Unknown | None:
        sns = self._aws.client("sns")
        return self._looks.at(
            "sns:GetTopicAttributes",
            lambda: dict(sns.get_topic_attributes(TopicArn=arn)["Attributes"]),
        )

    def _listed(self, topic_arn: str) -> Sequence[Mapping[str, str]]:
        """Return the topic's subscriptions; nothing where that cannot be known."""
        pages = self._aws.client("sns").get_paginator("list_subscriptions_by_topic")
        listed = self._looks.at(
            "sns:ListSubscriptionsByTopic",
            lambda: [
                subscription
                for page in pages.paginate(TopicArn=topic_arn)
                for subscription in page["Subscriptions"]
            ],
        )
        return listed if isinstance(listed, list) else []

    def _subscriptions(
        self, topic_arn: str, of_queue: str, listed: Sequence[Mapping[str, str]]
    ) -> list[Subscription]:
        left = list(listed)
        found = []
        stack = self._stack
        for id in stack.of_type("AWS::SNS::Subscription"):
            properties = stack.properties(id)
            arn = stack.physical_ids[id]
            if topic_arn not in (
                stack.resolve(properties.get("TopicArn")),
                arn.rpartition(":")[0],
            ):
                continue
            protocol = str(properties.get("Protocol", ""))
            endpoint = stack.resolve(properties.get("Endpoint"))
            live = _same(left, arn, protocol, endpoint)
            if live is not None:
                left.remove(live)
                arn, endpoint = live["SubscriptionArn"], live["Endpoint"]
            found.append(
                Subscription(
                    protocol=protocol,
                    endpoint=endpoint,
                    arn=arn if arn.startswith("arn:") else None,
                    attributes=self._subscription(arn),
                    of_queue=id == of_queue,
                )
            )
        return found + [
            Subscription(
                protocol=live["Protocol"],
                endpoint=live["Endpoint"],
                arn=live["SubscriptionArn"],
                attributes=self._subscription(live["SubscriptionArn"]),
                declared=False,
            )
            for live in left
        ]

    def _subscription(self, arn: str) -> Attributes | Unknown | None:
        if not arn.startswith("arn:"):
            # SNS lists what is not confirmed under this word.
            return {"PendingConfirmation": "true"} if arn == "PendingConfirmation" else None
        sns = self._aws.client("sns")
        return self._looks.at(
            "sns:GetSubscriptionAttributes",
            lambda: dict(sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]),
        )

    def _endpoint(self, properties: Attributes, found: Sequence[Subscription]) -> str | None:
        """Return the URL or ARN of the channel's queue."""
        endpoint = self._stack.resolve(properties.get("Endpoint"))
        return endpoint or next((s.endpoint for s in found if s.of_queue), None)

    def _queue(self, kind: str, id: str | None) -> Any:
        """Return a queue by its URL or ARN; None if there is no id."""
        if id is None:
            return None
        sqs = self._aws.client("sqs")
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
            key=self._key(known.get("KmsMasterKeyId")),
            oldest_seconds=self._metrics.oldest(name_of(url)) if known else None,
            declared_retention=self._declared_retention(url),
        )

    def _declared_retention(self, url: str) -> int | None:
        for id, physical in self._stack.physical_ids.items():
            if physical == url:
                seconds = self._stack.properties(id).get("MessageRetentionPeriod")
                return seconds if isinstance(seconds, int) else None
        return None

    def _key(self, id: str | None) -> Key | Unknown | None:
        if not id:
            return None
        if id.startswith("alias/aws/"):
            return Key(id, {"KeyManager": "AWS"}, None)
        kms = self._aws.client("kms")
        metadata = self._looks.at(
            "kms:DescribeKey", lambda: dict(kms.describe_key(KeyId=id)["KeyMetadata"])
        )
        if isinstance(metadata, Unknown):
            return metadata
        if metadata is None:
            return Key(id, {"KeyState": "deleted"}, {})
        arn = str(metadata.get("Arn", id))
        if metadata.get("KeyManager") == "AWS":
            return Key(arn, metadata, None)
        policy = self._looks.at(
            "kms:GetKeyPolicy",
            lambda: dict(json.loads(kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"])),
        )
        return Key(arn, metadata, policy)

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


def _same(
    listed: Sequence[Mapping[str, str]], arn: str, protocol: str, endpoint: str | None
) -> Mapping[str, str] | None:
    """Return the subscription that is meant: that with the ARN, else one made anew for the same."""
    by_arn = (live for live in listed if live["SubscriptionArn"] == arn)
    anew = (
        live
        for live in listed
        if live["Protocol"] == protocol and endpoint is not None and _equal(live, endpoint)
    )
    return next(by_arn, None) or next(anew, None)


def _equal(live: Mapping[str, str], endpoint: str) -> bool:
    if live["Protocol"] in ("sqs", "lambda", "firehose"):
        return name_of(live["Endpoint"]) == name_of(endpoint)
    return live["Endpoint"] == endpoint


def _above(path: str, name: str) -> str:
    return path.removesuffix(name).removesuffix("/")


def _flat(path: str | None) -> str | None:
    return None if path is None else path.replace("/", "")
