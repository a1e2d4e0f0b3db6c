"""Attaches handlers to a channel: their EventInvokeConfig and the resources that it needs."""

from __future__ import annotations

import enum
from typing import Any, NamedTuple, cast

from aws_cdk import Annotations, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from constructs import Construct

from failure_destinations import names

from ..called import Called, function_and_qualifier
from ..grants import add_statements
from ..keys import SEND, in_words
from ..refusals import (
    check_age,
    check_one_resource,
    checked_count,
    fifo_name,
    has_member,
    is_token,
    shown,
)
from ..suppressions import DATA_KEYS, acknowledge
from ..synthesis import warn_if_synthesised
from .copies import keep_copies
from .durable import attach_durable, check_no_settings
from .same_handler import check_same_settings, known_handler, remember
from .wiring import AttachedHandler, Wiring

# https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html
MAX_RETRIES = 2
MIN_EVENT_AGE_SECONDS = 60
MAX_EVENT_AGE_SECONDS = 21_600

# The metadata key of a handler whose configuration is defined elsewhere.
_ATTACHED = "failure-destinations:attached"


class _DefaultCount(int):
    """A default that differs from the same number that a user passes."""


DEFAULT_RETRIES: int = _DefaultCount(MAX_RETRIES)
"""How often Lambda retries by itself."""

_ARN_PARTS = 7


class Place(enum.Enum):
    """Where a handler's asynchronous configuration and its other resources are defined."""

    BY_CDK = enum.auto()
    """A child of the handler, as CDK's `configure_async_invoke` and `on_failure` define it."""

    IN_OTHER_STACK = enum.auto()
    """In a construct of another stack, which refers to the handler's stack and never the other
    way round."""

    WITH_OWN_POLICY = enum.auto()
    """A child of the handler, with a policy of its own, because the role is in another stack."""


class AsyncSettings:
    """How Lambda handles the asynchronous events of a handler."""

    def __init__(
        self,
        *,
        retries: int,
        max_event_age: Duration | None,
        on_success: lambda_.IDestination | None = None,
    ) -> None:
        """Raise ValueError if Lambda would reject the settings or interpret them differently."""
        self.retries = checked_settings(retries, max_event_age)
        check_success_argument(on_success)
        # Zero is how often Lambda retries a durable function.
        self.is_for_durable = retries == 0 or isinstance(retries, _DefaultCount)
        self.max_event_age = max_event_age
        self.on_success = on_success

    @property
    def by_parameter(self) -> dict[str, Any]:
        """All settings by their parameters, as they compare."""
        age = self.max_event_age
        return {
            "retries": int(self.retries) if not is_token(self.retries) else self.retries,
            "max_event_age": age if age is None or age.is_unresolved() else age.to_seconds(),
            "on_success": self.on_success,
        }

    @property
    def given(self) -> dict[str, Any]:
        """The settings that do not fit a durable function, by their parameters."""
        settings = {
            "retries": None if self.is_for_durable else self.retries,
            "max_event_age": self.max_event_age,
            "on_success": self.on_success,
        }
        return {name: value for name, value in settings.items() if value is not None}


class Attachment(NamedTuple):
    """The result of attaching.

    Attributes:
        config: The asynchronous configuration, for other constructs to depend on.
        may_publish: Whether the handler's role may publish to the topic; if not, a warning says so.
    """

    config: Construct
    may_publish: bool


def check_attachable(wiring: Wiring | None, called: Called, settings: AsyncSettings) -> None:
    """Raise ValueError if a handler cannot be attached.

    It may be attached to the same channel already, with the same settings.

    Args:
        wiring: The channel's wiring; None for a channel that is not defined yet.
        called: The handler.
        settings: Its retries, maximum event age and success destination.
    """
    check_is_function(called.handler)
    known = known_handler(wiring, called)
    if known is None:
        check_free(called)
    else:
        check_same_settings(called, known, settings.by_parameter)


def attach_once(
    wiring: Wiring,
    called: Called,
    settings: AsyncSettings,
    scope: Construct | None = None,
    scope_stack: Stack | None = None,
) -> Construct:
    """Return the configuration of a handler, which is defined unless it is attached already.

    Args:
        wiring: The channel's wiring.
        called: The handler.
        settings: Its retries, maximum event age and success destination.
        scope: As for `attach_with_new_config`.
        scope_stack: Likewise.

    Raises:
        ValueError: It cannot be attached.
    """
    known = known_handler(wiring, called)
    if known is None:
        return attach_with_new_config(wiring, called, settings, scope, scope_stack).config
    return known.config


