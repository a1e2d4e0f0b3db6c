"""Attaches durable functions: Lambda sends their failures to their dead-letter queue only.

https://docs.aws.amazon.com/lambda/latest/dg/durable-best-practices.html
"""

from __future__ import annotations

from typing import Any, cast

import jsii
from aws_cdk import Annotations, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct, IValidation

from failure_destinations import names

from .. import keys
from ..called import Called
from ..grants import add_statements
from ..refusals import shown
from ..retention import default_retention
from ..runtime_code import MEMORY_MB, RUNTIME, runtime_code
from ..suppressions import DATA_KEYS, acknowledge, suppress_for_forwarder
from .conditions import copy_condition
from .forwarder_role import define_forwarder_role
from .wiring import AttachedHandler, Wiring

_TIMEOUT_SECONDS = 30
# As AWS recommends for a queue that feeds a function.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
_VISIBILITY_FACTOR = 6
# About 15 minutes, after which the channel's dead-letter queue keeps the event.
_MAX_RECEIVES = 5
_LATEST = "$LATEST"


class DurableFailures(Construct):
    """Brings the failures of one durable function to a channel.

    Defines a queue, which is the function's dead-letter queue, and a Lambda function that sends
    each event from there to the channel's topic, in the form of an invocation record. Events that
    cannot be sent there go to the channel's dead-letter queue. They are defined in the function's
    stack, which refers to the channel's stack and never the other way round.

    Only the function's role is allowed to send to the queue, and each record names that function,
    so no other function can have it run.
    """

    def __init__(self, wiring: Wiring, called: Called) -> None:
        """Define it as a child of the function.

        Args:
            wiring: The channel's wiring.
            called: The function, or the version or alias of it that callers invoke.
        """
        super().__init__(cast(Construct, called.function), names.DURABLE_FAILURES)
        self._wiring = wiring
        key = wiring.key
        self.queue = sqs.Queue(
            self,
            names.QUEUE,
            retention_period=default_retention(),
            visibility_timeout=Duration.seconds(_TIMEOUT_SECONDS * _VISIBILITY_FACTOR),
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=wiring.dead_letter_queue, max_receive_count=_MAX_RECEIVES
            ),
            enforce_ssl=True,
            encryption=sqs.QueueEncryption.KMS if key else sqs.QueueEncryption.SQS_MANAGED,
            encryption_master_key=key,
            removal_policy=RemovalPolicy.RETAIN,
        )
        log_group = logs.LogGroup(
            self,
            "Logs",
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.forwarder = lambda_.Function(
            self,
            "Forwarder",
            description=f"Sends failures of {called.function.node.path} to its channel"[:256],
            runtime=RUNTIME,
            handler="runtime.forwarder.handler",
            code=runtime_code(),
            role=define_forwarder_role(self, wiring, self.queue, log_group),
            log_group=log_group,
            memory_size=MEMORY_MB,
            timeout=Duration.seconds(_TIMEOUT_SECONDS),
            environment={
                "TOPIC_ARN": wiring.topic.topic_arn,
                "QUEUE_URL": wiring.queue.queue_url,
                "FUNCTION_ARN": qualified_arn(called),
                "ROLE_ID": _role_id(called),
            },
        )
        self._event_source = lambda_.EventSourceMapping(
            self,
            names.EVENT_SOURCE,
            target=self.forwarder,
            event_source_arn=self.queue.queue_arn,
            batch_size=1,
            report_batch_item_failures=True,
        )
        # SNS loses a record that arrives before the topic has its subscription.
        self._event_source.node.add_dependency(wiring.queue_subscription)
        suppress_for_forwarder(
            self.forwarder,
            self._event_source,
            self.queue,
            log_group,
            encrypted=key is not None,
        )

    def catch_failures_of(self, called: Called) -> None:
        """Make the queue the dead-letter queue of the function, which must not have one."""
        resource = cast(lambda_.CfnFunction, called.resource)
        role = cast(iam.IRole, called.function.role)
        statements = [
            iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[self.queue.queue_arn])
        ]
        if self._wiring.key is not None:
            statements.append(keys.statement(keys.SEND, self._wiring.key))
        if role.stack is not called.function.stack and isinstance(role, iam.Role):
            # The role's stack must not refer to the function's, which refers to the role.
            policy = iam.Policy(self, "HandlerPolicy", roles=[role], statements=statements)
            # Lambda rejects a queue that the role may not send to.
            resource.node.add_dependency(policy)
        elif not add_statements(role, statements):
            Annotations.of(called.function).add_warning_v2(
                "failure-destinations:fixed-role",
                "the durable function's role cannot be changed here: allow it to use "
                f"sqs:SendMessage on the queue {self.queue.node.path}"
                + (f" and {keys.in_words(keys.SEND)} on its key" if self._wiring.key else "")
                + ", or Lambda rejects its dead-letter queue.",
            )
        if self._wiring.key is not None:
            acknowledge(role, DATA_KEYS)
        resource.dead_letter_config = lambda_.CfnFunction.DeadLetterConfigProperty(
            target_arn=self.queue.queue_arn
        )

    def follow_condition(self, called: Called) -> None:
        """Copy the function's condition to what refers to the function."""
        for construct in (self._event_source, self.forwarder):
            copy_condition(called, construct)


