"""What an app defines of functions and their callers, read before it is synthesised."""

from __future__ import annotations

import functools
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from aws_cdk import CfnCondition, CfnResource, Reference, Stack, Stage, Validations
from aws_cdk import aws_lambda as lambda_
from constructs import IConstruct, Node

from ._called import Called
from ._owners import resolve_references
from ._resolve_once import resolve_once
from ._tree import outermost_stacks, ref, stage_of
from .check.callers import CALLERS
from .check.findings import UncoveredFunction
from .check.model import LATEST
from .check.rule import judge
from .check.stacks import Stack as Template
from .check.stacks import read_facts

if TYPE_CHECKING:
    from .channel import FailureChannel

_FUNCTION = "AWS::Lambda::Function"
_ALIAS = "AWS::Lambda::Alias"
_VERSION = "AWS::Lambda::Version"
_CONFIG = "AWS::Lambda::EventInvokeConfig"
_CALLED = (_FUNCTION, _ALIAS, _VERSION)
# Roles say who may call, while what calls is defined here; most are the functions' own.
_READ = frozenset({*CALLERS, _FUNCTION, _ALIAS, _VERSION, _CONFIG}) - {"AWS::IAM::Role"}
# Nothing refers to these, and there are many: what they are called does not matter.
_NOT_REFERRED_TO = frozenset({"AWS::Lambda::Permission", _CONFIG})
# All that is read of a function; nothing else is resolved before its time.
_OF_FUNCTIONS = frozenset({"functionName", "deadLetterConfig", "description"})
_PLUGIN = "failure-destinations"

Key = tuple[str, str]


