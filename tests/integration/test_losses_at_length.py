"""Faults that take long or leave a stack broken: every event is found, and counted."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import aws_cdk as cdk
import pytest
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sns_subscriptions as subscriptions

from failure_destinations import FailureChannel, FailureMonitoring, FailureNotifiedFunction
from failure_destinations.testing import LocalCloud, Message

from ..waiting import eventually
from .conftest import copied_event, failed_event, first

pytestmark = [pytest.mark.integration, pytest.mark.soak]

STACK = "Losses"
FAILURES = 1_000
# The engine tries a throttled event again after 1, 3, 7, 15, 31 and 63 seconds; that is too late.
HOLDING_SECONDS = 80
FAILING = """
import pathlib, time

def handler(event, context):
    if "started_file" in event:
        pathlib.Path(event["started_file"]).touch()
        time.sleep(event["seconds"])
    raise RuntimeError("Something went wrong!")
"""
# In no message of another stack on the same engine.
NOT_KEPT = "report-of-a-schedule-without-dead-letter-queue"
DAILY = scheduler.ScheduleExpression.rate(cdk.Duration.days(1))


def define_app() -> cdk.App:
    """Define a channel for each fault, and some again without the protection against it."""
    app = cdk.App()
    stack = cdk.Stack(app, STACK)
    crowded = FailureChannel(stack, "Crowded")
    crowded.notify_failures_of(define_function(stack, "CrowdedFunction"), retries=0)
    FailureMonitoring(stack, "CrowdedMonitoring", channel=crowded).alarm_topic.add_subscription(
        subscriptions.EmailSubscription("crowded@example.com")
    )

    FailureChannel(stack, "Throttled").notify_failures_of(
        define_function(stack, "ThrottledFunction"),
        retries=0,
        max_event_age=cdk.Duration.minutes(1),
    )

    for name in ("QueueGone", "TopicGone"):
        FailureChannel(stack, name).notify_failures_of(
            define_function(stack, f"{name}Function"), retries=0
        )
        open_ = FailureChannel(stack, f"{name}Open", keep_copies=False)
        open_.notify_failures_of(define_function(stack, f"{name}OpenFunction"), retries=0)
        remove(open_.queue_subscription, "RedrivePolicy")

    channel = FailureChannel(stack, "FunctionGone", emails=["gone@example.com"])
    FailureMonitoring(stack, "FunctionGoneMonitoring", channel=channel)
    gone = define_function(stack, "FunctionGoneFunction")
    for name, handler, report in (
        ("Started", gone, "daily"),
        ("StartedOpen", gone.current_version, NOT_KEPT),
    ):
        notified = FailureNotifiedFunction(
            stack,
            name,
            handler=handler,
            channel=channel,
            schedule=DAILY,
            payload={"report": report},
            delivery_retries=0,
        )
        if report == NOT_KEPT:
            remove(notified.schedule, "Target.DeadLetterConfig")
    rule = events.Rule(stack, "Rule", event_pattern=events.EventPattern(source=["shop"]))
    rule.add_target(
        targets.LambdaFunction(gone, dead_letter_queue=channel.dead_letter_queue, retry_attempts=0)
    )
    return app


def define_function(stack: cdk.Stack, id: str) -> lambda_.Function:
    """Define a function that fails, at once or after the seconds in its event."""
    return lambda_.Function(
        stack,
        id,
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="index.handler",
        code=lambda_.Code.from_inline(FAILING),
        timeout=cdk.Duration.seconds(2 * HOLDING_SECONDS),
    )


def remove(construct: Any, path: str) -> None:
    """Remove a protection from the template."""
    cast(cdk.CfnResource, construct.node.default_child).add_property_deletion_override(path)


class Deployed:
    """The stack, by the names of its channels."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud

    def physical_id(self, path: str) -> str:
        """Return the physical id of a construct of the stack."""
        return self.cloud.physical_id(STACK, path)

    def invoke(self, name: str, payload: Any) -> str:
        """Fail the function of a channel, and return the request id."""
        return self.cloud.invoke(self.physical_id(f"{name}Function"), payload)

    def fire(self, name: str) -> None:
        """Have a schedule start its function every second, which AWS does not offer."""
        client = self.cloud.client("scheduler")
        schedule = client.get_schedule(Name=self.physical_id(f"{name}/Schedule"))
        kept = ("Name", "GroupName", "FlexibleTimeWindow", "Target", "State")
        client.update_schedule(
            **{key: schedule[key] for key in kept}, ScheduleExpression="rate(1 second)"
        )

    def found_anywhere(self, marker: str) -> list[str]:
        """Return the queues that hold a message with this text."""
        urls = self.cloud.client("sqs").list_queues(MaxResults=1000)["QueueUrls"]
        return [
            url
            for url in urls
            if any(marker in message.body for message in self.cloud.messages(url, count=0))
        ]


