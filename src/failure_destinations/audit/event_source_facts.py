"""Complete the facts about event source mappings with what only an account shows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from failure_destinations.check.causes import Cause, Doubt, Refused
from failure_destinations.check.model import (
    LATEST,
    Destination,
    EventSourceMapping,
    Facts,
    Kept,
    Queue,
    Seconds,
)

from .actions import DESCRIBE_ALARMS, LIST_PIPES, Action
from .event_sources import MAPPING, QUEUE, STREAM, destination_of, stream_of
from .inventory import Inventory

# The properties that name where dead letters and failures go.
_DEAD_LETTERS = frozenset({"RedrivePolicy", "DeadLetterConfig", "OnFailure"})

Resources = Mapping[str, Mapping[str, Any]]


def link(resources: Resources) -> dict[str, dict[str, Any]]:
    """Return the resources of a Region with references to queues and streams instead of ARNs.

    What was not read stays an ARN.
    """
    linked: dict[str, dict[str, Any]] = {}
    for id, resource in resources.items():
        properties = dict(resource["Properties"])
        if resource["Type"] == MAPPING:
            source = stream_of(properties.get("EventSourceArn", ""))
            properties |= _reference(resources, "EventSourceArn", source)
            destination = _reference(resources, "Destination", destination_of(properties))
            if destination:
                properties["DestinationConfig"] = {"OnFailure": destination}
        elif resource["Type"] == QUEUE and "RedrivePolicy" in properties:
            target = properties["RedrivePolicy"]["deadLetterTargetArn"]
            found = _reference(resources, "deadLetterTargetArn", target)
            properties["RedrivePolicy"] = {**properties["RedrivePolicy"], **found}
        linked[id] = {**resource, "Properties": properties}
    return linked


def _reference(resources: Resources, name: str, arn: str) -> dict[str, Any]:
    """Return a property that refers to a queue or stream; empty if it was not read."""
    if resources.get(arn, {}).get("Type") not in (QUEUE, STREAM):
        return {}
    return {name: {"Fn::GetAtt": [arn, "Arn"]}}


def complete(
    facts: Facts,
    inventory: Inventory,
    refusals: Mapping[tuple[Action, str], tuple[str, int]],
    region: str,
    resources: Resources,
) -> None:
    """Complete the facts of a Region.

    Args:
        facts: The facts, as read from the resources.
        inventory: What was found.
        refusals: What AWS did not allow.
        region: The Region.
        resources: The resources of the Region, linked.
    """
    readers = set(inventory.readers) | set(_read(resources))
    dead_letters = set(inventory.dead_letter_queues) | set(_named_for_dead_letters(resources))
    is_blind = any((action, region) in refusals for action in (DESCRIBE_ALARMS, LIST_PIPES))
    for key, queue in facts.queues.items():
        arn = queue.source.logical_id
        facts.queues[key] = dataclasses.replace(
            queue,
            is_watched=queue.is_watched or is_blind or arn in readers,
            is_dead_letter=arn in dead_letters,
            dead_letter=_dead_letter(queue, inventory.unjudged_queues.get(arn)),
        )
    facts.mappings = [_completed(one, facts, inventory, region) for one in facts.mappings]


def _dead_letter(queue: Queue, permission: str | None) -> Destination:
    if permission is None or queue.dead_letter.kept is not Kept.NO:
        return queue.dead_letter
    return Destination(Kept.PERHAPS, why=Cause(Doubt.NOT_ALLOWED, (permission,)))


def _completed(
    mapping: EventSourceMapping, facts: Facts, inventory: Inventory, region: str
) -> EventSourceMapping:
    """Return a mapping with the timeout of the version that it invokes, and whether it can send."""
    name = facts.functions[mapping.function].source.logical_id
    timeout = None
    if mapping.qualifier != LATEST:
        seconds = inventory.timeouts.get((region, name, mapping.qualifier))
        timeout = None if seconds is None else Seconds(seconds, seconds)
    on_failure = mapping.on_failure
    missing = {arn.rpartition(":")[2] for arn in inventory.missing_queues}
    if (
        mapping.destination == "sqs"
        and not mapping.destination_queue
        and on_failure.name in missing
    ):
        on_failure = Destination(Kept.LOST, on_failure.name, Cause(Refused.MISSING))
    return dataclasses.replace(mapping, timeout=timeout, on_failure=on_failure)


def _read(resources: Resources) -> Iterator[str]:
    """Yield the ARNs of queues that functions read."""
    for resource in resources.values():
        source = resource["Properties"].get("EventSourceArn")
        if resource["Type"] == MAPPING and isinstance(source, dict):
            yield source["Fn::GetAtt"][0]


def _named_for_dead_letters(resources: Resources) -> Iterator[str]:
    """Yield the ARNs in all properties that name where dead letters and failures go."""
    waiting: list[tuple[Any, bool]] = [(one["Properties"], False) for one in resources.values()]
    while waiting:
        one, is_found = waiting.pop()
        if isinstance(one, Mapping):
            waiting += ((inner, is_found or name in _DEAD_LETTERS) for name, inner in one.items())
        elif isinstance(one, list):
            waiting += ((inner, is_found) for inner in one)
        elif is_found and isinstance(one, str):
            yield one
