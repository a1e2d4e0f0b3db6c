"""Sends failed events back to their handlers, and parks those that keep failing."""

from __future__ import annotations

from typing import Any, cast

from aws_cdk import (
    Annotations,
    Aspects,
    Duration,
    IAspect,
    RemovalPolicy,
    Stack,
    Tokenization,
)
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from failure_destinations import alarms, names

from ..called import Called
from ..channel.channel import FailureChannel
from ..channel.event_sources.failures import EventSourceFailures
from ..channel.wiring import AttachedEventSource, AttachedHandler, AttachedReplayer, wiring_of
from ..log_group import define_log_group
from ..monitoring import descriptions, metrics
from ..monitoring.alarm import define_alarm
from ..refusals import (
    check_age,
    check_environment,
    check_grantee,
    check_scope,
    checked_count,
    is_token,
    shown,
)
from ..retention import default_retention
from ..runtime_code import MEMORY_MB, RUNTIME, runtime_code
from ..suppressions import suppress_for_replayer
from .counts import MIN_EXPIRE_SECONDS, define_counts, expire_seconds, set_expiry
from .given_queue import VISIBILITY_FACTOR, GivenQueueCheck
from .handler_check import check_handlers, check_permission
from .role import ReplayerRole

MAX_ATTEMPTS = 100
# SQS hides a message 12 hours at most, counted from when Lambda received it.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
MAX_BACKOFF_SECONDS = 39_600
# https://docs.aws.amazon.com/lambda/latest/api/API_ScalingConfig.html
MIN_CONCURRENCY = 2
MAX_CONCURRENCY = 1000
MAX_PARKED_THRESHOLD = 1_000_000

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html
_MAX_TIMEOUT_SECONDS = 900
_DEFAULT_TIMEOUT_SECONDS = 3
# A handler's timeout does not count its cold start, of up to 10 seconds.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
_MARGIN_SECONDS = 30
# The time that the function keeps for itself after it stops waiting, to park or hide the event.
_RESERVE_SECONDS = 10
# Room for a batch of 6 MB, as bytes and as text, and for its object, in which it is escaped.
_BATCH_MEMORY_MB = 512
_PERMISSION_ID = "ReplayPermission"


