"""Notifies people of groups of failures: once when a group is new, and in digests after that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from aws_cdk import Annotations, Aws, Duration, RemovalPolicy, Stack, Tokenization
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from failure_destinations import names
from failure_destinations.runtime.versioned_item import KEY

from .. import keys
from ..called import Called
from ..channel.channel import FailureChannel
from ..channel.given_parts import check_subscribed, check_subscriptions
from ..channel.source_queues import SourceQueue
from ..channel.wiring import AttachedHandler, AttachedReplayer, channels_of, wiring_of
from ..mailbox_ids import mailbox_id
from ..monitoring import metrics
from ..refusals import (
    check_address,
    check_age,
    check_environment,
    check_grantee,
    check_scope,
    checked_emails,
    has_member,
    is_token,
    shown,
)
from ..retention import default_retention
from ..suppressions import suppress_for_notifier
from .chat import ChatConfiguration, check_chat, subscribe_chat
from .parts import VISIBILITY_FACTOR, NotifierFunction, define_schedule
from .webhook import Webhook

MIN_EVERY_SECONDS = 60
MAX_EVERY_SECONDS = 86_400
MIN_REMINDER_SECONDS = 300
# SQS deletes an event after 14 days, so a later reminder would come too late.
MAX_REMINDER_SECONDS = 1_209_600
# Their queues, formats and secrets have to fit into 4 KB of environment variables.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_WEBHOOKS = 5
_MAX_LOG_GROUPS = 10
# Their names, of up to 80 characters each, likewise.
MAX_SOURCE_QUEUES = 20

_TIMEOUT_SECONDS = 60
_MEMORY_MB = 512
_WEBHOOK_TIMEOUT_SECONDS = 30
_WEBHOOK_MEMORY_MB = 256
_BATCH_SIZE = 1000
_BATCHING_SECONDS = 5
# A queue's event source cannot be limited further.
# https://docs.aws.amazon.com/lambda/latest/dg/api/API_ScalingConfig.html
_MIN_CONCURRENCY = 2
# Six minutes apart: about two hours.
_MAX_RECEIVES = 20
# With the waits of runtime/webhooks.py: about two hours.
MAX_WEBHOOK_RECEIVES = 12


class FailureNotifier(Construct):
    """Notifies people of failures in groups: when a group is new, in digests, and when it is over.

    Failures of one kind are one group, however many they are: see `runtime.fingerprint`. Defines

    - a queue that gets a copy of each record of the channel's topic, and a dead-letter queue for
      copies that SNS could not deliver and for those that could not be counted 20 times;
    - a function that counts them, and a DynamoDB table with one item for what it remembers;
    - a topic for people: mailboxes, chats, webhooks and other subscribers;
    - a schedule that wakes the function each minute.

    A new group is notified at once, together with what else failed. After that, one message each
    `every` counts what has failed since, in all groups together. While failed events wait in the
    channel's queue, its dead-letter queue or a replayer's parked queue, one message each `reminder`
    says how many. When the last one was replayed or deleted, one message says that it is over; a
    group that comes back then is new again.

    Each minute it also looks into the dead-letter queues of `FailureChannel.dead_letter_queue_for`,
    up to 20 of them: the messages of one are a group of their own. SQS says only about how many
    there are, so a message that comes while another one leaves may not be counted. An event source
    mapping's failed batch is counted as one failure, with the number of its records.

    Nothing that happens here can lose or delay a failed event: the channel keeps it in queues of
    its own. If the table is lost, groups are new again, and people hear how many events wait. A
    notice comes twice only if the function is killed between sending it and noting that. SNS or SQS
    may deliver a record twice, which counts twice.

    A channel has at most one notifier. With one, leave `emails` of the channel out: they get each
    record.

    Example:
        >>> from aws_cdk import App, Duration, Stack
        >>> from failure_destinations import FailureChannel, FailureNotifier
        >>> stack = Stack(App(), "Failures")
        >>> channel = FailureChannel(stack, "Channel")
        >>> notifier = FailureNotifier(
        ...     stack, "Notifier", channel=channel, emails=["team@example.com"],
        ...     every=Duration.minutes(15),
        ... )
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        channel: FailureChannel,
        emails: Sequence[str] = (),
        chat: Sequence[ChatConfiguration] = (),
        webhooks: Sequence[Webhook] = (),
        every: Duration | None = None,
        reminder: Duration | None = None,
        payload: bool = True,
        removal_policy: RemovalPolicy = RemovalPolicy.DESTROY,
    ) -> None:
        """Define the notifier.

        Args:
            scope: The construct to define it in; preferably the channel's.
            id: Its name within the scope. Changing it replaces the topic, so that people have to
                confirm their subscriptions again.
            channel: The channel whose failures it notifies people of.
            emails: The mailboxes to notify. Each person confirms the subscription in the first
                e-mail, within 2 days. Default: none.
                https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html
            chat: Slack and Teams channels of Amazon Q Developer in chat applications, as
                `aws_chatbot` defines them. They get its custom notifications. Default: none.
                https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
            webhooks: URLs to post to: Slack, Teams, PagerDuty or plain JSON; at most 5. Each has a
                queue, so that one that fails does not delay the others. A message that a webhook
                does not take within 10 seconds is sent again up to 11 times in about two hours, and
                then goes to `dead_letter_queue`. Default: none.
            every: The shortest time between two messages about groups that are known. 1 minute to 1
                day. Default: 5 minutes.
            reminder: The time between two reminders while events wait. 5 minutes to 14 days.
                Default: 1 day.
            payload: Whether messages have the beginning of one event of each group, at most 500
                characters. An error's message is always in them. Default: they have.
            removal_policy: What happens to the table when its stack is deleted. Default: it is
                deleted too. The queues always go with their stack, since they only have copies.

        Raises:
            ValueError: An argument is not as described, or the channel already has a notifier.
        """
        check_scope(scope)
        wiring = wiring_of(channel)
        wiring.check_unclaimed("notifier")
        check_environment(
            "channel", channel.queue, Stack.of(scope), "the notifier", "define the notifier there"
        )
        addresses = checked_emails(emails)
        configurations = _checked_list("chat", chat)
        for configuration in configurations:
            check_chat(configuration)
        hooks = _checked_list("webhooks", webhooks)
        for webhook in hooks:
            _check_webhook(webhook)
        check_age("every", every, MIN_EVERY_SECONDS, MAX_EVERY_SECONDS)
        check_age("reminder", reminder, MIN_REMINDER_SECONDS, MAX_REMINDER_SECONDS)
        if not isinstance(payload, bool):
            raise ValueError(
                f"payload must be True or False, got {shown(payload)}: write payload=False to keep "
                "events out of messages"
            )
        if not isinstance(removal_policy, RemovalPolicy):
            raise ValueError(
                f"removal_policy must be an aws_cdk.RemovalPolicy, got {shown(removal_policy)}: "
                "leave it out, or write RemovalPolicy.RETAIN to keep the table"
            )
        super().__init__(scope, id)
        wiring.claim("notifier", self)

        self._wiring = wiring
        self._mailboxes: list[str] = []
        self._webhooks: list[str] = []
        self._has_others = False
        self._has_chat = False
        self._webhook_function: NotifierFunction | None = None
        self._dead_letter_queue = self._define_queue(names.NOTIFIER_DEAD_LETTER_QUEUE)
        self._queue = self._define_queue(
            names.NOTICE_QUEUE,
            visibility_timeout=Duration.seconds(
                _TIMEOUT_SECONDS * VISIBILITY_FACTOR + _BATCHING_SECONDS
            ),
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=self._dead_letter_queue, max_receive_count=_MAX_RECEIVES
            ),
        )
        self._topic = sns.Topic(self, names.NOTIFIER_TOPIC, enforce_ssl=True, master_key=wiring.key)
        self._table = self._define_table(removal_policy)
        self._main = self._define_function(every, reminder, payload=payload)
        self._event_source = self._read_queue()
        self._schedule = define_schedule(
            self, names.NOTIFIER_SCHEDULE, "ScheduleRole", self._queue, wiring
        )
        suppress_for_notifier(
            event_source=self._event_source,
            queues=[self._queue, self._dead_letter_queue],
            dead_letter_queues=[self._dead_letter_queue],
            topic=self._topic,
            table=self._table,
            encrypted=wiring.key is not None,
        )
        self._subscribe(names.NOTICE_SUBSCRIPTION, wiring.topic, self._queue)
        self._waiting_queues: list[sqs.IQueue] = []
        self._may_count: iam.PolicyStatement | None = None
        for queue in (wiring.queue, wiring.dead_letter_queue):
            self._add_waiting_queue(queue)
        wiring.replayers.observe(self._add_replayer)
        self._source_queues: list[str] = []
        self._has_warned_of_source_queues = False
        self._may_see_sources: iam.PolicyStatement | None = None
        wiring.source_queues.observe(self._add_source_queue)
        self._log_groups: dict[str, str] = {}
        wiring.handlers.observe(self._add_handler)
        for address in addresses:
            self._subscribe_mailbox(address)
        for configuration in configurations:
            self.add_chat(configuration)
        for webhook in hooks:
            self.add_webhook(webhook)
        wiring.deferred.append(self._note_silence)
        wiring.deferred.append(self._name_channel)
        wiring.notifiers.append(self)

    @property
    def topic(self) -> sns.ITopic:
        """The topic to which people are subscribed."""
        return self._topic

    @property
    def has_chat(self) -> bool:
        """Whether it notifies a chat by now: then HTTPS subscribers get the format of chats."""
        return self._has_chat

    @property
    def queue(self) -> sqs.Queue:
        """The queue with copies of records that are not counted yet."""
        return self._queue

    @property
    def dead_letter_queue(self) -> sqs.Queue:
        """The queue for what could not be counted, or not be sent to a webhook or mailbox.

        What could not be counted is a copy of an event that the channel has.
        """
        return self._dead_letter_queue

    @property
    def function(self) -> lambda_.Function:
        """The function that counts failures and sends messages."""
        return self._main.function

    @property
    def webhook_function(self) -> lambda_.Function | None:
        """The function that posts to webhooks; None if there are none."""
        return None if self._webhook_function is None else self._webhook_function.function

    @property
    def table(self) -> dynamodb.Table:
        """The table whose only item is what the notifier remembers."""
        return self._table

    @property
    def schedule(self) -> scheduler.Schedule:
        """The schedule that wakes the function each minute."""
        return self._schedule

    @property
    def event_source(self) -> lambda_.EventSourceMapping:
        """The mapping that passes the queue's records to the function."""
        return self._event_source

    @property
    def log_group(self) -> logs.LogGroup:
        """The log group of `function`, which gets a line for each batch and message."""
        return self._main.log_group

    def add_email(self, address: str) -> sns.Subscription:
        """Notify another mailbox.

        Args:
            address: The address, or a token such as a `CfnParameter`'s value. The person confirms
                the subscription in the first e-mail, within 2 days.
                https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html

        Raises:
            ValueError: The address is empty, has white space, has no `@` or is a duplicate.
        """
        check_address("address", address, {known.casefold() for known in self._mailboxes})
        return self._subscribe_mailbox(address)

    def add_subscription(self, subscription: sns.ITopicSubscription) -> sns.Subscription:
        """Notify another subscriber, such as a function, queue, phone or URL.

        Functions and queues get plain JSON, URLs and phones the text of the e-mail; URLs get
        the format of Amazon Q Developer once the notifier has a chat. A message's attribute `kind`
        is `failures`, `reminder` or `over`, for filters.

        Args:
            subscription: One of `aws_sns_subscriptions`.

        Raises:
            ValueError: It is not a subscription.
        """
        check_subscriptions([subscription])
        added = self._topic.add_subscription(subscription)
        check_subscribed(added)
        self._has_others = True
        return added

    def add_chat(self, configuration: ChatConfiguration) -> None:
        """Notify another chat of Amazon Q Developer in chat applications.

        Args:
            configuration: A Slack or Teams channel configuration of `aws_chatbot` that is defined
                in this app.

        Raises:
            ValueError: It is not such a configuration.
        """
        check_chat(configuration)
        subscribe_chat(configuration, self._topic)
        self._has_others = True
        self._has_chat = True
        self._main.set_environment({"CHAT": "true"})

    def add_webhook(self, webhook: Webhook) -> sqs.Queue:
        """Post to another webhook.

        Args:
            webhook: The format, and the secret that holds the URL.

        Returns:
            The queue with messages that it has not taken yet.

        Raises:
            ValueError: It is not a Webhook, there are 5 already, or one has the same format and a
                secret of the same construct id.
        """
        _check_webhook(webhook)
        number = len(self._webhooks) + 1
        # What is defined for a webhook stays when another one is removed.
        id = f"{names.WEBHOOK_PREFIX}{webhook.format}-{webhook.url.node.id}"
        if id in self._webhooks:
            raise ValueError(
                f"webhooks must not repeat a format and secret, got {webhook.format} with "
                f"{shown(webhook.url.node.path)} twice: remove one, or give the secret another "
                "construct id"
            )
        if number > MAX_WEBHOOKS:
            raise ValueError(
                f"a notifier must have at most {MAX_WEBHOOKS} webhooks, got one more: subscribe a "
                "function that posts to the others to its topic"
            )
        function = self._webhook_function = self._webhook_function or self._define_sender()
        self._webhooks.append(id)
        queue = self._define_queue(
            f"{id}-Queue",
            visibility_timeout=Duration.seconds(_WEBHOOK_TIMEOUT_SECONDS * VISIBILITY_FACTOR),
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=self._dead_letter_queue, max_receive_count=MAX_WEBHOOK_RECEIVES
            ),
        )
        self._subscribe(f"{id}-Subscription", self._topic, queue)
        function.let_receive(queue)
        source = lambda_.EventSourceMapping(
            self,
            f"{id}-EventSource",
            target=function.function,
            event_source_arn=queue.queue_arn,
            batch_size=1,
            report_batch_item_failures=True,
            max_concurrency=_MIN_CONCURRENCY,
        )
        suppress_for_notifier(
            event_source=source, queues=[queue], encrypted=self._wiring.key is not None
        )
        settings = {
            "id": f"{webhook.url.node.id} ({webhook.format})",
            "format": webhook.format,
            "queueArn": queue.queue_arn,
            "queueUrl": queue.queue_url,
            **_grant_read(webhook.url, function.role),
        }
        function.set_environment({f"WEBHOOK_{number}": Stack.of(self).to_json_string(settings)})
        return queue

    def grant_publish(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow a grantee to send other messages to the same people.

        Args:
            grantee: A role, user, group or function.
        """
        check_grantee(grantee)
        return self._topic.grant_publish(grantee)

    def grant_consume_dead_letters(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow a grantee to read and delete what could not be counted or sent.

        Args:
            grantee: A role, user, group or function.
        """
        check_grantee(grantee)
        return self._dead_letter_queue.grant_consume_messages(grantee)

    def metric_failed_runs(self, **options: Any) -> cloudwatch.Metric:
        """Return `Errors` of the function.

        Args:
            options: As of `aws_cloudwatch.MetricOptions`. Default: the sum of 5 minutes.
        """
        return self.function.metric_errors(**options)

    def metric_oldest_record_age(self, **options: Any) -> cloudwatch.Metric:
        """Return `ApproximateAgeOfOldestMessage` of the queue, in seconds.

        Args:
            options: As of `aws_cloudwatch.MetricOptions`. Default: the maximum of 5 minutes.
        """
        return metrics.oldest_age_in(self._queue, **options)

    def metric_dead_letters(self, **options: Any) -> cloudwatch.Metric:
        """Return `ApproximateNumberOfMessagesVisible` of the dead-letter queue.

        Args:
            options: As of `aws_cloudwatch.MetricOptions`. Default: the maximum of each minute.
        """
        return metrics.events_in(self._dead_letter_queue, **options)

    def metric_messages_sent(self, **options: Any) -> cloudwatch.Metric:
        """Return `NumberOfMessagesPublished` of the topic.

        Args:
            options: As of `aws_cloudwatch.MetricOptions`. Default: the sum of 5 minutes.
        """
        return metrics.topic_metric("NumberOfMessagesPublished", self._topic, **options)

    def metric_messages_failed(self, **options: Any) -> cloudwatch.Metric:
        """Return `NumberOfNotificationsFailed` of the topic.

        Args:
            options: As of `aws_cloudwatch.MetricOptions`. Default: the sum of 5 minutes.
        """
        return metrics.topic_metric("NumberOfNotificationsFailed", self._topic, **options)

    def _name_channel(self) -> None:
        """Let the commands in messages name the channel if its stack has others."""
        wiring = self._wiring
        if channels_of(wiring.stack) > 1:
            path = wiring.channel.node.path.removeprefix(f"{wiring.stack.node.path}/")
            self._main.set_environment({"CHANNEL_OPTION": path})

    def _note_silence(self) -> None:
        """Add an info if nobody gets the messages, as far as is known here."""
        if not (self._mailboxes or self._webhooks or self._has_others):
            Annotations.of(self).add_info_v2(
                "failure-destinations:nobody-notified",
                "this notifier groups failures, but notifies nobody: pass emails=[…], chat=[…] or "
                "webhooks=[…].",
            )

    def _define_queue(self, id: str, **settings: Any) -> sqs.Queue:
        key = self._wiring.key
        return sqs.Queue(
            self,
            id,
            retention_period=default_retention(),
            enforce_ssl=True,
            encryption=sqs.QueueEncryption.KMS if key else sqs.QueueEncryption.SQS_MANAGED,
            encryption_master_key=key,
            removal_policy=RemovalPolicy.DESTROY,
            **settings,
        )

    def _define_table(self, removal_policy: RemovalPolicy) -> dynamodb.Table:
        key = self._wiring.key
        return dynamodb.Table(
            self,
            names.NOTIFIER_TABLE,
            partition_key=dynamodb.Attribute(name=KEY, type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            # Else DynamoDB encrypts it with a key of its own.
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED if key else None,
            encryption_key=key,
            removal_policy=removal_policy,
        )

    def _define_function(
        self, every: Duration | None, reminder: Duration | None, *, payload: bool
    ) -> NotifierFunction:
        wiring = self._wiring
        main = NotifierFunction(
            self,
            names.NOTIFIER_FUNCTION,
            wiring,
            prefix="",
            handler="runtime.notifier.handler",
            description=f"Notifies people of the failures of {wiring.channel.node.path}",
            timeout=_TIMEOUT_SECONDS,
            memory=_MEMORY_MB,
        )
        main.let_receive(self._queue)
        main.allow(["sqs:SendMessage"], self._queue.queue_arn)
        main.allow(["sns:Publish"], self._topic.topic_arn)
        main.allow(["dynamodb:GetItem", "dynamodb:PutItem"], self._table.table_arn)
        if wiring.key is not None:
            main.role.add_to_policy(keys.statement(keys.STORE, wiring.key))
        main.set_environment(
            {
                "TABLE": self._table.table_name,
                "STACK": wiring.stack.stack_name,
                "CHANNEL": wiring.channel.node.path,
                "PARTITION": Aws.PARTITION,
                "REGION": Aws.REGION,
                "ACCOUNT": Aws.ACCOUNT_ID,
                "QUEUE_URL": wiring.queue.queue_url,
                "NOTICE_QUEUE_URL": self._queue.queue_url,
                "TOPIC": self._topic.topic_arn,
                "EVERY_SECONDS": _seconds(every, 300),
                "REMINDER_SECONDS": _seconds(reminder, 86_400),
                "PAYLOAD": "true" if payload else "false",
                "CHAT": "false",
            }
        )
        return main

    def _define_sender(self) -> NotifierFunction:
        return NotifierFunction(
            self,
            names.WEBHOOK_FUNCTION,
            self._wiring,
            prefix="Webhook",
            handler="runtime.webhooks.handler",
            description=f"Posts the messages of {self.node.path} to webhooks",
            timeout=_WEBHOOK_TIMEOUT_SECONDS,
            memory=_WEBHOOK_MEMORY_MB,
        )

    def _read_queue(self) -> lambda_.EventSourceMapping:
        # A new group is notified at once; what fails together is counted together.
        return lambda_.EventSourceMapping(
            self,
            names.EVENT_SOURCE,
            target=self._main.function,
            event_source_arn=self._queue.queue_arn,
            batch_size=_BATCH_SIZE,
            max_batching_window=Duration.seconds(_BATCHING_SECONDS),
            max_concurrency=_MIN_CONCURRENCY,
        )

    def _subscribe(self, id: str, topic: sns.ITopic, queue: sqs.Queue) -> None:
        """Let a topic send to a queue, and subscribe it, with the dead-letter queue behind."""
        sender = iam.ServicePrincipal(
            "sns.amazonaws.com", conditions={"ArnEquals": {"aws:SourceArn": topic.topic_arn}}
        )
        permission = queue.grant(sender, "sqs:SendMessage")
        subscription = sns.Subscription(
            self,
            id,
            topic=topic,
            protocol=sns.SubscriptionProtocol.SQS,
            endpoint=queue.queue_arn,
            raw_message_delivery=True,
            dead_letter_queue=self._dead_letter_queue,
        )
        # SNS does not try again what it may not deliver yet.
        permission.apply_before(subscription)

    def _subscribe_mailbox(self, address: str) -> sns.Subscription:
        self._mailboxes.append(address)
        return sns.Subscription(
            self,
            mailbox_id(self, address),
            topic=self._topic,
            protocol=sns.SubscriptionProtocol.EMAIL,
            endpoint=address,
            dead_letter_queue=self._dead_letter_queue,
        )

    def _add_waiting_queue(self, queue: sqs.IQueue) -> None:
        """Count the messages of a queue as failed events that wait."""
        self._waiting_queues.append(queue)
        if self._may_count is None:
            self._may_count = self._main.allow(["sqs:GetQueueAttributes"], queue.queue_arn)
        else:
            self._may_count.add_resources(queue.queue_arn)
        urls = " ".join(each.queue_url for each in self._waiting_queues)
        self._main.set_environment({"WAITING_QUEUE_URLS": urls})

    def _add_replayer(self, attached: AttachedReplayer) -> None:
        # A replayer elsewhere refers to the channel's stack, which could not refer back.
        stack = Stack.of(attached.replayer)
        if stack is Stack.of(self) or stack is self._wiring.stack:
            self._add_waiting_queue(attached.replayer.parked_queue)

    def _add_source_queue(self, source: SourceQueue) -> None:
        """Notify people of the messages in the dead-letter queue of a queue, too."""
        dead_letters = source.dead_letter_queue
        if len(self._source_queues) >= MAX_SOURCE_QUEUES:
            if self._has_warned_of_source_queues:
                return
            self._has_warned_of_source_queues = True
            Annotations.of(self).add_warning_v2(
                "failure-destinations:many-source-queues",
                f"this notifier notifies people of the first {MAX_SOURCE_QUEUES} queues of "
                f"dead_letter_queue_for, and not of {source.queue.node.path} and those after it: "
                "define a FailureMonitoring, which has alarms for all of them, or another channel.",
            )
            return
        self._source_queues.append(dead_letters.queue_name)
        if self._may_see_sources is None:
            self._may_see_sources = self._main.allow(
                ["sqs:GetQueueAttributes", "sqs:ListDeadLetterSourceQueues"],
                dead_letters.queue_arn,
            )
        else:
            self._may_see_sources.add_resources(dead_letters.queue_arn)
        self._main.set_environment({"SOURCE_DEAD_LETTER_QUEUES": " ".join(self._source_queues)})

    def _add_handler(self, attached: AttachedHandler) -> None:
        """Remember a function's log group if it is not the default one."""
        resource = Called(attached.handler).resource
        if resource is None or Stack.of(resource) is not Stack.of(self):
            return
        logging = resource.logging_config
        group = getattr(logging, "log_group", None)
        if group is None or len(self._log_groups) >= _MAX_LOG_GROUPS:
            return
        self._log_groups[resource.ref] = group
        settings = Stack.of(self).to_json_string(self._log_groups)
        self._main.set_environment({"LOG_GROUPS": settings})


def _seconds(duration: Duration | None, default: int) -> str:
    if duration is None:
        return str(default)
    number = duration.to_seconds()
    return Tokenization.stringify_number(number) if is_token(number) else str(int(number))


def _checked_list(name: str, values: Any) -> list[Any]:
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise ValueError(f"{name} must be a list, got {shown(values)}: write [{name[:7]}]")
    return list(values)


def _check_webhook(webhook: Any) -> None:
    if not isinstance(webhook, Webhook):
        # A URL is a secret: it is not shown.
        raise ValueError(
            f"webhooks must hold Webhook objects, got a value of type {type(webhook).__name__}: "
            "write Webhook.slack(secret), for example"
        )


def _grant_read(url: Any, role: iam.Role) -> dict[str, str]:
    """Let a role read the URL of a webhook, and return where it is."""
    url.grant_read(role)
    if has_member(url, "secret_arn"):
        return {"secret": url.secret_arn}
    return {"parameter": cast(ssm.IStringParameter, url).parameter_name}