class AppModel:
    """The stacks of an app, as far as they say who calls which function.

    Read with as few calls to Node as there can be: at most two for each resource that matters, and
    a few for each stack. What `add_property_override` and its like change is not seen.
    """

    def __init__(self, channel: FailureChannel) -> None:
        """Read the app, or the stage of it, that a channel is in."""
        self._resources: dict[Key, CfnResource] = {}
        self._accepted: dict[str, frozenset[str]] = {}
        self._stacks: dict[str, Stack] = {}
        templates: dict[str, dict[str, Any]] = {}
        raw: dict[Key, Mapping[str, Any]] = {}
        by_stack = list(_by_stack(stage_of(channel)))
        everything = [construct for _, constructs in by_stack for construct in constructs]
        self.has_conditions = any(isinstance(each, CfnCondition) for each in everything)
        # What this channel has attached is covered, and need not be read.
        attached = _attached(channel, everything)
        self._attached = {ref(function) for function in attached.values()}
        for stack, constructs in by_stack:
            name = stack.node.path
            self._stacks[name] = stack
            resources = [
                each
                for each in constructs
                if isinstance(each, CfnResource) and ref(each) not in attached
            ]
            templates[name] = self._read(stack, name, resources, raw)
        self._tell_apart(templates, raw)
        _import_across(templates)
        self._templates = templates
        self._facts = read_facts([Template(template, name) for name, template in templates.items()])

    def find_uncovered_functions(self) -> list[UncoveredFunction]:
        """Return what the check finds; stacks are named by their paths."""
        return [each for each in judge(self._facts) if not self._is_attached(each)]

    def _is_attached(self, finding: UncoveredFunction) -> bool:
        resource = self._resources.get((finding.stack, finding.logical_id))
        return resource is not None and ref(resource) in self._attached

    def handler_of(self, finding: UncoveredFunction) -> Called | None:
        """Return the function, alias or version that a finding is about, if it is a construct."""
        stack = finding.stack
        if finding.qualifier == LATEST:
            resource = self._resources.get((stack, finding.logical_id))
            return self._called(stack, resource, lambda_.Function)
        for id, definition in self._templates.get(stack, {}).get("Resources", {}).items():
            properties = definition["Properties"]
            if not _refers_to(properties.get("FunctionName"), finding.logical_id):
                continue
            resource = self._resources[stack, id]
            if definition["Type"] == _ALIAS and properties.get("Name") == finding.qualifier:
                return self._called(stack, resource, lambda_.Alias)
            if definition["Type"] == _VERSION and id == finding.qualifier:
                return self._called(stack, resource, lambda_.Version)
        return None

    def _called(
        self, stack: str, resource: CfnResource | None, kind: type[lambda_.FunctionBase]
    ) -> Called | None:
        construct = None if resource is None else resource.node.scope
        if not isinstance(construct, kind):
            return None
        function = resource if isinstance(resource, lambda_.CfnFunction) else None
        return Called(construct, stack=self._stacks[stack], resource=function)

    def config_of(self, finding: UncoveredFunction) -> lambda_.CfnEventInvokeConfig | None:
        """Return the asynchronous configuration that there is for what a finding is about.

        Raises:
            ValueError: Its destinations are chosen at deployment. They are seen here only: older
                versions of CDK cannot hand such a value to Python, nor take it back.
        """
        for config in self._facts.configs:
            function = self._facts.functions[config.function].source
            if (function.stack, function.logical_id) == (finding.stack, finding.logical_id) and (
                config.qualifier == finding.qualifier
            ):
                stack, id = config.source.stack, config.source.logical_id
                resource = cast(lambda_.CfnEventInvokeConfig, self._resources[stack, id])
                properties = self._templates[stack]["Resources"][id]["Properties"]
                if not {"OnFailure", "OnSuccess"} >= set(properties.get("DestinationConfig") or {}):
                    raise ValueError(
                        "handler must have destinations that are known, got "
                        f"{resource.node.path!r} with a value chosen at deployment: set its "
                        "failure destination where it is defined"
                    )
                return resource
        return None

    def is_acknowledged(self, node: Node, kind: str) -> bool:
        """Tell whether somebody accepts a kind of finding of a construct, or of one around it."""
        own = _acknowledged(node)
        if (scope := node.scope) is not None:
            own |= self._acknowledged_around(scope)
        return f"{_PLUGIN}::{kind}" in own

    def _acknowledged_around(self, construct: IConstruct) -> frozenset[str]:
        """Return what is accepted of a construct, and of those around it; many share them."""
        key = ref(construct)
        if key not in self._accepted:
            self._accepted[key] = frozenset[str]().union(
                *(_acknowledged(scope.node) for scope in construct.node.scopes)
            )
        return self._accepted[key]

    def _read(
        self,
        stack: Stack,
        name: str,
        resources: Iterable[CfnResource],
        raw: dict[Key, Mapping[str, Any]],
    ) -> dict[str, Any]:
        """Return a stack's template, with what is read of it only; note it unresolved in `raw`."""
        read = [
            (type, resource)
            for resource in resources
            if (type := _type_of(resource)) in _READ or type.startswith("Custom::")
        ]
        ids = [
            f"{type}-{i}" if type in _NOT_REFERRED_TO else resource.logical_id
            for i, (type, resource) in enumerate(read)
        ]
        tokens = [
            {} if ref(resource) in self._attached else _properties(type, resource)
            for type, resource in read
        ]
        template: dict[str, Any] = {}
        resolved = zip(*resolve_once([ids, tokens], stack.resolve), strict=True)
        for (type, resource), before, (id, properties) in zip(read, tokens, resolved, strict=True):
            self._resources[name, id] = resource
            raw[name, id] = before
            template[id] = {"Type": type, "Properties": _as_written(properties)}
        return {"Resources": template, "Outputs": {}}

    def _tell_apart(
        self,
        templates: dict[str, dict[str, Any]],
        raw: Mapping[Key, Mapping[str, Any]],
    ) -> None:
        """Import what is of another stack, where a function's id does not say of which it is."""
        counts = Counter(id for template in templates.values() for id in template["Resources"])
        shared = {
            id
            for name, id in self._resources
            if counts[id] > 1 and templates[name]["Resources"][id]["Type"] in _CALLED
        }
        if not shared:
            return
        places = {ref(resource): place for place, resource in self._resources.items()}
        for name, template in templates.items():
            unclear = {
                id: {
                    key: value
                    for key, value in raw[name, id].items()
                    if not shared.isdisjoint(references(definition["Properties"].get(_cap(key))))
                }
                for id, definition in template["Resources"].items()
            }
            unclear = {id: properties for id, properties in unclear.items() if properties}

            def write(reference: Reference, here: str = name) -> Any:
                place = places.get(ref(reference.target))
                if place is None:
                    return None
                there, id = place
                attribute = reference.display_name
                value = {"Ref": id} if attribute == "Ref" else {"Fn::GetAtt": [id, attribute]}
                return value if there == here else _export(templates[there], there, value)

            if unclear:
                clear = resolve_references(self._stacks[name], unclear, write)
                for id, properties in clear.items():
                    template["Resources"][id]["Properties"] |= _as_written(properties)


