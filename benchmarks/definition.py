"""`make bench`: FailureNotifiedFunction against the same resources written by hand.

Both sides define topic, queues, subscriptions, schedule and asynchronous configuration for N
functions. They alternate in one process, each time in a new app whose handlers are defined before
the clock starts. Both templates must be equal except for logical ids and for the metadata that the
library adds for policy checkers at synthesis: CloudFormation ignores it, and a hand-written app
would need it too.
"""

from __future__ import annotations

import argparse
import collections
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, cast

from failure_destinations.testing.node import find_node

os.environ["CDK_VALIDATION"] = "false"
os.environ["JSII_NODE"] = str(find_node())

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Template
from constructs import Construct

from failure_destinations import FailureChannel, FailureNotifiedFunction

PAYLOAD = {"veryImportantData": "this should not be lost !!!"}
EMAILS = ["developer@example.com", "operator@example.com"]


def define_by_hand(stack: cdk.Stack, id: str, handler: lambda_.Function) -> None:
    """Define the library's resources with the CDK's L2 classes, as its documentation shows them."""
    scope = Construct(stack, id)
    topic = sns.Topic(scope, "Topic", enforce_ssl=True)
    dead_letter_queue = sqs.Queue(
        scope,
        "DeadLetterQueue",
        retention_period=cdk.Duration.days(14),
        enforce_ssl=True,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        removal_policy=cdk.RemovalPolicy.RETAIN,
    )
    queue = sqs.Queue(
        scope,
        "Queue",
        retention_period=cdk.Duration.days(14),
        enforce_ssl=True,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        removal_policy=cdk.RemovalPolicy.RETAIN,
    )
    copy_queue = sqs.Queue(
        scope,
        "CopyQueue",
        retention_period=cdk.Duration.days(14),
        enforce_ssl=True,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        removal_policy=cdk.RemovalPolicy.RETAIN,
    )
    queue_subscription = topic.add_subscription(
        subscriptions.SqsSubscription(
            queue, raw_message_delivery=True, dead_letter_queue=dead_letter_queue
        )
    )
    for email in EMAILS:
        topic.add_subscription(
            subscriptions.EmailSubscription(email, dead_letter_queue=dead_letter_queue)
        )
    handler.configure_async_invoke(on_failure=destinations.SnsDestination(topic), retry_attempts=1)
    config = handler.node.find_child("EventInvokeConfig")
    config.node.add_dependency(queue_subscription, dead_letter_queue)
    handler.add_to_role_policy(
        iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[copy_queue.queue_arn])
    )
    function = cast(lambda_.CfnFunction, handler.node.default_child)
    function.dead_letter_config = lambda_.CfnFunction.DeadLetterConfigProperty(
        target_arn=copy_queue.queue_arn
    )
    role = iam.Role(
        scope,
        "ScheduleRole",
        assumed_by=iam.ServicePrincipal(
            "scheduler.amazonaws.com",
            conditions={
                "StringEquals": {
                    "aws:SourceAccount": stack.account,
                    "aws:SourceArn": stack.format_arn(
                        service="scheduler", resource="schedule-group", resource_name="default"
                    ),
                }
            },
        ),
        inline_policies={
            "Deliver": iam.PolicyDocument(
                statements=[
                    iam.PolicyStatement(
                        actions=["lambda:InvokeFunction"], resources=[handler.function_arn]
                    ),
                    iam.PolicyStatement(
                        actions=["sqs:SendMessage"], resources=[dead_letter_queue.queue_arn]
                    ),
                ]
            )
        },
    )
    schedule = scheduler.Schedule(
        scope,
        "Schedule",
        schedule=scheduler.ScheduleExpression.rate(cdk.Duration.minutes(1)),
        target=targets.LambdaInvoke(
            handler,
            role=role.without_policy_updates(),
            input=scheduler.ScheduleTargetInput.from_object(PAYLOAD),
            dead_letter_queue=dead_letter_queue,
        ),
    )
    schedule.node.add_dependency(config)


def define_with_library(stack: cdk.Stack, id: str, handler: lambda_.Function) -> None:
    """Define the same resources with the library."""
    FailureNotifiedFunction(
        stack,
        id,
        handler=handler,
        schedule=scheduler.ScheduleExpression.rate(cdk.Duration.minutes(1)),
        payload=PAYLOAD,
        retries=1,
        emails=EMAILS,
    )


Define = Callable[[cdk.Stack, str, lambda_.Function], None]
SIDES: dict[str, Define] = {"by hand": define_by_hand, "library": define_with_library}
HANDLERS_OWN = ("AWS::Lambda::Function", "AWS::IAM::Role", "AWS::IAM::Policy")


