"""The description of each alarm: what happened, the likely cause, and a command for details."""

from __future__ import annotations

from aws_cdk import Aws
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs

from ..called import function_and_qualifier
from ..retention import DEFAULT_RETENTION_DAYS


def failed_events_waiting(queue: sqs.IQueue) -> str:
    """Describe the alarm about failed events that wait in the channel's queue."""
    return (
        "Failed events wait in the queue. List them, fix the cause, and send them back to their "
        f"functions: {_list(queue)}, then {_replay(queue)}"
    )


def oldest_event_age(queue: sqs.IQueue, seconds: float) -> str:
    """Describe the alarm about the event that has waited longest."""
    return (
        f"A failed event has waited {seconds:,.0f} seconds, and SQS will soon delete it at the end "
        f"of its retention. Send it back to its function now: {_replay(queue)}, or save it: "
        f"{_export(queue)}"
    )


def dead_letter_events(queue: sqs.IQueue) -> str:
    """Describe the alarm about the channel's dead-letter queue."""
    return (
        "The dead-letter queue holds events that a schedule could not start, or that the topic "
        "could not deliver to a subscriber. Events of undelivered e-mails are in the channel's "
        f"queue too. See why: {_list(queue)}"
    )


def notifications_failed(topic: sns.ITopic) -> str:
    """Describe the alarm about the topic's deliveries."""
    return (
        "The topic could not deliver failures to a subscriber: the queue, its policy or its key is "
        "broken, or a mailbox or endpoint is gone. They are in the dead-letter queue if the "
        "subscription has one. See who subscribes, and how: aws sns list-subscriptions-by-topic "
        f"--region {Aws.REGION} --topic-arn {topic.topic_arn}"
    )


def destination_delivery_failures(handler: lambda_.IFunction) -> str:
    """Describe the alarm about records that Lambda could not send."""
    return (
        f"Lambda could not send records of {handler.node.path} to its destination: they are lost, "
        "unless the function has a dead-letter queue too. The role may not publish or use the key, "
        "the destination is gone, or it refuses the record as too large. See the destination: "
        f"aws lambda get-function-event-invoke-config {_qualified(handler)}"
    )


def dead_letter_errors(handler: lambda_.IFunction) -> str:
    """Describe the alarm about a function's own dead-letter queue."""
    return (
        f"Lambda could not send failed events of {handler.node.path} to the function's own "
        "dead-letter queue: the role may not send or use the key, or the queue is gone. See the "
        f"queue: aws lambda get-function-configuration {_qualified(handler)} "
        "--query DeadLetterConfig"
    )


def async_event_age(handler: lambda_.IFunction, max_age: str) -> str:
    """Describe the alarm about events that wait for their handler.

    Args:
        handler: The handler.
        max_age: The number of seconds that Lambda keeps an event for it.
    """
    return (
        f"Events wait a long time for {handler.node.path}: after {max_age} seconds Lambda gives up "
        "and sends them to the failure destination without a run. The function is throttled or "
        "fails often. See its reserved concurrency: aws lambda get-function-concurrency "
        f"{_named(handler)}"
    )


def invocations_dropped(group: str, dead_letter_queue: sqs.IQueue) -> str:
    """Describe the alarm about runs that EventBridge Scheduler gave up on."""
    return (
        "EventBridge Scheduler gave up on a run of a schedule in the group: the role may not "
        "invoke the function, or the function is gone. The run's event is in the schedule's "
        f"dead-letter queue; for schedules of this channel: {_list(dead_letter_queue)} "
        f"The group's schedules: {_schedules(group)}"
    )


def invocations_lost(group: str) -> str:
    """Describe the alarm about runs that EventBridge Scheduler lost."""
    return (
        "EventBridge Scheduler gave up on a run of a schedule in the group, and could not send its "
        "event to the schedule's dead-letter queue: the run is lost. The schedule's role may not "
        "send to the queue or use its key, or the queue is gone. See the role and queue with "
        f"get-schedule for each of: {_schedules(group)}"
    )


def parked_events(queue: sqs.IQueue) -> str:
    """Describe the alarm about events that the replayer gave up on."""
    return (
        "The replayer gave up on events that failed again or are not failed events. Their "
        "attributes that begin with Replay say why. Fix the cause, and send the events back to "
        f"their functions within {DEFAULT_RETENTION_DAYS} days: {_replay(queue)}"
    )


def notifier_failed(function: lambda_.IFunction, log_group: str) -> str:
    """Describe the alarm about a notifier that fails.

    Args:
        function: The notifier's function.
        log_group: The name of its log group.
    """
    return (
        f"The notifier's function {function.node.path} fails, so people may be notified late. "
        "No event is lost: the channel's queue keeps each one. Its log says why: "
        f"aws logs tail {log_group} --region {Aws.REGION}"
    )


def notice_age(queue: sqs.IQueue) -> str:
    """Describe the alarm about records that the notifier does not count."""
    return (
        "The notifier has not counted a record for a long time, so nobody is notified of it: its "
        "function fails or is throttled, or its event source is disabled. No event is lost: the "
        f"channel's queue keeps each one. See the records: {_list(queue)}"
    )


def undelivered_notices(queue: sqs.IQueue) -> str:
    """Describe the alarm about messages that a notifier could not deliver."""
    return (
        "The notifier's dead-letter queue holds records that could not be counted, or messages "
        "that a mailbox or webhook did not take: its secret, its address or the notifier's role is "
        f"wrong. No event is lost: the channel's queue keeps each one. See why: {_list(queue)}"
    )


