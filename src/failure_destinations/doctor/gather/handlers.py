"""Gathers what is known of a stack's handlers: their asynchronous configuration and their role."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from failure_destinations.deployed.session import Aws
from failure_destinations.deployed.stacks import DeployedStack

from ..facts import (
    KEY_ACTIONS,
    Attributes,
    Handler,
    Key,
    Queue,
    Topic,
    Unknown,
    failure_destination,
    name_of,
)
from ..policies import allows
from .aws_reader import Looks
from .metrics import Metrics

_LATEST = "$LATEST"
_THREADS = 8


def gather_handlers(
    aws: Aws, stack: DeployedStack, looks: Looks, topic: Topic, copies: Queue | None
) -> list[Handler]:
    """Return the handlers of a stack that send to a topic, or should.

    Args:
        aws: Where the stack is.
        stack: The stack.
        looks: Does the asking.
        topic: The topic.
        copies: The channel's queue for copies.
    """
    asking = _Asking(aws, stack, looks, topic, copies)
    with ThreadPoolExecutor(_THREADS) as pool:
        found = list(pool.map(asking.handler, stack.of_type("AWS::Lambda::EventInvokeConfig")))
    return [handler for handler in found if handler is not None]


class _Asking:
    def __init__(
        self, aws: Aws, stack: DeployedStack, looks: Looks, topic: Topic, copies: Queue | None
    ) -> None:
        self._stack = stack
        self._looks = looks
        self._topic = topic
        self._copies = copies
        # boto3 makes clients in one thread only.
        self._lambda: Any = aws.client("lambda", connections=_THREADS)
        self._iam = aws.client("iam", connections=_THREADS)
        self._metrics = Metrics(aws, looks, connections=_THREADS)

    def handler(self, id: str) -> Handler | None:
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
        return self._looks.at(
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
        settings = self._looks.at(
            "lambda:GetFunctionConfiguration",
            lambda: dict(self._lambda.get_function_configuration(FunctionName=function)),
        )
        there: bool | Unknown | None = None
        if failure_destination(config) == self._topic.arn:
            topic = self._topic.attributes
            there = topic if isinstance(topic, Unknown) else topic is not None
        handler = Handler(
            function=function,
            qualifier=None if qualifier == _LATEST else qualifier,
            config=config,
            settings=settings,
            destination_there=there,
            declares_copies=self._declares_copies(function),
        )
        if not isinstance(settings, dict):
            return handler
        return dataclasses.replace(
            handler,
            denied=self._denied(settings["Role"], handler.dead_letter_target),
            delivery_failures=self._metrics.delivery_failures(name_of(function)),
        )

    def _declares_copies(self, function: str) -> bool:
        stack = self._stack
        return any(
            "DeadLetterConfig" in stack.properties(id)
            for id in stack.of_type("AWS::Lambda::Function")
            if stack.physical_ids[id] == function
        )

    def _denied(self, role: str, dead_letters: str | None) -> Sequence[str] | Unknown:
        """Return the actions that a role needs and lacks."""
        denied = []
        for action, resource in self._needed(dead_letters):
            decision = self._simulated(role, action, resource)
            if isinstance(decision, Unknown):
                return decision
            open_to_all = decision == "implicitDeny" and self._topic_lets(role, action)
            if decision != "allowed" and not open_to_all:
                denied.append(action)
        return denied

    def _needed(self, dead_letters: str | None) -> Iterator[tuple[str, str]]:
        yield "sns:Publish", self._topic.arn
        key = self._topic.key
        if isinstance(key, Key) and not key.of_aws:
            yield from ((action, key.id) for action in KEY_ACTIONS)
        if self._copies is not None and dead_letters and dead_letters == self._copies.arn:
            yield "sqs:SendMessage", dead_letters

    def _topic_lets(self, role: str, action: str) -> bool:
        """Tell whether the topic's own policy lets the role publish, as SNS's default does."""
        topic = self._topic.attributes
        if action != "sns:Publish" or not isinstance(topic, dict):
            return False
        context = {"aws:SecureTransport": "true", "aws:SourceOwner": role.split(":")[4]}
        policy = json.loads(topic.get("Policy") or "{}")
        arn = self._topic.arn
        return bool(allows(policy, principal=role, action=action, resource=arn, context=context))

    def _simulated(self, role: str, action: str, resource: str) -> str | Unknown:
        """Return IAM's decision.

        https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
        """
        decision = self._looks.at(
            "iam:SimulatePrincipalPolicy",
            lambda: str(
                self._iam.simulate_principal_policy(
                    PolicySourceArn=role, ActionNames=[action], ResourceArns=[resource]
                )["EvaluationResults"][0]["EvalDecision"]
            ),
        )
        # A role that is not there lets nobody do anything.
        return "implicitDeny" if decision is None else decision
