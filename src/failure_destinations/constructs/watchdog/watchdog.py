"""Runs `doctor` in the account on a schedule, and notifies people of what is new."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, cast

from aws_cdk import Aws, Duration, RemovalPolicy, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sns as sns
from aws_cdk.aws_cloudwatch_actions import SnsAction
from constructs import Construct

from failure_destinations import names, permissions
from failure_destinations.alarms import WATCHDOG_FAILED, WATCHDOG_STOPPED, FailureAlarm
from failure_destinations.runtime.versioned_item import KEY

from .. import keys
from ..channel.channel import FailureChannel
from ..channel.event_sources.failures import EventSourceFailures
from ..channel.source_queues import SourceQueue
from ..channel.wiring import AttachedAlarm, wiring_of
from ..log_group import define_log_group
from ..monitoring import descriptions, metrics
from ..monitoring.alarm import define_alarm
from ..monitoring.alarm_topic import (
    check_alarm_topic,
    define_alarm_topic,
    note_silence,
    use_alarm_topic,
)
from ..monitoring.monitoring import FailureMonitoring
from ..notifier.notifier import FailureNotifier
from ..refusals import check_age, check_environment, check_scope, shown
from ..runtime_code import MEMORY_MB, RUNTIME
from ..schedule import Delivery
from ..suppressions import suppress_for_watchdog
from .code import HANDLER, watchdog_code

# A rate of EventBridge Scheduler has whole minutes.
# https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
MIN_EVERY_SECONDS = 60
MAX_EVERY_SECONDS = 86_400
# It asks Lambda about each function of the account, at most 15 times a second.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html#api-requests
_TIMEOUT = 900
_MINUTES = 60


class FailureWatchdog(Construct):
    """Examines a channel on a schedule, as `failure-destinations doctor --quick` does.

    Between two runs of `doctor` nobody notices that a mailbox was unsubscribed, a policy changed or
    an alarm deleted. This construct defines a function that runs `doctor` every `every`, and
    publishes to `topic` what it finds for the first time, with the commands that fix it, and what
    is over: each once. Only errors and warnings are published, and what cannot be read twice in a
    row. While nobody is subscribed to the topic, nothing counts as published.

    The function may read what `doctor` reads, publish to the topic, and write one item of a
    DynamoDB table, which holds what was published. If the table is lost, everything is published
    once more. Its own event holds nothing; if Lambda gives up on it after three tries, it goes to
    the channel's dead-letter queue.

    Two alarms notify the same topic, and that of the channel's `FailureMonitoring` if there is one:
    `stopped_alarm` goes off if the function has not run for twice `every`, also after the first
    deployment until the first run; `failed_alarm` goes off if a run fails. A channel has at most
    one watchdog.

    Example:
        >>> from aws_cdk import App, Duration, Stack
        >>> from failure_destinations import FailureChannel, FailureWatchdog
        >>> stack = Stack(App(), "Failures")
        >>> channel = FailureChannel(stack, "Channel", emails=["developer@example.com"])
        >>> watchdog = FailureWatchdog(
        ...     stack, "Watchdog", channel=channel, every=Duration.minutes(30)
        ... )
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        channel: FailureChannel,
        every: Duration | None = None,
        notifier: FailureNotifier | None = None,
        topic: sns.ITopic | None = None,
    ) -> None:
        """Define the watchdog.

        Args:
            scope: The construct to define it in; preferably the channel's.
            id: Its name within the scope. Changing it replaces the topic, and each person has to
                confirm the subscription again.
            channel: The channel to examine, with its handlers in all stacks of the account and
                Region. Alarms are examined in the channel's stack only.
            every: How often it is examined. 1 minute to 1 day, in whole minutes. Default: 1 hour.
                https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
            notifier: The notifier whose mailboxes, chats and webhooks get its messages, and those
                of its alarms. Default: none.
            topic: Instead of a notifier, a standard topic for its messages, with its own
                subscribers, such as `alarm_topic` of the channel's `FailureMonitoring`; CloudWatch
                gets permission to publish to it. Default: a new one, which is encrypted with the
                channel's key if it has one, and has the channel's mailboxes as subscribers; each
                person confirms this subscription too, within 2 days.

        Raises:
            ValueError: An argument is not as described, or the channel already has a watchdog.
        """
        check_scope(scope)
        wiring = wiring_of(channel)
        wiring.check_unclaimed("watchdog")
        check_environment(
            "channel", channel.queue, Stack.of(scope), "the watchdog", "define the watchdog there"
        )
        topic = _checked_topic(notifier, topic, channel, Stack.of(scope))
        interval = _checked_interval(every)
        super().__init__(scope, id)
        wiring.claim("watchdog", self)

        self._channel = channel
        self._wiring = wiring
        if topic is None:
            self._topic: sns.ITopic = define_alarm_topic(self, wiring, names.WATCHDOG_TOPIC)
        else:
            self._topic = topic
            # Another companion has already let CloudWatch publish to its own topic.
            if not isinstance(topic.node.scope, FailureMonitoring):
                use_alarm_topic(self, topic, "topic")
        self._state = dynamodb.Table(
            self,
            names.WATCHDOG_STATE,
            partition_key=dynamodb.Attribute(name=KEY, type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            # Else DynamoDB encrypts it with a key of its own.
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED if wiring.key else None,
            encryption_key=wiring.key,
            removal_policy=RemovalPolicy.DESTROY,
        )
        self._log_group = define_log_group(self, self._wiring, "watchdog's log group")
        self._role = self._define_role()
        self._function = self._define_function()
        rate = scheduler.ScheduleExpression.rate(interval)
        self._schedule = Delivery(
            rate, payload=None, delivery_retries=None, max_delivery_age=interval
        ).define(self, self._function, wiring)
        self._stopped_alarm = self._define_alarm(
            WATCHDOG_STOPPED,
            functools.partial(self.metric_runs, period=interval),
            descriptions.watchdog_stopped(self._function, interval.to_human_string()),
        )
        self._failed_alarm = self._define_alarm(
            WATCHDOG_FAILED,
            self.metric_failed_runs,
            descriptions.watchdog_failed(self._function, self._log_group.log_group_name),
        )

        wiring.event_source_failures.observe(self._examine_batches)
        wiring.source_queues.observe(self._examine_source_queue)
        if topic is None:
            wiring.deferred.append(
                functools.partial(
                    note_silence,
                    self,
                    wiring,
                    self._topic,
                    "watchdog-notifies-nobody",
                    "nobody is subscribed to this watchdog's topic, so it publishes nothing: pass "
                    "notifier=… or topic=…, or give the channel emails=[…].",
                )
            )
        if notifier is not None:
            # It may notify a chat later.
            wiring.deferred.append(lambda: self._notify_chat(notifier))
        suppress_for_watchdog(
            self._function,
            self._role,
            self._state,
            self._log_group,
            stacks=self._stack_patterns(),
            encrypted=channel.encryption_key is not None,
        )

    @property
    def function(self) -> lambda_.Function:
        """The function that examines the channel."""
        return self._function

    @property
    def topic(self) -> sns.ITopic:
        """The topic through which it notifies people."""
        return self._topic

    @property
    def schedule(self) -> scheduler.Schedule:
        """The schedule that starts it."""
        return self._schedule

    @property
    def log_group(self) -> logs.LogGroup:
        """The log group, to which each run writes what it found in one line."""
        return self._log_group

    @property
    def stopped_alarm(self) -> cloudwatch.Alarm:
        """The alarm that goes off if the function has not run for twice `every`."""
        return self._stopped_alarm

    @property
    def failed_alarm(self) -> cloudwatch.Alarm:
        """The alarm that goes off if a run fails."""
        return self._failed_alarm

    @property
    def alarms(self) -> Sequence[cloudwatch.Alarm]:
        """Both alarms."""
        return (self._stopped_alarm, self._failed_alarm)

    def metric_runs(self, **options: Any) -> cloudwatch.Metric:
        """Return `Invocations` of the function.

        Args:
            options: As of `aws_cloudwatch.MetricOptions`. Default: the sum of 5 minutes.
                https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
        """
        return metrics.handler_metric("Invocations", self._function, **options)

    def metric_failed_runs(self, **options: Any) -> cloudwatch.Metric:
        """Return `Errors` of the function.

        Args:
            options: As of `aws_cloudwatch.MetricOptions`. Default: the sum of 5 minutes.
        """
        return metrics.handler_metric("Errors", self._function, **options)

    def _define_function(self) -> lambda_.Function:
        # `doctor` finds the channels of nested stacks by the stack around them.
        root = _root_of(self._wiring.stack)
        path = self._channel.node.path.removeprefix(f"{root.node.path}/")
        return lambda_.Function(
            self,
            names.WATCHDOG_FUNCTION,
            description=f"Examines the failure channel {self._channel.node.path}"[:256],
            runtime=RUNTIME,
            handler=HANDLER,
            code=watchdog_code(),
            role=self._role,
            log_group=self._log_group,
            memory_size=MEMORY_MB,
            timeout=Duration.seconds(_TIMEOUT),
            dead_letter_queue=self._channel.dead_letter_queue,
            environment={
                "STACK": root.stack_name,
                "CHANNEL": path,
                "TOPIC_ARN": self._topic.topic_arn,
                "TABLE_NAME": self._state.table_name,
            },
        )

    def _stack_patterns(self) -> list[str]:
        """Return what the ARNs of the stacks to read match; nothing if it is its own stack."""
        stack = self._wiring.stack
        root = _root_of(stack)
        if stack is not root:
            return [f"{root.stack_name}/*", f"{root.stack_name}-*/*"]
        # Another stack's id is not known here.
        return [] if stack is Stack.of(self) else [f"{stack.stack_name}/*"]

    def _define_role(self) -> iam.Role:
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        for actions, resource in (
            (("logs:CreateLogStream", "logs:PutLogEvents"), self._log_group.log_group_arn),
            # Handlers and keys may be anywhere in the account, and these actions only read.
            (permissions.EXAMINE, "*"),
            (("dynamodb:GetItem", "dynamodb:PutItem"), self._state.table_arn),
            (("sns:Publish",), self._topic.topic_arn),
        ):
            role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=[resource]))
        stacks = f"arn:{Aws.PARTITION}:cloudformation:{Aws.REGION}:{Aws.ACCOUNT_ID}:stack"
        stack_arns = [f"{stacks}/{each}" for each in self._stack_patterns()]
        role.add_to_policy(
            iam.PolicyStatement(
                actions=list(permissions.READ_STACK),
                resources=stack_arns or [self._wiring.stack.stack_id],
            )
        )
        used = {}
        for key in (self._topic.master_key, self._wiring.key):
            if key is not None:
                used[key.key_arn] = key
        for key in used.values():
            role.add_to_policy(keys.statement(keys.SEND, key))
        if self._wiring.key is not None:
            role.add_to_policy(keys.statement(keys.STORE, self._wiring.key))
        return role

    def _examine_batches(self, failures: EventSourceFailures) -> None:
        """Let the role read what keeps the channel's failed batches, and how long streams do."""
        for actions, resource in (
            (permissions.READ_BUCKET, failures.bucket.bucket_arn),
            (permissions.READ_RULE, failures.rule.rule_arn),
            (permissions.READ_STREAMS, "*"),
        ):
            self._role.add_to_policy(
                iam.PolicyStatement(actions=list(actions), resources=[resource])
            )

    def _examine_source_queue(self, source: SourceQueue) -> None:
        """Let the role see which queues use a dead-letter queue of the channel."""
        actions = list(permissions.READ_SOURCE_QUEUES)
        arn = source.dead_letter_queue.queue_arn
        self._role.add_to_policy(iam.PolicyStatement(actions=actions, resources=[arn]))

    def _notify_chat(self, notifier: FailureNotifier) -> None:
        if notifier.has_chat:
            self._function.add_environment("CHAT", "true")

    def _define_alarm(
        self,
        kind: FailureAlarm,
        metric: Any,
        description: str,
    ) -> cloudwatch.Alarm:
        alarm = define_alarm(self, kind, 1, metric(), description)
        action = SnsAction(self._topic)
        alarm.add_alarm_action(action)
        if kind is WATCHDOG_STOPPED:
            # It goes off after the first deployment too: people want to know that it runs.
            alarm.add_ok_action(action)
        self._wiring.alarms.append(AttachedAlarm(kind, alarm, 1, metric, description, self._topic))
        return alarm


