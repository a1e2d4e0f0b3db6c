"""`channel.destination`: a channel for the `on_failure` of any construct that has one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import jsii
from aws_cdk import IStableStringProducer, Lazy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct, IValidation

from ..called import Called
from ..refusals import has_member, shown
from ..tree import ref
from .attaching import Place, attach, check_bound_success, check_imported, place_of
from .same_handler import known_handler, remember
from .wiring import AttachedHandler, Wiring


@jsii.implements(lambda_.IDestination)
class ChannelDestination:
    """Attaches each handler that CDK binds to it, like `notify_failures_of`.

    CDK binds a destination while it defines the handler's asynchronous configuration. Its retries
    and maximum event age are not set yet, so they are read at synthesis.
    """

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        wiring.channel.node.add_validation(cast(IValidation, _Validation(wiring)))

    def bind(
        self,
        scope: Construct,
        fn: lambda_.IFunction,
        *,
        type: lambda_.DestinationType | None = None,
    ) -> lambda_.DestinationConfig:
        """Attach a handler; CDK calls this.

        Args:
            scope: The construct of the asynchronous configuration (`EventInvokeConfig`).
            fn: The function that it is for.
            type: Whether it will get failures or successes.

        Raises:
            ValueError: The destination is used for successes, or the function cannot be attached;
                jsii turns the error into a RuntimeError with the same message.
        """
        if has_member(scope, "event_source_mapping_id"):
            raise ValueError(
                "on_failure must be channel.event_source_destination for an event source, got "
                f"channel.destination for {shown(scope.node.path)}: that would keep no records of "
                "a failed batch"
            )
        if type is lambda_.DestinationType.SUCCESS:
            raise ValueError(
                "on_success must not be the channel's, got "
                f"{shown(self._wiring.channel.node.path)}: "
                "successes would land among the failed events; pass it as on_failure"
            )
        _attach(self._wiring, scope, fn)
        return lambda_.DestinationConfig(destination=self._wiring.topic.topic_arn)


def _attach(wiring: Wiring, config: Construct, function: lambda_.IFunction) -> None:
    handler = _own_handler(config, function)
    called = Called(handler or function)
    check_imported(called)
    if called.is_durable:
        raise ValueError(
            f"on_failure must be left out for a durable function, got {shown(called.node.path)}: "
            "Lambda sends none of its failures to a destination; call "
            "channel.notify_failures_of(…) with the version or alias that callers invoke"
        )
    if handler is not None:
        # The configuration of an `EventInvokeConfig` may be for any qualifier of the function.
        known = known_handler(wiring, called)
        if known is not None:
            raise ValueError(
                f"handler must be attached once, got {shown(called.node.path)}, which is the same "
                f"function as {shown(known.path)}: pass on_failure to one of them"
            )
        remember(wiring, called, config, {})
    wiring.check_within_reach(called.handler, called.stack)
    place = place_of(called, None if handler else Stack.of(config))
    policy = None
    if place is Place.BY_CDK:
        wiring.topic.grant_publish(function)
    else:
        policy = iam.Policy(config, "HandlerPolicy", roles=[cast(iam.IRole, function.role)])
        wiring.topic.grant_publish(policy)
    attached = AttachedHandler(
        called.handler,
        config if handler is None else cast(Construct, handler),
        config,
        is_final=False,
        arn=_arn(config, function) if handler is None else "",
    )
    attach(wiring, called, attached, place, policy)


def _own_handler(config: Construct, function: lambda_.IFunction) -> lambda_.IFunction | None:
    """Return the function, alias or version whose child a configuration is; None if another's."""
    parent: Any = config.node.scope
    if ref(parent) == ref(function):
        return function
    is_qualified = has_member(parent, "alias_name") or has_member(parent, "version")
    return cast(lambda_.IFunction, parent) if is_qualified else None


def _arn(config: Construct, function: lambda_.IFunction) -> str:
    """Return the ARN that callers use, with the configuration's future qualifier."""
    return Lazy.string(cast(IStableStringProducer, _Arn(config, function.function_arn)))


@jsii.implements(IStableStringProducer)
class _Arn:
    def __init__(self, config: Construct, function_arn: str) -> None:
        self._config = config
        self._function_arn = function_arn

    def produce(self) -> str:
        qualifier = cast(lambda_.CfnEventInvokeConfig, self._config.node.default_child).qualifier
        return self._function_arn if qualifier == "$LATEST" else f"{self._function_arn}:{qualifier}"


@jsii.implements(IValidation)
class _Validation:
    """Reports errors at synthesis that only show in a finished configuration."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    def validate(self) -> list[str]:
        return [problem for attached in self._wiring.handlers for problem in self._of(attached)]

    def _of(self, attached: AttachedHandler) -> Iterator[str]:
        if attached.is_final:
            return
        config = cast(Construct, attached.config)
        try:
            check_bound_success(
                cast(lambda_.CfnEventInvokeConfig, config.node.default_child), self._wiring
            )
        except ValueError as error:
            yield f"{config.node.path}: {error}"
