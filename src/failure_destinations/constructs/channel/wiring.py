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

from aws_cdk import Duration, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from ..called import Called
from ..refusals import check_environment, shown
from ..tree import ref
from .conditions import copy_condition
from .observable_list import ObservableList

if TYPE_CHECKING:
    from ..replayer.replayer import FailureReplayer


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
    """

    handler: lambda_.IFunction
    scope: Construct
    config: Construct | None = None
    max_event_age: Duration | None = None
    sends_successes: bool = False
    is_final: bool = True
    arn: str = ""

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


class AttachedReplayer(NamedTuple):
    """The replayer of a channel.

    Attributes:
        replayer: The construct.
        parked_alarm_threshold: The number of parked events at which its alarm goes off.
    """

    replayer: FailureReplayer
    parked_alarm_threshold: float


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
        handlers: The handlers that are attached, now or later.
        schedules: The schedules that start handlers.
        mailboxes: The addresses that get mails.
        replayers: The channel's replayer, once there is one; a channel has one at most.
        deferred: What else is done once everything is defined.
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
    handlers: ObservableList[AttachedHandler] = field(default_factory=ObservableList)
    schedules: ObservableList[scheduler.ISchedule] = field(default_factory=ObservableList)
    mailboxes: ObservableList[str] = field(default_factory=ObservableList)
    replayers: ObservableList[AttachedReplayer] = field(default_factory=ObservableList)
    deferred: list[Callable[[], None]] = field(default_factory=list)
    _claims: dict[str, Construct] = field(default_factory=dict)
    _stacks_within_reach: set[str] = field(default_factory=set)
    _conditions_to_copy: list[tuple[Called, Construct]] = field(default_factory=list)

    def check_unclaimed(self, companion: str) -> None:
        """Raise ValueError if the channel has a companion of a kind already.

        Args:
            companion: `monitoring` or `replayer`.
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
        self._claims[companion] = construct

    @property
    def companions(self) -> list[Construct]:
        """The monitoring and the replayer, if they exist."""
        return list(self._claims.values())

    @functools.cached_property
    def topic_destination(self) -> lambda_.IDestination:
        """The topic as CDK's own destination, which jsii binds without calling Python."""
        return destinations.SnsDestination(self.topic)

    @functools.cached_property
    def copy_queue_arn(self) -> str:
        """The ARN of the queue for copies."""
        return cast(sqs.IQueue, self.copy_queue).queue_arn

    def check_within_reach(self, handler: lambda_.IFunction, stack: Stack) -> None:
        """Raise ValueError if a handler is known to be in another account or Region."""
        # A function that is defined in the app is in its stack's account and Region: one check a
        # stack.
        is_of_stack = isinstance(handler, lambda_.Function)
        if is_of_stack and ref(stack) in self._stacks_within_reach:
            return
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
