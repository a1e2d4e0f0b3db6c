"""The channel that keeps failed events and notifies people: topic, queues and subscriptions."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import cast

from aws_cdk import Annotations, Aws, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct, IConstruct, IValidation

from failure_destinations import names

from ..called import Called
from ..keys import QUEUE_SENDERS, SEND, in_words, let_service_send
from ..mailbox_ids import mailbox_id
from ..refusals import (
    check_address,
    check_age,
    check_environment,
    check_grantee,
    check_scope,
    checked_emails,
    shown,
)
from ..retention import (
    MAX_RETENTION_SECONDS,
    MIN_RETENTION_SECONDS,
    check_batch_retention,
    default_retention,
)
from ..suppressions import suppress_for_channel
from ..synthesis import at_synthesis, warn_if_synthesised
from .attaching import (
    DEFAULT_RETRIES,
    AsyncSettings,
    attach_once,
    attach_uncovered,
    check_attachable,
)
from .dead_letter_queue import DeadLetterQueue
from .destination import ChannelDestination
from .durable import DurableCheck
from .event_sources.attaching import attach_uncovered_mapping
from .event_sources.destination import EventSourceDestination
from .event_sources.failures import EventSourceFailures
from .given_parts import check_key, check_queue, check_subscribed, check_subscriptions, check_topic
from .silence import note_silence
from .source_queues import DEFAULT_MAX_RECEIVES, SourceQueue, define_source_dead_letter_queue
from .wiring import Wiring, register


class FailureChannel(Construct):
    """Keeps every failed event of its functions in a queue, and notifies people.

    Defines an SNS topic; an SQS queue that gets each invocation record as Lambda wrote it; a
    subscription for each mailbox; a dead-letter queue for events that a schedule could not start or
    SNS could not deliver; and a copy queue, which is the functions' own dead-letter queue and so
    gets a copy of each failed event separately. Failed events can be replayed from the queue. A
    bucket for the failed batches of streams is defined with the first use of
    `event_source_destination`.

    One channel serves any number of functions, in any stack of the app: their stacks refer to the
    channel's stack, never the other way round.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        emails: Sequence[str] = (),
        subscriptions: Sequence[sns.ITopicSubscription] = (),
        topic: sns.ITopic | None = None,
        queue: sqs.IQueue | None = None,
        retention: Duration | None = None,
        encryption_key: kms.IKey | None = None,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN,
        keep_copies: bool = True,
        batch_retention: Duration | None = None,
    ) -> None:
        """Define the channel.

        Args:
            scope: The construct to define it in.
            id: Its name within the scope. Changing it replaces the topic and queues.
            emails: Addresses to notify of each failure. Each person confirms the subscription in
                the first e-mail, within 2 days. Default: nobody is notified.
                https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html
            subscriptions: Other subscribers to the topic, such as functions, URLs or chats.
                Default: none.
            topic: A standard topic to use. If it is imported and encrypted, the handlers' roles
                need permission to use its key. Default: a new one that refuses connections without
                TLS.
            queue: A standard queue to keep failed events in. It keeps its own retention, which is 4
                days unless you set it. Default: a new encrypted one that refuses connections
                without TLS.
            retention: How long the queues that this channel defines keep an event. 60 seconds to
                14 days. Default: 14 days, where SQS's own default is 4.
                https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
            encryption_key: KMS key for the topic, queues and bucket that this channel defines.
                Default: the queues and the bucket are encrypted with keys that SQS and S3 manage;
                the topic is not encrypted, since it does not store messages once they are
                delivered.
            removal_policy: What happens to the queues and the bucket that this channel defines when
                their stack is deleted. CloudFormation cannot delete a bucket with objects in it.
                Default: they stay, with the events in them.
            keep_copies: Whether the functions get a queue of this channel as their dead-letter
                queue, which keeps a copy of each failed event. It holds events of up to 1 MiB,
                where a record over 256 KB comes through SNS without its payload, and works while
                the topic, its key or its policy is broken. A function that has a dead-letter queue
                keeps it. A warning says where none can be set: the function is imported, is in
                another stack than its configuration, or has a role that cannot be changed. Versions
                that are already published get no copies; the next one does. Default: copies are
                kept.
                https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
            batch_retention: How long the bucket of `event_source_destination` keeps a failed batch:
                whole days, from 1 to 3,650. S3 deletes it at midnight UTC or later. Default: twice
                as long as the queues keep an event, 28 days, so that a batch that a replayer
                parked still has its records.
                https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html

        Raises:
            ValueError: An argument is not as described; the message names it and says what to do.
        """
        check_scope(scope)
        addresses = checked_emails(emails)
        check_subscriptions(subscriptions)
        check_topic(topic)
        check_queue(queue)
        check_key(encryption_key)
        check_age("retention", retention, MIN_RETENTION_SECONDS, MAX_RETENTION_SECONDS)
        check_batch_retention(batch_retention)
        if not isinstance(removal_policy, RemovalPolicy):
            raise ValueError(
                f"removal_policy must be an aws_cdk.RemovalPolicy, got {shown(removal_policy)}: "
                "leave it out to keep the queues, or write RemovalPolicy.DESTROY"
            )
        if not isinstance(keep_copies, bool):
            raise ValueError(
                f"keep_copies must be True or False, got {shown(keep_copies)}: "
                "the channel defines the queue for them"
            )
        for name, given in (("topic", topic), ("queue", queue), ("encryption_key", encryption_key)):
            if given is not None:
                check_environment(name, given, Stack.of(scope))
        super().__init__(scope, id)
        self._stack = scope if isinstance(scope, Stack) else Stack.of(scope)
        warn_if_synthesised(self._stack, self)

        self._encryption_key = None if encryption_key is None else self._use_key(encryption_key)
        self._topic = topic or sns.Topic(
            self, names.TOPIC, enforce_ssl=True, master_key=self._encryption_key
        )
        self._dead_letter_queue = self._define_queue(
            names.DEAD_LETTER_QUEUE, retention, removal_policy, DeadLetterQueue
        )
        if queue is None:
            self._queue: sqs.IQueue = self._define_queue(names.QUEUE, retention, removal_policy)
            self._queue_subscription = self._subscribe_queue(same_stack=True)
        else:
            self._queue = queue
            self._let_sns_use(queue)
            self._queue_subscription = self._subscribe_queue(same_stack=queue.stack is self._stack)
        self._copy_queue: sqs.Queue | None = None
        if keep_copies:
            self._copy_queue = self._define_queue(names.COPY_QUEUE, retention, removal_policy)
        self._wiring = Wiring(
            channel=self,
            stack=self._stack,
            topic=self._topic,
            queue=self._queue,
            owns_queue=queue is None,
            queue_subscription=self._queue_subscription,
            dead_letter_queue=self._dead_letter_queue,
            copy_queue=self._copy_queue,
            key=self._encryption_key,
            given_key=encryption_key,
            publishers_use_key=(
                encryption_key is not None if topic is None else topic.master_key is not None
            ),
            retention=retention or default_retention(),
            removal_policy=removal_policy,
            batch_retention=batch_retention,
        )
        register(self._wiring)
        self._wiring.deferred.append(self._explain_storms)
        self.node.add_validation(cast(IValidation, DurableCheck(self._wiring)))
        if topic is None:
            self._wiring.deferred.append(functools.partial(note_silence, self._wiring))
        for address in addresses:
            self._subscribe_mailbox(address)
        for subscription in subscriptions:
            self.add_subscription(subscription)
        own_queues = [
            each
            for each in (self._queue, self._dead_letter_queue, self._copy_queue)
            if each is not None and each is not queue
        ]
        at_synthesis(
            self,
            self._stack,
            functools.partial(
                suppress_for_channel,
                self,
                unencrypted_queues=[] if encryption_key else own_queues,
                unencrypted_topic=None if topic or encryption_key else self._topic,
            ),
            self._wiring.run_deferred,
        )

    @property
    def topic(self) -> sns.ITopic:
        """The topic that Lambda sends invocation records to."""
        return self._topic

    @property
    def queue(self) -> sqs.IQueue:
        """The queue that holds the failed events: each message body is an invocation record."""
        return self._queue

    @property
    def dead_letter_queue(self) -> sqs.IQueue:
        """The queue for events that a schedule could not start or SNS could not deliver.

        Pass it as `dead_letter_queue` to your own rules, subscriptions and schedules too, in any
        stack of the app. Its policy, and that of an `encryption_key`, let EventBridge and SNS send
        to it; a schedule's role needs the key as well: `channel.encryption_key.grant(role,
        "kms:Decrypt", "kms:GenerateDataKey*")`.
        https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
        """
        return self._dead_letter_queue

    @property
    def copy_queue(self) -> sqs.IQueue | None:
        """The queue with a copy of each failed event; None if the channel keeps no copies.

        A copy is the event itself, with the attributes `RequestID`, `ErrorCode` and
        `ErrorMessage`; its request id is that of the record in `queue`.
        """
        return self._copy_queue

    @functools.cached_property
    def destination(self) -> lambda_.IDestination:
        """The channel, for the `on_failure` argument of any construct that has one.

        `lambda_.Function(…, on_failure=channel.destination)` attaches the function like
        `notify_failures_of`, with the function's own retries and maximum event age. It also works
        for an `Alias`, `Version`, `NodejsFunction` or `SingletonFunction`, for
        `configure_async_invoke`, and for third-party constructs that pass on an `on_failure`. The
        function may be in another stack of the app.

        Do not use it for `on_success`. A handler that cannot be attached raises an error where it
        is defined, which jsii turns into a RuntimeError.
        https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
        """
        return cast(lambda_.IDestination, ChannelDestination(self._wiring))

    @functools.cached_property
    def event_source_destination(self) -> lambda_.IEventSourceDlq:
        """The channel, for the `on_failure` of an event source mapping.

        `KinesisEventSource(stream, …, on_failure=channel.event_source_destination)` sends this
        channel each batch that Lambda gives up on. It also works for a `DynamoEventSource`,
        `ManagedKafkaEventSource`, `SelfManagedKafkaEventSource` and `EventSourceMapping`, of
        functions in any stack of the app. Lambda gives up on a batch after `retry_attempts`, or
        when it is older than `max_record_age`: set one of them.

        Lambda writes the batch with all its records to a bucket of the channel (`batch_bucket`).
        The channel's queue and subscribers get its record, which names the object and has no
        payload. The first use defines the bucket; the rule, the queue and the function that
        announce new objects; and their permissions.

        For Kafka in a VPC, Lambda reaches S3 only through an endpoint of that VPC, which you
        define. SQS queues, Amazon MQ and Amazon DocumentDB have no failure destination in Lambda:
        they are errors at synthesis. A function that cannot be attached raises an error where the
        mapping is defined, which jsii turns into a RuntimeError.
        https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
        https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
        https://docs.aws.amazon.com/lambda/latest/dg/kafka-on-failure.html
        """
        return cast(lambda_.IEventSourceDlq, EventSourceDestination(self._wiring))

    @property
    def batch_bucket(self) -> s3.IBucket | None:
        """The bucket with the failed batches of event sources; None if no mapping is attached yet.

        Use EventBridge rules to be notified of its objects: `add_event_notification` would replace
        the setting on which the channel depends.
        """
        for failures in self._wiring.event_source_failures:
            return failures.bucket
        return None

    @property
    def queue_subscription(self) -> sns.Subscription:
        """The queue's subscription to the topic, which delivers raw records."""
        return self._queue_subscription

    @property
    def encryption_key(self) -> kms.IKey | None:
        """The KMS key of what this channel defines, as an imported key; None if it was given none.

        The key's policy cannot be changed through it: use the key that you passed.
        """
        return self._encryption_key

    def notify_failures_of(
        self,
        handler: lambda_.IFunction,
        *,
        retries: int = DEFAULT_RETRIES,
        max_event_age: Duration | None = None,
        on_success: lambda_.IDestination | None = None,
    ) -> Construct:
        """Send the failed events of another function, version or alias to this channel.

        A handler that is attached to this channel with the same arguments already stays as it is,
        also if it was attached through another object: two imports of one ARN, or two objects
        of `SingletonFunction` with one uuid, are one function.

        A durable function gets no asynchronous configuration, because Lambda neither retries its
        executions nor sends them to destinations. It gets a dead-letter queue instead, whose events
        a small Lambda function sends to the channel's topic.
        https://docs.aws.amazon.com/lambda/latest/dg/durable-best-practices.html

        Args:
            handler: The function, version or alias that callers invoke. A function's
                configuration does not apply to its aliases and versions, nor theirs to it.
            retries: How often Lambda runs the handler again after an error. 0 to 2; Lambda waits
                1 minute, then 2 minutes. Not for a durable function. Default: 2, as in Lambda.
                https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
            max_event_age: How long Lambda keeps an event that it cannot run, for example while
                the function is throttled. 60 seconds to 6 hours. Default: 6 hours, as in Lambda.
            on_success: Where Lambda sends the record of each successful run: a standard queue or
                topic, an event bus or a function. A replay sends no such record, because it is a
                synchronous invocation. Default: nowhere.
                https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html

        Returns:
            The function's asynchronous configuration (`AWS::Lambda::EventInvokeConfig`); for a
            durable function, the construct with its dead-letter queue.

        Raises:
            ValueError: The handler already has an asynchronous configuration, is attached with
                other arguments or to another channel, is imported without a role or is in another
                account or Region, or an argument is not as described.
        """
        settings = AsyncSettings(
            retries=retries, max_event_age=max_event_age, on_success=on_success
        )
        called = Called(handler)
        check_attachable(self._wiring, called, settings)
        return attach_once(self._wiring, called, settings)

    def cover(
        self,
        scope: IConstruct,
        *,
        retries: int = DEFAULT_RETRIES,
        max_event_age: Duration | None = None,
    ) -> None:
        """Attach this channel to every uncovered asynchronous function and stream below a scope.

        `FailureDestinationCheck` decides which functions are asynchronous and which are covered. If
        a function is called through an alias or version, that alias or version is attached.
        Functions that are defined after this call, up to synthesis, are included.

        Functions with a failure destination or dead-letter queue stay as they are, and so do those
        whose finding you acknowledged with `Validations.of(…).acknowledge(…)`. An asynchronous
        configuration without a failure destination gets one and keeps its other settings. Property
        overrides (`add_property_override`) are not seen but stay in effect: a destination or
        dead-letter queue that you set that way gets the failures.

        Event source mappings of Kinesis, DynamoDB streams and Kafka that have no failure
        destination get `event_source_destination`, and keep their retries and maximum record age.
        Set one of these: a stream's mapping without both is a warning, since it would retry a
        failing batch until it expires.

        Some functions cannot be attached, and the check still reports them: a `CfnFunction` without
        a construct around it; and, with a warning, a function in another account or Region, or in a
        stack that the channel's stack refers to and that could not refer back.

        A channel in a stack of its own covers every stack of its app except those in stages, which
        each need a channel of their own. If two channels cover a function, the one that comes first
        in the construct tree is attached.

        Args:
            scope: The app, a stage, a stack or any construct of the channel's app or stage.
            retries: As in `notify_failures_of`, for functions without an asynchronous
                configuration; not for event source mappings. 0 to 2. Default: 2, as in Lambda.
            max_event_age: Likewise. 60 seconds to 6 hours. Default: 6 hours, as in Lambda.

        Raises:
            ValueError: The scope is not a construct or is already covered, or an argument is not
                as described.
        """
        from ..cover.cover import cover  # noqa: PLC0415 - start-up time: it imports the check

        settings = AsyncSettings(retries=retries, max_event_age=max_event_age)
        cover(
            self._wiring,
            scope,
            functools.partial(attach_uncovered, self._wiring, settings),
            functools.partial(attach_uncovered_mapping, self._wiring),
        )

    def dead_letter_queue_for(
        self, queue: sqs.Queue, *, max_receive_count: int = DEFAULT_MAX_RECEIVES
    ) -> sqs.Queue:
        """Give a queue that feeds a function a dead-letter queue in this channel.

        Without one, a message whose handling fails comes back until the queue's retention ends, and
        is then deleted. With one, SQS moves it there after `max_receive_count` receives, as it is:
        it does not pass through the channel's topic or `queue`. `FailureMonitoring` and
        `FailureNotifier` notify people of it, and the command line reads these queues with `--from
        source-queues`; `replay --to-source` moves the messages back.

        The dead-letter queue is FIFO if the queue is, refuses connections without TLS, has the
        channel's key or else SQS-managed encryption, and stays when its stack is deleted unless the
        channel's `removal_policy` says otherwise. It keeps a message as long as the channel's
        queues keep an event, and in addition as long as `queue` keeps it, up to 14 days: for a
        standard queue SQS counts from when the message was first sent. For a FIFO queue SQS counts
        from the move, and the longer of both is enough.
        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/setting-up-dead-letter-queue-retention.html

        SQS does not encrypt a message anew when it moves it: who reads the dead-letter queue needs
        `kms:Decrypt` on the key of `queue`, if that has one.
        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-server-side-encryption.html

        In a FIFO queue, the next messages of a group are handled once a failed one is moved. Leave
        the dead-letter queue out if a group must rather wait than lose its order.
        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html

        Args:
            queue: A standard or FIFO queue of this app without a dead-letter queue. It may be in
                another stack, which then refers to the channel's. It gets a redrive policy.
            max_receive_count: How often a message is received before SQS moves it. 1 to 1,000.
                Default: 5, the least that AWS recommends for a queue that feeds a function; a
                warning says if it is less.
                https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html

        Returns:
            The dead-letter queue: the same one if the method is called again with the same
            arguments.

        Raises:
            ValueError: The queue is not of this app, is one of a channel's own, has a dead-letter
                queue already, or is in another account, Region or stage; or an argument is not as
                described. If the channel's stack refers to that of the queue, synthesis fails with
                a RuntimeError.
        """
        return define_source_dead_letter_queue(self._wiring, queue, max_receive_count)

    def add_email(self, address: str) -> sns.Subscription:
        """Notify another mailbox of each failure.

        Args:
            address: The address, or a token such as a `CfnParameter`'s value. The person confirms
                the subscription in the first e-mail, within 2 days.
                https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html

        Raises:
            ValueError: The address is empty, has white space, has no `@` or is a duplicate.
        """
        check_address("address", address, {known.casefold() for known in self._wiring.mailboxes})
        return self._subscribe_mailbox(address)

    def add_subscription(self, subscription: sns.ITopicSubscription) -> sns.Subscription:
        """Notify another subscriber of each failure, such as a function, URL, queue or chat.

        Messages that SNS cannot deliver to it go to the channel's dead-letter queue, unless the
        subscription has its own.
        https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html

        Args:
            subscription: One of `aws_sns_subscriptions`.

        Raises:
            ValueError: It is not a subscription.
        """
        check_subscriptions([subscription])
        added = self._topic.add_subscription(subscription)
        check_subscribed(added)
        if added.dead_letter_queue is None:
            resource = cast(sns.CfnSubscription, added.node.default_child)
            resource.redrive_policy = {"deadLetterTargetArn": self._dead_letter_queue.queue_arn}
        self._wiring.subscribers.append(added)
        return added

    def grant_consume_failures(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow a grantee to read and delete failed events, their copies and dead letters.

        That includes the queues of `dead_letter_queue_for`, also later ones. Their messages are
        still encrypted with the key of the queue that they come from: if it has a KMS key, the
        grantee also needs `kms:Decrypt` on that.

        It may also read the failed batches of event sources, including those of mappings that are
        attached later.

        Args:
            grantee: A role, user, group or function.
        """
        check_grantee(grantee)
        grant = self._queue.grant_consume_messages(grantee).combine(
            self._dead_letter_queue.grant_consume_messages(grantee)
        )
        if self._copy_queue is not None:
            grant = grant.combine(self._copy_queue.grant_consume_messages(grantee))

        def grant_source(source: SourceQueue) -> None:
            source.dead_letter_queue.grant_consume_messages(grantee)

        self._wiring.source_queues.observe(grant_source)

        for failures in self._wiring.event_source_failures:
            return grant.combine(failures.grant_read(grantee))
        self._wiring.event_source_failures.observe(functools.partial(_let_read, grantee))
        return grant

    def _define_queue(
        self,
        id: str,
        retention: Duration | None,
        removal_policy: RemovalPolicy,
        kind: type[sqs.Queue] = sqs.Queue,
    ) -> sqs.Queue:
        key = self._encryption_key
        return kind(
            self,
            id,
            retention_period=retention or default_retention(),
            enforce_ssl=True,
            encryption=sqs.QueueEncryption.KMS if key else sqs.QueueEncryption.SQS_MANAGED,
            encryption_master_key=key,
            removal_policy=removal_policy,
        )

    def _use_key(self, key: kms.IKey) -> kms.IKey:
        """Let SNS and EventBridge use the key, and return an imported view of it.

        CDK does not change the policy of an imported key. With the key itself, CDK would name this
        topic in the key's policy. A key of another stack would then refer to this stack, which
        refers to the key. Only a rule's dead-letter queue needs EventBridge, but CDK does not let
        it use the key of a queue.
        https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
        """
        added = [let_service_send(key, iam.ServicePrincipal(name)) for name in QUEUE_SENDERS]
        if not all(added):
            self._warn(
                "imported-key",
                "encryption_key is imported, so its policy cannot be changed here: allow "
                f"sns.amazonaws.com to use {in_words(SEND)} in that policy, or failed events do "
                "not reach the queue; also allow events.amazonaws.com, if a rule uses the "
                "dead-letter queue.",
            )
        return kms.Key.from_key_arn(self, "EncryptionKey", key.key_arn)

    def _let_sns_use(self, queue: sqs.IQueue) -> None:
        if not isinstance(queue, sqs.Queue):
            self._warn(
                "imported-queue",
                "queue is imported, so its policy cannot be changed here: allow "
                "sns.amazonaws.com to use sqs:SendMessage in that policy, and to use the queue's "
                "key if it has one, or failed events do not reach it.",
            )
        key = queue.encryption_master_key
        added = key is None or let_service_send(key, _sns_service())
        if not added and isinstance(queue, sqs.Queue):
            self._warn(
                "imported-queue-key",
                "the key of queue is imported, so its policy cannot be changed here: allow "
                f"sns.amazonaws.com to use {in_words(SEND)} in that policy, or failed events do "
                "not reach the queue.",
            )

    def _subscribe_queue(self, *, same_stack: bool) -> sns.Subscription:
        """Let the topic send to the queue, and subscribe it.

        SqsSubscription is not used, because the subscription's logical id would contain the
        stack's name. When a logical id changes, CloudFormation creates the subscription again; SNS
        returns the existing one, which CloudFormation then deletes.
        """
        if same_stack:
            condition = {"ArnEquals": {"aws:SourceArn": self._topic.topic_arn}}
        else:
            # The policy is in the queue's stack, which must not refer back to the topic's.
            condition = {"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}
        sender = iam.ServicePrincipal("sns.amazonaws.com", conditions=condition)
        permission = self._queue.grant(sender, "sqs:SendMessage")
        subscription = sns.Subscription(
            self,
            names.QUEUE_SUBSCRIPTION,
            topic=self._topic,
            protocol=sns.SubscriptionProtocol.SQS,
            endpoint=self._queue.queue_arn,
            raw_message_delivery=True,
            dead_letter_queue=self._dead_letter_queue,
        )
        if same_stack:
            # SNS does not try again what it may not deliver yet. A queue of another stack is
            # deployed before, with its policy.
            permission.apply_before(subscription)
        return subscription

    def _subscribe_mailbox(self, address: str) -> sns.Subscription:
        subscription = sns.Subscription(
            self,
            mailbox_id(self, address),
            topic=self._topic,
            protocol=sns.SubscriptionProtocol.EMAIL,
            endpoint=address,
            dead_letter_queue=self._dead_letter_queue,
        )
        self._wiring.mailboxes.append(address)
        return subscription

    def _explain_storms(self) -> None:
        wiring = self._wiring
        handlers = len([*wiring.handlers])
        if handlers < 2 or not [*wiring.mailboxes]:  # noqa: PLR2004 - one is the tutorial's way
            return
        has_notifier = "notifier" in wiring.companion_kinds
        way_out = (
            "pass emails to the channel's FailureNotifier instead"
            if has_notifier
            else "define a FailureNotifier, which sends one e-mail for a group of failures, and "
            "pass emails to it instead"
        )
        Annotations.of(self).add_info_v2(
            "failure-destinations:storm-of-mails",
            f"each mailbox in emails gets an e-mail for each failure of {handlers} handlers. In a "
            "storm of more than 10 e-mails a second, SNS suspends the mailbox and deletes its "
            f"subscription after 48 hours: {way_out}.",
        )

    def _warn(self, name: str, text: str) -> None:
        Annotations.of(self).add_warning_v2(f"failure-destinations:{name}", text)


def _let_read(grantee: iam.IGrantable, failures: EventSourceFailures) -> None:
    failures.grant_read(grantee)


@functools.cache
def _sns_service() -> iam.ServicePrincipal:
    return iam.ServicePrincipal("sns.amazonaws.com")