def handler_in(stack: cdk.Stack, i: int = 0) -> lambda_.Function:
    return lambda_.Function(
        stack,
        f"Handler{i}",
        runtime=lambda_.Runtime.PYTHON_3_14,
        handler="index.handler",
        code=lambda_.Code.from_inline("def handler(event, context): ..."),
    )


def resources_of(stack: cdk.Stack) -> dict[str, Any]:
    found: dict[str, Any] = Template.from_stack(stack).to_json()["Resources"]
    return found


def without_ids(resources: dict[str, Any]) -> collections.Counter[str]:
    """Return each resource as text, with types in place of the logical ids it refers to."""

    def named(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: named(item) for key, item in value.items() if key != "PolicyName"}
        if isinstance(value, list):
            return [named(item) for item in value]
        return resources[value]["Type"] if value in resources else value

    def signature(resource: dict[str, Any]) -> str:
        written = named({key: item for key, item in resource.items() if key != "Metadata"})
        written["DependsOn"] = sorted(written.get("DependsOn", []))
        return json.dumps(written, sort_keys=True)

    return collections.Counter(signature(resource) for resource in resources.values())


def check_that_both_sides_define_the_same() -> None:
    signatures = []
    for define in SIDES.values():
        stack = cdk.Stack()
        define(stack, "Notified", handler_in(stack))
        signatures.append(without_ids(resources_of(stack)))
    by_hand, library = signatures
    if by_hand != library:
        only = [
            *(f"- {one}" for one in by_hand - library),
            *(f"+ {one}" for one in library - by_hand),
        ]
        sys.exit("the two sides define different resources:\n" + "\n".join(only))


def seconds_to_define(define: Define, count: int) -> float:
    stack = cdk.Stack()
    handlers = [handler_in(stack, i) for i in range(count)]
    gc.collect()
    started = time.perf_counter()
    for i, handler in enumerate(handlers):
        define(stack, f"Notified{i}", handler)
    return time.perf_counter() - started


def resources_per_function(shared: bool) -> int:
    """Count what another scheduled function adds besides function, role and policy."""

    def count(functions: int) -> int:
        stack = cdk.Stack()
        channel = FailureChannel(stack, "Channel") if shared else None
        for i in range(functions):
            FailureNotifiedFunction(
                stack,
                f"Notified{i}",
                handler=handler_in(stack, i),
                schedule=scheduler.ScheduleExpression.rate(cdk.Duration.minutes(1)),
                channel=channel,
            )
        return len(resources_of(stack))

    return count(2) - count(1) - len(HANDLERS_OWN)


def milliseconds_to_import() -> float:
    code = (
        "import time; started = time.perf_counter(); import failure_destinations;"
        "print((time.perf_counter() - started) * 1000)"
    )
    command = [sys.executable, "-c", code]
    times = [subprocess.run(command, capture_output=True, check=True).stdout for _ in range(7)]
    return statistics.median(map(float, times))


def progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def measure(count: int, rounds: int) -> dict[str, Any]:
    check_that_both_sides_define_the_same()
    times: dict[str, list[float]] = {side: [] for side in SIDES}
    for i in range(-1, rounds):
        progress(f"round {i + 1} of {rounds}")
        # Each side goes first in turn, so that neither finds the machine warmer.
        for side in list(SIDES)[:: 1 if i % 2 else -1]:
            seconds = seconds_to_define(SIDES[side], count)
            if i >= 0:
                times[side].append(seconds)
    progress("")
    # The best rounds of each side: other load on the machine only ever adds time.
    by_hand, library = (statistics.mean(sorted(each)[: rounds // 3]) for each in times.values())
    return {
        "functions": count,
        "rounds": rounds,
        "milliseconds per function, median": {
            side: round(statistics.median(each) / count * 1000, 2) for side, each in times.items()
        },
        "ratio": round(library / by_hand, 3),
        "resources per function, own channel": resources_per_function(shared=False),
        "resources per function, shared channel": resources_per_function(shared=True),
        "milliseconds to import failure_destinations": round(milliseconds_to_import(), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--functions", type=int, default=30, help="how many to define (30)")
    parser.add_argument(
        "--rounds", type=int, default=15, help="how often each side does (15), from 3"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    measured = measure(arguments.functions, arguments.rounds)
    if arguments.json:
        print(json.dumps(measured, indent=2))
        return
    for name, value in measured.items():
        print(f"{name:45} {value}")
    print("\nratio: library / by hand; target: at most 1.00")


if __name__ == "__main__":
    main()
