"""Print lines on standard error, made safe for a terminal."""

from __future__ import annotations

from collections.abc import Iterable

import click

from failure_destinations.text import printable


def note(line: str) -> None:
    """Print a line on standard error."""
    click.echo(printable(line), err=True)


def warn(lines: Iterable[str]) -> None:
    """Print warnings on standard error."""
    for line in lines:
        note(f"warning: {line}")
