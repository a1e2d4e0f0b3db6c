"""Tells Lambda where a handler's failed events go: the EventInvokeConfig of what is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from aws_cdk import CfnResource, Duration, Reference, Stack, Tokenization
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from constructs import Construct

from ._checks import check_age, check_count, has_member

if TYPE_CHECKING:
    from .channel import FailureChannel

# https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html
MAX_RETRIES = 2
MIN_EVENT_AGE_SECONDS = 60
MAX_EVENT_AGE_SECONDS = 21_600

# CDK's own id for the child of a function that holds its asynchronous configuration.
_CONFIG_ID = "EventInvokeConfig"


class AttachedHandler(NamedTuple):
    """A handler of a channel."""

    handler: lambda_.IFunction
    # Where its asynchronous configuration is: what else is about it and refers to the channel can
    # be defined there, without the channel's stack referring back.
    scope: Construct
    max_event_age: Duration | None


class AsyncConfig:
    """What Lambda does with the asynchronous events of a handler: checked first, then defined."""

    def __init__(
        self,
        handler: lambda_.IFunction,
        *,
        retries: int,
        max_event_age: Duration | None,
        on_success: lambda_.IDestination | None,
    ) -> None:
        """Refuse a handler, or settings of it, whose failed events would not arrive."""
        check_count(
            "retries",
            retries,
            MAX_RETRIES,
            "Lambda runs a failed asynchronous event again 2 times at most",
        )
        check_age("max_event_age", max_event_age, MIN_EVENT_AGE_SECONDS, MAX_EVENT_AGE_SECONDS)
        _check_on_success(on_success)
        _check_handler(handler)
        self._handler = handler
        self._retries = retries
        self._max_event_age = max_event_age
        self._on_success = on_success

    def define(self, channel: FailureChannel, scope: Construct | None = None) -> Construct:
        """Define the EventInvokeConfig, and return it for others to depend on.

        It is a child of the handler, as with CDK's `configure_async_invoke`, unless a scope in
        another stack is given: then everything is defined there, so that the scope's stack refers
        to the handler's and never the other way round.
        """
        place = cast(Construct, self._handler)
        if scope is None or self._handler.stack is Stack.of(scope):
            config = self._define_beside_handler(channel)
        else:
            place = scope
            config = self._define_in(scope, channel)
        if self._on_success is not None:
            _check_bound(config)
        # A record that SNS has nowhere to deliver to is lost.
        config.node.add_dependency(channel.queue_subscription, channel.dead_letter_queue)
        channel._handlers.add(AttachedHandler(self._handler, place, self._max_event_age))
        return config

    def _define_beside_handler(self, channel: FailureChannel) -> Construct:
        handler = self._handler
        handler.configure_async_invoke(
            on_failure=destinations.SnsDestination(channel.topic),
            on_success=self._on_success,
            retry_attempts=self._retries,
            max_event_age=self._max_event_age,
        )
        config = cast(Construct, handler.node.find_child(_CONFIG_ID))
        if not isinstance(handler, lambda_.Function):
            # Lambda refuses a destination that the role may not publish to. A function waits for
            # the policies of its role; what is imported does not.
            config.node.add_dependency(cast(iam.IRole, handler.role))
        return config

    def _define_in(self, scope: Construct, channel: FailureChannel) -> Construct:
        function, qualifier = function_and_qualifier(self._handler)
        policy = iam.Policy(scope, "HandlerPolicy", roles=[cast(iam.IRole, self._handler.role)])
        channel.topic.grant_publish(policy)
        config = lambda_.CfnEventInvokeConfig(
            scope,
            _CONFIG_ID,
            function_name=function.function_name,
            qualifier=qualifier,
            destination_config=self._destination_config(scope, channel),
            maximum_retry_attempts=self._retries,
            maximum_event_age_in_seconds=(
                None if self._max_event_age is None else self._max_event_age.to_seconds()
            ),
        )
        config.node.add_dependency(policy)
        # Nothing is defined in the handler's stack, but whoever is next must find it taken.
        Construct(cast(Construct, self._handler), _CONFIG_ID)
        return config

    def _destination_config(
        self, scope: Construct, channel: FailureChannel
    ) -> lambda_.CfnEventInvokeConfig.DestinationConfigProperty:
        on_success = None
        if self._on_success is not None:
            bound = self._on_success.bind(
                scope, self._handler, type=lambda_.DestinationType.SUCCESS
            )
            on_success = lambda_.CfnEventInvokeConfig.OnSuccessProperty(
                destination=bound.destination
            )
        return lambda_.CfnEventInvokeConfig.DestinationConfigProperty(
            on_failure=lambda_.CfnEventInvokeConfig.OnFailureProperty(
                destination=channel.topic.topic_arn
            ),
            on_success=on_success,
        )


def function_and_qualifier(handler: Any) -> tuple[lambda_.IFunction, str]:
    """Return the function and the name of the version or alias that callers use."""
    if has_member(handler, "alias_name"):
        return handler.version.lambda_, handler.alias_name
    if has_member(handler, "version"):
        return handler.lambda_, handler.version
    return handler, "$LATEST"


def _check_on_success(on_success: Any) -> None:
    if on_success is None:
        return
    if isinstance(on_success, destinations.S3Destination):
        raise ValueError(
            "on_success must not be an S3Destination, got one: Lambda sends only failures to S3; "
            "use a standard queue or topic, an event bus or a function"
        )
    if not has_member(on_success, "bind"):
        raise ValueError(
            f"on_success must be an aws_lambda.IDestination, got {on_success!r}: "
            "write for example aws_lambda_destinations.SqsDestination(queue)"
        )


def _check_bound(config: Any) -> None:
    """Refuse a FIFO queue or topic: a destination shows what it wraps only once it is bound."""
    resource: Any = config if isinstance(config, CfnResource) else config.node.default_child
    arn = resource.destination_config.on_success.destination
    token: Any = Tokenization.reverse_string(arn).first_token
    target = token.target if token is not None and Reference.is_reference(token) else None
    fifo = getattr(target, "fifo_queue", None) or getattr(target, "fifo_topic", None)
    if fifo or arn.endswith(".fifo"):
        name = target.node.scope.node.path if target is not None else arn
        raise ValueError(
            f"on_success must be a standard queue or topic, got FIFO {name!r}: "
            "Lambda cannot send records to FIFO queues and topics"
        )


def check_is_function(handler: Any) -> None:
    """Refuse what is no function, version or alias."""
    if not has_member(handler, "configure_async_invoke"):
        raise ValueError(
            f"handler must be a Lambda function, version or alias, got {handler!r}: "
            "pass the construct, not its name or ARN"
        )


def _check_handler(handler: Any) -> None:
    check_is_function(handler)
    node = handler.node
    if node.try_find_child(_CONFIG_ID) is not None:
        raise ValueError(
            f"handler must have no asynchronous configuration yet, got {node.path!r} with one: "
            "remove on_failure, on_success, retry_attempts and max_event_age where it is defined, "
            "or its configure_async_invoke call, or its other failure channel"
        )
    # A function that this app defines always has a role.
    if not isinstance(handler, lambda_.Function) and handler.role is None:
        raise ValueError(
            f"handler must have a role, got {node.path!r} imported without one: import it with "
            "Function.from_function_attributes(…, role=…), so that Lambda may send its failures"
        )
