"""Permissions: services that may call a function, whatever makes them do it."""

from __future__ import annotations

from collections.abc import Iterator

from ..model import Waits
from ..reader import Resource
from ..services import service_of, waits
from ..values import items, members

_INVOKE = ("lambda:invokefunction", "lambda:invoke*", "lambda:*", "*")
_ARN_FIELDS = 6


def read_permission(resource: Resource) -> None:
    """Read a permission. One for an account or a role says nothing of how it will call.

    https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
    """
    properties = resource.properties
    if not resource.is_text(properties.get("Action"), *_INVOKE):
        return
    sources = [
        text for item in items(properties.get("SourceArn")) for text in resource.known_texts(item)
    ]
    for service, how in _services(resource, sources):
        for name in resource.known_texts(properties.get("FunctionName")):
            resource.calls_text(
                name,
                service,
                waits=how,
                is_permission=True,
                permitted=_permitted(resource, sources),
            )


def _services(resource: Resource, sources: list[str]) -> Iterator[tuple[str, Waits]]:
    for value in members(resource.properties, "Principal"):
        for principal in resource.known_texts(value):
            if "amazon" in principal and not resource.marks.of(principal):
                service = service_of(principal)
                yield service, waits(service)
            elif principal == "*" or resource.marks.of(principal):
                # Its source may tell which service it is for.
                found = [service for text in sources if (service := _service_of_arn(text))]
                for service in found:
                    yield service, waits(service)
                if not found:
                    yield resource.marks.readable(principal), Waits.UNKNOWN


def _service_of_arn(text: str) -> str:
    parts = text.split(":", _ARN_FIELDS - 1)
    known = parts[0] == "arn" and len(parts) == _ARN_FIELDS
    return parts[2] if known and waits(parts[2]) is not Waits.UNKNOWN else ""


def _permitted(resource: Resource, sources: list[str]) -> str:
    for text in sources:
        for mark in resource.marks.of(text):
            if mark.kind != "unknown":
                return mark.what
    # A source that is not in the template is none of the callers that are.
    return resource.marks.readable(sources[0]) if sources else ""


CALLERS = {"AWS::Lambda::Permission": read_permission}