def attach_durable(wiring: Wiring, called: Called, scope_stack: Stack | None = None) -> Construct:
    """Attach a durable function to a channel, and return what catches its failures.

    Args:
        wiring: The channel's wiring.
        called: The function, or the version or alias of it that callers invoke.
        scope_stack: The stack of the construct that attaches it. Default: the function's.

    Raises:
        ValueError: The function has a dead-letter queue already, or could not refer to the channel.
    """
    handler = called.handler
    wiring.check_within_reach(handler, called.stack)
    _check_free(called)
    if scope_stack is wiring.stack and scope_stack is not called.function.stack:
        raise ValueError(
            f"handler must be in the channel's stack, or the channel in another one, got "
            f"{shown(called.node.path)}, a durable function, and "
            f"{shown(wiring.channel.node.path)}: its stack would refer to the channel's, and the "
            "other way round; define a FailureChannel in a stack of its own and pass channel=…"
        )
    failures = DurableFailures(wiring, called)
    failures.catch_failures_of(called)
    wiring.deferred.append(lambda: failures.follow_condition(called))
    attached = AttachedHandler(
        handler,
        cast(Construct, handler),
        failures,
        arn=qualified_arn(called),
        has_destination=False,
    )
    wiring.handlers.append(attached)
    return failures


def check_no_settings(called: Called, given: dict[str, Any]) -> None:
    """Raise ValueError if a durable function was given settings that Lambda does not apply.

    Args:
        called: The function, or a version or alias of it.
        given: The settings that the user gave.
    """
    for name, value in given.items():
        raise ValueError(
            f"{name} must be left out for a durable function, got {name}={shown(value)} for "
            f"{shown(called.node.path)}: Lambda neither retries its executions nor sends them to "
            "destinations; retry its steps in the function instead"
        )


def qualified_arn(called: Called) -> str:
    """Return the ARN with which Lambda lets a durable function be invoked: always qualified.

    https://docs.aws.amazon.com/lambda/latest/dg/durable-invoking.html
    """
    arn = called.handler.function_arn
    return f"{arn}:{_LATEST}" if called.function is called.handler else arn


@jsii.implements(IValidation)
class DurableCheck:
    """Reports a handler that became durable after it was attached as any other function.

    Args:
        wiring: The channel's wiring.
    """

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    def validate(self) -> list[str]:
        """Return an error for each such handler."""
        return [
            f"{called.node.path} must be durable before it is attached: set "
            "durable_config where the function is defined, so that the channel gets its failures"
            for called in self._wiring.with_destination
            if called.is_durable
        ]


def _check_free(called: Called) -> None:
    resource = cast(lambda_.CfnFunction, called.resource)
    function = called.function
    if function.node.try_find_child(names.DURABLE_FAILURES) is not None:
        raise ValueError(
            f"handler must be attached once, got {shown(called.node.path)}, a durable function of "
            "which another version or alias is attached: its dead letters do not say which was "
            "invoked; attach the one that callers invoke"
        )
    if resource.dead_letter_config is not None:
        raise ValueError(
            f"handler must have no dead-letter queue, got {shown(called.node.path)}, a durable "
            "function with one: Lambda sends its failures only there, and the channel would get "
            "none; remove dead_letter_queue, dead_letter_topic and dead_letter_queue_enabled where "
            "it is defined"
        )


def _role_id(called: Called) -> str:
    """Return the unique id of the function's role; empty if that is imported."""
    role = called.function.role
    return role.role_id if isinstance(role, iam.Role) else ""
