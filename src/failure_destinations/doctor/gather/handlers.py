"""Reads a channel's handlers: their asynchronous configuration, their role and its permissions."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

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
    Key,
    Permission,
    Queue,
    Topic,
    Unknown,
    failure_destination,
    name_of,
)
from ..policies import allows
from .aws_reader import unknown
from .metrics import Metrics
from .sources import Sources

_LATEST = "$LATEST"
_THREADS = 8


@dataclass(frozen=True)
class Handlers:
    """The handlers of a channel.

    Attributes:
        handlers: The handlers in all stacks of the account and Region.
        unlisted: Why there may be others; None if there are no others.
    """

    handlers: Sequence[Handler]
    unlisted: Unknown | None = None


def gather_handlers(
    sources: Sources, topic: Topic, copies: Queue | None, progress: Progress
) -> Handlers:
    """Return the handlers that send or should send to a topic.

    The template has those of the channel's stack; AWS lists those of all stacks.

    Args:
        sources: The sources of facts.
        topic: The channel's topic.
        copies: The channel's copy queue.
        progress: Gets a report of each function in the account.
    """
    reading = _Handlers(sources, topic, copies)
    configs = sources.stack.of_type("AWS::Lambda::EventInvokeConfig")
    with ThreadPoolExecutor(_THREADS) as pool:
        declared = [handler for handler in pool.map(reading.declared, configs) if handler]
        arn = None if copies is None else copies.arn
        search = sources.reader.read(
            "lambda:ListFunctions",
            lambda: find_handlers(sources.aws, topic.arn, arn, progress),
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
    def __init__(self, sources: Sources, topic: Topic, copies: Queue | None) -> None:
        aws, self._stack, reader, _ = sources
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
        needed = list(self._needed(handler.dead_letter_target))
        return dataclasses.replace(
            handler,
            needed=needed,
            denied=self._denied(str(settings["Role"]), needed),
            delivery_failures=self._metrics.delivery_failures(name_of(function)),
            role_id=None if self._copies is None else self._role_id(handler.role or ""),
        )

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
        topic_key = _key_id(self._topic.key)
        yield Permission("sns:Publish", self._topic.arn, "topic")
        if topic_key is not None:
            yield from (Permission(action, topic_key, "topic") for action in KEY_ACTIONS)
        copies = self._copies
        if copies is None or not dead_letters or dead_letters != copies.arn:
            return
        yield Permission("sqs:SendMessage", dead_letters, "copy queue")
        copy_key = _key_id(copies.key)
        if copy_key not in (None, topic_key):
            yield from (Permission(action, str(copy_key), "copy queue") for action in KEY_ACTIONS)

    def _denied(self, role: str, needed: Sequence[Permission]) -> Sequence[Permission] | Unknown:
        """Return the needed permissions that a role lacks."""
        denied = []
        for permission in needed:
            decision = self._simulated(role, permission)
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
        context = {"aws:SecureTransport": "true", "aws:SourceOwner": role.split(":")[4]}
        return bool(
            allows(
                json.loads(topic.get("Policy") or "{}"),
                principal=role,
                action=permission.action,
                resource=permission.resource,
                context=context,
            )
        )

    def _simulated(self, role: str, permission: Permission) -> str | Unknown:
        """Return the decision of IAM's policy simulator.

        https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
        """
        decision = self._read(
            "iam:SimulatePrincipalPolicy",
            lambda: str(
                self._iam.simulate_principal_policy(
                    PolicySourceArn=role,
                    ActionNames=[permission.action],
                    ResourceArns=[permission.resource],
                )["EvaluationResults"][0]["EvalDecision"]
            ),
        )
        # A role that does not exist has no permissions.
        return "implicitDeny" if decision is None else decision


def _key_id(key: Key | Unknown | None) -> str | None:
    """Return the ARN of a key whose use must be granted; None if it need not be."""
    return key.id if isinstance(key, Key) and not key.of_aws else None
