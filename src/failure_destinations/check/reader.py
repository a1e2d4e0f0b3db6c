"""Gathers the facts from templates: functions, configurations, and who calls what."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .marks import Mark, Marks
from .model import (
    LATEST,
    NOWHERE,
    AsyncConfig,
    Call,
    Destination,
    Facts,
    Function,
    Kept,
    Source,
    Unknown,
    Waits,
)
from .references import DEAD_LETTERS, FAILURES, SUCCESSES, called, destination, is_arn_of
from .values import Resolver, Scope, Texts, items, leaves, mapping, member, members

FUNCTION = "AWS::Lambda::Function"
_CONFIG = "AWS::Lambda::EventInvokeConfig"
_NESTED_STACK = "AWS::CloudFormation::Stack"
_SAM_FUNCTION = "AWS::Serverless::Function"

# CDK's own functions behind its custom resources: singletons have a UUID in their logical id.
# Serverless Framework's begin as nothing else does.
_CDK_LOGICAL_ID = re.compile(
    r"[0-9A-Fa-f]{32}|CustomResourceProvider|framework(on(Event|Timeout)|isComplete)"
    r"|^CustomDashresource"
)
_CDK_DESCRIPTION = (
    "AWS CDK resource provider framework",
    'AWS CloudFormation handler for "Custom::',
)
_ACKNOWLEDGE = "failure-destinations"
_TRANSFORM = "Fn::Transform"
_INCLUDE = "AWS::Include"


class Resource:
    """A resource that is read for what it says of functions.

    Attributes:
        scope: The stack that it is in.
        logical_id: Its logical id.
        type: Its type.
        properties: Its properties.
        source: How findings name it.
    """

    def __init__(
        self, reader: TemplateReader, scope: Scope, logical_id: str, definition: Mapping[str, Any]
    ) -> None:
        """Take a resource's definition apart."""
        self._reader = reader
        self.scope = scope
        self.logical_id = logical_id
        type = definition.get("Type")
        self.type = type if isinstance(type, str) else ""
        self.definition = definition
        self.properties = mapping(definition.get("Properties"))
        path = member(definition, "Metadata", "aws:cdk:path")
        condition = definition.get("Condition")
        self.source = Source(
            logical_id=logical_id,
            type=self.type,
            path=path if isinstance(path, str) else scope.paths.get(logical_id, ""),
            stack=scope.name,
            file=scope.file,
            condition=condition if isinstance(condition, str) else "",
        )

    @property
    def marks(self) -> Marks:
        """The marks in the texts."""
        return self._reader.marks

    def texts(self, value: Any) -> Texts:
        """Return what a value may be."""
        return self._reader.resolver.texts(value, self.scope)

    def known_texts(self, value: Any) -> list[str]:
        """Return what a value may be, but for None."""
        return [text for text in self.texts(value) if text is not None]

    def is_text(self, value: Any, *expected: str) -> bool:
        """Tell whether a value is one of some texts, whatever the case, in any branch."""
        return any(text is not None and text.lower() in expected for text in self.texts(value))

    def is_always(self, value: Any, *expected: str) -> bool:
        """Tell whether a value is one of some texts, whatever the case, in every branch."""
        return all(text is not None and text.lower() in expected for text in self.texts(value))

    def waits_only_if(self, type: Any, synchronous: str) -> Waits:
        """Tell by its invocation type whether a call waits: without one it does not."""
        if self.is_always(type, synchronous):
            return Waits.YES
        goes_on = any(
            text is None or (self.marks.is_known(text) and text.lower() != synchronous)
            for text in self.texts(type)
        )
        return Waits.NO if goes_on else Waits.UNKNOWN

    def waits(self, texts: list[str], asynchronous: str) -> Waits:
        """Tell by the texts of its invocation type whether a call waits: without one it does."""
        if any(text.lower() == asynchronous for text in texts):
            return Waits.NO
        known = all(self.marks.is_known(text) for text in texts)
        return Waits.YES if known else Waits.UNKNOWN

    @property
    def is_transformed(self) -> bool:
        """Whether a macro gives it properties at deployment, which are not known."""
        return any(
            _TRANSFORM in mapping(value)
            for value in (self.definition, self.properties, *self.properties.values())
        )

    @property
    def name(self) -> str:
        """The text that stands for this resource's name."""
        return self.marks.text(Mark("name", self.scope, self.logical_id))

    def index(self, type: str, *names: str) -> dict[str, list[Mapping[str, Any]]]:
        """Return the properties of the stack's resources of a type by the texts of one of them."""
        return self._reader.index(self.scope, type, names)

    def dead_letter(self, value: Any, services: frozenset[str]) -> Destination:
        """Judge what the ARN of a dead-letter queue stands for."""
        texts = [text for item in items(value) for text in self.texts(item)]
        return destination(texts, services, self.marks)

    def calls(
        self,
        value: Any,
        service: str,
        *,
        waits: Waits = Waits.NO,
        only_arns: bool = False,
        is_sure: bool = True,
        dead_letter: Destination | None = None,
        delivery_retries: Any = None,
        qualifier: str = "",
    ) -> None:
        """Note that this resource calls the function that a value names.

        Args:
            value: The name or ARN of a function, unresolved.
            service: The AWS service that calls it.
            waits: Whether the service waits for the answer.
            only_arns: Whether the value may as well name something that is no function.
            is_sure: Whether it is worth a word that the value is not known.
            dead_letter: What keeps an event that does not reach the function.
            delivery_retries: The number of retries of the delivery, unresolved.
            qualifier: What is called, where it is said apart from the name.
        """
        for item in items(value):
            for text in self.known_texts(item):
                self.calls_text(
                    text,
                    service,
                    waits=waits,
                    only_arns=only_arns,
                    is_sure=is_sure,
                    dead_letter=dead_letter,
                    delivery_retries=delivery_retries,
                    qualifier=qualifier,
                )

    def calls_text(
        self,
        text: str,
        service: str,
        *,
        waits: Waits = Waits.NO,
        only_arns: bool = False,
        is_sure: bool = True,
        dead_letter: Destination | None = None,
        delivery_retries: Any = None,
        qualifier: str = "",
        is_permission: bool = False,
        permitted: str = "",
    ) -> None:
        """Note a call as `calls` does, of a name or ARN that is already resolved."""
        if only_arns and not is_arn_of("lambda", text):
            mark = self.marks.only(text)
            if is_sure and mark is not None and self._reader.may_be_function(mark):
                self.leaves_open(f"It may call a function: {mark.what} is not known")
            return
        target = called(text)
        key = self._reader.key_of(target.name, self.scope)
        if key is None:
            # Who may call an unknown function, calls it somewhere.
            if waits is not Waits.YES and not is_permission:
                what = self.marks.readable(target.name)[:200] or "its name"
                self.leaves_open(f"It calls a function that is not known: {what}")
            return
        retries = None
        if delivery_retries is not None:
            retries = next(iter(self.known_texts(delivery_retries)), None)
        self._reader.facts.calls.append(
            Call(
                function=key,
                qualifier=self._reader.qualifier_of(qualifier or target.qualifier),
                source=self.source,
                service=service,
                waits=waits,
                dead_letter=dead_letter,
                delivery_retries=retries and self.marks.readable(retries),
                is_permission=is_permission,
                permitted=permitted,
            )
        )

    def leaves_open(self, what: str) -> None:
        """Note that something cannot be told from this resource."""
        self._reader.facts.unknowns.append(Unknown(self.source, what))

    def walk(self, value: Any, limit: int = 50_000) -> Iterator[Mapping[str, Any]]:
        """Yield every mapping inside a value, however deep, outermost first."""
        waiting = [value]
        while waiting and limit:
            limit -= 1
            one = waiting.pop()
            if isinstance(one, Mapping):
                yield one
                waiting.extend(one.values())
            elif isinstance(one, list):
                waiting.extend(one)


