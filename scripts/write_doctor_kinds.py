"""Writes the table of findings into docs/doctor.md; with --check, demands that it is fresh."""

from __future__ import annotations

import sys
from pathlib import Path

from failure_destinations.doctor.kinds import as_markdown

TARGET = Path(__file__).parents[1] / "docs" / "doctor.md"
BEGIN = "<!-- written by make reference -->\n"
END = "<!-- end of what is written -->\n"


def page() -> str:
    """Return the whole page with the table as it is now."""
    before, _, rest = TARGET.read_text().partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        sys.exit(f"{TARGET.name} must have the lines {BEGIN.strip()!r} and {END.strip()!r}")
    return f"{before}{BEGIN}\n{as_markdown()}\n{END}{after}"


def main() -> None:
    """Write the page, or compare it."""
    if "--check" not in sys.argv:
        TARGET.write_text(page())
    elif TARGET.read_text() != page():
        sys.exit(f"{TARGET.name} is stale: make reference")


if __name__ == "__main__":
    main()
