"""Tells Lambda where a handler's failed events go: the EventInvokeConfig of what is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from aws_cdk import Annotations, Duration, Stack, Token
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from constructs import Construct

from ..suppressions import DATA_KEYS, acknowledge
from .called import Called, function_and_qualifier
from .copies import keep_copies
from .refusals import check_age, check_count, fifo_name, has_member, is_token

if TYPE_CHECKING:
    from .channel import FailureChannel

# https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html
MAX_RETRIES = 2
MIN_EVENT_AGE_SECONDS = 60
MAX_EVENT_AGE_SECONDS = 21_600

# CDK's own id for the child of a function that holds its asynchronous configuration.
_CONFIG_ID = "EventInvokeConfig"
# And of the role that it defines for a function that was given none.
_ROLE_ID = "ServiceRole"
# Marks a handler whose configuration is defined elsewhere.
_ATTACHED = "failure-destinations:attached"
_ARN_PARTS = 7


class AttachedHandler(NamedTuple):
    """A handler of a channel."""

    handler: lambda_.IFunction
    # Where its asynchronous configuration is: what else is about it and refers to the channel can
    # be defined there, without the channel's stack referring back.
    scope: Construct
    max_event_age: Duration | None
    # Whether Lambda sends records of its successes somewhere.
    tells_success: bool = False


class AsyncConfig:
    """What Lambda does with the asynchronous events of a handler: checked first, then defined."""

    def __init__(
        self,
        called: Called,
        *,
        retries: int,
        max_event_age: Duration | None,
        on_success: lambda_.IDestination | None,
    ) -> None:
        """Refuse a handler, or settings of it, whose failed events would not arrive."""
        check_settings(retries, max_event_age)
        _check_on_success(on_success)
        _check_free(called)
        self._called = called
        self._retries = Token.as_number(retries) if is_token(retries) else int(retries)
        self._max_event_age = max_event_age
        self._on_success = on_success
        self._policy: iam.Policy | None = None
        self.may_publish = True

    def define(
        self,
        channel: FailureChannel,
        scope: Construct | None = None,
        scope_stack: Stack | None = None,
    ) -> Construct:
        """Define the EventInvokeConfig, and return it for others to depend on.

        It is a child of the handler, as with CDK's `configure_async_invoke`, unless a scope in
        another stack is given: then everything is defined there, so that the scope's stack refers
        to the handler's and never the other way round.
        """
        called = self._called
        handler, stack = called.handler, called.stack
        place = cast(Construct, handler)
        if scope is not None and stack is not scope_stack:
            place = scope
        channel._check_within_reach(handler, stack)
        # Most functions have the role that CDK defines for them.
        own_role = called.node.try_find_child(_ROLE_ID) is not None
        role = None if own_role else cast(iam.IRole, handler.role)
        role_is_afar = role is not None and role.stack is not stack
        if place is scope or (role_is_afar and isinstance(handler, Construct)):
            config = self._define_in(place, cast(iam.IRole, handler.role), channel)
        else:
            config = self._define_beside_handler(role, channel)
        # A record that SNS has nowhere to deliver to is lost.
        config.node.add_dependency(channel.queue_subscription, channel.dead_letter_queue)
        if channel.copy_queue is not None:
            beside = self._policy if place is not scope else None
            keep_copies(channel, channel.copy_queue, called, role, place=place, policy=beside)
        if channel._publishers_use_key or channel.encryption_key is not None:
            # Where CDK writes what the role is granted.
            acknowledge(self._policy or handler.role, DATA_KEYS)
        channel._configs.append((called, config))
        tells_success = self._on_success is not None
        channel._handlers.add(AttachedHandler(handler, place, self._max_event_age, tells_success))
        return config

    def _define_beside_handler(self, role: iam.IRole | None, channel: FailureChannel) -> Construct:
        handler, node = self._called.handler, self._called.node
        handler.configure_async_invoke(
            on_failure=channel._failure_destination,
            on_success=self._on_success,
            retry_attempts=self._retries,
            max_event_age=self._max_event_age,
        )
        config = cast(Construct, node.find_child(_CONFIG_ID))
        if self._on_success is not None:
            resource = cast(lambda_.CfnEventInvokeConfig, config.node.default_child)
            try:
                _check_success(resource, channel)
            except ValueError:
                node.try_remove_child(_CONFIG_ID)
                raise
        if role is not None:
            if not isinstance(handler, lambda_.Function):
                # Lambda refuses a destination that the role may not publish to. A function waits
                # for the policies of its role; what is imported does not.
                config.node.add_dependency(role)
            self.may_publish = _may_publish(role, handler, channel)
        return config

    def _define_in(self, scope: Construct, role: iam.IRole, channel: FailureChannel) -> Construct:
        """Define everything in a stack that is not the handler's, or not its role's."""
        handler: Any = self._called.handler
        function, qualifier = function_and_qualifier(handler)
        policy = self._policy = iam.Policy(scope, "HandlerPolicy", roles=[role])
        channel.topic.grant_publish(policy)
        on_failure = lambda_.CfnEventInvokeConfig.OnFailureProperty(
            destination=channel.topic.topic_arn
        )
        config = lambda_.CfnEventInvokeConfig(
            scope,
            _CONFIG_ID,
            function_name=function.function_name,
            qualifier=qualifier,
            destination_config=lambda_.CfnEventInvokeConfig.DestinationConfigProperty(
                on_failure=on_failure, on_success=self._bind_success(scope, role)
            ),
            maximum_retry_attempts=self._retries,
            maximum_event_age_in_seconds=(
                None if self._max_event_age is None else self._max_event_age.to_seconds()
            ),
        )
        if self._on_success is not None:
            _check_success(config, channel)
        config.node.add_dependency(policy)
        if handler is not scope:
            # Nothing is defined in the handler's stack, but whoever is next must find it taken.
            self._called.node.add_metadata(_ATTACHED, scope.node.path)
            if isinstance(handler, Construct):
                Construct(handler, _CONFIG_ID)
        return config

    def _bind_success(
        self, scope: Construct, role: iam.IRole
    ) -> lambda_.CfnEventInvokeConfig.OnSuccessProperty | None:
        if self._on_success is None:
            return None
        # Seen from here, so that what the role is granted is defined here too.
        view = lambda_.Function.from_function_attributes(
            scope,
            "Handler",
            function_arn=self._called.handler.function_arn,
            role=iam.Role.from_role_arn(scope, "HandlerRole", role.role_arn),
            same_environment=True,
        )
        bound = self._on_success.bind(scope, view, type=lambda_.DestinationType.SUCCESS)
        return lambda_.CfnEventInvokeConfig.OnSuccessProperty(destination=bound.destination)


def add_failure_destination(
    channel: FailureChannel, called: Called, config: lambda_.CfnEventInvokeConfig
) -> bool:
    """Give a handler's asynchronous configuration, which is somebody else's, the destination.

    Returns:
        Whether the handler may publish: else there is a warning.
    """
    handler = called.handler
    settings: Any = config.destination_config
    channel.topic.grant_publish(handler)
    # As a property, since an override of the user's, which nothing here can see, comes before it.
    config.destination_config = lambda_.CfnEventInvokeConfig.DestinationConfigProperty(
        on_failure=lambda_.CfnEventInvokeConfig.OnFailureProperty(
            destination=channel.topic.topic_arn
        ),
        on_success=None if settings is None else settings.on_success,
    )
    config.node.add_dependency(channel.queue_subscription, channel.dead_letter_queue)
    role = handler.role
    may_publish = role is None or _may_publish(role, handler, channel)
    place = cast(Construct, handler)
    if channel.copy_queue is not None:
        keep_copies(channel, channel.copy_queue, called, role, place=place, policy=None)
    if channel._publishers_use_key or channel.encryption_key is not None:
        acknowledge(role, DATA_KEYS)
    channel._configs.append((called, config))
    seconds = config.maximum_event_age_in_seconds
    age = None if seconds is None else Duration.seconds(seconds)
    tells_success = settings is not None and settings.on_success is not None
    channel._handlers.add(AttachedHandler(handler, place, age, tells_success))
    return may_publish


def check_settings(retries: int, max_event_age: Duration | None) -> None:
    """Refuse what Lambda would refuse, or read otherwise."""
    check_count(
        "retries",
        retries,
        MAX_RETRIES,
        "Lambda runs a failed asynchronous event again 2 times at most",
    )
    check_age("max_event_age", max_event_age, MIN_EVENT_AGE_SECONDS, MAX_EVENT_AGE_SECONDS)


def _check_on_success(on_success: Any) -> None:
    if on_success is None:
        return
    if isinstance(on_success, destinations.S3Destination):
        raise ValueError(
            "on_success must not be an S3Destination, got one: Lambda sends only failures to S3; "
            "use a standard queue or topic, an event bus or a function"
        )
    # A subscription of SNS's has a bind, too.
    kind = type(on_success).__module__
    if not has_member(on_success, "bind") or kind == "aws_cdk.aws_sns_subscriptions":
        raise ValueError(
            f"on_success must be an aws_lambda.IDestination, got {on_success!r}: "
            "write for example aws_lambda_destinations.SqsDestination(queue)"
        )


def _check_success(config: lambda_.CfnEventInvokeConfig, channel: FailureChannel) -> None:
    """Refuse what a destination shows only once it is bound."""
    settings: Any = config.destination_config
    arn = settings.on_success.destination
    if (name := fifo_name(arn)) is not None:
        raise ValueError(
            f"on_success must be a standard queue or topic, got FIFO {name!r}: "
            "Lambda cannot send records to FIFO queues and topics"
        )
    if arn in (channel.topic.topic_arn, channel.queue.queue_arn):
        raise ValueError(
            f"on_success must not be the channel's, got {channel.node.path!r}: successes would "
            "land among the failed events"
        )


def _may_publish(role: iam.IRole, handler: lambda_.IFunction, channel: FailureChannel) -> bool:
    """Tell whether a role may publish, or warn: CDK drops what it is granted in silence."""
    if isinstance(role, iam.Role):
        return True
    statement = iam.PolicyStatement(actions=["sns:Publish"], resources=[channel.topic.topic_arn])
    added = role.add_to_principal_policy(statement)
    if isinstance(added.policy_dependable, iam.Policy):
        return True
    Annotations.of(cast(Construct, handler)).add_warning_v2(
        "failure-destinations:fixed-role",
        "the handler's role cannot be changed here: let it use sns:Publish on the channel's "
        "topic, and kms:Decrypt and kms:GenerateDataKey* on the topic's key if it has one, or "
        "Lambda refuses the destination.",
    )
    return False


def check_is_function(handler: Any) -> None:
    """Refuse what is no function, version or alias."""
    if not has_member(handler, "configure_async_invoke"):
        raise ValueError(
            f"handler must be a Lambda function, version or alias, got {handler!r}: "
            "pass the construct, not its name or ARN"
        )


def _check_free(called: Called) -> None:
    """Refuse a handler that cannot be attached, or is already."""
    handler: Any = called.handler
    check_is_function(handler)
    node = called.node
    taken = node.try_find_child(_CONFIG_ID) is not None
    if not isinstance(handler, lambda_.Function):
        taken = taken or any(entry.type == _ATTACHED for entry in node.metadata)
        _check_qualifier(handler)
        if handler.role is None:
            raise ValueError(
                f"handler must have a role, got {node.path!r} without one: import it with "
                "Function.from_function_attributes(…, role=…), so that Lambda may send its failures"
            )
    if taken:
        raise ValueError(
            f"handler must have no asynchronous configuration yet, got {node.path!r} with one: "
            "remove on_failure, on_success, retry_attempts and max_event_age where it is defined, "
            "or its configure_async_invoke call, or its other failure channel"
        )


def _check_qualifier(handler: Any) -> None:
    """Refuse a function that stands for its alias or version, which its callers would miss."""
    if has_member(handler, "alias_name"):
        return
    if has_member(handler, "version"):
        if handler.version == "$LATEST":
            raise ValueError(
                f"handler must be the function itself, got {handler.node.path!r}, its "
                "latest_version: to Lambda both are one"
            )
        return
    # arn:aws:lambda:region:account:function:name, and perhaps a qualifier; no token has a colon.
    parts = handler.function_arn.split(":")
    if len(parts) > _ARN_PARTS:
        raise ValueError(
            f"handler must not be imported by a qualified ARN, got {handler.node.path!r} for "
            f"{parts[-1]!r}: import it with Alias.from_alias_attributes or "
            "Version.from_version_attributes, so that the alias or version is configured"
        )
