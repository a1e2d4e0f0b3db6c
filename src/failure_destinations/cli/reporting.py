"""The options of commands that report findings: format, baseline and exit status."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from failure_destinations.check import Finding
from failure_destinations.check.files import TemplateError, read_text
from failure_destinations.check.json_values import load_json
from failure_destinations.check.kinds import ERROR, SEVERITIES
from failure_destinations.errors import CommandError
from failure_destinations.text import printable

from .report_formats import FORMATS, Report

FOUND = 1
_NEVER = "never"


@dataclass(frozen=True)
class Reporting:
    """How findings are reported.

    Attributes:
        format: A name of `FORMATS`.
        fail_on: The lowest severity that makes the exit status 1, or `never`.
        baseline: A file of accepted findings.
        write_baseline: Where to write such a file.
    """

    format: str
    fail_on: str
    baseline: Path | None
    write_baseline: Path | None

    def accepted(self) -> frozenset[str]:
        """Return the fingerprints of accepted findings.

        Raises:
            CommandError: The baseline cannot be read.
        """
        return frozenset() if self.baseline is None else _read_baseline(self.baseline)

    def writes_baseline(self, findings: Iterable[Finding]) -> bool:
        """Write all current findings to a baseline if the user asked for it, and return whether.

        Raises:
            CommandError: The baseline cannot be written.
        """
        if self.write_baseline is None:
            return False
        _write_baseline(self.write_baseline, findings)
        return True

    def show(self, report: Report) -> None:
        """Print a report."""
        click.echo(FORMATS[self.format](report), nl=False)

    def exit(self, report: Report) -> None:
        """Exit with status 1 if there is an open finding of at least the severity `fail_on`."""
        failing = SEVERITIES[: SEVERITIES.index(self.fail_on) + 1] if self.fail_on != _NEVER else ()
        if any(one.finding.severity in failing for one in report.open):
            sys.exit(FOUND)


def reporting_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the reporting options, passed to it as `reporting`."""

    @click.option(
        "--format",
        "format_",
        type=click.Choice(list(FORMATS)),
        default="text",
        show_default=True,
        help="How to write the findings; github means annotations of GitHub Actions.",
    )
    @click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
    @click.option(
        "--fail-on",
        type=click.Choice([*SEVERITIES, _NEVER]),
        default=ERROR,
        show_default=True,
        help="The least severity for exit status 1.",
    )
    @click.option(
        "--baseline",
        type=click.Path(path_type=Path),
        help="A file with accepted findings.",
    )
    @click.option(
        "--write-baseline",
        type=click.Path(path_type=Path),
        help="Accept all current findings: write them to this file, and exit with status 0.",
    )
    @functools.wraps(command)
    def with_reporting(
        *,
        format_: str,
        as_json: bool,
        fail_on: str,
        baseline: Path | None,
        write_baseline: Path | None,
        **options: Any,
    ) -> Any:
        reporting = Reporting("json" if as_json else format_, fail_on, baseline, write_baseline)
        return command(reporting=reporting, **options)

    return with_reporting


def _read_baseline(path: Path) -> frozenset[str]:
    # A pull request may bring the file.
    try:
        text = read_text(path)
    except TemplateError as error:
        raise CommandError(f"{error}: write it with --write-baseline") from None
    try:
        accepted = load_json(text)["accepted"]
        if isinstance(accepted, list) and all(isinstance(one, str) for one in accepted):
            return frozenset(accepted)
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise CommandError(f"{path}: is not a baseline: write it with --write-baseline")


def _write_baseline(path: Path, findings: Iterable[Finding]) -> None:
    accepted = sorted({finding.fingerprint for finding in findings})
    try:
        path.write_text(json.dumps({"accepted": accepted}, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
    click.echo(printable(f"{len(accepted)} findings are accepted in {path}"), err=True)
