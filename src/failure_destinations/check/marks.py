"""Marks stand in a text for what is only known at deployment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .values import Scope

# Characters that Unicode leaves to private use: no template of a person has them.
_BEGIN, _END = "\ue000", "\ue001"
_MARK = re.compile(f"{_BEGIN}([0-9]+){_END}")


@dataclass(frozen=True)
class Mark:
    """Something that is only known at deployment.

    Attributes:
        kind: `name` of a resource, another `attribute` of it, or `unknown`.
        scope: Where.
        what: The logical id, or what is not known.
        attribute: The attribute's name, empty for Ref.
    """

    kind: str
    scope: Scope
    what: str
    attribute: str = ""


class Marks:
    """Writes marks into texts and reads them back: equal marks are equal texts."""

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
        return text.replace(_BEGIN, "").replace(_END, "") if _BEGIN in text else text

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
        """Tell whether nothing in a text is unknown: names of resources are known by them."""
        return _BEGIN not in text or all(mark.kind == "name" for mark in self.of(text))

    def readable(self, text: str) -> str:
        """Return a text for people."""
        return _MARK.sub(lambda found: self._marks[int(found.group(1))].what, text)
