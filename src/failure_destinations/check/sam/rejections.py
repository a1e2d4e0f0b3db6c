"""What SAM rejects in a template, and how the rest can be transformed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ..files import TemplateError
from ..values import mapping, scalar

_PROBLEM_LENGTH = 300
# https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-function-eventsource.html
_WAITING_EVENTS = frozenset(
    {
        "AlexaSkill",
        "Api",
        "DocumentDB",
        "DynamoDB",
        "HttpApi",
        "Kinesis",
        "MQ",
        "MSK",
        "SQS",
        "SelfManagedKafka",
    }
)
_UNKNOWN_DEFAULT = re.compile(
    r"'Globals' section is invalid\. '(\w+)' is not (?:supported|a supported property of '(\w+)')"
)
_REJECTED = re.compile(
    r"Resource with id \[([^\]]+)\] is invalid\."
    r"(?: property (\w+) not defined for resource| Event with id \[([^\]]+)\] is invalid)?"
)


class RejectedError(TemplateError):
    """SAM rejects a template, because of some of its resources or as a whole.

    Attributes:
        default: The default that the translator does not know, and the kind of resource that it is
            for; or None.
        rejected: Each resource's id, with a property that the translator does not know, or with an
            event that it rejects.
        whole: Whether it rejects the template as a whole.
    """

    def __init__(self, path: Path, causes: list[Any], message: str) -> None:
        """Parse the causes that the translator gives."""
        texts = [str(cause.message) for cause in causes]
        said = "; ".join(texts) or message
        super().__init__(f"{path}: AWS SAM rejects it: {one_line(said)}")
        found = [_REJECTED.match(text) for text in texts]
        default = _UNKNOWN_DEFAULT.match(said)
        self.default = default.groups() if default is not None else None
        self.rejected = [one.groups(default="") for one in found if one is not None]
        self.whole = default is None and not (self.rejected and all(found))


def remove_rejected(
    template: dict[str, Any], error: RejectedError, untransformed: dict[str, Any]
) -> bool:
    """Remove what SAM rejects from a template, and return whether something is left.

    Args:
        template: The template.
        error: Names the resources.
        untransformed: Takes the resources that are removed. Removed alone are an event whose
            service waits for the function, and a property that this version of the translator does
            not know.
    """
    if error.default is not None:
        name, kind = error.default
        defaults = mapping(template.get("Globals"))
        place = defaults.get(kind) if kind else defaults
        return isinstance(place, dict) and place.pop(name, None) is not None
    resources = template["Resources"]
    is_changed = False
    for id, unknown, event in error.rejected:
        # SAM also names what it would create: a layer's version, or an event's rule.
        own = max(
            (name for name in resources if isinstance(name, str) and id.startswith(name)),
            key=len,
            default=None,
        )
        if own is None:
            continue
        is_changed = True
        if unknown and _remove_property(resources[own], unknown):
            continue
        if event and _remove_event(resources[own], event):
            continue
        untransformed[own] = resources.pop(own)
    return is_changed and bool(resources)


def _remove_property(resource: Any, name: str) -> bool:
    """Remove a property from a resource and from its events, and return whether it was there."""
    properties = mapping(mapping(resource).get("Properties"))
    events = mapping(properties.get("Events")).values()
    found = False
    for one in (properties, *(mapping(event).get("Properties") for event in events)):
        if isinstance(one, dict) and name in one:
            del one[name]
            found = True
    return found


def _remove_event(resource: Any, name: str) -> bool:
    """Remove an event whose service waits from a function, and return whether it was one."""
    events = mapping(mapping(resource).get("Properties")).get("Events")
    if not isinstance(events, dict) or scalar(mapping(events.get(name)).get("Type")) not in (
        _WAITING_EVENTS
    ):
        return False
    del events[name]
    return True


def one_line(text: str) -> str:
    """Return a text of the translator as the end of a line for people."""
    return " ".join(text.split())[:_PROBLEM_LENGTH]
