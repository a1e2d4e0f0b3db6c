"""Reads the numbers and times of an invocation record, which may hold anything."""

from __future__ import annotations

import re
from datetime import datetime, timezone


def count(value: str | None) -> int | None:
    """Return a count of at most nine digits; None for any other JSON text.

    Args:
        value: A value from `json_text.members`, or None.
    """
    return int(value) if value and re.fullmatch(r"[0-9]{1,9}", value) else None


def time(value: str | None) -> datetime | None:
    """Return a time in ISO 8601, taken for UTC if it has no zone; None for any other text.

    Args:
        value: The text, or None.
    """
    # Python 3.10 parses neither a Z nor fractions with other than 3 or 6 digits.
    text = re.sub(r"(\.\d{1,6})\d*", lambda match: match[1].ljust(7, "0"), str(value))
    try:
        known = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))
    except ValueError:
        return None
    return known if known.tzinfo else known.replace(tzinfo=timezone.utc)
