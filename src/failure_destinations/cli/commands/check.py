"""`failure-destinations check`: find events that would be lost when a function fails."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from failure_destinations.check import Finding, find_lost_events_in
from failure_destinations.check.paths import Checked, without_nested
from failure_destinations.text import plural, printable

from ..report_formats import Report, Reported
from ..reporting import Reporting, reporting_options

_SECONDS_WITHOUT_PROGRESS = 2
_SECONDS_BETWEEN = 0.1
_UNUSABLE = 2

_EPILOG = """\b
Examples:
  failure-destinations check cdk.out
  failure-destinations check template.yaml --fail-on warning
  failure-destinations check stacks/orders.yaml --root .
  failure-destinations check stacks
  failure-destinations check cdk.out --format sarif > check.sarif
  failure-destinations check cdk.out --write-baseline accepted.json
  failure-destinations check cdk.out --baseline accepted.json

\b
Exit status: 0 if no finding counts for --fail-on, 1 if one does, 2 if a path cannot be read.
"""


@click.command(epilog=_EPILOG)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--root",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Folder that every file named in a template must be in; by default, the template's own.",
)
@reporting_options
def command(*, paths: tuple[Path, ...], root: Path | None, reporting: Reporting) -> None:
    """Find events, batches and messages that would be lost when a function fails.

    PATHS are CloudFormation or AWS SAM templates in JSON or YAML, a cdk.out folder, the folder of
    a project that has one of them, or a folder of templates. Templates that are given together may
    import from one another; files among them that are not templates are skipped. Nothing is
    deployed, and no account is needed.
    """
    accepted = reporting.accepted()
    checked = _read(paths, root)
    for problem in checked.problems:
        click.echo(f"failure-destinations: {printable(problem)}", err=True)
    if checked.skipped:
        click.echo(f"failure-destinations: {printable(_skipped(checked.skipped))}", err=True)
        if not checked.stacks:
            sys.exit(_UNUSABLE)
    findings = find_lost_events_in(checked.stacks)
    if reporting.writes_baseline(findings):
        sys.exit(_UNUSABLE if checked.problems else 0)
    report = _report(checked, findings, accepted)
    if checked.stacks or not checked.problems:
        reporting.show(report)
    if checked.problems:
        sys.exit(_UNUSABLE)
    reporting.exit(report)


def _read(paths: tuple[Path, ...], root: Path | None) -> Checked:
    shows = sys.stderr.isatty()
    started = shown = time.monotonic()
    read = 0

    def show_progress(_: Path) -> None:
        nonlocal read, shown
        read += 1
        now = time.monotonic()
        if now - started > _SECONDS_WITHOUT_PROGRESS and now - shown > _SECONDS_BETWEEN:
            shown = now
            click.echo(f"\r\x1b[Kreading: {plural(read, 'file')}", nl=False, err=True)

    checked = Checked(root, on_file=show_progress) if shows else Checked(root)
    for path in paths:
        if shows:
            show_progress(path)
        checked.add(path, is_one_of_many=len(paths) > 1)
    if shows:
        click.echo("\r\x1b[K", nl=False, err=True)
    checked.stacks = without_nested(checked.stacks)
    return checked


def _skipped(paths: Sequence[Path]) -> str:
    files = plural(len(paths), "file")
    return f"skipped {files} without Resources, such as {paths[0]}: not a template"


def _report(checked: Checked, findings: Iterable[Finding], accepted: frozenset[str]) -> Report:
    return Report(
        count=checked.count(),
        reported=[
            Reported(
                finding=finding,
                line=checked.line_of(finding),
                accepted="it is in the baseline"
                if finding.fingerprint in accepted
                else checked.reason_for(finding),
            )
            for finding in findings
        ],
    )