class TemplateReader:
    """Reads the templates of stacks that may refer to one another."""

    def __init__(self, scopes: list[Scope]) -> None:
        """Take the scopes, nested ones too, in the order of the report."""
        self.scopes = scopes
        self.marks = Marks()
        self.resolver = Resolver(scopes, self.marks)
        self.facts = Facts()
        self._by_type: dict[tuple[Scope, str], list[Mapping[str, Any]]] = {}
        self._indexes: dict[tuple[Scope, str], dict[str, list[Mapping[str, Any]]]] = {}
        self._named: dict[str, list[str]] = {}

    def read(self) -> Facts:
        """Return the facts."""
        from .callers import CALLERS, CUSTOM_RESOURCE  # noqa: PLC0415 - they need Resource

        resources = [
            Resource(self, scope, logical_id, definition)
            for scope in self.scopes
            for logical_id, definition in scope.resources.items()
            if isinstance(logical_id, str) and isinstance(definition, Mapping)
        ]
        for resource in resources:
            by_type = self._by_type.setdefault((resource.scope, resource.type), [])
            by_type.append(resource.properties)
            if resource.type == FUNCTION:
                self._read_function(resource)
        for resource in resources:
            if resource.type == _CONFIG:
                self._read_config(resource)
            reads = CALLERS.get(resource.type)
            if resource.is_transformed and (reads is not None or resource.type == _CONFIG):
                resource.leaves_open("A transform gives it properties, which are not known")
            if reads is not None:
                reads(resource)
            elif resource.type.startswith("Custom::"):
                CUSTOM_RESOURCE(resource)
            elif resource.type == _NESTED_STACK:
                if resource.logical_id not in resource.scope.children:
                    resource.leaves_open("It is a nested stack, whose template was not given")
            elif resource.type.startswith("AWS::Serverless::"):
                resource.leaves_open(
                    "It is of AWS SAM, whose transform has not run, so that what it calls and "
                    "how failures are kept is not known"
                )
        self._read_loops()
        for scope in self.scopes:
            self._read_macros(scope)
        return self.facts

    def index(
        self, scope: Scope, type: str, names: tuple[str, ...]
    ) -> dict[str, list[Mapping[str, Any]]]:
        """Return the properties of a stack's resources of a type by the texts of one of them.

        Made once, so that looking for one does not take as long as there are many.
        """
        made = self._indexes.get((scope, type))
        if made is None:
            made = self._indexes[scope, type] = {}
            for properties in self._by_type.get((scope, type), ()):
                for value in members(properties, *names):
                    for text in self.resolver.texts(value, scope):
                        if text is not None:
                            made.setdefault(text, []).append(properties)
        return made

    def may_be_function(self, mark: Mark) -> bool:
        """Tell whether something that is only known at deployment could be a function's ARN."""
        resource = mark.scope.resources.get(mark.what)
        if resource is None:
            return True
        type = mapping(resource).get("Type")
        return not isinstance(type, str) or not type.startswith("AWS::")

    def key_of(self, name: str, scope: Scope) -> str | None:
        """Return a function's key by its name; None where the name is not known."""
        mark = self.marks.only(name)
        if mark is not None and mark.kind == "name":
            type = mapping(mark.scope.resources.get(mark.what)).get("Type")
            if type == _SAM_FUNCTION:
                self._define_elsewhere(
                    name,
                    Source(mark.what, type, stack=mark.scope.name, file=mark.scope.file),
                )
            return name if type in (FUNCTION, _SAM_FUNCTION) else None
        keys = self._named.get(name, ())
        for key in keys:
            found = self.marks.only(key)
            if found is not None and found.scope is scope:
                return key
        if keys:
            return keys[0]
        if not name or self.marks.of(name):
            return None
        self._define_elsewhere(name, Source(name[:200], ""))
        return name

    def qualifier_of(self, text: str) -> str:
        """Return a qualifier, with a `?` before it where it is only known at deployment."""
        readable = self.marks.readable(text) or LATEST
        return readable if self.marks.is_known(text) else f"?{readable}"

    def _define_elsewhere(self, key: str, source: Source) -> None:
        if key not in self.facts.functions:
            self.facts.functions[key] = Function(key, source, judged=False)

    def _read_function(self, resource: Resource) -> None:
        key = self.marks.text(Mark("name", resource.scope, resource.logical_id))
        description = resource.properties.get("Description")
        dead_letters = list(members(resource.properties, "DeadLetterConfig"))
        texts = [
            text
            for config in dead_letters
            for text in resource.texts(mapping(config).get("TargetArn"))
        ]
        if resource.properties.get("DeadLetterConfig") is not None:
            texts += _left_out(resource.properties["DeadLetterConfig"])
        dead_letter = destination(texts, DEAD_LETTERS, self.marks)
        if resource.is_transformed and dead_letter.kept is Kept.NO:
            dead_letter = Destination(Kept.PERHAPS, "", "a transform gives it properties")
        self.facts.functions[key] = Function(
            key=key,
            source=resource.source,
            dead_letter=dead_letter,
            owned_by_cdk=_CDK_LOGICAL_ID.search(resource.logical_id) is not None
            or (isinstance(description, str) and description.startswith(_CDK_DESCRIPTION)),
            acknowledged=_acknowledged(resource.definition),
        )
        for name in resource.known_texts(resource.properties.get("FunctionName")):
            # Two texts with the same marks are the same name, whatever it will be.
            if name:
                self._named.setdefault(name, []).append(key)

    def _read_config(self, resource: Resource) -> None:
        properties = resource.properties
        on_failure = self._destination(resource, "OnFailure", FAILURES)
        on_success = self._destination(resource, "OnSuccess", SUCCESSES)
        sets_retries = member(properties, "MaximumRetryAttempts") is not None
        for text in resource.known_texts(properties.get("FunctionName")):
            target = called(text)
            key = self.key_of(target.name, resource.scope)
            qualifiers = resource.known_texts(properties.get("Qualifier")) or [target.qualifier]
            if key is None:
                resource.leaves_open(
                    "It configures a function that is not known: "
                    f"{self.marks.readable(target.name)[:200] or 'its name'}"
                )
                continue
            for qualifier in qualifiers:
                self.facts.configs.append(
                    AsyncConfig(
                        function=key,
                        qualifier=self.qualifier_of(qualifier),
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
        config = resource.properties.get("DestinationConfig")
        if config is None:
            return NOWHERE
        texts: list[str | None] = list(_left_out(config))
        for one in members(config):
            outcome = mapping(one).get(name)
            texts += _left_out(outcome)
            for each in members(outcome):
                texts += resource.texts(mapping(each).get("Destination"))
        return destination(texts, services, self.marks)

    def _read_loops(self) -> None:
        for scope in self.scopes:
            for logical_id in scope.resources:
                if isinstance(logical_id, str) and logical_id.startswith("Fn::"):
                    self.facts.unknowns.append(
                        Unknown(
                            Source(
                                logical_id,
                                logical_id.split("::")[1],
                                stack=scope.name,
                                file=scope.file,
                            ),
                            "It makes resources at deployment, which are not known",
                        )
                    )

    def _read_macros(self, scope: Scope) -> None:
        transforms = [*items(scope.template.get("Transform"))]
        transforms += items(scope.template.get(_TRANSFORM))
        for transform in transforms:
            name = mapping(transform).get("Name", transform)
            # AWS's own, but for includes, change no resource that is there.
            if isinstance(name, str) and (name == _INCLUDE or not name.startswith("AWS::")):
                self.facts.unknowns.append(
                    Unknown(
                        Source("Transform", name[:200], stack=scope.name, file=scope.file),
                        "It may change any resource at deployment, and how is not known",
                    )
                )


def _left_out(value: Any) -> list[None]:
    """Return one None if a value is left out, or is in one branch of its conditions."""
    return [] if all(leaf is not None for leaf in leaves(value)) else [None]


def _acknowledged(definition: Mapping[str, Any]) -> dict[str, str]:
    accepted = mapping(member(definition, "Metadata", _ACKNOWLEDGE, "acknowledge"))
    return {
        kind: reason
        for kind, reason in accepted.items()
        if isinstance(kind, str) and isinstance(reason, str) and reason.strip()
    }
