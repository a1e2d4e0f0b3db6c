"""`failure-destinations check`: is there an asynchronous function whose failures are lost?"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import click

from failure_destinations.check import UncoveredFunction, find_uncovered_functions_in
from failure_destinations.check.findings import ERROR, SEVERITIES
from failure_destinations.check.paths import Checked

from .check_formats import FORMATS, Report, Reported
from .errors import CommandError

_SECONDS_WITHOUT_PROGRESS = 2
_FOUND, _UNUSABLE = 1, 2
_NEVER = "never"

_EPILOG = """\b
Examples:
  failure-destinations check cdk.out
  failure-destinations check template.yaml --fail-on warning
  failure-destinations check cdk.out --format sarif > check.sarif
  failure-destinations check cdk.out --write-baseline accepted.json
  failure-destinations check cdk.out --baseline accepted.json

\b
Exit status: 0 nothing found, 1 findings, 2 a path that cannot be read.
"""


@click.command(epilog=_EPILOG)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
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
    help="A file of findings that are accepted.",
)
@click.option(
    "--write-baseline",
    type=click.Path(path_type=Path),
    help="Accept all findings of now: write them into this file, and exit with 0.",
)
def command(  # noqa: PLR0917 - click passes them by name
    paths: tuple[Path, ...],
    format_: str,
    as_json: bool,
    fail_on: str,
    baseline: Path | None,
    write_baseline: Path | None,
) -> None:
    """Find asynchronous functions whose failures would be lost.

    PATHS are CloudFormation templates in JSON or YAML, of AWS SAM too, a cdk.out folder, or the
    folder of a project that has one of them. Templates that are given together may import from
    one another. Nothing is deployed, and no account is asked.
    """
    accepted = _read_baseline(baseline) if baseline is not None else frozenset()
    checked = _read(paths)
    for problem in checked.problems:
        click.echo(f"failure-destinations: {problem}", err=True)
    findings = find_uncovered_functions_in(checked.stacks)
    if write_baseline is not None:
        _write_baseline(write_baseline, findings)
        sys.exit(_UNUSABLE if checked.problems else 0)
    report = _report(checked, findings, accepted)
    if checked.stacks or not checked.problems:
        click.echo(FORMATS["json" if as_json else format_](report), nl=False)
    failing = SEVERITIES[: SEVERITIES.index(fail_on) + 1] if fail_on != _NEVER else ()
    if checked.problems:
        sys.exit(_UNUSABLE)
    if any(one.finding.severity in failing for one in report.reported if not one.accepted):
        sys.exit(_FOUND)


def _read(paths: tuple[Path, ...]) -> Checked:
    checked = Checked()
    shows, started = sys.stderr.isatty(), time.monotonic()
    for i, path in enumerate(paths, 1):
        if shows and time.monotonic() - started > _SECONDS_WITHOUT_PROGRESS:
            click.echo(f"\r\x1b[Kreading {i} of {len(paths)}", nl=False, err=True)
        checked.add(path)
    if shows:
        click.echo("\r\x1b[K", nl=False, err=True)
    return checked


def _report(
    checked: Checked, findings: Iterable[UncoveredFunction], accepted: frozenset[str]
) -> Report:
    return Report(
        templates=checked.count(),
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


def _read_baseline(path: Path) -> frozenset[str]:
    try:
        accepted = json.loads(path.read_text(encoding="utf-8"))["accepted"]
        if isinstance(accepted, list) and all(isinstance(one, str) for one in accepted):
            return frozenset(accepted)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}: write it with --write-baseline") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise CommandError(f"{path}: is no baseline: write it with --write-baseline")


def _write_baseline(path: Path, findings: Iterable[UncoveredFunction]) -> None:
    accepted = sorted({finding.fingerprint for finding in findings})
    try:
        path.write_text(json.dumps({"accepted": accepted}, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
    click.echo(f"{len(accepted)} findings are accepted in {path}", err=True)
