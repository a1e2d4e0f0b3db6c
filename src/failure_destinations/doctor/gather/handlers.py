"""Reads a channel's handlers: their asynchronous configuration, their role and what it may do."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from failure_destinations.deployed.session import Aws
from failure_destinations.deployed.stacks import DeployedStack

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
from .aws_reader import AwsReader
from .metrics import Metrics

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient

_LATEST = "$LATEST"
_THREADS = 8


def gather_handlers(
    aws: Aws, stack: DeployedStack, reader: AwsReader, topic: Topic, copies: Queue | None
) -> list[Handler]:
    """Return the handlers of a stack that send to a topic, or should.

    Args:
        aws: Where the stack is.
        stack: The stack.
        reader: Reads from AWS.
        topic: The channel's topic.
        copies: The channel's copy queue.
    """
    handlers = _Handlers(aws, stack, reader, topic, copies)
    with ThreadPoolExecutor(_THREADS) as pool:
        found = list(pool.map(handlers.of_config, stack.of_type("AWS::Lambda::EventInvokeConfig")))
    return [handler for handler in found if handler is not None]


class _Handlers:
    def __init__(
        self, aws: Aws, stack: DeployedStack, reader: AwsReader, topic: Topic, copies: Queue | None
    ) -> None:
        self._stack = stack
        self._read = reader.read
        self._topic = topic
        self._copies = copies
        # boto3 makes clients in one thread only.
        self._lambda: LambdaClient = aws.client("lambda", connections=_THREADS)
        self._iam: IAMClient = aws.client("iam", connections=_THREADS)
        self._metrics = Metrics(aws, reader, connections=_THREADS)

    def of_config(self, id: str) -> Handler | None:
        """Return the handler of an asynchronous configuration; None if it is not the channel's."""
        properties = self._stack.properties(id)
        declared = self._stack.resolve(failure_destination(properties))
        function = self._stack.resolve(properties.get("FunctionName"))
        if function is None or declared not in (None, self._topic.arn):
            return None
        qualifier = self._stack.resolve(properties.get("Qualifier")) or _LATEST
        config = self._config(function, qualifier)
        if declared is None and failure_destination(config) != self._topic.arn:
            return None
        return self._handler(function, qualifier, config)

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
        self, function: str, qualifier: str, config: Attributes | Unknown | None
    ) -> Handler:
        settings = self._read(
            "lambda:GetFunctionConfiguration",
            lambda: dict(self._lambda.get_function_configuration(FunctionName=function)),
        )
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
        if not isinstance(settings, dict):
            return handler
        needed = list(self._needed(handler.dead_letter_target))
        return dataclasses.replace(
            handler,
            needed=needed,
            denied=self._denied(str(settings["Role"]), needed),
            delivery_failures=self._metrics.delivery_failures(name_of(function)),
            role_id=None if self._copies is None else self._role_id(handler.role or ""),
        )

    def _declares_copies(self, function: str) -> bool:
        """Return whether the template gives a function the copy queue, or one it does not name."""
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
        """Return what a role needs and lacks."""
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
        """Return IAM's decision.

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
        # A role that does not exist lets nobody do anything.
        return "implicitDeny" if decision is None else decision


def _key_id(key: Key | Unknown | None) -> str | None:
    """Return the ARN of a key whose use is granted; None if nobody grants it."""
    return key.id if isinstance(key, Key) and not key.of_aws else None
