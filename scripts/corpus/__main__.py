"""`make corpus TEMPLATES=folder`: run the check on every template in a folder."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from .crew import Crew
from .judging import Judge
from .summary import Summary
from .units import find_units

_FOUND_FAULTS = 1
_NO_TEMPLATES = 2
_INTERRUPTED = 130
_SECONDS_BETWEEN_LINES = 10


def _arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make corpus",
        description="Run the check on every template in a folder, and count what it says.",
        epilog="Exit status: 1 if the check crashed or took too long, 2 if there are no templates.",
    )
    parser.add_argument("folder", type=Path, help="folder of templates and cdk.out folders")
    parser.add_argument("--json", action="store_true", help="print every result as JSON")
    parser.add_argument(
        "--compare", action="store_true", help="compare with the independent reading of reading.py"
    )
    parser.add_argument(
        "--processes", type=int, default=os.cpu_count() or 1, help="default: one for each core"
    )
    parser.add_argument(
        "--seconds", type=float, default=60, help="time limit for one file (default: %(default)s)"
    )
    arguments = parser.parse_args(given)
    if not arguments.folder.exists():
        parser.error(f"{arguments.folder} does not exist")
    if arguments.processes < 1 or arguments.seconds <= 0:
        parser.error("--processes and --seconds must be positive")
    return arguments


class _Progress:
    """Says on stderr how far the work is."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._live = sys.stderr.isatty()
        self._next = time.monotonic() + (0 if self._live else _SECONDS_BETWEEN_LINES)

    def say(self, done: int) -> None:
        now = time.monotonic()
        if now >= self._next:
            text = f"{done:,} of {self._total:,} files"
            start, end = ("\r\x1b[K", "") if self._live else ("", "\n")
            print(f"{start}{text}", end=end, file=sys.stderr, flush=True)
            self._next = now + (0.2 if self._live else _SECONDS_BETWEEN_LINES)

    def end(self) -> None:
        if self._live:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def main(given: Sequence[str]) -> int:
    """Run the check on a folder of templates; return the exit status."""
    arguments = _arguments(given)
    started = time.monotonic()
    units = [str(path) for path in find_units(arguments.folder)]
    folder = arguments.folder
    crew = Crew(
        Judge(folder if folder.is_dir() else folder.parent, compares=arguments.compare),
        arguments.processes,
        arguments.seconds,
    )
    summary, progress, status = Summary(arguments.compare), _Progress(len(units)), 0
    try:
        for done, (unit, result) in enumerate(crew.run(units), 1):
            summary.add(unit, result)
            progress.say(done)
    except KeyboardInterrupt:
        status = _INTERRUPTED
    progress.end()
    summary.results.sort(key=lambda one: one.path)
    summary.seconds = time.monotonic() - started
    if arguments.json:
        print(json.dumps(summary.as_json(), indent=1))
    else:
        print("\n".join(summary.lines()))
    if status:
        print("stopped: these are the results so far", file=sys.stderr)
    elif summary.crashes or summary.late:
        status = _FOUND_FAULTS
    elif not summary.results:
        print(f"{folder}: has no templates", file=sys.stderr)
        status = _NO_TEMPLATES
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
