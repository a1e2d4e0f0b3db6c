"""A resource of a template, with helpers for the readers of callers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .causes import Cause, Open
from .context import Context
from .loops import LOOP
from .marks import Mark, Marks
from .model import Call, Destination, EventSourceMapping, Seconds, Source, Tool, Unknown, Waits
from .references import called, is_arn_of
from .resolver import Texts
from .scope import TRANSFORM, Scope
from .values import items, mapping, member

# The maximum length of a displayed name, in characters.
_SHOWN = 200
# CloudFormation takes numbers as texts too. No time has more digits.
_NUMBER = re.compile(r"-?[0-9]{1,12}")
_ACKNOWLEDGE = "failure-destinations"


class Resource:
    """A resource, and what it says about functions.

    Attributes:
        scope: Its stack.
        logical_id: Its logical id.
        type: Its type.
        properties: Its properties.
        source: The resource as findings name it.
    """

    def __init__(
        self, context: Context, scope: Scope, logical_id: str, definition: Mapping[str, Any]
    ) -> None:
        """Parse a resource's definition."""
        self._context = context
        self.scope = scope
        self.logical_id = logical_id
        type = definition.get("Type")
        self.type = type if isinstance(type, str) else ""
        self.definition = definition
        self.properties = mapping(definition.get("Properties"))
        path = member(definition, "Metadata", "aws:cdk:path")
        condition = definition.get("Condition")
        written_as = scope.written_as.get(logical_id, "")
        clean = self.marks.clean
        self.source = Source(
            logical_id=clean(logical_id),
            type=clean(self.type),
            path=clean(path if isinstance(path, str) else scope.paths.get(logical_id, "")),
            stack=scope.name,
            file=scope.file,
            condition=clean(condition) if isinstance(condition, str) else "",
            written_as="" if written_as == logical_id else clean(written_as),
            tool=Tool.SAM if written_as else scope.tool,
        )

    @property
    def marks(self) -> Marks:
        """The marks in the texts."""
        return self._context.marks

    def texts(self, value: Any) -> Texts:
        """Return the possible texts of a value."""
        return self._context.resolver.texts(value, self.scope)

    def texts_in(self, scope: Scope, value: Any) -> list[str]:
        """Return the possible texts of a value of another resource, without None."""
        return [text for text in self._context.resolver.texts(value, scope) if text is not None]

    def is_other(self, target: str, function: str) -> bool:
        """Return whether a target is certainly something else than a function.

        Args:
            target: The text of an ARN.
            function: The text of the function's name or ARN.
        """
        if not is_arn_of("lambda", target):
            mark = self.marks.only(target)
            is_known = self.marks.is_known(target) and target.startswith("arn:")
            return is_known or (mark is not None and not self._context.may_be_function(mark))
        key = self._context.key_of(called(function), self.scope)
        other = self._context.key_of(called(target), self.scope)
        return key is not None and other is not None and key != other

    def known_texts(self, value: Any) -> list[str]:
        """Return the possible texts of a value, without None."""
        return [text for text in self.texts(value) if text is not None]

    def seconds(
        self, value: Any, default: int, unit: int = 1, *, scope: Scope | None = None
    ) -> Seconds | None:
        """Return a time; None if it is not known in some branch of its conditions.

        Args:
            value: The number, unresolved.
            default: The number where it is left out.
            unit: The number of seconds in its unit.
            scope: The stack of the value. Default: the resource's.
        """
        numbers = []
        for text in self._context.resolver.texts(value, scope or self.scope) or (None,):
            if text is not None and not _NUMBER.fullmatch(text.removesuffix(".0")):
                return None
            numbers.append(default if text is None else int(text.removesuffix(".0")))
        return Seconds(min(numbers) * unit, max(numbers) * unit)

    @property
    def acknowledged(self) -> dict[str, str]:
        """The kinds of findings that its metadata accepts, with the reasons."""
        accepted = mapping(member(self.definition, "Metadata", _ACKNOWLEDGE, "acknowledge"))
        return {
            kind: reason
            for kind, reason in accepted.items()
            if isinstance(kind, str) and isinstance(reason, str) and reason.strip()
        }

    def is_text(self, value: Any, *expected: str) -> bool:
        """Return whether a value equals an expected text in any branch, ignoring case."""
        return any(text is not None and text.lower() in expected for text in self.texts(value))

    def is_always(self, value: Any, *expected: str) -> bool:
        """Return whether a value equals an expected text in every branch, ignoring case."""
        return all(text is not None and text.lower() in expected for text in self.texts(value))

    def is_certainly(self, value: Any, expected: str) -> bool:
        """Return whether a value equals an expected text, whatever is given at deployment."""
        return self.is_always(value, expected) and not self.scope.is_given(value)

    def waits_only_if(self, type: Any, synchronous: str) -> Waits:
        """Return whether a call of this invocation type waits; by default, it does not."""
        if self.is_always(type, synchronous):
            return Waits.YES
        goes_on = any(
            text is None or (self.marks.is_known(text) and text.lower() != synchronous)
            for text in self.texts(type)
        )
        return Waits.NO if goes_on else Waits.UNKNOWN

    def waits(self, texts: list[str], asynchronous: str) -> Waits:
        """Return whether a call of one of these invocation types waits; by default, it does."""
        if any(text.lower() == asynchronous for text in texts):
            return Waits.NO
        known = all(self.marks.is_known(text) for text in texts)
        return Waits.YES if known else Waits.UNKNOWN

    @property
    def is_transformed(self) -> bool:
        """Whether a macro or loop gives it unknown properties at deployment."""
        return any(
            isinstance(name, str) and name.startswith((TRANSFORM, LOOP))
            for value in (self.definition, self.properties, *self.properties.values())
            for name in mapping(value)
        )

    @property
    def name(self) -> str:
        """The text that stands for this resource's name."""
        return self.marks.text(Mark("name", self.scope, self.logical_id))

    def index(self, type: str, *names: str) -> dict[str, list[Mapping[str, Any]]]:
        """Index the properties of the stack's resources of a type by the texts of one property."""
        return self._context.index(self.scope, type, names)

    def dead_letter(self, value: Any, services: frozenset[str], *, sender: str = "") -> Destination:
        """Return the destination that the ARN of a dead-letter queue names.

        Args:
            value: The ARN, unresolved.
            services: The services whose resources can be its dead-letter queue.
            sender: The service that sends in its own name, so that the queue must let it in;
                empty if a role sends.
        """
        texts = [text for item in items(value) for text in self.texts(item)]
        receivers = self._context.receivers
        return self._context.destination(
            texts, services, lambda arn: receivers.flaw_of_queue(arn, sender) if sender else None
        )

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
        permitted: str = "",
        is_disabled: bool = False,
    ) -> None:
        """Record that this resource calls the function that a value names.

        Args:
            value: The name or ARN of a function, unresolved.
            service: The AWS service that calls it.
            waits: Whether the service waits for the answer.
            only_arns: Whether the value may name something other than a function.
            is_sure: Whether it certainly calls a function, so that an unknown value is reported.
            dead_letter: What keeps an event that does not reach the function.
            delivery_retries: The number of retries of the delivery, unresolved.
            qualifier: The qualifier, if the template gives it separately from the name.
            permitted: The logical id of the resource whose permission the call needs, if that is
                not this resource.
            is_disabled: Whether the caller is switched off.
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
                    permitted=permitted,
                    is_disabled=is_disabled,
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
        is_disabled: bool = False,
        has_tenant: bool = False,
    ) -> None:
        """Record a call like `calls`, with a name or ARN that is already resolved."""
        if only_arns and not is_arn_of("lambda", text):
            mark = self.marks.only(text)
            if is_sure and mark is not None and self._context.may_be_function(mark):
                self.leaves_open(Open.TARGET_NOT_KNOWN, self.marks.shown(mark))
            return
        target = called(text)
        key = self._context.key_of(target, self.scope)
        if key is None:
            # A service that may call an unknown function calls it through another resource.
            if waits is not Waits.YES and not is_permission:
                self.leaves_open(Open.CALLED_FUNCTION_NOT_KNOWN, target.name or "its name")
            return
        retries = None
        if delivery_retries is not None:
            retries = next(iter(self.known_texts(delivery_retries)), None)
        self._context.facts.calls.append(
            Call(
                function=key,
                qualifier=self._context.qualifier_of(qualifier or target.qualifier),
                source=self.source,
                service=service,
                waits=waits,
                dead_letter=dead_letter,
                delivery_retries=retries and self.marks.readable(retries),
                is_permission=is_permission,
                permitted=permitted,
                is_disabled=is_disabled,
                is_unqualified=not qualifier and not target.is_qualified,
                has_tenant=has_tenant,
            )
        )

    def key_of(self, text: str) -> str:
        """Return the key of the function that a text names, which may be defined elsewhere."""
        return self._context.key_of(called(text), self.scope) or self._context.key_elsewhere(text)

    def qualifier_of(self, text: str) -> str:
        """Return the qualifier in the name or ARN of a function."""
        return self._context.qualifier_of(called(text).qualifier)

    def defined(self, text: str) -> Mark | None:
        """Return the mark of the only resource that a text names; None for another text."""
        found = {mark for mark in self.marks.of(text) if mark.kind != "unknown"}
        mark = found.pop() if len(found) == 1 else None
        return mark if mark is not None and mark.what in mark.scope.resources else None

    def referred(self, text: str, scope: Scope | None = None) -> str:
        """Return an ARN as a reference to the resource would give it, if a template defines it.

        Args:
            text: The resolved text of the ARN.
            scope: The stack that names it. Default: the resource's.
        """
        return self._context.named.referred(text, scope or self.scope)

    def destination(self, texts: Texts, services: frozenset[str]) -> Destination:
        """Return the destination of failures that an ARN names.

        Args:
            texts: What the ARN may be; None where it may be left out.
            services: The services that it may belong to.
        """
        return self._context.destination(texts, services, self._context.receivers.flaw_of_topic)

    def retention_of(self, queue: str) -> Seconds | None:
        """Return how long the queue with a key keeps a message; None if it is not known."""
        found = self._context.facts.queues.get(queue)
        return found.retention if found is not None else None

    def may_send(self, function: str, service: str) -> bool:
        """Return whether the role of a function may send to a service's destination."""
        return self._context.senders.may_send(function, service)

    def adds(self, mapping: EventSourceMapping) -> None:
        """Record an event source mapping."""
        self._context.facts.mappings.append(mapping)

    def origin(self, arns: Iterable[str]) -> str:
        """Return the logical id of the first resource that ARNs name, or else the first ARN.

        An ARN from outside the template cannot match a resource in it. Empty without ARNs.
        """
        texts = list(arns)
        marks = (mark for text in texts for mark in self.marks.of(text) if mark.kind != "unknown")
        mark = next(marks, None)
        if mark is not None:
            return mark.what
        return self.marks.readable(texts[0]) if texts else ""

    def leaves_open(self, what: Open, *names: str) -> None:
        """Record what this resource does not reveal.

        Args:
            what: What it does not reveal.
            names: The resolved texts of the names in its sentence; each is made readable.
        """
        shown = tuple(self.marks.readable(name)[:_SHOWN] for name in names)
        self._context.facts.unknowns.append(Unknown(self.source, Cause(what, shown)))

    def parse_json(self, text: str) -> Any:
        """Return the parsed value of a resolved JSON text; None if it is not JSON."""
        try:
            return self.marks.parse_json(text)
        except (ValueError, RecursionError):
            return None

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
