"""The entry point of the command: works, and explains itself, without click."""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """Run the command, or say how to install what it needs."""
    if sys.stdout is None:
        # Somebody closed it. What is written is lost, as they wanted.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
    try:
        from .group import cli  # noqa: PLC0415 - click is an extra
    except ImportError as error:
        sys.exit(
            f"failure-destinations: {error.name} is missing: "
            "pip install 'failure-destinations[cli]'"
        )
    # Whoever ends it gets the messages back that it looks at.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    cli(prog_name="failure-destinations")
