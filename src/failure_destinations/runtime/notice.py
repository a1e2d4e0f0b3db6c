"""What people are notified of: facts, without a format."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any, Literal

Kind = Literal["failures", "reminder", "over"]
# The groups that one notice describes; it counts the others.
MAX_DESCRIBED_GROUPS = 20
# The group of what fails while there are too many groups.
OTHER = "other"
_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"


@dataclass(frozen=True)
class NoticeGroup:
    """A group of failures in a notice. Its texts are fit to print.

    Attributes:
        id: Its fingerprint, or `other`.
        function: The function's name; empty if not known.
        qualifier: The alias or version; None for `$LATEST` or no qualifier.
        error_type: The error's class or code; empty if not known.
        message: The message of one of its errors.
        frame: File and function of the user's code; None if not known.
        is_new: Whether this is the first notice of it.
        failures: The failures since the notice before.
        total: The failures since the group began.
        first: When the first one failed, in seconds since 1970.
        last: When the last one failed.
        attempts: How often Lambda ran the handler for one event, at most; None if not known.
        request_id: Lambda's id of one of the events; None if not known.
        payload: The beginning of one event; None to keep it out.
        records: The records of all its failed batches since the group began; 0 if it has none.
        queue: The name of the queue that feeds a function, if these are messages of its dead-letter
            queue; None for failed events.
    """

    id: str
    function: str
    qualifier: str | None
    error_type: str
    message: str
    frame: str | None
    is_new: bool
    failures: int
    total: int
    first: float
    last: float
    attempts: int | None
    request_id: str | None
    payload: str | None
    records: int = 0
    queue: str | None = None

    @property
    def called(self) -> str:
        """Name and qualifier of the function: `orders` or `orders:live`; or `queue orders`."""
        if self.queue is not None:
            return f"queue {self.queue}"
        name = self.function or "a function"
        return name if self.qualifier is None else f"{name}:{self.qualifier}"


@dataclass(frozen=True)
class Notice:
    """One message to people.

    Attributes:
        id: An id of its own: who gets it twice can tell.
        kind: `failures`: something failed. `reminder`: events still wait. `over`: none does.
        time: When it was written, in seconds since 1970.
        since: When the first failure that it is about failed; None if not known.
        failures: The failures of all its groups.
        group_count: The number of its groups; only the largest are in `groups`.
        groups: The groups, the new ones first and then by number of failures.
        waiting: About how many failed events wait; None if not known.
    """

    id: str
    kind: Kind
    time: float
    since: float | None
    failures: int
    group_count: int
    groups: tuple[NoticeGroup, ...]
    waiting: int | None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON's types."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Notice:
        """Return the notice that `to_json` returned."""
        groups = tuple(NoticeGroup(**group) for group in value["groups"])
        return cls(**{**value, "groups": groups})


def fit_to_print(text: str, length: int) -> str:
    r"""Return untrusted text as one printable line of at most `length` characters.

    Line breaks become spaces; other control characters, invisible ones and those that change the
    direction of text become escapes such as `\x1b`.
    """
    line = "".join(map(_printable_character, " ".join(text[: length * 2].split())))
    return line if len(line) <= length and len(text) <= length * 2 else f"{line[: length - 3]}..."


def _printable_character(char: str) -> str:
    if char.isprintable() or unicodedata.category(char) == "Zs":
        return char
    return char.encode("unicode_escape").decode("ascii")


def time_text(seconds: float) -> str:
    """Return a time for people, without a locale: `2 Nov 03:01:12 UTC`."""
    time = datetime.fromtimestamp(seconds, timezone.utc)
    return f"{time.day} {_MONTHS[3 * time.month - 3 : 3 * time.month]} {time:%H:%M:%S} UTC"


def iso_time(seconds: float) -> str:
    """Return a time as `2026-11-02T03:01:12Z`."""
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def plural(count: int, noun: str) -> str:
    """Return `1 failure` or `2,000 failures`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
