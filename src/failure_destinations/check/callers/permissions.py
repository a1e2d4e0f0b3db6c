"""Permissions: services that may call a function for any reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from ..marks import Mark
from ..model import Waits
from ..resource import Resource
from ..services import service_of, waits
from ..values import items, mapping, members, scalar

_INVOKE = ("lambda:invokefunction", "lambda:invoke*", "lambda:*", "*")
_ARN_FIELDS = 6
# AWS::service::resource
_TYPE_NAMES = 3
# Accounts, ARNs, and the ids of users and roles.
_IDENTITY = re.compile(r"[0-9]+$|\$\{AccountId\}$|arn:|A[A-Z0-9]{15,}$")
# A rule has up to 5 targets, and an alarm up to 15 actions.
_MAX_TARGETS = 100
# The resources whose own properties name everything that they call. Anything may be subscribed to
# topics and buckets from elsewhere.
_TARGETS: dict[str, tuple[tuple[str, ...], ...]] = {
    "AWS::Events::Rule": (("Targets", "Arn"),),
    "AWS::CloudWatch::Alarm": (("AlarmActions",), ("OKActions",), ("InsufficientDataActions",)),
    "AWS::CloudWatch::CompositeAlarm": (
        ("AlarmActions",),
        ("OKActions",),
        ("InsufficientDataActions",),
    ),
    "AWS::IoT::TopicRule": (
        ("TopicRulePayload", "Actions", "Lambda", "FunctionArn"),
        ("TopicRulePayload", "ErrorAction", "Lambda", "FunctionArn"),
    ),
}
# Principals whose names differ from those in ARNs and types.
_PRINCIPALS = {
    "cloudwatch": "lambda.alarms.cloudwatch",
    "cognito": "cognito-idp",
    "execute-api": "apigateway",
}


def read_permission(resource: Resource) -> None:
    """Read a permission. One for an account or role does not say how the function is called.

    https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
    """
    properties = resource.properties
    actions = resource.known_texts(properties.get("Action"))
    if all(one.lower() not in _INVOKE and resource.marks.is_known(one) for one in actions):
        return
    if resource.is_always(properties.get("InvokedViaFunctionUrl"), "true"):
        # Whoever calls the function's URL waits for the answer.
        # https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
        return
    sources = [
        text for item in items(properties.get("SourceArn")) for text in resource.known_texts(item)
    ]
    for service, how in _services(resource, sources):
        for name in resource.known_texts(properties.get("FunctionName")):
            if sources and all(_calls_others(resource, source, name) for source in sources):
                continue
            resource.calls_text(
                name,
                service,
                waits=how,
                is_permission=True,
                permitted=resource.origin(sources),
            )


def _services(resource: Resource, sources: list[str]) -> Iterator[tuple[str, Waits]]:
    for value in members(resource.properties, "Principal"):
        for principal in resource.known_texts(value):
            if _is_identity(resource, principal):
                continue
            service = service_of(resource.marks.start(principal))
            is_whole = principal != "*" and not resource.marks.of(principal)
            if is_whole or waits(service) is not Waits.UNKNOWN:
                calling = [_what_calls(resource, text) for text in sources] or [""]
                yield from dict.fromkeys((service, waits(service, one)) for one in calling)
            else:
                yield from _services_of_sources(resource, principal, sources)


def _is_identity(resource: Resource, principal: str) -> bool:
    """Return whether a principal is an account, user or role rather than a service."""
    mark = resource.marks.only(principal)
    if mark is not None and mark.kind == "attribute":
        type = mapping(mark.scope.resources.get(mark.what)).get("Type")
        return isinstance(type, str) and type.startswith("AWS::IAM::")
    return _IDENTITY.match(principal) is not None


def _services_of_sources(
    resource: Resource, principal: str, sources: list[str]
) -> Iterator[tuple[str, Waits]]:
    """Yield the services of the sources if the principal does not name one."""
    for service in [_service_of_source(resource, text) for text in sources] or [""]:
        if service:
            yield service, waits(service)
        else:
            yield resource.marks.readable(principal), Waits.UNKNOWN


def _service_of_source(resource: Resource, text: str) -> str:
    parts = text.split(":", _ARN_FIELDS - 1)
    service = parts[2] if parts[0] == "arn" and len(parts) == _ARN_FIELDS else ""
    mark = resource.marks.only(text)
    if mark is not None and mark.kind == "attribute":
        # For example the ARN of a log group.
        type = mapping(mark.scope.resources.get(mark.what)).get("Type")
        names = type.split("::") if isinstance(type, str) else []
        service = names[1].lower() if len(names) == _TYPE_NAMES and names[0] == "AWS" else ""
    service = _PRINCIPALS.get(service, service)
    return service if waits(service) is not Waits.UNKNOWN else ""


def _what_calls(resource: Resource, source: str) -> str:
    """Return the type of the resource that a SourceArn names, or else what follows the account."""
    mark = _defined(resource, source)
    if mark is not None:
        return scalar(mapping(mark.scope.resources.get(mark.what)).get("Type"))
    parts = source.split(":", _ARN_FIELDS - 1)
    return parts[-1] if len(parts) == _ARN_FIELDS else ""


def _calls_others(resource: Resource, source: str, function: str) -> bool:
    """Return whether a permission's source is known to call others only, and not its function."""
    mark = _defined(resource, source)
    if mark is None:
        return False
    caller = mapping(mark.scope.resources.get(mark.what))
    targets = (
        text
        for names in _TARGETS.get(scalar(caller.get("Type")), ())
        for value in members(caller.get("Properties"), *names)
        for text in resource.texts_in(mark.scope, value)
    )
    first = list(islice(targets, _MAX_TARGETS + 1))
    if not 0 < len(first) <= _MAX_TARGETS:
        return False
    return all(resource.is_other(text, function) for text in first)


def _defined(resource: Resource, source: str) -> Mark | None:
    """Return the mark of the resource that a SourceArn names, if a template defines it."""
    marks = [mark for mark in resource.marks.of(source) if mark.what in mark.scope.resources]
    return marks[0] if len(marks) == 1 else None


CALLERS = {"AWS::Lambda::Permission": read_permission}
