"""Synthesises the examples and their variants for policy checkers; run once, as a program.

`python -m tests.checked_apps DIRECTORY` writes each app's templates there. It writes the findings
of cdk-nag to `cdk-nag.json`: for each app a list of rules and construct paths.
"""

from __future__ import annotations

import json
import os
import runpy
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast
from unittest import mock

from failure_destinations.testing.node import find_node

os.environ.setdefault("JSII_NODE", str(find_node()))
os.environ.setdefault("CDK_VALIDATION", "false")

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_scheduler import ScheduleExpression
from cdk_nag import AwsSolutionsChecks, ServerlessChecks

from failure_destinations import (
    FailureChannel,
    FailureMonitoring,
    FailureNotifiedFunction,
    FailureNotifier,
    FailureReplayer,
    FailureWatchdog,
    Webhook,
)
from failure_destinations.constructs import suppressions as _suppressions

_LOG_POLICY = "arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*/app.py"))
# Findings about a function that its owner decides on, by checker and rule.
OF_THE_FUNCTION = {
    ("cdk-nag", f"AwsSolutions-IAM4[Policy::{_LOG_POLICY}]"),
    ("cdk-nag", "AwsSolutions-L1"),
    ("cdk-nag", "Serverless-LambdaDefaultMemorySize"),
    ("cdk-nag", "Serverless-LambdaDefaultTimeout"),
    ("cdk-nag", "Serverless-LambdaLatestVersion"),
    ("cdk-nag", "Serverless-LambdaTracing"),
    ("cfn-lint", "W3005"),
    ("checkov", "CKV_AWS_115"),
    ("checkov", "CKV_AWS_117"),
    ("checkov", "CKV_AWS_173"),
}
# Parts of the path and logical id of everything that a replayer, notifier or watchdog defines, and
# of what keeps failed batches, also of their functions.
OURS = ("Replayer", "Notifier", "Watchdog", "EventSourceFailures")
EMAIL = "developer@example.com"


def define_handler(stack: cdk.Stack, role: iam.IRole | None = None) -> lambda_.Function:
    """Define the tutorial's function."""
    return lambda_.Function(
        stack,
        "Handler",
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="index.handler",
        code=lambda_.Code.from_inline("def handler(event, context): raise RuntimeError"),
        role=role,
    )


def define_tutorial(stack: cdk.Stack) -> None:
    """Define the tutorial's stack by hand, without the library."""
    queue, topic = sqs.Queue(stack, "Queue"), sns.Topic(stack, "Topic")
    topic.add_subscription(subscriptions.SqsSubscription(queue, raw_message_delivery=True))
    topic.add_subscription(subscriptions.EmailSubscription(EMAIL))
    handler = define_handler(stack)
    handler.configure_async_invoke(on_failure=destinations.SnsDestination(topic))
    events.Rule(
        stack,
        "Rule",
        schedule=events.Schedule.rate(cdk.Duration.minutes(1)),
        targets=[targets.LambdaFunction(handler, retry_attempts=1)],
    )


def define_library(stack: cdk.Stack, channel: FailureChannel | None = None) -> FailureChannel:
    """Define the same with the library."""
    return FailureNotifiedFunction(
        stack,
        "Notified",
        handler=define_handler(stack),
        schedule=ScheduleExpression.rate(cdk.Duration.minutes(1)),
        retries=1,
        emails=[] if channel else [EMAIL],
        channel=channel,
    ).channel


def define_monitored(stack: cdk.Stack) -> None:
    """Define it with alarms and a dashboard."""
    FailureMonitoring(stack, "Monitoring", channel=define_library(stack))


def _define_with_key(stack: cdk.Stack) -> FailureChannel:
    channel = FailureChannel(
        stack,
        "Channel",
        encryption_key=kms.Key(stack, "Key", enable_key_rotation=True),
        emails=[EMAIL],
    )
    define_library(stack, channel)
    return channel


def define_encrypted(stack: cdk.Stack) -> None:
    """Define it with a key, alarms and a dashboard."""
    channel = _define_with_key(stack)
    FailureMonitoring(stack, "Monitoring", channel=channel)


def define_replayed(stack: cdk.Stack) -> None:
    """Define it with a key and automatic replay."""
    channel = _define_with_key(stack)
    FailureReplayer(stack, "Replayer", channel=channel)


def define_notified(stack: cdk.Stack, *, encrypted: bool = True) -> None:
    """Define it with a notifier, a mailbox and a webhook."""
    key = kms.Key(stack, "Key", enable_key_rotation=True) if encrypted else None
    channel = FailureChannel(stack, "Channel", encryption_key=key)
    define_library(stack, channel)
    secret = secretsmanager.Secret.from_secret_name_v2(stack, "Slack", "team/slack")
    FailureNotifier(
        stack, "Notifier", channel=channel, emails=[EMAIL], webhooks=[Webhook.slack(secret)]
    )


def define_plainly_notified(stack: cdk.Stack) -> None:
    """Define the same without a key."""
    define_notified(stack, encrypted=False)


def define_watched(stack: cdk.Stack) -> None:
    """Define it with a watchdog."""
    FailureWatchdog(stack, "Watchdog", channel=define_library(stack))