def _by_stack(stage: Stage) -> Iterator[tuple[Stack, list[IConstruct]]]:
    """Yield the stacks of a stage, nested stacks too, each with what is in its own template."""
    for stack in outermost_stacks(stage):
        constructs = stack.node.find_all()
        owner = dict.fromkeys(map(ref, constructs), ref(stack))
        # An outer stack comes before those nested in it.
        nested = [one for one in constructs if isinstance(one, Stack) and ref(one) != ref(stack)]
        for one in nested:
            owner |= dict.fromkeys(map(ref, one.node.find_all()), ref(one))
        for one in (stack, *nested):
            yield one, [each for each in constructs if owner[ref(each)] == ref(one)]


def _attached(channel: FailureChannel, constructs: Sequence[IConstruct]) -> dict[str, CfnResource]:
    """Return the functions that a channel has attached, by their configurations' `ref`.

    Only where functions have no aliases and versions, and nothing else is to be known of them.
    """
    if any(isinstance(each, (lambda_.CfnAlias, lambda_.CfnVersion)) for each in constructs):
        return {}
    functions = {ref(config): called.resource for called, config in channel._attached}
    return {
        # The resource of a construct is its first child, and comes next.
        ref(each): function
        for construct, each in itertools.pairwise(constructs)
        if (function := functions.get(ref(construct))) is not None
        and isinstance(each, lambda_.CfnEventInvokeConfig)
    }


def _import_across(templates: dict[str, dict[str, Any]]) -> None:
    """Write what refers to another stack as CDK does when it synthesises: export and import."""
    owners: dict[str, str] = {}
    for name, template in templates.items():
        for id in template["Resources"]:
            owners.setdefault(id, name)

    def imported(value: Any, here: Mapping[str, Any]) -> Any:
        if isinstance(value, list):
            return [imported(item, here) for item in value]
        if not isinstance(value, dict):
            return value
        id = referred(value)
        if id is None or id in here or id not in owners:
            return {key: imported(item, here) for key, item in value.items()}
        return _export(templates[owners[id]], owners[id], value)

    for template in templates.values():
        for definition in template["Resources"].values():
            definition["Properties"] = imported(definition["Properties"], template["Resources"])


def _export(template: dict[str, Any], name: str, value: Any) -> dict[str, str]:
    """Export a value of a stack, and return the import of it."""
    export = f"{name}:{json.dumps(value, sort_keys=True)}"
    template["Outputs"][export] = {"Value": value, "Export": {"Name": export}}
    return {"Fn::ImportValue": export}


def references(value: Any) -> Iterator[str]:
    """Yield the logical ids that a resolved value refers to."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        if (id := referred(value)) is not None:
            yield id
        for item in value.values():
            yield from references(item)


def referred(value: Any) -> str | None:
    """Return the logical id that a `Ref` or `Fn::GetAtt` is to, None of anything else."""
    if not isinstance(value, dict) or len(value) != 1:
        return None
    ((function, argument),) = value.items()
    if function == "Fn::GetAtt" and isinstance(argument, list):
        return str(argument[0])
    return str(argument) if function == "Ref" else None


def _refers_to(value: Any, logical_id: str) -> bool:
    return referred(value) == logical_id


def _as_written(value: Any) -> Any:
    """Return properties as templates write them: CDK's own begin with a small letter."""
    if isinstance(value, list):
        return [_as_written(item) for item in value]
    if isinstance(value, dict):
        return {_cap(key): _as_written(item) for key, item in value.items()}
    return value


def _cap(name: str) -> str:
    return name[:1].upper() + name[1:]


def _properties(type: str, resource: CfnResource) -> Mapping[str, Any]:
    properties = resource._cfn_properties
    if type != _FUNCTION:
        return properties
    return {name: properties[name] for name in _OF_FUNCTIONS & properties.keys()}


def _acknowledged(node: Node) -> frozenset[str]:
    type = _acknowledged_rules()
    return frozenset[str]().union(*(each.data for each in node.metadata if each.type == type))


@functools.cache
def _acknowledged_rules() -> str:
    return Validations.ACKNOWLEDGED_RULES_METADATA_KEY


@functools.cache
def _type_of_class(kind: type[CfnResource]) -> str | None:
    return getattr(kind, "CFN_RESOURCE_TYPE_NAME", None)


def _type_of(resource: CfnResource) -> str:
    """Return a resource's type; asked of its class, since to ask itself is a call to Node."""
    return _type_of_class(type(resource)) or resource.cfn_resource_type
