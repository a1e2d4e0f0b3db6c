"""The parts of a channel that this package's other constructs may use.

A `FailureChannel` exposes only what its users need. Its companions in this library use its `Wiring`
instead of its private members.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from ..called import Called
from ..refusals import check_environment, shown
from ..synthesis import warn_if_synthesised
from ..tree import ref, stage_of
from .conditions import copy_condition
from .observable_list import ObservableList

if TYPE_CHECKING:
    from aws_cdk import aws_cloudwatch as cloudwatch

    from failure_destinations.alarms import FailureAlarm

    from ..notifier.notifier import FailureNotifier
    from ..replayer.replayer import FailureReplayer
    from .event_sources.failures import EventSourceFailures
    from .source_queues import SourceQueue


@dataclass(frozen=True)
class AttachedHandler:
    """A handler whose failed events go to a channel.

    Attributes:
        handler: The function, alias or version.
        scope: The construct that holds the handler's resources, such as alarms and the permission
            to replay. They can refer to the channel without the channel's stack referring back.
        config: Its asynchronous configuration, or the construct around it; None if it is defined
            elsewhere.
        max_event_age: How long Lambda keeps an event for it. None: 6 hours, as Lambda does.
        sends_successes: Whether Lambda sends records of its successful runs somewhere.
        is_final: Whether `max_event_age` and `sends_successes` are known already; else `config` has
            them at synthesis.
        arn: The ARN that callers use, if only synthesis knows it. Empty: the handler's own.
        has_destination: Whether Lambda sends its failures to a destination; only a durable function
            has none.
    """

    handler: lambda_.IFunction
    scope: Construct
    config: Construct | None = None
    max_event_age: Duration | None = None
    sends_successes: bool = False
    is_final: bool = True
    arn: str = ""
    has_destination: bool = True

    @property
    def called_arn(self) -> str:
        """The ARN that callers use: a permission for a function does not cover its aliases."""
        return self.arn or self.handler.function_arn

    @property
    def sends_successes_now(self) -> bool:
        """Whether the handler has a success destination, as known at synthesis."""
        if self.is_final or self.config is None:
            return self.sends_successes
        resource: Any = self.config.node.default_child
        return getattr(resource.destination_config, "on_success", None) is not None


class AttachedEventSource(NamedTuple):
    """An event source mapping whose failed batches go to a channel.

    Attributes:
        handler: The function, alias or version that the mapping invokes.
        mapping: The mapping: an `EventSourceMapping`, or a `CfnEventSourceMapping`.
        writer: The role or policy that lets Lambda write its batches.
        may_write: Whether it does; if not, a warning says so.
    """

    handler: lambda_.IFunction
    mapping: Construct
    writer: Construct
    may_write: bool = True

    @property
    def scope(self) -> Construct:
        """The construct that holds what belongs to the mapping, such as alarms.

        It can refer to the channel without the channel's stack referring back.
        """
        return self.mapping

    @property
    def resource(self) -> lambda_.CfnEventSourceMapping:
        """The mapping's own resource; known at synthesis, not yet while CDK defines the mapping."""
        mapping = self.mapping
        resource = (
            mapping
            if isinstance(mapping, lambda_.CfnEventSourceMapping)
            else mapping.node.default_child
        )
        return cast(lambda_.CfnEventSourceMapping, resource)


class KnownHandler(NamedTuple):
    """A handler that is attached, for other objects that stand for it.

    Attributes:
        config: Its asynchronous configuration, or what else catches its failures.
        path: The path of the object that was attached.
        settings: Its settings by their parameters; empty if only synthesis knows them.
    """

    config: Construct
    path: str
    settings: dict[str, Any]


class AttachedReplayer(NamedTuple):
    """The replayer of a channel.

    Attributes:
        replayer: The construct.
        parked_alarm_threshold: The number of parked events at which its alarm goes off.
    """

    replayer: FailureReplayer
    parked_alarm_threshold: float


