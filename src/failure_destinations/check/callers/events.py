"""EventBridge: rules, Scheduler, pipes and subscribers of an event bus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..causes import Open
from ..model import Destination, Waits
from ..references import DELIVERIES
from ..resource import Resource
from ..values import items, mapping, member, members

# A Scheduler target that can call any operation of any service.
# https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html
_UNIVERSAL = ":aws-sdk:lambda:invoke"


def read_rule(resource: Resource) -> None:
    """Read a rule: EventBridge queues the event with Lambda.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html
    """
    is_disabled = _is_disabled(resource)
    for target in items(resource.properties.get("Targets")):
        if not isinstance(target, Mapping) or _has_parameters(target):
            continue
        resource.calls(
            target.get("Arn"),
            "events",
            only_arns=True,
            dead_letter=_dead_letter(resource, target, sender="events"),
            delivery_retries=member(target, "RetryPolicy", "MaximumRetryAttempts"),
            is_disabled=is_disabled,
        )


def read_schedule(resource: Resource) -> None:
    """Read a schedule: Scheduler assumes a role, so the function needs no resource policy.

    https://docs.aws.amazon.com/lambda/latest/dg/with-eventbridge-scheduler.html
    """
    for target in items(resource.properties.get("Target")):
        if not isinstance(target, Mapping) or _has_parameters(target):
            continue
        dead_letter = _dead_letter(resource, target)
        retries = member(target, "RetryPolicy", "MaximumRetryAttempts")
        for text in resource.known_texts(target.get("Arn")):
            if text.lower().endswith((_UNIVERSAL, f"{_UNIVERSAL}async")):
                _read_universal(resource, target, text, dead_letter, retries)
            else:
                resource.calls_text(
                    text,
                    "scheduler",
                    only_arns=True,
                    dead_letter=dead_letter,
                    delivery_retries=retries,
                    is_disabled=_is_disabled(resource),
                )


def _read_universal(
    resource: Resource,
    target: Mapping[str, Any],
    operation: str,
    dead_letter: Destination,
    retries: Any,
) -> None:
    for text in resource.known_texts(target.get("Input")):
        parsed = resource.parse_json(text)
        if parsed is None:
            resource.leaves_open(Open.INPUT_NOT_READABLE)
        request = mapping(parsed)
        name, waits = request.get("FunctionName"), Waits.NO
        if not operation.lower().endswith("async"):
            type = request.get("InvocationType")
            waits = resource.waits([type] if isinstance(type, str) else [], "event")
        if isinstance(name, str) and waits is not Waits.YES:
            qualifier = request.get("Qualifier")
            resource.calls_text(
                name,
                "scheduler",
                waits=waits,
                dead_letter=dead_letter,
                delivery_retries=retries,
                qualifier=qualifier if isinstance(qualifier, str) else "",
                is_disabled=_is_disabled(resource),
                has_tenant="TenantId" in request,
            )


def _is_disabled(resource: Resource) -> bool:
    """Return whether a rule or schedule is disabled under all conditions."""
    return resource.is_certainly(resource.properties.get("State"), "disabled")


def read_pipe(resource: Resource) -> None:
    """Read a pipe, which waits unless its invocation type is `FIRE_AND_FORGET`.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/pipes-targets-specifics.html
    """
    parameters = resource.properties.get("TargetParameters")
    is_disabled = resource.is_certainly(resource.properties.get("DesiredState"), "stopped")
    for type in members(parameters, "LambdaFunctionParameters", "InvocationType"):
        waits = resource.waits(resource.known_texts(type), "fire_and_forget")
        if waits is not Waits.YES:
            resource.calls(
                resource.properties.get("Target"),
                "pipes",
                waits=waits,
                only_arns=True,
                is_disabled=is_disabled,
            )


def read_subscriber(resource: Resource) -> None:
    """Read an event bus subscriber, which says how it calls a function."""
    on_failure = resource.properties.get("OnFailureConfiguration")
    for invoke in items(resource.properties.get("InvokeConfiguration")):
        parameters = member(invoke, "LambdaParameters")
        type = mapping(parameters).get("InvocationType")
        if resource.is_always(type, "request_response"):
            continue
        waits = Waits.NO if resource.is_text(type, "event") else Waits.UNKNOWN
        qualifier = member(parameters, "Qualifier")
        resource.calls(
            mapping(invoke).get("TargetArn"),
            "events",
            waits=waits,
            only_arns=True,
            dead_letter=resource.dead_letter(member(on_failure, "Arn"), DELIVERIES),
            qualifier=next(iter(resource.known_texts(qualifier)), ""),
        )


def _has_parameters(target: Mapping[str, Any]) -> bool:
    """Return whether a target has parameters that only other kinds of targets take."""
    return any(
        isinstance(name, str) and name.endswith("Parameters") and name != "InputParameters"
        for name in target
    )


def _dead_letter(resource: Resource, target: Mapping[str, Any], sender: str = "") -> Destination:
    arn = member(target, "DeadLetterConfig", "Arn")
    return resource.dead_letter(arn, DELIVERIES, sender=sender)


CALLERS = {
    "AWS::Events::Rule": read_rule,
    "AWS::Scheduler::Schedule": read_schedule,
    "AWS::Pipes::Pipe": read_pipe,
    "AWS::EventsV2::Subscriber": read_subscriber,
}
