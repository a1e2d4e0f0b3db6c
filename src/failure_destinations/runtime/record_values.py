"""Reads the numbers and times of records and messages, which may hold anything."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any

# Every year of these exists in each time zone, and so does the end of each retention after it.
_YEARS = range(1970, 3000)


def count(value: str | None) -> int | None:
    """Return a count of at most nine digits; None for any other JSON text.

    Args:
        value: A value from `json_text.members`, or None.
    """
    return int(value) if value and re.fullmatch(r"[0-9]{1,9}", value) else None


def time(value: str | None) -> datetime | None:
    """Return a time in ISO 8601, taken for UTC if it has no zone.

    Returns None for any other text, and for a year before 1970 or after 2999.

    Args:
        value: The text, or None.
    """
    # Python 3.10 parses neither a Z nor fractions with other than 3 or 6 digits.
    text = re.sub(r"(\.\d{1,6})\d*", lambda match: match[1].ljust(7, "0"), str(value))
    try:
        known = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))
    except ValueError:
        return None
    if known.year not in _YEARS:
        return None
    return known if known.tzinfo else known.replace(tzinfo=timezone.utc)


def sqs_time(value: Any) -> datetime | None:
    """Return a time as SQS notes it on a message; None for any other value, as in `time`.

    Args:
        value: Milliseconds since 1970, as text or number, or None.
    """
    try:
        known = datetime.fromtimestamp(int(value) / 1000, timezone.utc)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
    return known if known.year in _YEARS else None
