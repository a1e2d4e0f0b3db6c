"""A resource of a template, with helpers for the readers of callers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .causes import Cause, Open
from .context import Context
from .marks import Mark, Marks
from .model import Call, Destination, Source, Unknown, Waits
from .references import called, is_arn_of
from .resolver import Texts
from .scope import TRANSFORM, Scope
from .values import items, mapping, member

# The maximum length of a displayed name, in characters.
_SHOWN = 200


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
        clean = self.marks.clean
        self.source = Source(
            logical_id=clean(logical_id),
            type=clean(self.type),
            path=clean(path if isinstance(path, str) else scope.paths.get(logical_id, "")),
            stack=scope.name,
            file=scope.file,
            condition=clean(condition) if isinstance(condition, str) else "",
        )

    @property
    def marks(self) -> Marks:
        """The marks in the texts."""
        return self._context.marks

    def texts(self, value: Any) -> Texts:
        """Return the possible texts of a value."""
        return self._context.resolver.texts(value, self.scope)

    def known_texts(self, value: Any) -> list[str]:
        """Return the possible texts of a value, without None."""
        return [text for text in self.texts(value) if text is not None]

    def is_text(self, value: Any, *expected: str) -> bool:
        """Return whether a value equals an expected text in any branch, ignoring case."""
        return any(text is not None and text.lower() in expected for text in self.texts(value))

    def is_always(self, value: Any, *expected: str) -> bool:
        """Return whether a value equals an expected text in every branch, ignoring case."""
        return all(text is not None and text.lower() in expected for text in self.texts(value))

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
        """Whether a macro gives it unknown properties at deployment."""
        return any(
            TRANSFORM in mapping(value)
            for value in (self.definition, self.properties, *self.properties.values())
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
            )
        )

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
