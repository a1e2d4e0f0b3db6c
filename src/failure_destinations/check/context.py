"""The state shared by all stacks that are read together: names, marks and facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .causes import Cause
from .marks import Mark, Marks
from .model import LATEST, Destination, Facts, Function, Kept, Source
from .named import NamedResources
from .receivers import Receivers
from .references import Called, destination
from .resolver import Resolver
from .scope import Scope
from .senders import Senders
from .values import mapping, members

FUNCTION = "AWS::Lambda::Function"
SAM_FUNCTION = "AWS::Serverless::Function"
# The maximum length of a displayed name, in characters.
_SHOWN = 200


class Context:
    """The state shared by the stacks.

    Attributes:
        scopes: The stacks, including nested ones, in the order of the report.
        marks: The marks in their texts.
        resolver: Resolves their values.
        named: Finds their resources by name.
        receivers: What keeps events out of their queues and topics.
        senders: Whether the roles of their functions may send failed batches.
        facts: The facts read so far.
    """

    def __init__(self, scopes: list[Scope]) -> None:
        """Take the scopes, including nested ones, in the order of the report."""
        self.scopes = scopes
        self.marks = Marks()
        self.resolver = Resolver(scopes, self.marks)
        self.named = NamedResources(scopes, self.marks, self.resolver)
        self.receivers = Receivers(scopes, self.marks, self.resolver)
        self.senders = Senders(scopes, self.marks, self.resolver)
        self.facts = Facts()
        self._by_type: dict[tuple[Scope, str], list[Mapping[str, Any]]] = {}
        self._indexes: dict[tuple[Scope, str], dict[str, list[Mapping[str, Any]]]] = {}
        self._named: dict[str, list[str]] = {}

    def add_resource(self, scope: Scope, type: str, properties: Mapping[str, Any]) -> None:
        """Add a resource to what `index` finds."""
        self._by_type.setdefault((scope, type), []).append(properties)

    def add_function(self, function: Function, names: list[str]) -> None:
        """Add a function of a template, with the possible texts of its given name."""
        self.facts.functions[function.key] = function
        for name in names:
            # Two texts with the same marks will become the same name.
            if name:
                self._named.setdefault(name, []).append(function.key)

    def index(
        self, scope: Scope, type: str, names: tuple[str, ...]
    ) -> dict[str, list[Mapping[str, Any]]]:
        """Return the properties of a stack's resources of a type, by the texts of one property.

        The index is built once, so that many look-ups take linear time.
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

    def destination(
        self,
        texts: Sequence[str | None],
        services: frozenset[str],
        flaw_of: Callable[[str], Cause | None],
    ) -> Destination:
        """Return the destination that an ARN names, with its flaw if it is certain which one it is.

        Args:
            texts: What the ARN may be; None where it may be left out.
            services: The services that it may belong to.
            flaw_of: Returns why a destination does not keep what is sent to it, or None.
        """
        found = destination(texts, services, self.marks)
        if found.kept is not Kept.YES or len(texts) != 1:
            return found
        return replace(found, flaw=flaw_of(texts[0] or ""))

    def may_be_function(self, mark: Mark) -> bool:
        """Return whether a value that is only known at deployment could be a function's ARN."""
        resource = mark.scope.resources.get(mark.what)
        if resource is None:
            return True
        type = mapping(resource).get("Type")
        return not isinstance(type, str) or not type.startswith("AWS::")

    def key_of(self, target: Called, scope: Scope) -> str | None:
        """Return the key of a called function; None if its name is not known."""
        name = target.name
        mark = self.marks.only(name)
        if mark is not None and mark.kind == "name":
            type = mapping(mark.scope.resources.get(mark.what)).get("Type")
            if type == SAM_FUNCTION:
                source = Source(mark.what, type, stack=mark.scope.name, file=mark.scope.file)
                self._define_elsewhere(name, source)
            return name if type in (FUNCTION, SAM_FUNCTION) else None
        keys = self._named.get(name, ())
        for key in keys:
            found = self.marks.only(key)
            if found is not None and found.scope is scope:
                return key
        if keys:
            return keys[0]
        if not name or self.marks.of(name):
            return None
        is_arn = target.arn.startswith("arn:") and "$" not in target.arn
        known_by = target.arn if is_arn and not self.marks.of(target.arn) else name
        self._define_elsewhere(name, Source(self.marks.clean(known_by)[-_SHOWN:], ""))
        return name

    def key_elsewhere(self, text: str) -> str:
        """Return the key of a function of which not even the name is known."""
        self._define_elsewhere(text, Source(self.marks.readable(text)[-_SHOWN:], ""))
        return text

    def qualifier_of(self, text: str) -> str:
        """Return a qualifier, prefixed with `?` if it is only known at deployment."""
        readable = self.marks.readable(text) or LATEST
        return readable if self.marks.is_known(text) else f"?{readable}"

    def _define_elsewhere(self, key: str, source: Source) -> None:
        if key not in self.facts.functions:
            self.facts.functions[key] = Function(key, source, judged=False)
