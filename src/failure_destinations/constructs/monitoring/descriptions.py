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
        "of its retention. Send it back to its function now, or save it first with "
        f"--backup FILE: {_replay(queue)}"
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
        "the destination is gone, or the record is over 256 KB. See the destination: "
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
    """Describe the alarm about runs that EventBridge Scheduler gave up."""
    return (
        "EventBridge Scheduler gave up a run of a schedule in the group: the role may not invoke "
        "the function, or the function is gone. The run's event is in the schedule's dead-letter "
        f"queue; for schedules of this channel: {_list(dead_letter_queue)} "
        f"The group's schedules: {_schedules(group)}"
    )


def invocations_lost(group: str) -> str:
    """Describe the alarm about runs that EventBridge Scheduler lost."""
    return (
        "EventBridge Scheduler gave up a run of a schedule in the group, and could not send its "
        "event to the schedule's dead-letter queue: the run is lost. The schedule's role may not "
        "send to the queue or use its key, or the queue is gone. See the role and queue with "
        f"get-schedule for each of: {_schedules(group)}"
    )


def parked_events(queue: sqs.IQueue) -> str:
    """Describe the alarm about events that the replayer gave up."""
    return (
        "The replayer gave up events that failed again or are not failed events. Their attributes "
        "that begin with Replay say why. Fix the cause, and send the events back to their "
        f"functions within {DEFAULT_RETENTION_DAYS} days: {_replay(queue)}"
    )


def _list(queue: sqs.IQueue) -> str:
    return f"failure-destinations list --region {Aws.REGION} --queue {queue.queue_url}"


def _replay(queue: sqs.IQueue) -> str:
    return f"failure-destinations replay --region {Aws.REGION} --queue {queue.queue_url}"


def _schedules(group: str) -> str:
    return f"aws scheduler list-schedules --region {Aws.REGION} --group-name {group}"


def _named(handler: lambda_.IFunction) -> str:
    function, _ = function_and_qualifier(handler)
    return f"--region {Aws.REGION} --function-name {function.function_name}"


def _qualified(handler: lambda_.IFunction) -> str:
    function, qualifier = function_and_qualifier(handler)
    return _named(handler) + ("" if handler is function else f" --qualifier {qualifier}")