@dataclass(frozen=True)
class AttachedAlarm:
    """An alarm about a companion of a channel, defined in the companion.

    Attributes:
        kind: Which one of `alarms.ALARMS`.
        alarm: The alarm.
        threshold: When it goes off.
        metric: Returns its metric.
        description: Its description.
        topic: The topic that it notifies already.
    """

    kind: FailureAlarm
    alarm: cloudwatch.Alarm
    threshold: float
    metric: Callable[[], cloudwatch.Metric]
    description: str
    topic: sns.ITopic


@dataclass(eq=False)
class Wiring:
    """The parts of one channel, and everything that is attached to it.

    Attributes:
        channel: The channel.
        stack: Its stack.
        topic: The topic to which Lambda sends invocation records.
        queue: The queue that keeps them.
        owns_queue: Whether the channel defines the queue, rather than the user.
        queue_subscription: The queue's subscription.
        dead_letter_queue: The queue for events that a schedule or the topic could not deliver.
        copy_queue: The dead-letter queue of the handlers' functions; None without copies.
        key: An imported view of the channel's key, whose policy CDK does not change; None without
            one.
        given_key: The key that the user passed.
        publishers_use_key: Whether CDK lets the roles of publishers use a key.
        retention: How long the queues that the channel defines keep an event.
        removal_policy: What happens to them when their stack is deleted.
        handlers: The handlers that are attached, now or later.
        schedules: The schedules that start handlers.
        source_queues: The queues that feed functions and have a dead-letter queue of the channel.
        mailboxes: The addresses that get e-mails.
        subscribers: The other subscribers to the topic.
        replayers: The channel's replayer, once there is one; a channel has one at most.
        notifiers: The channel's notifier, once there is one; a channel has one at most.
        alarms: The alarms about companions that notify people without a monitoring too.
        known_handlers: The handlers that are attached, by their identity.
        with_destination: The handlers whose failures Lambda sends to a destination.
        deferred: What else is done once everything is defined.
        batch_retention: How long the channel's bucket keeps a failed batch; None: the default.
        event_sources: The event source mappings that are attached, now or later.
        event_source_failures: What keeps their failed batches, once there is one; a channel has one
            at most.
    """

    channel: Construct
    stack: Stack
    topic: sns.ITopic
    queue: sqs.IQueue
    owns_queue: bool
    queue_subscription: sns.Subscription
    dead_letter_queue: sqs.IQueue
    copy_queue: sqs.IQueue | None
    key: kms.IKey | None
    given_key: kms.IKey | None
    publishers_use_key: bool
    retention: Duration
    removal_policy: RemovalPolicy
    handlers: ObservableList[AttachedHandler] = field(default_factory=ObservableList)
    schedules: ObservableList[scheduler.ISchedule] = field(default_factory=ObservableList)
    source_queues: ObservableList[SourceQueue] = field(default_factory=ObservableList)
    mailboxes: ObservableList[str] = field(default_factory=ObservableList)
    subscribers: ObservableList[sns.Subscription] = field(default_factory=ObservableList)
    replayers: ObservableList[AttachedReplayer] = field(default_factory=ObservableList)
    notifiers: ObservableList[FailureNotifier] = field(default_factory=ObservableList)
    alarms: ObservableList[AttachedAlarm] = field(default_factory=ObservableList)
    known_handlers: dict[str, KnownHandler] = field(default_factory=dict)
    with_destination: list[Called] = field(default_factory=list)
    deferred: list[Callable[[], None]] = field(default_factory=list)
    batch_retention: Duration | None = None
    event_sources: ObservableList[AttachedEventSource] = field(default_factory=ObservableList)
    event_source_failures: ObservableList[EventSourceFailures] = field(
        default_factory=ObservableList
    )
    _claims: dict[str, Construct] = field(default_factory=dict)
    _stacks_within_reach: set[str] = field(default_factory=set)
    _conditions_to_copy: list[tuple[Called, Construct]] = field(default_factory=list)

    def check_unclaimed(self, companion: str) -> None:
        """Raise ValueError if the channel has a companion of a kind already.

        Args:
            companion: `monitoring`, `notifier`, `replayer` or `watchdog`.
        """
        other = self._claims.get(companion)
        if other is not None:
            raise ValueError(
                f"channel must have no {companion} yet, got {shown(self.channel.node.path)} with "
                f"{shown(other.node.path)}: use that one"
            )

    def claim(self, companion: str, construct: Construct) -> None:
        """Make a construct the channel's only companion of a kind."""
        self.check_unclaimed(companion)
        warn_if_synthesised(self.stack, construct)
        self._claims[companion] = construct

    @property
    def companions(self) -> list[Construct]:
        """The monitoring, notifier, replayer and watchdog that exist."""
        return list(self._claims.values())

    @property
    def companion_kinds(self) -> set[str]:
        """What the channel has: `monitoring`, `notifier`, `replayer`, `watchdog`."""
        return set(self._claims)

    @functools.cached_property
    def topic_destination(self) -> lambda_.IDestination:
        """The topic as CDK's own destination, which jsii binds without calling Python."""
        return destinations.SnsDestination(self.topic)

    @functools.cached_property
    def copy_queue_arn(self) -> str:
        """The ARN of the queue for copies."""
        return cast(sqs.IQueue, self.copy_queue).queue_arn

    def check_within_reach(self, handler: lambda_.IFunction, stack: Stack) -> None:
        """Raise ValueError if a handler is known to be in another stage, account or Region."""
        # A function that is defined in the app is in its stack's account and Region: one check a
        # stack.
        is_of_stack = isinstance(handler, lambda_.Function)
        if is_of_stack and ref(stack) in self._stacks_within_reach:
            return
        if ref(stage_of(stack)) != ref(stage_of(self.stack)):
            raise ValueError(
                "handler must be in the channel's app or stage, got "
                f"{shown(handler.node.path)} for the channel {shown(self.channel.node.path)}: "
                "define a channel in that stage too"
            )
        check_environment("handler", handler, self.stack)
        if is_of_stack:
            self._stacks_within_reach.add(ref(stack))

    def follow_condition(self, called: Called, config: Construct) -> None:
        """Copy a handler's condition to its configuration once everything is defined."""
        self._conditions_to_copy.append((called, config))

    def copy_conditions(self) -> None:
        """Copy the conditions that handlers have by now to their configurations."""
        while self._conditions_to_copy:
            copy_condition(*self._conditions_to_copy.pop())

    def run_deferred(self) -> None:
        """Do what has waited until everything was defined."""
        self.copy_conditions()
        while self.deferred:
            self.deferred.pop(0)()


# Weak on both sides: a wiring holds its channel, which could never be collected otherwise.
_WIRINGS: weakref.WeakKeyDictionary[Construct, weakref.ref[Wiring]] = weakref.WeakKeyDictionary()


def register(wiring: Wiring) -> None:
    """Register a channel's wiring for its companions."""
    _WIRINGS[wiring.channel] = weakref.ref(wiring)


def all_wirings() -> list[Wiring]:
    """Return the wirings of all channels that still exist."""
    return [wiring for one in list(_WIRINGS.values()) if (wiring := one()) is not None]


def wiring_of(channel: Any) -> Wiring:
    """Return the wiring of a channel, or raise ValueError if it is not a FailureChannel."""
    try:
        # A channel keeps its wiring.
        return cast(Wiring, _WIRINGS[channel]())
    except (KeyError, TypeError):
        raise ValueError(
            f"channel must be a FailureChannel, got {shown(channel)}: "
            "pass the channel of a FailureNotifiedFunction, for example"
        ) from None


def channels_of(stack: Stack) -> int:
    """Return how many channels a stack has so far."""
    return sum(ref(wiring.stack) == ref(stack) for wiring in all_wirings())
