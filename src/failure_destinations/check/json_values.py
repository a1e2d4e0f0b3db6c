"""Parse JSON that others wrote, in time that grows linearly with its length."""

from __future__ import annotations

import json
from typing import Any

# Python takes quadratic time for long integers, and refuses those of more than 4,300 digits.
MAX_DIGITS = 1_000


def load_json(text: str) -> Any:
    """Return what is in a JSON text; an integer of more than 1,000 digits stays a text.

    Raises:
        ValueError: It is not JSON.
        RecursionError: It is nested too deeply.
    """
    return json.loads(text, parse_int=_integer)


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= MAX_DIGITS else digits
