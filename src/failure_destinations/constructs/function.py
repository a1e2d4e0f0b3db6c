"""A handler with its schedule and failure channel, in one construct."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from .called import Called
from .channel.attaching import (
    DEFAULT_RETRIES,
    AsyncSettings,
    attach_once,
    check_attachable,
)
from .channel.channel import FailureChannel
from .channel.wiring import wiring_of
from .refusals import check_scope, checked_emails, shown
from .schedule import Delivery


class FailureNotifiedFunction(Construct):
    """An asynchronously invoked function whose failures are all kept.

    Defines a `FailureChannel`, unless it shares one; the handler's asynchronous configuration,
    which sends failed events to the channel's topic and from there to its queue and to people; and
    optionally an EventBridge Scheduler schedule that starts the handler and whose undeliverable
    events go to the channel's dead-letter queue.

    Example:
        >>> from aws_cdk import App, Duration, Stack
        >>> from aws_cdk import aws_lambda as lambda_
        >>> from aws_cdk.aws_scheduler import ScheduleExpression
        >>> from failure_destinations import FailureNotifiedFunction
        >>> stack = Stack(App(), "Nightly")
        >>> report = lambda_.Function(
        ...     stack,
        ...     "Report",
        ...     runtime=lambda_.Runtime.PYTHON_3_13,
        ...     handler="index.handler",
        ...     code=lambda_.Code.from_inline("def handler(event, context): ..."),
        ... )
        >>> notified = FailureNotifiedFunction(
        ...     stack,
        ...     "NotifiedReport",
        ...     handler=report,
        ...     schedule=ScheduleExpression.rate(Duration.hours(1)),
        ...     retries=1,
        ...     emails=["developer@example.com"],
        ... )
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        handler: lambda_.IFunction,
        schedule: scheduler.ScheduleExpression | None = None,
        payload: Any = None,
        retries: int = DEFAULT_RETRIES,
        max_event_age: Duration | None = None,
        emails: Sequence[str] = (),
        channel: FailureChannel | None = None,
        on_success: lambda_.IDestination | None = None,
        delivery_retries: int | None = None,
        max_delivery_age: Duration | None = None,
    ) -> None:
        """Define the construct.

        Args:
            scope: The construct to define it in.
            id: Its name within the scope. Changing it replaces the topic and queues.
            handler: The function, version or alias that callers invoke, built by any means: a
                `Function`, `NodejsFunction` or `DockerImageFunction`, or one imported with
                `Function.from_function_attributes(…, role=…)`.
            schedule: When EventBridge Scheduler starts the handler. Not for a function with
                `tenancy_config`, whose invocations must name a tenant, nor for a durable function
                itself: pass a version or alias of it. Default: never; S3, SNS, EventBridge or code
                invoke it.
            payload: The event of each scheduled run: any JSON value of at most 1 MiB (1,048,576
                bytes), which may contain tokens and Scheduler's context attributes.
                Default: Scheduler's own event, with the schedule's ARN and time.
            retries: How often Lambda runs the handler again after an error. 0 to 2; Lambda waits
                1 minute, then 2 minutes. Not for a durable function, whose executions Lambda does
                not retry. Default: 2, as in Lambda.
                https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
            max_event_age: How long Lambda keeps an event that it cannot run, for example while
                the function is throttled. 60 seconds to 6 hours. Default: 6 hours, as in Lambda.
            emails: Addresses to notify of each failure; see `FailureChannel`. Default: nobody.
            channel: A channel to share. Default: a new one, which keeps failed events for 14 days,
                even if its stack is deleted.
            on_success: Where Lambda sends the record of each successful run: a standard queue or
                topic, an event bus or a function. A replay sends no such record, because it is a
                synchronous invocation. Default: nowhere.
                https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
            delivery_retries: How often EventBridge Scheduler retries to deliver an event to
                Lambda's queue, before the handler runs. It does not set how often the handler runs.
                0 to 185. Default: 185.
                https://docs.aws.amazon.com/scheduler/latest/APIReference/API_RetryPolicy.html
            max_delivery_age: How long EventBridge Scheduler retries the delivery. 60 seconds to 24
                hours. Default: 24 hours.

        Raises:
            ValueError: The handler already has an asynchronous configuration or is imported
                without a role, arguments exclude each other, or one is not as described; the
                message names it and says what to do.
        """
        check_scope(scope)
        _check_channel(channel, emails)
        addresses = checked_emails(emails)
        delivery = _delivery(
            schedule,
            payload=payload,
            delivery_retries=delivery_retries,
            max_delivery_age=max_delivery_age,
        )
        settings = AsyncSettings(
            retries=retries, max_event_age=max_event_age, on_success=on_success
        )
        called = Called(handler)
        check_attachable(None if channel is None else wiring_of(channel), called, settings)
        if delivery is not None and called.isolates_tenants:
            raise ValueError(
                f"schedule must be left out for a function with tenancy_config, got "
                f"{shown(called.node.path)}: EventBridge Scheduler cannot name a tenant, so Lambda "
                "would reject each event; schedule a function without tenancy_config that invokes "
                "this one for each tenant"
            )
        if delivery is not None and called.is_durable and called.function is handler:
            # https://docs.aws.amazon.com/lambda/latest/dg/durable-invoking.html
            raise ValueError(
                f"schedule needs a version or alias of a durable function, got "
                f"{shown(called.node.path)} itself: Lambda rejects an invocation without a "
                "qualifier; pass handler=function.current_version, or an alias"
            )
        super().__init__(scope, id)

        self._handler = handler
        self._channel = channel or FailureChannel(self, "Channel", emails=addresses)
        here = scope if isinstance(scope, Stack) else Stack.of(scope)
        wiring = wiring_of(self._channel)
        config = attach_once(wiring, called, settings, self, here)
        self._schedule = None
        if delivery is not None:
            self._schedule = delivery.define(self, handler, wiring)
            # Otherwise a run that fails before Lambda knows the destination would be lost.
            self._schedule.node.add_dependency(config)

    @property
    def handler(self) -> lambda_.IFunction:
        """The function, version or alias that callers invoke."""
        return self._handler

    @property
    def channel(self) -> FailureChannel:
        """The channel that gets its failures: its own or a shared one."""
        return self._channel

    @property
    def topic(self) -> sns.ITopic:
        """The channel's topic."""
        return self._channel.topic

    @property
    def queue(self) -> sqs.IQueue:
        """The channel's queue, which holds the failed events."""
        return self._channel.queue

    @property
    def schedule(self) -> scheduler.Schedule | None:
        """The schedule that starts the handler, if it has one."""
        return self._schedule


def _delivery(schedule: Any, **settings: Any) -> Delivery | None:
    if schedule is not None:
        return Delivery(schedule, **settings)
    for name, value in settings.items():
        if value is not None:
            raise ValueError(
                f"{name} needs a schedule, got {name}={shown(value)} and no schedule: "
                f"pass schedule=… too, or leave {name} out"
            )
    return None


def _check_channel(channel: Any, emails: Any) -> None:
    if channel is None:
        return
    if not isinstance(channel, FailureChannel):
        raise ValueError(
            f"channel must be a FailureChannel, got {shown(channel)}: "
            "define one, or leave it out for one of the function's own"
        )
    if emails:
        raise ValueError(
            f"emails cannot go with channel, got emails={shown(emails)}: "
            "the channel notifies everyone; call channel.add_email(…) for each"
        )
