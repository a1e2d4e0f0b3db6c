"""The parts of a template: each can be removed, to see which check notices."""

from __future__ import annotations

import copy
import fnmatch
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import pytest

from .templates import without_hash

Template = Mapping[str, Any]

# The CDK's feature flags add parts that close nothing, and merge statements of policies.
without_flags = pytest.mark.skipif(
    os.environ.get("CDK_FLAGS") == "recommended", reason="lists the parts without feature flags"
)


class Part(NamedTuple):
    """A part that can be removed from a template: a resource, or a value within one."""

    # Made of types and names, so that it stays the same when a hash changes.
    name: str
    path: tuple[str | int, ...]

    @property
    def label(self) -> str:
        """The name with the resource's logical id, for people."""
        return f"{self.path[0]} {self.name}"

    def matches(self, patterns: Iterable[str]) -> bool:
        """Return True if the name matches one of these patterns, as file names match."""
        return any(fnmatch.fnmatchcase(self.name, pattern) for pattern in patterns)


def parts_of(template: Template) -> Iterator[Part]:
    """Yield every resource, and every value within one that is not part of a reference."""
    for id, resource in template["Resources"].items():
        kind = _kind(id, resource)
        yield Part(kind, (id,))
        for key in ("Properties", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy"):
            if key in resource:
                yield from _parts(template, f"{kind}/{key}", (id, key), resource[key])


def without(template: Template, part: Part) -> Template:
    """Return the template without a part; what does not change is shared with the original."""
    *way, last = part.path
    changed = {**template, "Resources": dict(template["Resources"])}
    here: Any = changed["Resources"]
    for key in way:
        here[key] = copy.copy(here[key])
        here = here[key]
    del here[last]
    return changed


def notices(check: Callable[[Template], None], template: Template) -> bool:
    """Return True if a check fails."""
    try:
        check(template)
    except AssertionError:
        return True
    return False


def _kind(id: str, resource: Mapping[str, Any]) -> str:
    """Return a resource's type, and what distinguishes it from others of the type."""
    type, properties = resource["Type"], resource.get("Properties", {})
    match type:
        case "AWS::CloudWatch::Alarm":
            queues = [
                f":{_queue_name(d['Value']['Fn::GetAtt'][0])}"
                for d in properties["Dimensions"]
                if d["Name"] == "QueueName"
            ]
            return f"{type}:{properties['MetricName']}{''.join(queues)}"
        case "AWS::IAM::Role":
            (statement,) = properties["AssumeRolePolicyDocument"]["Statement"]
            return f"{type}:{statement['Principal']['Service']}"
        case "AWS::SNS::Subscription":
            return f"{type}:{properties['Protocol']}"
        case "AWS::SQS::Queue":
            return f"{type}:{_queue_name(id)}"
    return str(type)


def _queue_name(id: str) -> str:
    return without_hash(id).removeprefix("Failures")


def _parts(
    template: Template, name: str, path: tuple[str | int, ...], value: Any
) -> Iterator[Part]:
    yield Part(name, path)
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _parts(template, f"{name}/{_item(template, item)}", (*path, index), item)
    elif isinstance(value, Mapping) and not _is_function(value):
        for key, inner in value.items():
            yield from _parts(template, f"{name}/{key}", (*path, key), inner)


def _item(template: Template, item: Any) -> str:
    """Return what an item of a list is called."""
    if isinstance(item, Mapping) and "Effect" in item:
        actions = item["Action"] if isinstance(item["Action"], list) else [item["Action"]]
        service = item.get("Principal", {})
        whose = f" for {service['Service']}" if "Service" in service and len(actions) > 1 else ""
        return f"{item['Effect']} {', '.join(actions)}{whose}"
    if isinstance(item, str) and item in template["Resources"]:
        return str(template["Resources"][item]["Type"])
    return "item"


def _is_function(value: Mapping[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::"))


def unnoticed(
    template: Template,
    check: Callable[[Template], None],
    closed_by: Iterable[str],
    indifferent: Iterable[str],
) -> list[str]:
    """Return what closes a row and can be removed without its check noticing."""
    return [
        part.label
        for part in parts_of(template)
        if part.matches(closed_by)
        and not part.matches(indifferent)
        and not notices(check, without(template, part))
    ]


def forgotten(
    template: Template,
    checks: Iterable[Callable[[Template], None]],
    listed: Iterable[str],
    beside: Template | None = None,
) -> list[str]:
    """Return what no check notices when it is removed, and is not listed either.

    Resources of another template, which has checks of its own, do not count.
    """
    others = {} if beside is None else beside["Resources"]
    return [
        part.label
        for part in parts_of(template)
        if part.path[0] not in others
        and not part.matches(listed)
        and not any(notices(check, without(template, part)) for check in checks)
    ]


def unused(templates: Iterable[Template], patterns: Iterable[str]) -> list[str]:
    """Return the patterns that match no part of a template, such as mistyped ones."""
    parts = [part for template in templates for part in parts_of(template)]
    return [p for p in sorted(patterns) if not any(part.matches([p]) for part in parts)]
