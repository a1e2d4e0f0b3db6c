"""A deployed stack of functions that fail, and helpers to find their failed events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk.aws_scheduler import ScheduleExpression

from failure_destinations import FailureChannel, FailureNotifiedFunction
from failure_destinations.testing import LocalCloud, Message

from ..waiting import eventually

# Fails, or writes its process id to a file and waits to be killed.
FAILING = """
import os, pathlib, time

def handler(event, context):
    if "pid_file" in event:
        pathlib.Path(event["pid_file"]).write_text(str(os.getpid()))
        time.sleep(60)
    raise RuntimeError("Something went wrong!")
"""
SCHEDULED_PAYLOAD = {"veryImportantData": "this should not be lost !!!", "città": ["Zürich", 1.5]}


def define_app() -> cdk.App:
    """Define three functions with 0, 1 and 2 retries on one channel, and a scheduled one."""
    app = cdk.App()
    stack = cdk.Stack(app, "Failures")
    channel = FailureChannel(stack, "Failures", emails=["developer@example.com"])
    for id in ("Retries0", "Retries1", "Retries2", "Scheduled"):
        handler = lambda_.Function(
            stack,
            id,
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="index.handler",
            code=lambda_.Code.from_inline(FAILING),
            timeout=cdk.Duration.seconds(60),
        )
        if id == "Scheduled":
            FailureNotifiedFunction(
                stack,
                "EveryMinute",
                handler=handler,
                channel=channel,
                schedule=ScheduleExpression.rate(cdk.Duration.minutes(1)),
                payload=SCHEDULED_PAYLOAD,
                retries=1,
            )
        else:
            channel.notify_failures_of(handler, retries=int(id[-1]))
        cdk.CfnOutput(stack, f"{id}Name", value=handler.function_name)
    cdk.CfnOutput(stack, "QueueUrl", value=channel.queue.queue_url)
    cdk.CfnOutput(stack, "DeadLetterQueueUrl", value=channel.dead_letter_queue.queue_url)
    assert channel.copy_queue is not None
    cdk.CfnOutput(stack, "CopyQueueUrl", value=channel.copy_queue.queue_url)
    return app


@pytest.fixture(scope="session")
def outputs(localemu: LocalCloud) -> dict[str, str]:
    """Deploy the functions once, and return the stack's outputs."""
    return localemu.deploy(define_app())["Failures"]


T = TypeVar("T")


def first(wait: Callable[[int], list[T]], wanted: Callable[[T], bool]) -> T:
    """Wait for one more until the wanted one is among them, and return it."""
    for count in range(1, 100):
        for found in wait(count):
            if wanted(found):
                return found
    raise AssertionError("it never came")


def failed_event(cloud: LocalCloud, queue_url: str, request_id: str) -> Any:
    """Wait for the record of one request, and return it; the queue may hold others."""
    return first(
        lambda count: cloud.messages(queue_url, count=count),
        lambda message: message.json()["requestContext"]["requestId"] == request_id,
    ).json()


def copied_event(cloud: LocalCloud, queue_url: str, request_id: str) -> Message:
    """Wait for the copy of one event, and return it; the queue may hold others."""
    return first(
        lambda count: cloud.messages(queue_url, count=count),
        lambda message: message.message_attributes["RequestID"] == request_id,
    )


def runs_of(cloud: LocalCloud, function: str, request_id: str, at_least: int) -> int:
    """Return how often a handler ran for one request: its log may come after the record."""
    runs = eventually(
        lambda: cloud.runs(function), lambda seen: seen.get(request_id, 0) >= at_least
    )
    return runs.get(request_id, 0)