def attach_with_new_config(
    wiring: Wiring,
    called: Called,
    settings: AsyncSettings,
    scope: Construct | None = None,
    scope_stack: Stack | None = None,
) -> Attachment:
    """Define the EventInvokeConfig of a handler, and attach it to a channel.

    Lambda sends the failures of a durable function to its dead-letter queue only: it gets that
    instead.

    Args:
        wiring: The channel's wiring.
        called: The handler.
        settings: Its retries, maximum event age and success destination.
        scope: The construct to define it in, if that is in another stack than the handler.
            Default: beside the handler.
        scope_stack: The stack of `scope`.

    Raises:
        ValueError: The handler is in another account or Region, its success destination cannot
            work, or it is a durable function with settings that Lambda does not apply.
    """
    handler = called.handler
    if called.is_durable:
        check_no_settings(called, settings.given)
        caught = attach_durable(wiring, called, scope_stack)
        remember(wiring, called, caught, settings.by_parameter)
        return Attachment(caught, may_publish=True)
    wiring.check_within_reach(handler, called.stack)
    place = place_of(called, scope_stack)
    where = scope if place is Place.IN_OTHER_STACK else cast(Construct, handler)
    policy = None
    if place is Place.BY_CDK:
        config = _configure_by_cdk(wiring, called, settings)
    else:
        config, policy = _configure_apart(wiring, called, settings, cast(Construct, where))
    attached = AttachedHandler(
        handler,
        # CDK's own classes for some imports are not constructs to Python, so nothing can be defined
        # in them.
        where if isinstance(where, Construct) else config,
        config,
        max_event_age=settings.max_event_age,
        sends_successes=settings.on_success is not None,
    )
    remember(wiring, called, config, settings.by_parameter)
    return attach(wiring, called, attached, place, policy)


def attach_uncovered(
    wiring: Wiring,
    settings: AsyncSettings,
    called: Called,
    config: lambda_.CfnEventInvokeConfig | None,
) -> bool:
    """Attach a handler that `cover` found, and return whether its role may publish.

    Args:
        wiring: The channel's wiring.
        settings: Retries and maximum event age for a handler without a configuration.
        called: The handler.
        config: Its existing configuration, which has no failure destination.
    """
    if called.is_durable:
        attach_durable(wiring, called)
        return True
    if config is not None:
        return attach_existing_config(wiring, called, config).may_publish
    check_free(called)
    return attach_with_new_config(wiring, called, settings).may_publish


def attach_existing_config(
    wiring: Wiring, called: Called, config: lambda_.CfnEventInvokeConfig
) -> Attachment:
    """Give a handler's existing configuration the channel's topic as its failure destination."""
    handler = called.handler
    settings: Any = config.destination_config
    wiring.topic.grant_publish(handler)
    # Set as a property, so that the user's own property override, which is not visible here, wins.
    config.destination_config = lambda_.CfnEventInvokeConfig.DestinationConfigProperty(
        on_failure=lambda_.CfnEventInvokeConfig.OnFailureProperty(
            destination=wiring.topic.topic_arn
        ),
        on_success=None if settings is None else settings.on_success,
    )
    seconds = config.maximum_event_age_in_seconds
    attached = AttachedHandler(
        handler,
        cast(Construct, handler),
        config,
        max_event_age=None if seconds is None else Duration.seconds(seconds),
        sends_successes=settings is not None and settings.on_success is not None,
    )
    return attach(wiring, called, attached, Place.BY_CDK)


def attach(
    wiring: Wiring,
    called: Called,
    attached: AttachedHandler,
    place: Place,
    policy: iam.Policy | None = None,
) -> Attachment:
    """Finish the attachment of a handler whose configuration already names the topic.

    This sets the deployment order, the copies of failed events and the function's condition, and
    makes the handler known to the monitoring and the replayer.

    Args:
        wiring: The channel's wiring.
        called: The handler.
        attached: The handler and its configuration.
        place: Where the configuration is defined.
        policy: The policy that lets the role publish; None if CDK grants that.
    """
    handler, config = called.handler, cast(Construct, attached.config)
    warn_if_synthesised(wiring.stack, config)
    # SNS loses a record that arrives before the topic has its subscription.
    config.node.add_dependency(wiring.queue_subscription, wiring.dead_letter_queue)
    role, may_publish = called.custom_role, True
    if policy is not None:
        config.node.add_dependency(policy)
    elif role is not None:
        if not isinstance(handler, lambda_.Function):
            # Lambda rejects a destination that the role may not publish to. A function depends on
            # the policies of its role; an imported one does not.
            config.node.add_dependency(role)
        may_publish = _may_publish(role, handler, wiring)
    if wiring.copy_queue is not None:
        role_policy = policy if place is Place.WITH_OWN_POLICY else None
        keep_copies(wiring, called, role, scope=attached.scope, policy=role_policy)
    if wiring.publishers_use_key or wiring.key is not None:
        # The policy into which CDK writes the role's grants.
        acknowledge(policy or handler.role, DATA_KEYS)
    wiring.with_destination.append(called)
    wiring.follow_condition(called, config)
    wiring.handlers.append(attached)
    return Attachment(config, may_publish)