def define_watched_elsewhere(stack: cdk.Stack) -> None:
    """Define it with a key, and with a watchdog in another stack."""
    channel = _define_with_key(stack)
    elsewhere = cdk.Stack(cast(cdk.App, stack.node.root), "Elsewhere")
    FailureWatchdog(elsewhere, "Watchdog", channel=channel)


def define_streamed(stack: cdk.Stack, *, encrypted: bool = True) -> None:
    """Define it with a stream and a queue, whose failures go to the same channel."""
    key = kms.Key(stack, "Key", enable_key_rotation=True) if encrypted else None
    channel = FailureChannel(stack, "Channel", encryption_key=key)
    define_library(stack, channel)
    read_stream(stack, cast(lambda_.Function, stack.node.find_child("Handler")), channel)
    queue = sqs.Queue(
        stack,
        "Source",
        enforce_ssl=True,
        encryption_master_key=kms.Key(stack, "SourceKey", enable_key_rotation=True),
    )
    channel.dead_letter_queue_for(queue)
    FailureReplayer(stack, "Replayer", channel=channel)
    FailureWatchdog(stack, "Watchdog", channel=channel)


def define_plainly_streamed(stack: cdk.Stack) -> None:
    """Define the same without a key."""
    define_streamed(stack, encrypted=False)


def define_streamed_elsewhere(stack: cdk.Stack) -> None:
    """Define a stream and its function in another stack."""
    channel = FailureChannel(stack, "Channel")
    elsewhere = cdk.Stack(cast(cdk.App, stack.node.root), "Streams")
    handler = define_handler(elsewhere)
    channel.notify_failures_of(handler)
    read_stream(elsewhere, handler, channel)


def read_stream(stack: cdk.Stack, handler: lambda_.Function, channel: FailureChannel) -> None:
    """Let a function read a stream."""
    stream = kinesis.Stream(stack, "Stream", encryption=kinesis.StreamEncryption.MANAGED)
    handler.add_event_source(
        sources.KinesisEventSource(
            stream,
            starting_position=lambda_.StartingPosition.LATEST,
            retry_attempts=3,
            on_failure=channel.event_source_destination,
        )
    )


def define_unsuppressed(stack: cdk.Stack) -> None:
    """Define a channel with a key and one without, and remove the acknowledgments."""
    with mock.patch.object(_suppressions, "Validations"):
        define_monitored(cdk.Stack(stack, "Monitored"))
        define_encrypted(cdk.Stack(stack, "Encrypted"))
        define_replayed(cdk.Stack(stack, "Replayed"))
        define_watched(cdk.Stack(stack, "Watched"))
        define_notified(cdk.Stack(stack, "Notified"))
        define_streamed(cdk.Stack(stack, "Streamed"))
        cast(cdk.App, stack.node.root).synth()


def define_acknowledged(stack: cdk.Stack) -> None:
    """Define an app whose owner runs cdk-nag and has decided about the function alone."""
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    handler = define_handler(stack, role=role)
    FailureNotifiedFunction(stack, "Notified", handler=handler, emails=[EMAIL])
    rules = [rule for checker, rule in OF_THE_FUNCTION if checker == "cdk-nag" and "[" not in rule]
    cdk.Validations.of(handler).acknowledge(
        *(cdk.Acknowledgment(id=rule, reason="decided by the owner") for rule in rules)
    )
    app = cast(cdk.App, stack.node.root)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app), ServerlessChecks(app))


def define_nested(stack: cdk.Stack) -> None:
    """Define a channel in a nested stack."""
    FailureChannel(cdk.NestedStack(stack, "Nested"), "Channel", emails=[EMAIL])


VARIANTS: dict[str, Callable[[cdk.Stack], object]] = {
    "tutorial": define_tutorial,
    "library": define_library,
    "monitored": define_monitored,
    "encrypted": define_encrypted,
    "nested": define_nested,
    "replayed": define_replayed,
    "watched": define_watched,
    "watchedelsewhere": define_watched_elsewhere,
    "notified": define_notified,
    "plainlynotified": define_plainly_notified,
    "streamed": define_streamed,
    "plainlystreamed": define_plainly_streamed,
    "streamedelsewhere": define_streamed_elsewhere,
    "unsuppressed": define_unsuppressed,
    "acknowledged": define_acknowledged,
}


def apps() -> Iterator[tuple[str, cdk.App]]:
    """Synthesise each app; yield its name and the app."""
    for example in EXAMPLES:
        yield example.parent.name, runpy.run_path(str(example))["app"]
    for name, define in VARIANTS.items():
        app = cdk.App()
        define(cdk.Stack(app, name.capitalize()))
        app.synth()
        yield name, app


def nag(app: cdk.App) -> list[tuple[str, str]]:
    """Return what cdk-nag's packs find in an app: rules and construct paths."""
    found = []
    for pack in (AwsSolutionsChecks(app), ServerlessChecks(app)):
        report: Any = pack.validate_scope(app)
        for violation in report.violations:
            for resource in violation.violating_resources:
                found.append((violation.rule_name, cast(str, resource.construct_path)))
    return sorted(found)


def main(directory: Path) -> None:
    """Write the templates and the findings."""
    found = {}
    for name, app in apps():
        found[name] = nag(app)
        if name == "unsuppressed":
            continue
        for template in sorted(Path(app.synth().directory).glob("*.template.json")):
            shutil.copy(template, directory / f"{name}.{template.name}")
    (directory / "cdk-nag.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
