"""A second, simpler reading of event source mappings, to compare the check with.

Like `reading`, it shares no code with the check and reads one file as it is written: a mapping
loses batches if the word `OnFailure` is not in it, and a queue loses messages if it has no redrive
policy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .reading import load_resources, references

_SAM_STREAMS = ("Kinesis", "DynamoDB", "MSK", "SelfManagedKafka")
_STREAM_PROPERTIES = ("StartingPosition", "SelfManagedEventSource", "Topics")
_DEAD_LETTERS = ("RedrivePolicy", "DeadLetterConfig", "DeadLetterQueue", "OnFailure")


def read_losing_mappings(path: Path) -> set[str]:
    """Return the logical ids of the event source mappings that lose batches or messages.

    For an event of AWS SAM, that is the id that SAM generates. Empty for a file that is not a
    template.
    """
    resources, defaults = load_resources(path)
    kept = set(_dead_letter_queues(resources.values()))
    lost: set[str] = set()
    for id, properties in _mappings(resources, defaults):
        if properties.get("Enabled") in (False, "false", "False"):
            continue
        if "DocumentDBEventSourceConfig" in properties or "Broker" in properties:
            continue
        if any(name in properties for name in _STREAM_PROPERTIES):
            if not _mentions(properties, "OnFailure"):
                lost.add(id)
            continue
        for queue in {one for one, _, _ in references(properties.get("EventSourceArn"))}:
            resource = resources.get(queue, {})
            redrive = _properties(resource).get("RedrivePolicy")
            if resource.get("Type") == "AWS::SQS::Queue" and not redrive and queue not in kept:
                lost.add(id)
    return lost


def _mappings(
    resources: Mapping[str, Any], defaults: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the mappings, with SAM's events as their properties."""
    for id, resource in resources.items():
        properties = _properties(resource)
        if resource.get("Type") == "AWS::Lambda::EventSourceMapping":
            yield id, properties
        elif resource.get("Type") == "AWS::Serverless::Function":
            events = {**defaults, **properties}.get("Events")
            for name, event in events.items() if isinstance(events, dict) else ():
                given = _properties(event)
                type = event.get("Type") if isinstance(event, dict) else None
                if type in _SAM_STREAMS:
                    yield f"{id}{name}", {"StartingPosition": "", **given}
                elif type == "SQS":
                    yield f"{id}{name}", {**given, "EventSourceArn": given.get("Queue")}


def _dead_letter_queues(value: Any) -> Iterator[str]:
    """Yield the logical ids that anything names as its dead-letter queue or failure destination."""
    for one in value:
        if isinstance(one, dict):
            for name, inner in one.items():
                if name in _DEAD_LETTERS:
                    yield from (id for id, _, _ in references(inner))
            yield from _dead_letter_queues(one.values())
        elif isinstance(one, list):
            yield from _dead_letter_queues(one)


def _mentions(value: Any, word: str) -> bool:
    if isinstance(value, dict):
        return word in value or any(_mentions(inner, word) for inner in value.values())
    return isinstance(value, list) and any(_mentions(inner, word) for inner in value)


def _properties(resource: Any) -> Mapping[str, Any]:
    found = resource.get("Properties") if isinstance(resource, dict) else None
    return found if isinstance(found, dict) else {}
