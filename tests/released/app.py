"""The stacks whose templates each released version left here, as people have them deployed.

`python tests/released/app.py VERSION` writes the templates of the checked out version.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import cast

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Template
from aws_cdk.aws_scheduler import ScheduleExpression

from failure_destinations import (
    FailureChannel,
    FailureMonitoring,
    FailureNotifiedFunction,
    FailureNotifier,
    FailureReplayer,
    FailureWatchdog,
)

STACKS = ("Own", "Shared", "Encrypted")
HERE = Path(__file__).parent


def define_app() -> cdk.App:
    """Define a function with a channel of its own, a shared channel, and an encrypted one."""
    app = cdk.App(default_stack_synthesizer=_synthesizer())
    own, shared, encrypted = (cdk.Stack(app, name) for name in STACKS)
    every_minute = ScheduleExpression.rate(cdk.Duration.minutes(1))
    emails = ["developer@example.com"]

    FailureNotifiedFunction(
        own,
        "Notified",
        handler=_function(own, "Report"),
        schedule=every_minute,
        payload={"report": "daily"},
        retries=1,
        emails=emails,
    )
    channel = FailureChannel(shared, "Failures", emails=emails)
    channel.notify_failures_of(_function(shared, "Order"), retries=0)
    channel.notify_failures_of(_function(shared, "Checkout").add_alias("live"))
    FailureNotifiedFunction(
        shared,
        "NotifiedInvoice",
        handler=_function(shared, "Invoice"),
        schedule=every_minute,
        channel=channel,
    )
    FailureMonitoring(shared, "Monitoring", channel=channel)
    FailureReplayer(shared, "Replayer", channel=channel, enabled=False)
    notifier = FailureNotifier(shared, "Notifier", channel=channel, emails=emails)
    FailureWatchdog(shared, "Watchdog", channel=channel, notifier=notifier)
    key = kms.Key(encrypted, "Key", enable_key_rotation=True)
    FailureChannel(encrypted, "Failures", emails=emails, encryption_key=key).notify_failures_of(
        _function(encrypted, "Payment")
    )
    return app


def stack_of(app: cdk.App, name: str) -> cdk.Stack:
    """Return one of the app's stacks."""
    return cast(cdk.Stack, app.node.find_child(name))


def _function(stack: cdk.Stack, id: str) -> lambda_.Function:
    return lambda_.Function(
        stack,
        id,
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="index.handler",
        code=lambda_.Code.from_inline("def handler(event, context): raise RuntimeError"),
    )


def _synthesizer() -> cdk.DefaultStackSynthesizer:
    return cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False)


if __name__ == "__main__":
    folder = HERE / sys.argv[1]
    folder.mkdir(exist_ok=True)
    app = define_app()
    for name in STACKS:
        stack = stack_of(app, name)
        template = Template.from_stack(stack).to_json()
        text = json.dumps(template, indent=1, sort_keys=True)
        (folder / f"{name}.template.json").write_text(f"{text}\n")
