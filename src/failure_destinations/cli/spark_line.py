"""Numbers as a line of small bars."""

from __future__ import annotations

import sys
from collections.abc import Sequence

_BARS = "▁▂▃▄▅▆▇█"
_NONE = "·"
# For output that is not in Unicode.
_ASCII_BARS = "_.:-=+*#"
_ASCII_NONE = " "


def spark_line(counts: Sequence[int], highest: int) -> str:
    """Return a bar for each number, the highest for `highest`; a dot for 0.

    Args:
        counts: The numbers.
        highest: The number with the highest bar.
    """
    bars, none = (_BARS, _NONE) if _has_unicode() else (_ASCII_BARS, _ASCII_NONE)
    steps = len(bars) - 1
    return "".join(
        none if not count else bars[round(count / max(1, highest) * steps)] for count in counts
    )


def _has_unicode() -> bool:
    try:
        (_BARS + _NONE).encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
