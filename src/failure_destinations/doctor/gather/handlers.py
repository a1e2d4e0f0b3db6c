"""Reads a channel's handlers: their asynchronous configuration, their role and its permissions."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from failure_destinations.deployed.durable_queues import DurableQueues
from failure_destinations.deployed.handlers import (
    ChannelHandler,
    HandlerSearch,
    find_handlers,
)
from failure_destinations.progress import Progress

from ..facts import (
    KEY_ACTIONS,
    Attributes,
    Handler,
    Permission,
    Queue,
    Topic,
    Unknown,
    failure_destination,
    name_of,
)
from .aws_reader import unknown
from .keys import key_to_grant
from .metrics import Metrics
from .simulation import resource_lets, simulated_decision
from .sources import Sources

_LATEST = "$LATEST"
_THREADS = 8


@dataclass(frozen=True)
class Handlers:
    """The handlers of a channel.

    Attributes:
        handlers: The handlers in all stacks of the account and Region.
        unlisted: Why the list may be incomplete; None if it is complete.
    """

    handlers: Sequence[Handler]
    unlisted: Unknown | None = None


def gather_handlers(
    sources: Sources,
    topic: Topic,
    copies: Queue | None,
    dead_letter_queue_arn: str | None,
    progress: Progress,
) -> Handlers:
    """Return the handlers that send or should send to a topic.

    The template has those of the channel's stack; AWS lists those of all stacks.

    Args:
        sources: The sources of facts.
        topic: The channel's topic.
        copies: The channel's copy queue.
        dead_letter_queue_arn: The channel's dead-letter queue.
        progress: Gets a report of each function in the account.
    """
    # boto3 can create clients in one thread only.
    sqs = sources.aws.client("sqs", connections=_THREADS)
    durable_queues = DurableQueues(sqs, dead_letter_queue_arn)
    reading = _Handlers(sources, topic, copies, durable_queues)
    configs = sources.stack.of_type("AWS::Lambda::EventInvokeConfig")
    with ThreadPoolExecutor(_THREADS) as pool:
        declared = [handler for handler in pool.map(reading.declared, configs) if handler]
        arn = None if copies is None else copies.arn
        search = sources.reader.read(
            "lambda:ListFunctions",
            lambda: find_handlers(
                sources.aws, topic.arn, arn, progress, durable_queues=durable_queues
            ),
        )
        if search is None or isinstance(search, Unknown):
            return Handlers(declared, search)
        names = {handler.name for handler in declared}
        others = [each for each in search.handlers if _name(each) not in names]
        listed = list(pool.map(reading.listed, others))
    return Handlers([*declared, *listed], _unlisted(search))


def _name(found: ChannelHandler) -> str:
    name = name_of(found.function_arn)
    return name if found.qualifier is None else f"{name}:{found.qualifier}"


def _unlisted(search: HandlerSearch) -> Unknown | None:
    error = next(iter(search.unreadable.values()), None)
    if error is None:
        return None
    return unknown("lambda:ListFunctionEventInvokeConfigs", error)


class _Handlers:
    def __init__(
        self,
        sources: Sources,
        topic: Topic,
        copies: Queue | None,
        durable_queues: DurableQueues,
    ) -> None:
        self._durable_queues = durable_queues
        aws, reader = sources.aws, sources.reader
        self._stack = sources.stack
        self._reader = reader
        self._read = reader.read
        self._topic = topic
        self._copies = copies
        # boto3 can create clients in one thread only.
        self._lambda = aws.client("lambda", connections=_THREADS)
        self._iam = aws.client("iam", connections=_THREADS)
        self._metrics = Metrics(aws, reader, connections=_THREADS)

    def listed(self, found: ChannelHandler) -> Handler:
        """Return a handler that AWS listed."""
        config = None if found.invoke_config is None else dict(found.invoke_config)
        qualifier = found.qualifier or _LATEST
        settings = dict(found.configuration)
        return self._handler(name_of(found.function_arn), qualifier, config, settings)

    def declared(self, id: str) -> Handler | None:
        """Return an asynchronous configuration's handler; None if it is not this channel's."""
        properties = self._stack.properties(id)
        declared = self._stack.resolve(failure_destination(properties))
        function = self._stack.resolve(properties.get("FunctionName"))
        if function is None or declared not in (None, self._topic.arn):
            return None
        qualifier = self._stack.resolve(properties.get("Qualifier")) or _LATEST
        config = self._config(function, qualifier)
        if declared is None and failure_destination(config) != self._topic.arn:
            return None
        settings = self._read(
            "lambda:GetFunctionConfiguration",
            lambda: dict(self._lambda.get_function_configuration(FunctionName=function)),
        )
        return self._handler(function, qualifier, config, settings)

    def _config(self, function: str, qualifier: str) -> Attributes | Unknown | None:
        return self._read(
            "lambda:GetFunctionEventInvokeConfig",
            lambda: dict(
                self._lambda.get_function_event_invoke_config(
                    FunctionName=function, Qualifier=qualifier
                )
            ),
        )

    def _handler(
        self,
        function: str,
        qualifier: str,
        config: Attributes | Unknown | None,
        settings: Attributes | Unknown | None,
    ) -> Handler:
        exists: bool | Unknown | None = None
        if failure_destination(config) == self._topic.arn:
            topic = self._topic.attributes
            exists = topic if isinstance(topic, Unknown) else topic is not None
        handler = Handler(
            function=function,
            qualifier=None if qualifier == _LATEST else qualifier,
            config=config,
            settings=settings,
            destination_exists=exists,
            declares_copies=self._declares_copies(function),
        )
        if not isinstance(settings, Mapping):
            # Without the role, it is not known whether the handler sent a copy.
            return dataclasses.replace(handler, role_id=settings)
        needed = [] if handler.is_durable else list(self._needed(handler.dead_letter_target))
        return dataclasses.replace(
            handler,
            is_forwarded=(is_forwarded := self._is_forwarded(handler)),
            forwarder=self._forwarder(handler) if is_forwarded is True else None,
            needed=needed,
            denied=self._denied(str(settings["Role"]), needed),
            delivery_failures=self._metrics.delivery_failures(name_of(function)),
            role_id=None if self._copies is None else self._role_id(handler.role or ""),
        )

    def _is_forwarded(self, handler: Handler) -> bool | Unknown:
        if not handler.is_durable:
            return False
        target = handler.dead_letter_target
        found = self._read("sqs:GetQueueAttributes", lambda: self._durable_queues.includes(target))
        return found if isinstance(found, Unknown) else bool(found)

    def _forwarder(self, handler: Handler) -> Attributes | Unknown | None:
        """Return the mapping that passes a durable function's dead letters on."""
        arn = str(handler.dead_letter_target)
        found = self._read(
            "lambda:ListEventSourceMappings",
            lambda: self._lambda.list_event_source_mappings(EventSourceArn=arn),
        )
        if found is None or isinstance(found, Unknown):
            return found
        return next((dict(each) for each in found["EventSourceMappings"]), None)

    def _declares_copies(self, function: str) -> bool:
        """Return whether the template sets the copy queue on a function, or an unknown queue."""
        stack, copies = self._stack, self._copies
        targets = [
            stack.resolve((stack.properties(id).get("DeadLetterConfig") or {}).get("TargetArn"))
            for id in stack.of_type("AWS::Lambda::Function")
            if stack.physical_ids[id] == function and "DeadLetterConfig" in stack.properties(id)
        ]
        known = (None,) if copies is None else (None, copies.url, copies.arn)
        return any(target in known for target in targets)

    def _role_id(self, role: str) -> str | Unknown | None:
        return self._read(
            "iam:GetRole", lambda: self._iam.get_role(RoleName=role)["Role"]["RoleId"]
        )

    def _needed(self, dead_letters: str | None) -> Iterator[Permission]:
        topic_key = key_to_grant(self._topic.key)
        yield Permission("sns:Publish", self._topic.arn, "topic")
        if topic_key is not None:
            yield from (Permission(action, topic_key, "topic") for action in KEY_ACTIONS)
        copies = self._copies
        if copies is None or not dead_letters or dead_letters != copies.arn:
            return
        yield Permission("sqs:SendMessage", dead_letters, "copy queue")
        copy_key = key_to_grant(copies.key)
        if copy_key not in (None, topic_key):
            yield from (Permission(action, str(copy_key), "copy queue") for action in KEY_ACTIONS)

    def _denied(self, role: str, needed: Sequence[Permission]) -> Sequence[Permission] | Unknown:
        """Return the needed permissions that a role lacks."""
        denied = []
        for permission in needed:
            decision = simulated_decision(
                self._reader, self._iam, role, permission.action, permission.resource
            )
            if isinstance(decision, Unknown):
                return decision
            open_to_all = decision == "implicitDeny" and self._topic_lets(role, permission)
            if decision != "allowed" and not open_to_all:
                explicit = decision == "explicitDeny"
                denied.append(dataclasses.replace(permission, explicit=explicit))
        return denied

    def _topic_lets(self, role: str, permission: Permission) -> bool:
        """Return whether the topic's own policy lets the role publish, as SNS's default does."""
        topic = self._topic.attributes
        if permission.action != "sns:Publish" or not isinstance(topic, dict):
            return False
        policy = json.loads(topic.get("Policy") or "{}")
        return resource_lets(policy, role, permission.action, permission.resource)
