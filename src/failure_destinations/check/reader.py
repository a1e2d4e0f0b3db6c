"""Gather the facts from templates: functions, their configurations and their callers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .callers import CALLERS, CUSTOM_RESOURCE
from .causes import Cause, Doubt, Open
from .context import FUNCTION, Context
from .marks import Mark
from .model import (
    NOWHERE,
    AsyncConfig,
    Destination,
    Facts,
    Function,
    Kept,
    Seconds,
    Source,
    Unknown,
)
from .queues import QUEUE, QueueReader
from .references import DEAD_LETTERS, FAILURES, SUCCESSES, called
from .resource import Resource
from .scope import Scope, role_of
from .values import items, leaves, mapping, member, members

_CONFIG = "AWS::Lambda::EventInvokeConfig"
_NESTED_STACK = "AWS::CloudFormation::Stack"

# The CDK's own functions behind its custom resources: singletons have a UUID in their logical id.
# Serverless Framework's have a prefix of their own.
_CDK_LOGICAL_ID = re.compile(
    r"[0-9A-Fa-f]{32}|CustomResourceProvider|framework(on(Event|Timeout)|isComplete)"
    r"|^CustomDashresource"
)
_CDK_DESCRIPTION = (
    "AWS CDK resource provider framework",
    'AWS CloudFormation handler for "Custom::',
)
# This library's functions that read its own queues.
_LIBRARY_HANDLER = re.compile(
    r"runtime\.(replayer|notifier|webhooks|forwarder|batch_forwarder)\.handler"
)
# In seconds. https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-function.html
_DEFAULT_TIMEOUT = 3
# The maximum length of a displayed name, in characters.
_SHOWN = 200


class TemplateReader:
    """Reads the templates of stacks that may refer to one another."""

    def __init__(self, scopes: list[Scope]) -> None:
        """Take the scopes, including nested ones, in the order of the report."""
        self._context = Context(scopes)

    def read(self) -> Facts:
        """Return the facts."""
        context = self._context
        resources = [
            Resource(context, scope, logical_id, definition)
            for scope in context.scopes
            for logical_id, definition in scope.resources.items()
            if isinstance(logical_id, str) and isinstance(definition, Mapping)
        ]
        self._read_definitions(resources)
        for resource in resources:
            if resource.type == _CONFIG:
                self._read_config(resource)
            reads = CALLERS.get(resource.type)
            if resource.is_transformed and (reads is not None or resource.type == _CONFIG):
                resource.leaves_open(Open.TRANSFORMED)
            if reads is not None:
                reads(resource)
            elif resource.type.startswith("Custom::"):
                CUSTOM_RESOURCE(resource)
            elif resource.type == _NESTED_STACK:
                if resource.logical_id not in resource.scope.children:
                    resource.leaves_open(Open.NESTED_TEMPLATE_NOT_GIVEN)
            elif resource.type.startswith("AWS::Serverless::"):
                resource.leaves_open(Open.SAM_NOT_TRANSFORMED)
        for scope in context.scopes:
            self._read_loops(scope)
        for scope in context.scopes:
            self._read_macros(scope)
        return context.facts

    def _read_definitions(self, resources: list[Resource]) -> None:
        """Read what callers and event source mappings refer to."""
        context = self._context
        queues = QueueReader(context.scopes, context.marks, context.resolver, context.named)
        for resource in resources:
            context.add_resource(resource.scope, resource.type, resource.properties)
            if resource.type == FUNCTION:
                self._read_function(resource)
            elif resource.type == QUEUE:
                context.facts.queues[resource.name] = queues.read(resource)

    def _read_function(self, resource: Resource) -> None:
        key = self._context.marks.text(Mark("name", resource.scope, resource.logical_id))
        description = resource.properties.get("Description")
        handler = resource.properties.get("Handler")
        dead_letters = list(members(resource.properties, "DeadLetterConfig"))
        texts = [
            text
            for config in dead_letters
            for text in resource.texts(mapping(config).get("TargetArn"))
        ]
        if resource.properties.get("DeadLetterConfig") is not None:
            texts += _left_out(resource.properties["DeadLetterConfig"])
        dead_letter = self._judged(texts, DEAD_LETTERS)
        if resource.is_transformed and dead_letter.kept is Kept.NO:
            dead_letter = Destination(Kept.PERHAPS, why=Cause(Doubt.TRANSFORMED))
        self._context.add_function(
            Function(
                key=key,
                source=resource.source,
                dead_letter=dead_letter,
                owned_by_cdk=_CDK_LOGICAL_ID.search(resource.logical_id) is not None
                or (isinstance(description, str) and description.startswith(_CDK_DESCRIPTION)),
                owned_by_library=isinstance(handler, str)
                and _LIBRARY_HANDLER.fullmatch(handler) is not None,
                has_role_of_sam=_has_role_of_sam(resource),
                timeout=resource.seconds(resource.properties.get("Timeout"), _DEFAULT_TIMEOUT),
                is_durable=_is_durable(resource.properties.get("DurableConfig")),
                execution=_execution(resource),
                isolates_tenants=_isolates_tenants(resource),
                acknowledged=resource.acknowledged,
            ),
            resource.known_texts(resource.properties.get("FunctionName")),
        )

    def _read_config(self, resource: Resource) -> None:
        properties = resource.properties
        on_failure = self._destination(resource, "OnFailure", FAILURES)
        on_success = self._destination(resource, "OnSuccess", SUCCESSES)
        sets_retries = member(properties, "MaximumRetryAttempts") is not None
        for text in resource.known_texts(properties.get("FunctionName")):
            target = called(text)
            key = self._context.key_of(target, resource.scope)
            qualifiers = resource.known_texts(properties.get("Qualifier")) or [target.qualifier]
            if key is None:
                resource.leaves_open(Open.CONFIGURED_FUNCTION_NOT_KNOWN, target.name or "its name")
                continue
            for qualifier in qualifiers:
                self._context.facts.configs.append(
                    AsyncConfig(
                        function=key,
                        qualifier=self._context.qualifier_of(qualifier),
                        source=resource.source,
                        on_failure=on_failure,
                        on_success=on_success,
                        sets_retries=sets_retries,
                    )
                )
        for outcome in ("OnSuccess", "OnFailure"):
            for value in members(properties, "DestinationConfig", outcome, "Destination"):
                resource.calls(value, "lambda", only_arns=True, is_sure=False)

    def _destination(self, resource: Resource, name: str, services: frozenset[str]) -> Destination:
        found = self._written_destination(resource, name, services)
        if resource.is_transformed and found.kept is Kept.NO:
            return Destination(Kept.PERHAPS, why=Cause(Doubt.TRANSFORMED))
        return found

    def _written_destination(
        self, resource: Resource, name: str, services: frozenset[str]
    ) -> Destination:
        config = resource.properties.get("DestinationConfig")
        if config is None:
            return NOWHERE
        texts: list[str | None] = list(_left_out(config))
        for one in members(config):
            outcome = mapping(one).get(name)
            texts += _left_out(outcome)
            for each in members(outcome):
                texts += resource.texts(mapping(each).get("Destination"))
        return self._judged(texts, services)

    def _judged(self, texts: Sequence[str | None], services: frozenset[str]) -> Destination:
        return self._context.destination(texts, services, self._context.receivers.flaw_of_topic)

    def _read_loops(self, scope: Scope) -> None:
        for logical_id in scope.resources:
            if isinstance(logical_id, str) and logical_id.startswith("Fn::"):
                self._leave_open(scope, logical_id, logical_id.split("::")[1], Open.LOOP)

    def _read_macros(self, scope: Scope) -> None:
        for name in scope.macros():
            if name is not None:
                self._leave_open(scope, "Transform", name[:_SHOWN], Open.MACRO)

    def _leave_open(self, scope: Scope, name: str, type: str, what: Open) -> None:
        clean = self._context.marks.clean
        source = Source(clean(name), clean(type), stack=scope.name, file=scope.file)
        self._context.facts.unknowns.append(Unknown(source, Cause(what)))


def _left_out(value: Any) -> list[None]:
    """Return one None if a value is left out, at least in one branch of its conditions."""
    return [] if all(leaf is not None for leaf in leaves(value)) else [None]


def _has_role_of_sam(resource: Resource) -> bool:
    """Return whether SAM generates the role of a function."""
    roles = [
        resource.defined(text) for text in resource.known_texts(resource.properties.get("Role"))
    ]
    return bool(roles) and all(
        role is not None and role.scope.written_as.get(role.what) == role_of(resource.logical_id)
        for role in roles
    )


def _execution(resource: Resource) -> Seconds | None:
    """Return how long the executions of a durable function may last."""
    config = mapping(resource.properties.get("DurableConfig"))
    value = config.get("ExecutionTimeout")
    return None if value is None else resource.seconds(value, 0)


def _isolates_tenants(resource: Resource) -> bool:
    """Return whether a function isolates tenants under all conditions."""
    config = resource.properties.get("TenancyConfig")
    modes = list(members(config, "TenantIsolationMode"))
    return (
        bool(modes)
        and not _left_out(config)
        and all(resource.is_always(mode, "per_tenant") for mode in modes)
    )


def _is_durable(config: Any) -> bool:
    """Return whether a function is durable under all conditions."""
    return bool(mapping(next(iter(items(config)), None))) and not _left_out(config)