def checked_settings(retries: int, max_event_age: Duration | None) -> float:
    """Return the retries, or raise ValueError if Lambda would reject a setting."""
    check_age("max_event_age", max_event_age, MIN_EVENT_AGE_SECONDS, MAX_EVENT_AGE_SECONDS)
    return checked_count(
        "retries",
        retries,
        MAX_RETRIES,
        "Lambda retries a failed asynchronous event at most 2 times",
    )


def check_is_function(handler: Any) -> None:
    """Raise ValueError if a handler is not a function, version or alias."""
    if not has_member(handler, "configure_async_invoke"):
        raise ValueError(
            f"handler must be a Lambda function, version or alias, got {shown(handler)}: "
            f"{_way_out(handler)}"
        )


def _way_out(not_a_handler: Any) -> str:
    if isinstance(not_a_handler, str):
        return "pass the construct, not its name or ARN"
    if isinstance(not_a_handler, (list, tuple, set)):
        return "pass one function at a time, in a loop"
    if isinstance(not_a_handler, lambda_.CfnFunction):
        return (
            "give Function.from_function_attributes(…) its attr_arn and its role, or define a "
            "Function instead"
        )
    if isinstance(not_a_handler, (lambda_.CfnAlias, lambda_.CfnVersion)):
        return "define it as an Alias or Version, or import it with from_alias_attributes"
    return "pass the construct"


def check_free(called: Called) -> None:
    """Raise ValueError if a handler cannot be attached, or already has a configuration."""
    handler: Any = called.handler
    check_is_function(handler)
    node = called.node
    taken = node.try_find_child(names.EVENT_INVOKE_CONFIG) is not None
    if not isinstance(handler, lambda_.Function):
        taken = taken or any(entry.type == _ATTACHED for entry in node.metadata)
        check_imported(called)
        _check_qualifier(handler)
    if taken and called.is_durable:
        raise ValueError(
            f"handler must have no asynchronous configuration, got {shown(node.path)}, a durable "
            "function with one: Lambda sends none of its failures to a destination; remove "
            "on_failure, on_success, retry_attempts and max_event_age there, or its "
            "configure_async_invoke call"
        )
    if taken:
        raise ValueError(
            f"handler must have no asynchronous configuration yet, got {shown(node.path)} with "
            "one: "
            "attach it where it is defined, with on_failure=channel.destination; or remove "
            "on_failure, on_success, retry_attempts and max_event_age there, its "
            "configure_async_invoke call, or its other failure channel"
        )


def check_imported(called: Called) -> None:
    """Raise ValueError if a handler is not a single function, or has no role that may publish."""
    check_one_resource("handler", called.handler, called.handler.function_arn)
    if called.handler.role is None:
        raise ValueError(
            f"handler must have a role, got {shown(called.node.path)} without one: import it with "
            "Function.from_function_attributes(…, role=…), so that Lambda may send its failures"
        )


def check_bound_success(config: lambda_.CfnEventInvokeConfig, wiring: Wiring) -> None:
    """Raise ValueError for a success destination that cannot work: it shows once it is bound."""
    settings: Any = config.destination_config
    on_success = getattr(settings, "on_success", None)
    arn = getattr(on_success, "destination", None)
    if arn is None:
        return
    if (name := fifo_name(arn)) is not None:
        raise ValueError(
            f"on_success must be a standard queue or topic, got FIFO {shown(name)}: "
            "Lambda cannot send records to FIFO queues and topics"
        )
    if arn in (wiring.topic.topic_arn, wiring.queue.queue_arn):
        raise ValueError(
            f"on_success must not be the channel's, got {shown(wiring.channel.node.path)}: "
            "successes "
            "would land among the failed events"
        )


def place_of(called: Called, scope_stack: Stack | None) -> Place:
    """Return where a handler's configuration belongs.

    Args:
        called: The handler.
        scope_stack: The stack of the construct to define it in; None for the handler itself.
    """
    if scope_stack is not None and called.stack is not scope_stack:
        return Place.IN_OTHER_STACK
    role = called.custom_role
    is_afar = role is not None and role.stack is not called.stack
    if is_afar and isinstance(called.handler, Construct):
        return Place.WITH_OWN_POLICY
    return Place.BY_CDK


def _configure_by_cdk(wiring: Wiring, called: Called, settings: AsyncSettings) -> Construct:
    called.handler.configure_async_invoke(
        on_failure=wiring.topic_destination,
        on_success=settings.on_success,
        retry_attempts=settings.retries,
        max_event_age=settings.max_event_age,
    )
    config = cast(Construct, called.node.find_child(names.EVENT_INVOKE_CONFIG))
    if settings.on_success is not None:
        try:
            check_bound_success(
                cast(lambda_.CfnEventInvokeConfig, config.node.default_child), wiring
            )
        except ValueError:
            called.node.try_remove_child(names.EVENT_INVOKE_CONFIG)
            raise
    return config