def _root_of(stack: Stack) -> Stack:
    """Return the stack around all nested ones."""
    parent = stack.nested_stack_parent
    return stack if parent is None else _root_of(parent)


def _checked_topic(
    notifier: Any, topic: Any, channel: FailureChannel, stack: Stack
) -> sns.ITopic | None:
    """Return the topic to use; None for a new one."""
    if notifier is None:
        check_alarm_topic(topic, channel.topic, "topic")
        return cast("sns.ITopic | None", topic)
    if not isinstance(notifier, FailureNotifier):
        raise ValueError(
            f"notifier must be a FailureNotifier, got {shown(notifier)}: pass topic=… for a topic"
        )
    if topic is not None:
        raise ValueError(
            f"topic cannot go with notifier, got {shown(topic)}: leave one of them out"
        )
    theirs = Stack.of(notifier)
    if theirs is not stack and stack is Stack.of(channel):
        raise ValueError(
            "notifier must be in the stack of the channel and the watchdog, got "
            f"{shown(notifier.node.path)}: its stack refers to the channel's, which cannot refer "
            f"back; define the watchdog in {shown(theirs.node.path)} too"
        )
    return notifier.topic


def _checked_interval(every: Any) -> Duration:
    interval = Duration.hours(1) if every is None else every
    check_age("every", interval, MIN_EVERY_SECONDS, MAX_EVERY_SECONDS)
    if interval.is_unresolved():
        raise ValueError(
            f"every must be known at synthesis, got {shown(every)}: write for example "
            "Duration.hours(1)"
        )
    if interval.to_seconds() % _MINUTES:
        raise ValueError(
            f"every must be whole minutes, got {interval.to_seconds():g} seconds: EventBridge "
            "Scheduler takes no shorter steps; write for example Duration.minutes(90)"
        )
    return interval
