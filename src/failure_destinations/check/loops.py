"""Expand `Fn::ForEach` over lists that are written out, as AWS::LanguageExtensions does.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-foreach.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .values import items, mapping, scalar

LOOP = "Fn::ForEach::"
_LANGUAGE_EXTENSIONS = "AWS::LanguageExtensions"
# The value, or only its letters and digits.
_PLACEHOLDER = re.compile(r"([$&])\{([A-Za-z0-9]{1,255})\}")
_NOT_ALPHANUMERIC = re.compile(r"[^A-Za-z0-9]")
# A loop's identifier, collection and output.
_PARTS = 3
# Nested loops multiply. No template that CloudFormation accepts comes near these bounds.
_MAX_VALUES = 300_000
_MAX_TEXT = 10_000_000
_MAX_DEPTH = 250


class _TooLargeError(Exception):
    """The expanded template would be too large to be real."""


def expand_loops(template: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a template with its loops expanded; one over a list that is not known stays.

    Args:
        template: The template; without the transform AWS::LanguageExtensions, it is returned as it
            is.
    """
    if _LANGUAGE_EXTENSIONS not in list(items(template.get("Transform"))):
        return template
    try:
        return mapping(_Loops(mapping(template.get("Mappings"))).expanded(template, {}, 0))
    except _TooLargeError:
        return template


class _Loops:
    def __init__(self, tables: Mapping[str, Any]) -> None:
        self._tables = tables
        self._values = 0
        self._text = 0

    def expanded(self, value: Any, names: Mapping[str, str], depth: int) -> Any:
        """Return a value with its loops expanded and the identifiers of outer loops filled in.

        Args:
            value: The value.
            names: The texts of the identifiers.
            depth: How deep the value is.

        Raises:
            _TooLargeError: The result is too large.
        """
        self._values += 1
        if self._values > _MAX_VALUES or depth > _MAX_DEPTH:
            raise _TooLargeError
        if isinstance(value, str):
            return self._filled(value, names)
        if isinstance(value, list):
            return [self.expanded(item, names, depth + 1) for item in value]
        if not isinstance(value, Mapping):
            return value
        if len(value) == 1 and names and isinstance(value.get("Ref"), str):
            return names.get(value["Ref"], value)
        if len(value) == 1 and isinstance(text := value.get("Fn::Sub"), str):
            text = self._filled(text, names)
            # Without a reference left, the transform makes it a text: AWS SAM needs some as texts.
            return {"Fn::Sub": text} if "${" in text else text
        found: dict[Any, Any] = {}
        for key, inner in value.items():
            if isinstance(key, str) and key.startswith(LOOP):
                expanded = self._loop(inner, names, depth + 1)
                found.update({self._filled(key, names): inner} if expanded is None else expanded)
            else:
                name = self._filled(key, names) if isinstance(key, str) else key
                found[name] = self.expanded(inner, names, depth + 1)
        return found

    def _loop(self, loop: Any, names: Mapping[str, str], depth: int) -> dict[Any, Any] | None:
        """Return what a loop writes; None if its list is not known."""
        if not isinstance(loop, list) or len(loop) != _PARTS:
            return None
        identifier, collection, output = loop
        texts = self._collection(collection, names, depth)
        if texts is None or not isinstance(identifier, str) or not isinstance(output, Mapping):
            return None
        written: dict[Any, Any] = {}
        for text in texts:
            # An output such as {"Ref": …} expands to a text, which adds nothing.
            written |= mapping(self.expanded(output, {**names, identifier: text}, depth + 1))
        return written

    def _collection(
        self, collection: Any, names: Mapping[str, str], depth: int
    ) -> list[str] | None:
        """Return the texts of a list that is written out or in a mapping; None for another one."""
        found = self.expanded(collection, names, depth + 1)
        if isinstance(found, Mapping) and list(found) == ["Fn::FindInMap"]:
            found = self._looked_up(found["Fn::FindInMap"])
        if not isinstance(found, list):
            return None
        known = all(isinstance(item, (str, int, float)) for item in found)
        return [scalar(item) for item in found] if known else None

    def _looked_up(self, argument: Any) -> Any:
        found: Any = self._tables
        keys = argument[:_PARTS] if isinstance(argument, list) else []
        for key in keys:
            found = mapping(found).get(key) if isinstance(key, str) else None
        if found is None and len(argument) > _PARTS:
            found = mapping(argument[_PARTS]).get("DefaultValue")
        return found if len(keys) == _PARTS else None

    def _filled(self, text: str, names: Mapping[str, str]) -> str:
        if names and "{" in text:
            text = _PLACEHOLDER.sub(lambda found: _value(found, names), text)
            self._text += len(text)
            if self._text > _MAX_TEXT:
                raise _TooLargeError
        return text


def _value(placeholder: re.Match[str], names: Mapping[str, str]) -> str:
    kind, name = placeholder.groups()
    if name not in names:
        return placeholder.group()
    return names[name] if kind == "$" else _NOT_ALPHANUMERIC.sub("", names[name])
