"""Reads CHANGELOG.md, in the format of Keep a Changelog."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

KINDS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
_SECTION = re.compile(r"^## (.*)$", re.MULTILINE)
_RELEASE = re.compile(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)")
_KIND = re.compile(r"^### (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Section:
    """What changed in one version.

    Attributes:
        version: `0.1.0`; None for unreleased changes.
        date: The day of the release, UTC; None for unreleased changes.
        text: Everything below the heading.
    """

    version: str | None
    date: dt.date | None
    text: str

    @property
    def kinds(self) -> list[str]:
        """The headings in the section, such as Added."""
        return _KIND.findall(self.text)

    @property
    def is_empty(self) -> bool:
        """Whether the section lists no change."""
        return not re.search(r"^- ", self.text, re.MULTILINE)


def read_changelog(root: Path) -> list[Section]:
    """Return the sections of a project's changelog, newest first.

    Raises:
        ValueError: A heading is neither `## [Unreleased]` nor `## [X.Y.Z] - YYYY-MM-DD`.
    """
    return list(_sections((root / "CHANGELOG.md").read_text(encoding="utf-8")))


def version_key(version: str) -> tuple[int, ...]:
    """Return the key that sorts versions."""
    return tuple(map(int, version.split(".")))


def _sections(text: str) -> Iterator[Section]:
    _, *parts = _SECTION.split(text)
    for heading, body in zip(parts[::2], parts[1::2], strict=True):
        if heading == "[Unreleased]":
            yield Section(None, None, body.strip())
        elif release := _RELEASE.fullmatch(heading):
            yield Section(release[1], dt.date.fromisoformat(release[2]), body.strip())
        else:
            raise ValueError(
                f"CHANGELOG.md has the heading {heading!r}: "
                "write [Unreleased], or [X.Y.Z] - YYYY-MM-DD"
            )