class FailureReplayer(Construct):
    """Sends each failed event of a channel back to the function and qualifier that failed.

    Defines a Lambda function that receives events from the channel's queue, invokes the failed
    handler with the same payload, and waits for it. The invocation is synchronous, so a second
    failure is returned to this function and does not go through the failure destination again. An
    event that succeeds is deleted. An event that fails is hidden for `backoff`, then for twice as
    long, and so on. An event that fails after it was received `max_attempts` times is parked: it is
    sent to `parked_queue` with the reason in its attributes, and only then deleted. An alarm goes
    off when something is parked.

    A message that is not a failed event is parked at once. A record whose payload Lambda left out,
    because it is over SNS's limit, is replayed with the payload of its copy, which is deleted once
    the event succeeded; without a copy it counts as failed. An event that Lambda could not accept,
    because the function was throttled or not available, is hidden for an hour at most, or for
    `backoff` if that is longer. Throttling alone parks an event only when it was received 100 times
    more than `max_attempts`. But throttled attempts count as receives, so the first failure after
    `max_attempts` throttles parks the event. An event that SQS would delete while it is hidden is
    parked first.

    Every handler of the channel is replayed, including later ones. A handler in another stack gets
    a permission there that lets the replayer invoke it, so that its stack refers to the replayer's
    and never the other way round; if it is in the channel's stack and the replayer is not, the
    replayer's own policy names it. The function may invoke these handlers and nothing else. A
    channel has at most one replayer.

    An `asynchronous` replayer does not wait: it hands each event over to Lambda. An event that
    fails again comes back through the channel, and is parked once it was handed over
    `max_attempts` times.

    A failed batch of a channel's event source is replayed with its records, from the channel's
    bucket; the function may read no other object. It succeeds only if its handler reports no record
    as failed. What is left of it runs again at once while the handler advances; after a wait, all
    of it does. A batch whose records are gone, or are only in its stream, is parked at once.
    An `asynchronous` replayer waits for handlers of batches too: an asynchronous invocation ignores
    which records the handler reports.

    Handlers must be idempotent, as for every asynchronous invocation: if a replay is cut off, the
    event is delivered again, whatever the handler had already done.
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html

    Example:
        >>> from aws_cdk import App, Duration, Stack
        >>> from failure_destinations import FailureChannel, FailureReplayer
        >>> stack = Stack(App(), "Failures")
        >>> channel = FailureChannel(stack, "Channel", emails=["developer@example.com"])
        >>> replayer = FailureReplayer(
        ...     stack, "Replayer", channel=channel, max_attempts=5, backoff=Duration.minutes(1)
        ... )
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        channel: FailureChannel,
        max_attempts: int = 3,
        backoff: Duration | None = None,
        max_concurrency: int = 2,
        enabled: bool = True,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN,
        parked_alarm_threshold: int = 1,
        asynchronous: bool = False,
    ) -> None:
        """Define the replayer.

        Args:
            scope: The construct to define it in; preferably the channel's.
            id: Its name within the scope. Changing it replaces the parked queue.
            channel: The channel whose queue is drained. The visibility timeout of its queue becomes
                six times the function's timeout, which is the slowest handler's timeout plus 30
                seconds, at most 900 seconds. On a queue that you passed to the channel, you have
                to set it yourself; a warning says to what. Synthesis fails if a handler's timeout
                is over 900 seconds, unless the replayer is `asynchronous`, or if it isolates
                tenants: only the command can replay its events.
                https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
            max_attempts: The number of attempts after which an event that still fails is parked.
                1 to 100. SQS only counts how often a message was received, so throttled attempts
                and viewing it in the queue count too; but an event is never parked as failed before
                its handler failed here once. Default: 3.
            backoff: How long an event waits after the first attempt. Each further wait is twice as
                long, up to 11 hours; after a throttle, up to one hour. 1 second to 11 hours.
                Default: 15 minutes.
                https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
            max_concurrency: How many events are replayed at once, by all handlers together.
                2 to 1,000. Default: 2.
                https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
            enabled: Whether events are replayed. With False, events wait in the channel's queue
                until you deploy with True, for example once a bug is fixed. Default: True.
            removal_policy: What happens to the parked queue when its stack is deleted. Default: it
                stays, with the events in it.
            parked_alarm_threshold: The number of parked events at or above which `parked_alarm`
                goes off. 1 to 1,000,000. Default: 1.
            asynchronous: Whether events are handed over to Lambda instead of waiting for their
                handlers: for handlers that run for over 15 minutes, and durable functions. An event
                that fails again comes back through the channel; a DynamoDB table counts how often,
                by function and payload. Default: the replayer waits for each handler.
                https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html

        Raises:
            ValueError: An argument is not as described, or the channel already has a replayer.
        """
        check_scope(scope)
        wiring = wiring_of(channel)
        wiring.check_unclaimed("replayer")
        check_environment(
            "channel", channel.queue, Stack.of(scope), "the replayer", "define the replayer there"
        )
        attempts = checked_count(
            "max_attempts", max_attempts, MAX_ATTEMPTS, "an event that fails is retried", 1
        )
        check_age("backoff", backoff, 1, MAX_BACKOFF_SECONDS)
        concurrency = checked_count(
            "max_concurrency",
            max_concurrency,
            MAX_CONCURRENCY,
            "Lambda only accepts these bounds for the concurrency of a queue's events",
            MIN_CONCURRENCY,
        )
        threshold = checked_count(
            "parked_alarm_threshold",
            parked_alarm_threshold,
            MAX_PARKED_THRESHOLD,
            "the alarm goes off when this many events are parked",
            1,
        )
        _check_enabled(enabled)
        _check_removal_policy(removal_policy)
        _check_asynchronous(asynchronous)
        super().__init__(scope, id)
        wiring.claim("replayer", self)

        self._channel = channel
        self._wiring = wiring
        self._asynchronous = asynchronous
        self._expire_seconds = MIN_EXPIRE_SECONDS
        self._parked_queue = sqs.Queue(
            self,
            names.PARKED_QUEUE,
            retention_period=default_retention(),
            enforce_ssl=True,
            encryption=(
                sqs.QueueEncryption.KMS
                if channel.encryption_key
                else sqs.QueueEncryption.SQS_MANAGED
            ),
            encryption_master_key=channel.encryption_key,
            removal_policy=removal_policy,
        )
        self._log_group = define_log_group(self, self._wiring, "replayer's log group")
        self._role = ReplayerRole(self, wiring, self._parked_queue, self._log_group)
        self._function = lambda_.Function(
            self,
            names.REPLAYER_FUNCTION,
            description=f"Replays the failed events of {channel.node.path}"[:256],
            runtime=RUNTIME,
            handler="runtime.replayer.handler",
            code=runtime_code(),
            role=self._role.role,
            log_group=self._log_group,
            memory_size=MEMORY_MB,
            environment={
                "QUEUE_URL": channel.queue.queue_url,
                "PARKED_QUEUE_URL": self._parked_queue.queue_url,
                "MAX_ATTEMPTS": _text(attempts),
                "BACKOFF_SECONDS": _text(900 if backoff is None else backoff.to_seconds()),
            },
        )
        if asynchronous:
            define_counts(self, self._function, self._role.role)
        if wiring.copy_queue is not None:
            self._function.add_environment("COPY_QUEUE_URL", wiring.copy_queue.queue_url)
        # A batch size of one: no event waits for another's handler or is received again because
        # another's run was cut off, and the function's timeout covers one handler. Failed events
        # are too few for larger batches to pay off.
        self._event_source = lambda_.EventSourceMapping(
            self,
            names.EVENT_SOURCE,
            target=self._function,
            event_source_arn=channel.queue.queue_arn,
            batch_size=1,
            report_batch_item_failures=True,
            max_concurrency=concurrency,
            enabled=enabled,
        )
        suppress_for_replayer(
            self._function,
            self._event_source,
            self._parked_queue,
            self._log_group,
            encrypted=channel.encryption_key is not None,
        )
        self._parked_alarm = define_alarm(
            self,
            alarms.PARKED_EVENTS,
            threshold,
            self.metric_parked_events(),
            descriptions.parked_events(self._parked_queue),
        )
        # Lambda accepts an event at once.
        self._longest_timeout = 30 if asynchronous else _DEFAULT_TIMEOUT_SECONDS
        self._set_timeouts()
        if not wiring.owns_queue:
            limit = MAX_ATTEMPTS if is_token(attempts) else int(attempts)
            check = GivenQueueCheck(self, channel.queue, limit, lambda: self._timeout)
            Aspects.of(self).add(cast(IAspect, check))
        check_handlers(
            self.node,
            lambda: [each.handler for each in wiring.handlers],
            None if asynchronous else _MAX_TIMEOUT_SECONDS,
        )
        check_handlers(
            self.node,
            lambda: [each.handler for each in wiring.event_sources],
            _MAX_TIMEOUT_SECONDS,
            of_batches=True,
        )
        wiring.handlers.observe(self._admit_handler)
        wiring.event_source_failures.observe(self._read_batches)
        wiring.event_sources.observe(self._admit_event_source)
        wiring.replayers.append(AttachedReplayer(self, threshold))

    @property
    def function(self) -> lambda_.Function:
        """The function that replays events."""
        return self._function

    @property
    def parked_queue(self) -> sqs.Queue:
        """The queue for events that failed `max_attempts` times, and for other messages.

        Each message keeps its body and attributes, and gets attributes that say why it is here:
        `ReplayReason`, `ReplayErrorType`, `ReplayErrorMessage`, `ReplayFunction`,
        `ReplayAttempts`, `ReplayMessageId` and `ReplayParkedAt`. SQS deletes it after 14 days.
        """
        return self._parked_queue

    @property
    def parked_alarm(self) -> cloudwatch.Alarm:
        """The alarm that goes off while the parked queue holds events.

        The channel's `FailureMonitoring` notifies people of it; `add_alarm_action` adds others.
        """
        return self._parked_alarm

    @property
    def event_source(self) -> lambda_.EventSourceMapping:
        """The mapping that passes the queue's events to the function."""
        return self._event_source

    @property
    def log_group(self) -> logs.LogGroup:
        """The log group, to which the function writes one line for each event and its outcome."""
        return self._log_group

    def grant_consume_parked(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow a grantee to read and delete parked events.

        Args:
            grantee: A role, user, group or function.
        """
        check_grantee(grantee)
        return self._parked_queue.grant_consume_messages(grantee)

    def metric_parked_events(self, **options: Any) -> cloudwatch.Metric:
        """Return `ApproximateNumberOfMessagesVisible` of the parked queue.

        Args:
            options: As of `aws_cloudwatch.MetricOptions`. Default: the maximum of each minute.
                https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
        """
        return metrics.events_in(self._parked_queue, **options)

    @property
    def _timeout(self) -> int:
        return min(self._longest_timeout + _MARGIN_SECONDS, _MAX_TIMEOUT_SECONDS)

    def _admit_handler(self, attached: AttachedHandler) -> None:
        """Let the function invoke a handler, and give it the time that the handler has."""
        handler = attached.handler
        if attached.is_final:
            self._warn_of_success(attached)
        else:
            self._wiring.deferred.append(lambda: self._warn_of_success(attached))
        self._let_invoke(handler, attached.called_arn, attached.scope)
        if self._asynchronous:
            self._expire_seconds = max(self._expire_seconds, expire_seconds(handler))
            set_expiry(self._function, self._expire_seconds)
        else:
            self._longest_timeout = max(self._longest_timeout, _timeout_of(handler))
            self._set_timeouts()

    def _read_batches(self, failures: EventSourceFailures) -> None:
        """Let the function read the channel's failed batches, and no other object."""
        failures.let_read(self._role.role)
        self._role.let_read_mappings()
        resource = cast(lambda_.CfnFunction, self._function.node.default_child)
        resource.memory_size = _BATCH_MEMORY_MB
        self._function.add_environment("BATCH_BUCKET", failures.bucket.bucket_name)
        self._function.add_environment("BATCH_BUCKET_OWNER", Stack.of(failures).account)

    def _admit_event_source(self, attached: AttachedEventSource) -> None:
        """Let the function invoke the handler of a mapping, and wait for it."""
        handler = attached.handler
        self._let_invoke(handler, handler.function_arn, attached.scope)
        self._longest_timeout = max(self._longest_timeout, _timeout_of(handler))
        self._set_timeouts()

    def _let_invoke(self, handler: lambda_.IFunction, arn: str, scope: Construct) -> None:
        """Let the function invoke what callers call by an ARN.

        Args:
            handler: The function, alias or version.
            arn: Its ARN.
            scope: The construct that gets the permission if the handler's stack must let it in.
        """
        stack = Stack.of(scope)
        # The channel's stack cannot refer to this one, which refers to the queue.
        if stack is Stack.of(self) or stack is Stack.of(self._channel):
            if self._role.let_invoke(arn):
                self._event_source.node.add_dependency(self._role.invoke_policy)
            return
        check_permission(Called(handler))
        lambda_.CfnPermission(
            scope,
            _PERMISSION_ID,
            action="lambda:InvokeFunction",
            function_name=arn,
            principal=self._role.role.role_arn,
        )

    def _warn_of_success(self, attached: AttachedHandler) -> None:
        if attached.sends_successes_now and not self._asynchronous:
            Annotations.of(self).add_warning_v2(
                "failure-destinations:replay-without-success",
                f"{attached.handler.node.path} has on_success, but Lambda does not send records of "
                "replays there, because a replay is a synchronous invocation. If someone must know "
                "of each success, let the handler itself notify them, or acknowledge this.",
            )

    def _set_timeouts(self) -> None:
        resource = cast(lambda_.CfnFunction, self._function.node.default_child)
        resource.timeout = self._timeout
        self._function.add_environment("HANDLER_SECONDS", str(self._timeout - _RESERVE_SECONDS))
        if self._wiring.owns_queue:
            queue = cast(sqs.CfnQueue, self._channel.queue.node.default_child)
            queue.visibility_timeout = self._timeout * VISIBILITY_FACTOR


def _timeout_of(handler: lambda_.IFunction) -> int:
    """Return how many seconds a handler may run; Lambda's maximum if it is not known."""
    called = Called(handler)
    if called.resource is None:
        return _MAX_TIMEOUT_SECONDS
    seconds = called.run_seconds
    if seconds is None:
        return _MAX_TIMEOUT_SECONDS if called.is_durable else _DEFAULT_TIMEOUT_SECONDS
    return _MAX_TIMEOUT_SECONDS if is_token(seconds) else min(int(seconds), _MAX_TIMEOUT_SECONDS)


def _text(number: float) -> str:
    return Tokenization.stringify_number(number) if is_token(number) else str(int(number))


def _check_enabled(enabled: Any) -> None:
    if not isinstance(enabled, bool):
        raise ValueError(
            f"enabled must be True or False, got {shown(enabled)}: write enabled=False to let the "
            "events wait in the channel's queue"
        )


def _check_asynchronous(asynchronous: Any) -> None:
    if not isinstance(asynchronous, bool):
        raise ValueError(
            f"asynchronous must be True or False, got {shown(asynchronous)}: write "
            "asynchronous=True to hand events over without waiting for their handlers"
        )


def _check_removal_policy(removal_policy: Any) -> None:
    if not isinstance(removal_policy, RemovalPolicy):
        raise ValueError(
            f"removal_policy must be an aws_cdk.RemovalPolicy, got {shown(removal_policy)}: "
            "leave it out to keep the parked queue, or write RemovalPolicy.DESTROY"
        )