@pytest.fixture(scope="module")
def losses(localemu: LocalCloud) -> Deployed:
    """Deploy the stack once; the tests break it for good."""
    localemu.deploy(define_app())
    return Deployed(localemu)


@pytest.fixture(scope="module")
def aged(losses: Deployed, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Send an event to a function whose only place is taken, and return its request id."""
    # The engine takes no concurrency from a template.
    losses.cloud.client("lambda").put_function_concurrency(
        FunctionName=losses.physical_id("ThrottledFunction"), ReservedConcurrentExecutions=1
    )
    file = tmp_path_factory.mktemp("throttled") / "started"
    losses.invoke("Throttled", {"started_file": str(file), "seconds": HOLDING_SECONDS})
    assert eventually(lambda: list(file.parent.iterdir()), bool)
    return losses.invoke("Throttled", {"order": 1})


@pytest.fixture(scope="module")
def function_gone(losses: Deployed) -> None:
    """Delete a function that two schedules and a rule start, and start it."""
    name = losses.physical_id("FunctionGoneFunction")
    losses.cloud.client("lambda").delete_function(FunctionName=name)
    losses.fire("StartedOpen")
    losses.fire("Started")
    entry = {"Source": "shop", "DetailType": "Order", "Detail": json.dumps({"order": 7})}
    losses.cloud.client("events").put_events(Entries=[entry])


@pytest.fixture(scope="module")
def crowd(losses: Deployed, aged: str, function_gone: None) -> dict[str, int]:
    """Fail a thousand times while the others wait; return what was sent by request id."""
    assert aged
    assert function_gone is None
    name = losses.physical_id("CrowdedFunction")

    def fail(order: int) -> tuple[str, int]:
        return losses.cloud.invoke(name, {"order": order}), order

    with ThreadPoolExecutor(8) as pool:
        return dict(pool.map(fail, range(FAILURES)))


def dead_letter(losses: Deployed, marker: str) -> Message:
    """Wait for the event that could not start the function, and return its message."""
    url = losses.physical_id("FunctionGone/DeadLetterQueue")
    return first(
        lambda count: losses.cloud.messages(url, count=count),
        lambda message: marker in message.body,
    )


def notifications(losses: Deployed, address: str, alarm: str) -> list[Any]:
    """Wait until an alarm has notified an address, and return its messages."""
    name = losses.physical_id(alarm)

    def look() -> list[Any]:
        bodies = [m.body for m in losses.cloud.mails(address, count=0) if name in m.body]
        return [m for m in map(json.loads, bodies) if m["NewStateValue"] == "ALARM"]

    return eventually(look, bool)


def test_finds_each_of_a_thousand_failures(losses: Deployed, crowd: dict[str, int]) -> None:
    """Every event that was sent is in the queue, and a copy of it, and nothing else is.

    Lambda may run an event twice, so that it is the request ids that count.
    """
    queue, copies = (losses.physical_id(f"Crowded/{id}") for id in ("Queue", "CopyQueue"))

    def kept() -> dict[str, int]:
        records = [message.json() for message in losses.cloud.messages(queue, count=0)]
        return {r["requestContext"]["requestId"]: r["requestPayload"]["order"] for r in records}

    def copied() -> dict[str, int]:
        messages = losses.cloud.messages(copies, count=0)
        return {m.message_attributes["RequestID"]: m.json()["order"] for m in messages}

    assert len(crowd) == FAILURES
    for found in (kept, copied):
        assert eventually(found, lambda seen: len(seen) >= FAILURES, timeout=600) == crowd


@pytest.mark.usefixtures("crowd")
def test_an_alarm_notifies_once_about_a_thousand_failures(losses: Deployed) -> None:
    """The alarm about waiting events sends one message, with the command to run."""
    alarm, url = "CrowdedMonitoring/FailedEventsWaiting", losses.physical_id("Crowded/Queue")
    notifications(losses, "crowded@example.com", alarm)
    losses.cloud.messages(url, count=FAILURES, timeout=600)
    (message,) = notifications(losses, "crowded@example.com", alarm)
    assert message["OldStateValue"] != "ALARM"
    assert f"list --region eu-west-1 --queue {url}" in message["AlarmDescription"]


def test_keeps_an_event_that_waited_too_long(losses: Deployed, aged: str) -> None:
    """A throttled event that is given up for its age is in queue and copy queue, without a run."""
    queue, copies = (losses.physical_id(f"Throttled/{id}") for id in ("Queue", "CopyQueue"))
    message = first(
        lambda count: losses.cloud.messages(queue, count=count, timeout=2 * HOLDING_SECONDS),
        lambda message: message.json()["requestContext"]["requestId"] == aged,
    )
    record = message.json()
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert record["requestPayload"] == {"order": 1}
    assert not record.get("responsePayload")
    assert copied_event(losses.cloud, copies, aged).json() == {"order": 1}
    assert aged not in losses.cloud.runs(losses.physical_id("ThrottledFunction"))


def test_keeps_an_event_whose_queue_is_gone(losses: Deployed) -> None:
    """SNS moves the record to the dead-letter queue, and there is a copy; without both, nothing."""
    for name in ("QueueGoneOpen", "QueueGone"):
        losses.cloud.client("sqs").delete_queue(QueueUrl=losses.physical_id(f"{name}/Queue"))
    losses.invoke("QueueGoneOpen", {"marker": "open-queue"})
    losses.cloud.runs(losses.physical_id("QueueGoneOpenFunction"), count=1)
    request_id = losses.invoke("QueueGone", {"marker": "closed-queue"})
    dead, copies = (
        losses.physical_id(f"QueueGone/{id}") for id in ("DeadLetterQueue", "CopyQueue")
    )
    assert failed_event(losses.cloud, dead, request_id)["requestPayload"]["marker"]
    assert copied_event(losses.cloud, copies, request_id)
    assert sorted(losses.found_anywhere("closed-queue")) == sorted([dead, copies])
    assert losses.found_anywhere("open-queue") == []


def test_keeps_an_event_whose_topic_is_gone(losses: Deployed) -> None:
    """Lambda cannot send the record anywhere; there is a copy, and without copies nothing."""
    for name in ("TopicGoneOpen", "TopicGone"):
        losses.cloud.client("sns").delete_topic(TopicArn=losses.physical_id(f"{name}/Topic"))
    losses.invoke("TopicGoneOpen", {"marker": "open-topic"})
    losses.cloud.runs(losses.physical_id("TopicGoneOpenFunction"), count=1)
    request_id = losses.invoke("TopicGone", {"marker": "closed-topic"})
    copies = losses.physical_id("TopicGone/CopyQueue")
    assert copied_event(losses.cloud, copies, request_id)
    assert losses.found_anywhere("closed-topic") == [copies]
    assert losses.found_anywhere("open-topic") == []


@pytest.mark.usefixtures("function_gone")
def test_keeps_what_a_schedule_cannot_start(losses: Deployed) -> None:
    """The payload is in the dead-letter queue with the reason; without that queue it is lost."""
    message = dead_letter(losses, "daily")
    assert message.json() == {"report": "daily"}
    assert "Function not found" in message.message_attributes["ERROR_MESSAGE"]
    assert message.message_attributes["TARGET_ARN"].endswith(
        losses.physical_id("FunctionGoneFunction")
    )
    assert losses.found_anywhere(NOT_KEPT) == []


@pytest.mark.usefixtures("function_gone")
def test_keeps_what_a_rule_cannot_start(losses: Deployed) -> None:
    """A rule can share the channel's dead-letter queue, which then has the whole event."""
    message = dead_letter(losses, "shop")
    assert message.json()["detail"] == {"order": 7}
    assert "Function not found" in message.message_attributes["ERROR_MESSAGE"]


@pytest.mark.usefixtures("function_gone")
def test_an_alarm_notifies_about_dead_letters(losses: Deployed) -> None:
    """The channel's mailbox gets the alarm's message through the alarm topic."""
    alarm = "FunctionGoneMonitoring/DeadLetterEvents"
    (message,) = notifications(losses, "gone@example.com", alarm)
    assert losses.physical_id("FunctionGone/DeadLetterQueue") in message["AlarmDescription"]
    assert losses.found_anywhere("AlarmName") == []
