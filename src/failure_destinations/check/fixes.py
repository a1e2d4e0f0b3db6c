"""What mends a finding, in CDK and in a template, each in one line."""

from __future__ import annotations

import re
from typing import NamedTuple

from .model import LATEST, Call, Function


class Fix(NamedTuple):
    """What to write."""

    cdk: str
    cloudformation: str


def attach(function: Function, qualifier: str) -> Fix:
    """Return how to give a qualifier a failure destination."""
    called = _called(function, qualifier)
    return Fix(
        f"channel.notify_failures_of({called}), with channel = FailureChannel(…)",
        _config(
            function, qualifier, "DestinationConfig: {OnFailure: {Destination: !GetAtt Queue.Arn}}"
        ),
    )


def replace(function: Function, qualifier: str, name: str) -> Fix:
    """Return how to get rid of a destination that Lambda cannot send to."""
    if name == "DeadLetterConfig":
        return Fix(
            f"{attach(function, qualifier).cdk}, in place of dead_letter_queue",
            "DeadLetterConfig: {TargetArn: !GetAtt StandardQueue.Arn}",
        )
    if name == "OnSuccess":
        return Fix(
            "on_success=SqsDestination(queue), with a standard queue",
            "OnSuccess: {Destination: !GetAtt StandardQueue.Arn}",
        )
    return Fix(
        f"{attach(function, qualifier).cdk}, in place of on_failure",
        "OnFailure: {Destination: !GetAtt StandardQueue.Arn}",
    )


def deliver(call: Call) -> Fix:
    """Return how to keep what a service cannot deliver."""
    if call.service == "sns":
        return Fix(
            "LambdaSubscription(function, dead_letter_queue=queue)",
            "RedrivePolicy: {deadLetterTargetArn: !GetAtt Queue.Arn} on an AWS::SNS::Subscription",
        )
    target = "LambdaInvoke" if call.service == "scheduler" else "LambdaFunction"
    return Fix(
        f"targets.{target}(function, dead_letter_queue=queue)",
        "DeadLetterConfig: {Arn: !GetAtt Queue.Arn} on the target",
    )


def set_retries(function: Function, qualifier: str, retries: str) -> Fix:
    """Return how to say how often Lambda runs a function again."""
    # 2 is Lambda's maximum.
    wanted = retries if retries in ("0", "1", "2") else "2"
    return Fix(
        f"channel.notify_failures_of({_called(function, qualifier)}, retries={wanted})",
        _config(function, qualifier, f"MaximumRetryAttempts: {wanted}"),
    )


def _config(function: Function, qualifier: str, setting: str) -> str:
    name = f"!Ref {function.source.logical_id}" if function.judged else function.source.logical_id
    shown = "…" if qualifier.startswith("?") else f"'{qualifier}'"
    return (
        "AWS::Lambda::EventInvokeConfig with "
        f"{{FunctionName: {name}, Qualifier: {shown}, {setting}}}"
    )


def _called(function: Function, qualifier: str) -> str:
    """Return a name like the one that the user's code may have for what is called."""
    path = function.source.path.removesuffix("/Resource").rpartition("/")[2]
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", path or function.source.logical_id)
    name = "_".join(word.lower() for word in words)
    if not name.isidentifier():
        name = "function"
    if qualifier == LATEST:
        return name
    return f"{name}_{'version' if qualifier.isdecimal() else 'alias'}"
