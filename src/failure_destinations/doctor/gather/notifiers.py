"""Reads the notifiers of a channel, with the secrets of their webhooks."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from typing import Any

from failure_destinations.deployed.location import Location
from failure_destinations.names import (
    EVENT_SOURCE,
    NOTICE_QUEUE,
    NOTICE_SUBSCRIPTION,
    NOTIFIER_DEAD_LETTER_QUEUE,
    NOTIFIER_SCHEDULE,
    NOTIFIER_TOPIC,
    WEBHOOK_FUNCTION,
)

from ..facts import Attributes, Notifier, Queue, QueueNoun, Topic, Unknown, WebhookSecret
from .construct_ids import above, has_id
from .queues import gather_queue
from .simulation import simulated_decision
from .sources import Sources
from .topics import gather_topic

_PREFIX = "WEBHOOK_"
_READS = {"secret": "secretsmanager:GetSecretValue", "parameter": "ssm:GetParameter"}


def gather_notifiers(sources: Sources, topic: Topic) -> list[Notifier]:
    """Return the notifiers in the stack whose queues are subscribed to a channel's topic.

    Args:
        sources: The sources of facts.
        topic: The channel's topic.
    """
    stack = sources.stack
    paths = [
        above(stack.path(id), NOTICE_SUBSCRIPTION)
        for id in stack.of_type("AWS::SNS::Subscription")
        if has_id(stack.path(id), NOTICE_SUBSCRIPTION)
        and topic.arn
        in (
            stack.resolve(stack.properties(id).get("TopicArn")),
            stack.physical_ids[id].rpartition(":")[0],
        )
    ]
    return [_Notifiers(sources, topic).at(path) for path in paths]


class _Notifiers:
    def __init__(self, sources: Sources, topic: Topic) -> None:
        self._sources = sources
        self._stack = sources.stack
        self._read = sources.reader.read
        self._location = Location.of(topic.arn)

    def at(self, path: str) -> Notifier:
        """Return the notifier at a construct path."""
        topic = self._stack.sibling(path, NOTIFIER_TOPIC, "AWS::SNS::Topic")
        return Notifier(
            path=path,
            topic=None if topic is None else gather_topic(self._sources, "notifier's topic", topic),
            queue=self._queue(path, "notifier's queue", NOTICE_QUEUE),
            dead_letter_queue=self._queue(
                path, "notifier's dead-letter queue", NOTIFIER_DEAD_LETTER_QUEUE
            ),
            mapping=self._mapping(path),
            schedule=self._schedule(path),
            webhooks=self._webhooks(path),
        )

    def _queue(self, path: str, noun: QueueNoun, name: str) -> Queue | None:
        id = self._stack.sibling(path, name, "AWS::SQS::Queue")
        return None if id is None else gather_queue(self._sources, noun, id)

    def _mapping(self, path: str) -> Attributes | Unknown | None:
        uuid = self._stack.sibling(path, EVENT_SOURCE, "AWS::Lambda::EventSourceMapping")
        if uuid is None:
            return None
        client = self._sources.aws.client("lambda")
        return self._read(
            "lambda:GetEventSourceMapping",
            lambda: dict(client.get_event_source_mapping(UUID=uuid)),
        )

    def _schedule(self, path: str) -> Attributes | Unknown | None:
        name = self._stack.sibling(path, NOTIFIER_SCHEDULE, "AWS::Scheduler::Schedule")
        if name is None:
            return None
        client = self._sources.aws.client("scheduler")
        return self._read("scheduler:GetSchedule", lambda: dict(client.get_schedule(Name=name)))

    def _webhooks(self, path: str) -> list[WebhookSecret] | Unknown:
        function = self._stack.sibling(path, WEBHOOK_FUNCTION, "AWS::Lambda::Function")
        if function is None:
            return []
        client = self._sources.aws.client("lambda")
        settings = self._read(
            "lambda:GetFunctionConfiguration",
            lambda: dict(client.get_function_configuration(FunctionName=function)),
        )
        if isinstance(settings, Unknown):
            return settings
        return list(self._secrets(settings or {}))

    def _secrets(self, settings: Mapping[str, Any]) -> Iterator[WebhookSecret]:
        variables = (settings.get("Environment") or {}).get("Variables") or {}
        for name in sorted(each for each in variables if each.startswith(_PREFIX)):
            try:
                webhook = json.loads(variables[name])
            except ValueError:
                continue
            if isinstance(webhook, dict):
                yield self._secret(webhook, str(settings.get("Role", "")))

    def _secret(self, webhook: Mapping[str, Any], role: str) -> WebhookSecret:
        is_parameter = "parameter" in webhook
        name = str(webhook.get("parameter" if is_parameter else "secret", ""))
        live = self._parameter(name) if is_parameter else self._described(name)
        arn = None
        if isinstance(live, Mapping):
            arn = str(live.get("ARN") or self._parameter_arn(name))
        decision = None
        # In another account, its own policy decides too.
        if arn is not None and Location.of(arn).account == self._location.account:
            action = _READS["parameter" if is_parameter else "secret"]
            iam = self._sources.aws.client("iam")
            decision = simulated_decision(self._sources.reader, iam, role, action, arn)
        return WebhookSecret(
            webhook=str(webhook.get("id", "")),
            store="parameter" if is_parameter else "secret",
            name=name,
            live=live,
            arn=arn,
            decision=decision,
            role=role.rpartition("/")[2] or None,
        )

    def _described(self, name: str) -> Attributes | Unknown | None:
        client = self._sources.aws.client("secretsmanager")
        return self._read(
            "secretsmanager:DescribeSecret", lambda: dict(client.describe_secret(SecretId=name))
        )

    def _parameter(self, name: str) -> Attributes | Unknown | None:
        """Return a parameter's metadata: its value would be the secret."""
        pages = self._sources.aws.client("ssm").get_paginator("describe_parameters")
        filters = [{"Key": "Name", "Option": "Equals", "Values": [name]}]
        return self._read("ssm:DescribeParameters", functools.partial(_first, pages, filters))

    def _parameter_arn(self, name: str) -> str:
        partition, region, account = self._location
        return f"arn:{partition}:ssm:{region}:{account}:parameter/{name.removeprefix('/')}"


def _first(pages: Any, filters: list[dict[str, Any]]) -> Attributes | None:
    for page in pages.paginate(ParameterFilters=filters):
        for parameter in page["Parameters"]:
            return dict(parameter)
    return None