def _configure_apart(
    wiring: Wiring, called: Called, settings: AsyncSettings, scope: Construct
) -> tuple[Construct, iam.Policy]:
    """Define everything in a stack other than the handler's or its role's."""
    handler: Any = called.handler
    role = cast(iam.IRole, handler.role)
    function, qualifier = function_and_qualifier(handler)
    policy = iam.Policy(scope, "HandlerPolicy", roles=[role])
    wiring.topic.grant_publish(policy)
    age = settings.max_event_age
    config = lambda_.CfnEventInvokeConfig(
        scope,
        names.EVENT_INVOKE_CONFIG,
        function_name=function.function_name,
        qualifier=qualifier,
        destination_config=lambda_.CfnEventInvokeConfig.DestinationConfigProperty(
            on_failure=lambda_.CfnEventInvokeConfig.OnFailureProperty(
                destination=wiring.topic.topic_arn
            ),
            on_success=_bind_success(called, settings.on_success, scope, role),
        ),
        maximum_retry_attempts=settings.retries,
        maximum_event_age_in_seconds=None if age is None else age.to_seconds(),
    )
    check_bound_success(config, wiring)
    if handler is not scope:
        # The handler's stack gets no resource, but a second attachment must still be detected.
        called.node.add_metadata(_ATTACHED, scope.node.path)
        if isinstance(handler, Construct):
            Construct(handler, names.EVENT_INVOKE_CONFIG)
    return config, policy


def _bind_success(
    called: Called, on_success: lambda_.IDestination | None, scope: Construct, role: iam.IRole
) -> lambda_.CfnEventInvokeConfig.OnSuccessProperty | None:
    if on_success is None:
        return None
    # Imported into this stack, so that the grants to the role are defined here too.
    view = lambda_.Function.from_function_attributes(
        scope,
        "Handler",
        function_arn=called.handler.function_arn,
        role=iam.Role.from_role_arn(scope, "HandlerRole", role.role_arn),
        same_environment=True,
    )
    bound = on_success.bind(scope, view, type=lambda_.DestinationType.SUCCESS)
    return lambda_.CfnEventInvokeConfig.OnSuccessProperty(destination=bound.destination)


def check_success_argument(on_success: Any) -> None:
    """Raise ValueError if Lambda cannot send records of successes there."""
    if on_success is None:
        return
    if isinstance(on_success, destinations.S3Destination):
        raise ValueError(
            "on_success must not be an S3Destination, got one: Lambda sends only failures to S3; "
            "use a standard queue or topic, an event bus or a function"
        )
    # An SNS subscription has a `bind` too.
    kind = type(on_success).__module__
    if not has_member(on_success, "bind") or kind == "aws_cdk.aws_sns_subscriptions":
        raise ValueError(
            f"on_success must be an aws_lambda.IDestination, got {shown(on_success)}: "
            "write for example aws_lambda_destinations.SqsDestination(queue)"
        )


def _may_publish(role: iam.IRole, handler: lambda_.IFunction, wiring: Wiring) -> bool:
    """Return whether a role may publish; warn if not, because CDK silently drops its grants."""
    if isinstance(role, iam.Role):
        return True
    statement = iam.PolicyStatement(actions=["sns:Publish"], resources=[wiring.topic.topic_arn])
    if add_statements(role, [statement]):
        return True
    Annotations.of(cast(Construct, handler)).add_warning_v2(
        "failure-destinations:fixed-role",
        "the handler's role cannot be changed here: allow it to use sns:Publish on the "
        f"channel's topic, and {in_words(SEND)} on the topic's key if it has one, or Lambda "
        "rejects the destination.",
    )
    return False


def _check_qualifier(handler: Any) -> None:
    """Raise ValueError for a function object that represents an alias or version."""
    if has_member(handler, "alias_name"):
        return
    if has_member(handler, "version"):
        if handler.version == "$LATEST":
            raise ValueError(
                f"handler must be the function itself, got {shown(handler.node.path)}, its "
                "latest_version: to Lambda both are the same"
            )
        return
    # arn:aws:lambda:region:account:function:name, perhaps with a qualifier. Tokens have no colons.
    parts = handler.function_arn.split(":")
    if len(parts) > _ARN_PARTS:
        raise ValueError(
            f"handler must not be imported by a qualified ARN, got {shown(handler.node.path)} for "
            f"{shown(parts[-1])}: import it with Alias.from_alias_attributes or "
            "Version.from_version_attributes, so that the alias or version is configured"
        )
