"""Marks: placeholders in texts for values that are only known at deployment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from .json_values import load_json
from .scope import Scope

# Characters from Unicode's private use area, which real templates do not contain.
_BEGIN, _END = "\ue000", "\ue001"
_MARK = re.compile(f"{_BEGIN}([0-9]+){_END}")
_WHOLE_MARK = re.compile(f"({_BEGIN}[0-9]+{_END})")
# JSON can write the same characters as escapes. A backslash also escapes a backslash.
_ESCAPE = re.compile(r"\\(?:(u[eE]00[01])|.)", re.DOTALL)


@dataclass(frozen=True)
class Mark:
    """A value that is only known at deployment.

    Attributes:
        kind: `name` of a resource, another `attribute` of it, or `unknown`.
        scope: Its stack.
        what: The logical id, or a description of what is not known.
        attribute: The attribute's name, empty for Ref.
    """

    kind: str
    scope: Scope
    what: str
    attribute: str = ""


class Marks:
    """Writes marks into texts and reads them back; equal marks give equal texts.

    Texts for people (`readable`, `shown`) contain no characters of marks, and a template's own text
    is never taken for a mark.
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
        """Return a template's own text without characters that could be taken for a mark."""
        if _BEGIN not in text and _END not in text:
            return text
        return text.replace(_BEGIN, "").replace(_END, "")

    def parse_json(self, text: str) -> Any:
        """Return the parsed JSON text; its marks stay marks, and its escapes cannot form new ones.

        Raises:
            ValueError: It is not JSON.
            RecursionError: It is nested too deeply.
        """
        if "\\u" in text:
            text = _ESCAPE.sub(lambda found: "" if found.group(1) else found.group(), text)
        return load_json(text)

    def split(self, text: str, separator: str) -> list[str]:
        """Split a text at separators, but never inside a mark."""
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
        """Return the mark that makes up the whole text, or None."""
        found = _MARK.fullmatch(text)
        return self._marks[int(found.group(1))] if found else None

    def is_known(self, text: str) -> bool:
        """Return whether a text has no unknown part; a resource's name counts as known."""
        return _BEGIN not in text or all(mark.kind == "name" for mark in self.of(text))

    def shown(self, mark: Mark) -> str:
        """Return a mark for people: `Queue` or `Queue.Arn`."""
        name = f"{mark.what}.{mark.attribute}" if mark.attribute else mark.what
        return self.clean(name)

    def readable(self, text: str) -> str:
        """Return a text for people: a logical id, or what is not known, in place of a mark."""
        return self.clean(_MARK.sub(lambda found: self._marks[int(found.group(1))].what, text))
