"""The functions of an app and their callers, read before synthesis."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, cast

from aws_cdk import Stage
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from failure_destinations.check.callers import CALLERS
from failure_destinations.check.findings import Finding
from failure_destinations.check.kinds import ENDLESS_RETRIES, STREAM_UNCOVERED, UNCOVERED
from failure_destinations.check.model import LATEST, EventSource, EventSourceMapping, Kept
from failure_destinations.check.rule import judge
from failure_destinations.check.stacks import Stack as Template
from failure_destinations.check.stacks import read_facts

from ..called import Called
from ..refusals import shown
from .node import AppReader, ReadResource, ReadStack

_FUNCTION = "AWS::Lambda::Function"
_ALIAS = "AWS::Lambda::Alias"
_VERSION = "AWS::Lambda::Version"
_CONFIG = "AWS::Lambda::EventInvokeConfig"
_MAPPING = "AWS::Lambda::EventSourceMapping"
_CALLED = frozenset({_FUNCTION, _ALIAS, _VERSION, _CONFIG, _MAPPING})
# Streams themselves are not read: that a mapping reads one shows in its own properties.
_WITH_DESTINATION = frozenset(
    {EventSource.KINESIS, EventSource.DYNAMODB, EventSource.STREAM, EventSource.KAFKA}
)
# Roles are left out: the callers themselves are defined here, and most roles are the functions'.
_READ = (frozenset(CALLERS) | _CALLED) - {"AWS::IAM::Role"}
_PLUGIN = "failure-destinations"
# The CDK's names that differ from those of templates in more than their first letter.
_WRITTEN = {"documentDbEventSourceConfig": "DocumentDBEventSourceConfig"}


class Handler(NamedTuple):
    """The handler that a finding is about.

    Attributes:
        called: The function, alias or version.
        outermost: The path of the outermost stack that its stack is deployed with.
        is_accepted: Whether the finding is acknowledged on it or on a scope above it.
    """

    called: Called
    outermost: str
    is_accepted: bool


class Mapping(NamedTuple):
    """An event source mapping whose failed batches go nowhere.

    Attributes:
        mapping: The `EventSourceMapping`, or the resource itself if it has none.
        resource: Its resource.
        called: The function, alias or version that it invokes.
        outermost: The path of the outermost stack that its stack is deployed with.
        is_accepted: Whether that is acknowledged on the mapping or on a scope above it.
    """

    mapping: Construct
    resource: lambda_.CfnEventSourceMapping
    called: Called
    outermost: str
    is_accepted: bool


class AppModel:
    """The stacks of an app, with the functions and their callers.

    Changes by `add_property_override` and similar methods are not seen.
    """

    def __init__(self, stage: Stage) -> None:
        """Read an app or stage."""
        read = AppReader.read(stage, _READ, _CALLED)
        self.has_conditions = read["hasConditions"]
        self._stacks = {stack["path"]: stack for stack in read["stacks"]}
        self._resources = {
            (path, resource["id"]): resource
            for path, stack in self._stacks.items()
            for resource in stack["resources"]
        }
        self._facts = read_facts(map(_template, self._stacks.values()))

    def find_uncovered_functions(self) -> list[Finding]:
        """Return the check's findings; stacks are named by their paths."""
        return judge(self._facts)

    def handler_of(self, finding: Finding) -> Handler | None:
        """Return the function, alias or version of a finding; None if it is not a construct."""
        where = (finding.stack, finding.logical_id, finding.qualifier)
        for stack, resource, called in self._called(*where):
            # Who accepts that a function is uncovered accepts the lesser kinds too.
            accepted = _is_accepted(resource, finding.kind, UNCOVERED.id)
            return Handler(called, stack["outer"], accepted)
        return None

    def uncovered_mappings(self) -> Iterator[Mapping]:
        """Yield the mappings without a failure destination, whose function is a construct."""
        for known in self._facts.mappings:
            if known.reads not in _WITH_DESTINATION or known.on_failure.kept is not Kept.NO:
                continue
            function = self._facts.functions[known.function]
            where = (function.source.stack, function.source.logical_id, known.qualifier)
            for _, _, called in self._called(*where):
                yield self._mapping(known, called)
                break

    def _mapping(self, known: EventSourceMapping, called: Called) -> Mapping:
        read = self._resources[known.source.stack, known.source.logical_id]
        resource = cast(lambda_.CfnEventSourceMapping, read["element"])
        construct: Any = read["construct"]
        kind = ENDLESS_RETRIES if known.is_limited is False else STREAM_UNCOVERED
        return Mapping(
            construct if isinstance(construct, lambda_.EventSourceMapping) else resource,
            resource,
            called,
            self._stacks[known.source.stack]["outer"],
            _is_accepted(read, kind.id, STREAM_UNCOVERED.id),
        )

    def _called(
        self, stack_path: str, logical_id: str, qualifier: str
    ) -> Iterator[tuple[ReadStack, ReadResource, Called]]:
        """Yield the constructs of a function, alias or version."""
        for stack, resource in self._resources_of(stack_path, logical_id, qualifier):
            construct, element = resource["construct"], resource["element"]
            if isinstance(element, lambda_.CfnFunction) and isinstance(construct, lambda_.Function):
                called = Called(construct, stack=stack["stack"], resource=element)
            elif isinstance(construct, (lambda_.Alias, lambda_.Version)):
                called = Called(construct, stack=stack["stack"])
            else:
                continue
            yield stack, resource, called

    def config_of(self, finding: Finding) -> lambda_.CfnEventInvokeConfig | None:
        """Return the existing asynchronous configuration of the handler of a finding.

        Raises:
            ValueError: Its destinations are only chosen at deployment. Older versions of CDK
                cannot pass such a value to Python and back.
        """
        for config in self._facts.configs:
            function = self._facts.functions[config.function].source
            if (function.stack, function.logical_id) == (finding.stack, finding.logical_id) and (
                config.qualifier == finding.qualifier
            ):
                resource = self._resources[config.source.stack, config.source.logical_id]
                element = cast(lambda_.CfnEventInvokeConfig, resource["element"])
                known = resource["properties"].get("destinationConfig") or {}
                if not {"onFailure", "onSuccess"} >= set(known):
                    raise ValueError(
                        "handler must have known destinations, got "
                        f"{shown(element.node.path)} with a value chosen at deployment: set its "
                        "failure destination where it is defined"
                    )
                return element
        return None

    def _resources_of(
        self, stack_path: str, logical_id: str, qualifier: str
    ) -> Iterator[tuple[ReadStack, ReadResource]]:
        if qualifier == LATEST:
            if (resource := self._resources.get((stack_path, logical_id))) is not None:
                yield self._stacks[stack_path], resource
            return
        function = {"Ref": logical_id}
        # In other stacks, resources refer to the function through an import.
        exports = self._stacks[stack_path]["exports"] if stack_path in self._stacks else {}
        imports = [{"Fn::ImportValue": name} for name in exports if exports[name] == function]
        for path, stack in self._stacks.items():
            known = [function] if path == stack_path else imports
            for resource in stack["resources"]:
                properties = resource["properties"]
                if properties.get("functionName") in known and (
                    (resource["type"] == _ALIAS and properties.get("name") == qualifier)
                    or (resource["type"] == _VERSION and resource["id"] == qualifier)
                ):
                    yield stack, resource


def _is_accepted(resource: ReadResource, *kinds: str) -> bool:
    return any(f"{_PLUGIN}::{kind}" in resource["accepted"] for kind in kinds)


def _template(stack: ReadStack) -> Template:
    resources = {
        resource["id"]: {
            "Type": resource["type"],
            "Properties": _as_written(resource["properties"]),
        }
        for resource in stack["resources"]
    }
    outputs = {name: {"Value": value} for name, value in stack["outputs"].items()}
    # An output and an export may have the same name, but no output's logical id has a colon.
    exports = {
        f"Export:{name}": {"Value": value, "Export": {"Name": name}}
        for name, value in stack["exports"].items()
    }
    return Template(
        {"Resources": resources, "Outputs": outputs | exports},
        stack["path"],
        deployed_name=stack["name"],
        account=stack["account"],
        region=stack["region"],
    )


def _as_written(value: Any) -> Any:
    """Return properties with the names that templates use; CDK's begin with a lower-case letter."""
    if isinstance(value, list):
        return [_as_written(item) for item in value]
    if isinstance(value, dict):
        return {
            _WRITTEN.get(key, f"{key[:1].upper()}{key[1:]}"): _as_written(item)
            for key, item in value.items()
        }
    return value