def source_dead_letters(source: sqs.IQueue, dead_letter_queue: sqs.IQueue) -> str:
    """Describe the alarm about messages in the dead-letter queue of a source queue."""
    return (
        f"Messages of the queue {source.node.path} wait in its dead-letter queue, because their "
        "handling failed too often. List them, fix the cause, and move them back: "
        f"{_list(dead_letter_queue)} --from source-queues, then {_replay(dead_letter_queue)} "
        "--to-source"
    )


def source_dead_letter_age(
    source: sqs.IQueue, dead_letter_queue: sqs.IQueue, seconds: float
) -> str:
    """Describe the alarm about the oldest message in the dead-letter queue of a source queue."""
    return (
        f"A message of the queue {source.node.path} has been in its dead-letter queue for "
        f"{seconds:,.0f} seconds, and SQS will soon delete it. Move it back now: "
        f"{_replay(dead_letter_queue)} --to-source, or save it: {_export(dead_letter_queue)}"
    )


def source_message_age(source: sqs.IQueue, seconds: float) -> str:
    """Describe the alarm about a message that nobody receives from a source queue."""
    return (
        f"A message has waited {seconds:,.0f} seconds in the queue {source.node.path}, and SQS "
        "will delete it at the end of its retention: its event source mapping is disabled, or its "
        "function is throttled or too slow. See the mapping: aws lambda list-event-source-mappings "
        f"--region {Aws.REGION} --event-source-arn {source.queue_arn}"
    )


def iterator_age(handler: lambda_.IFunction) -> str:
    """Describe the alarm about records of a stream that wait for a function."""
    return (
        f"Records of a stream have waited a long time for {handler.node.path}. The stream deletes "
        "them at the end of its retention: a batch fails again and again and blocks its shard, or "
        "the function is throttled or too slow. See the retries of its mappings: aws lambda "
        f"list-event-source-mappings {_named(handler)}"
    )


def offset_lag(handler: lambda_.IFunction) -> str:
    """Describe the alarm about records of a Kafka topic that wait for a function."""
    return (
        f"Many records of a Kafka topic wait for {handler.node.path}, and the topic deletes them "
        "at the end of its retention: the function fails, is throttled or too slow. See its "
        f"mappings: aws lambda list-event-source-mappings {_named(handler)}"
    )


def batch_delivery_failures(handler: lambda_.IFunction, bucket: str) -> str:
    """Describe the alarm about failed batches that Lambda could not write.

    Args:
        handler: The function.
        bucket: The name of the channel's bucket.
    """
    return (
        f"Lambda could not write failed batches of {handler.node.path} to the bucket {bucket}: "
        "only the stream still has their records, until its retention ends. The function's role "
        "may not write or use the key, or the bucket is gone. See the destination: aws lambda "
        f"list-event-source-mappings {_named(handler)}"
    )


def announcement_age(queue: sqs.IQueue) -> str:
    """Describe the alarm about failed batches that the channel's topic does not get."""
    return (
        "A failed batch has not reached the channel for a long time, so nobody is notified of it: "
        "the channel's batch forwarder fails or is throttled, or its event source is disabled. No "
        "batch is lost: the bucket keeps each one. See the mapping: aws lambda "
        f"list-event-source-mappings --region {Aws.REGION} --event-source-arn {queue.queue_arn}"
    )


def announcements_lost(rule: str, bucket: str) -> str:
    """Describe the alarm about failed batches that were not announced.

    Args:
        rule: The name of the rule that announces them.
        bucket: The name of the bucket that has them.
    """
    return (
        "EventBridge could neither announce a failed batch nor send the announcement to the "
        f"channel's dead-letter queue: nobody is notified of it, but the bucket {bucket} has it. "
        "The policies of the queues or their key are broken. See the rule's targets: aws events "
        f"list-targets-by-rule --region {Aws.REGION} --rule {rule}"
    )


def watchdog_stopped(function: lambda_.IFunction, every: str) -> str:
    """Describe the alarm about a watchdog that does not run.

    Args:
        function: The watchdog's function.
        every: How often it runs, such as `1 hour`.
    """
    return (
        f"The watchdog examines the failure channel every {every}, but has not run for twice that "
        "time: nobody would notice a broken subscription, policy or alarm. Right after the first "
        "deployment it only means that it has not run yet. Otherwise its schedule is disabled or "
        "gone, or may not invoke the function. See the schedule: aws scheduler list-schedules "
        f"--region {Aws.REGION}, and the function: aws lambda get-function-configuration "
        f"{_named(function)}"
    )


def watchdog_failed(function: lambda_.IFunction, log_group: str) -> str:
    """Describe the alarm about a watchdog that fails.

    Args:
        function: The watchdog's function.
        log_group: The name of its log group.
    """
    return (
        f"The watchdog {function.node.path} could not examine the failure channel or publish what "
        f"it found. Its log says why: aws logs tail {log_group} --region {Aws.REGION}. Examine the "
        "channel yourself: failure-destinations doctor"
    )


def _list(queue: sqs.IQueue) -> str:
    return f"failure-destinations list --region {Aws.REGION} --queue {queue.queue_url}"


def _replay(queue: sqs.IQueue) -> str:
    return f"failure-destinations replay --region {Aws.REGION} --queue {queue.queue_url}"


def _export(queue: sqs.IQueue) -> str:
    return (
        f"failure-destinations export events.jsonl --region {Aws.REGION} --queue {queue.queue_url}"
    )


def _schedules(group: str) -> str:
    return f"aws scheduler list-schedules --region {Aws.REGION} --group-name {group}"


def _named(handler: lambda_.IFunction) -> str:
    function, _ = function_and_qualifier(handler)
    return f"--region {Aws.REGION} --function-name {function.function_name}"


def _qualified(handler: lambda_.IFunction) -> str:
    function, qualifier = function_and_qualifier(handler)
    return _named(handler) + ("" if handler is function else f" --qualifier {qualifier}")
