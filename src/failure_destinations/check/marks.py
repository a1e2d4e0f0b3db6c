"""Marks: what stands in a text for something that is only known at deployment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from .json_values import load_json
from .scope import Scope

# Characters that Unicode leaves to private use: no template of a person has them.
_BEGIN, _END = "\ue000", "\ue001"
_MARK = re.compile(f"{_BEGIN}([0-9]+){_END}")
_WHOLE_MARK = re.compile(f"({_BEGIN}[0-9]+{_END})")
# JSON can write the same characters as escapes. A backslash takes the next character with it.
_ESCAPE = re.compile(r"\\(?:(u[eE]00[01])|.)", re.DOTALL)


@dataclass(frozen=True)
class Mark:
    """Something that is only known at deployment.

    Attributes:
        kind: `name` of a resource, another `attribute` of it, or `unknown`.
        scope: The stack that it is in.
        what: The logical id, or what is not known.
        attribute: The attribute's name, empty for Ref.
    """

    kind: str
    scope: Scope
    what: str
    attribute: str = ""


class Marks:
    """Writes marks into texts and reads them back: equal marks are equal texts.

    No text that leaves it for people (`readable`, `shown`) has a character of a mark, and no text
    of a template is taken for a mark.
    """

    def __init__(self) -> None:
        self._marks: list[Mark] = []
        self._texts: dict[Mark, str] = {}

    def text(self, mark: Mark) -> str:
        """Return the text that stands for a mark."""
        text = self._texts.get(mark)
        if text is None:
            text = self._texts[mark] = f"{_BEGIN}{len(self._marks)}{_END}"
            self._marks.append(mark)
        return text

    def clean(self, text: str) -> str:
        """Return a template's own text without what could be taken for a mark."""
        if _BEGIN not in text and _END not in text:
            return text
        return text.replace(_BEGIN, "").replace(_END, "")

    def parse_json(self, text: str) -> Any:
        """Return what is in a JSON text: its marks stay marks, and its escapes make none.

        Raises:
            ValueError: It is not JSON.
            RecursionError: It is nested too deeply.
        """
        if "\\u" in text:
            text = _ESCAPE.sub(lambda found: "" if found.group(1) else found.group(), text)
        return load_json(text)

    def split(self, text: str, separator: str) -> list[str]:
        """Return a text's parts between separators; no mark is taken apart."""
        if _BEGIN not in text:
            return text.split(separator)
        parts = [""]
        for piece in _WHOLE_MARK.split(text):
            first, *others = [piece] if piece.startswith(_BEGIN) else piece.split(separator)
            parts[-1] += first
            parts += others
        return parts

    def of(self, text: str) -> list[Mark]:
        """Return the marks in a text."""
        return [self._marks[int(index)] for index in _MARK.findall(text)]

    def start(self, text: str) -> str:
        """Return a text up to its first mark."""
        return text.partition(_BEGIN)[0]

    def only(self, text: str) -> Mark | None:
        """Return the mark that is all of a text, or None."""
        found = _MARK.fullmatch(text)
        return self._marks[int(found.group(1))] if found else None

    def is_known(self, text: str) -> bool:
        """Return whether nothing in a text is unknown: resources are known by their names."""
        return _BEGIN not in text or all(mark.kind == "name" for mark in self.of(text))

    def shown(self, mark: Mark) -> str:
        """Return a mark for people: `Queue` or `Queue.Arn`."""
        name = f"{mark.what}.{mark.attribute}" if mark.attribute else mark.what
        return self.clean(name)

    def readable(self, text: str) -> str:
        """Return a text for people: a logical id, or what is not known, in place of a mark."""
        return self.clean(_MARK.sub(lambda found: self._marks[int(found.group(1))].what, text))
