"""`failure-destinations audit`: find an account's events that would be lost."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from failure_destinations.cache import cache_directory
from failure_destinations.deployed.session import Aws
from failure_destinations.errors import CommandError, aws_message, is_aws_error, without_password
from failure_destinations.text import printable

from ..progress import ProgressBar
from ..report_formats import Report, Reported
from ..reporting import Reporting, reporting_options

if TYPE_CHECKING:
    from failure_destinations.audit import Audit, Auditor, Journal

_BLIND = 2
_INTERRUPTED = 130

_EPILOG = """\b
Examples:
  failure-destinations audit
  failure-destinations audit --region eu-west-1 --region us-east-1
  failure-destinations audit --region all --format sarif > audit.sarif
  failure-destinations audit --write-baseline accepted.json
  failure-destinations audit --baseline accepted.json --fail-on warning

\b
Exit status: 0 if no finding counts for --fail-on, 1 if one does, 2 if the account could not be
audited, 130 if it was stopped.
"""


@click.command(epilog=_EPILOG)
@click.option(
    "--region",
    "regions",
    multiple=True,
    metavar="NAME",
    help="AWS Region; may be given several times, and `all` means every enabled Region.",
)
@click.option(
    "--all-versions",
    is_flag=True,
    help="Read the policies of all versions of a function, not only of the newest version and of "
    "aliases.",
)
@click.option(
    "--metrics",
    is_flag=True,
    help="Also ask CloudWatch which functions received asynchronous events in the last two weeks: "
    "calls of programs leave no other trace.",
)
@click.option(
    "--resume",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Continue the stopped audit of this file; if there is none, keep the answers in it.",
)
@reporting_options
@click.option("--profile", metavar="NAME", help="Profile of the AWS configuration.")
@click.option("--endpoint-url", metavar="URL", help="Address of every service, instead of AWS.")
def command(
    *,
    regions: tuple[str, ...],
    all_versions: bool,
    metrics: bool,
    resume: Path | None,
    reporting: Reporting,
    profile: str | None,
    endpoint_url: str | None,
) -> None:
    """Find events, batches and messages of an account that would be lost when a function fails.

    The audit reads every function, its asynchronous configurations and its policies, the rules,
    schedules, subscriptions, buckets, pipes, pipelines and state machines that call functions, and
    the event source mappings with their queues and streams. The findings are those of `check`. It
    changes nothing. docs/audit.md has the IAM policy that it needs, and what an account does not
    show.
    """
    from failure_destinations.audit import ALL, Auditor, JournalError  # noqa: PLC0415 - start-up time

    accepted = reporting.accepted()
    chosen = next((one for one in regions if one != ALL), None)
    session = Aws(profile, chosen, endpoint_url).session
    if not regions and session.region_name is None:
        raise CommandError("a Region is needed: set AWS_REGION or pass --region")
    auditor = Auditor(
        session,
        regions or (session.region_name,),
        endpoint_url=endpoint_url,
        all_versions=all_versions,
        metrics=metrics,
    )
    auditor.begin()
    try:
        journal = auditor.journal(resume or _state_file(auditor.about))
    except JournalError as error:
        raise CommandError(str(error)) from None
    if journal.found:
        said = f"continuing after {journal.found:,} answers in {journal.path}"
        click.echo(printable(said), err=True)
    audit = _run(auditor, journal)
    if reporting.writes_baseline(audit.findings):
        sys.exit(_BLIND if audit.is_blind else 0)
    report = Report(
        count=audit.functions,
        reported=[
            Reported(one, accepted="it is in the baseline" if one.fingerprint in accepted else "")
            for one in audit.findings
        ],
        unit="function",
    )
    reporting.show(report)
    if audit.is_blind:
        raise CommandError("nothing was audited: lambda:ListFunctions is not allowed")
    reporting.exit(report)


def _run(auditor: Auditor, journal: Journal) -> Audit:
    from failure_destinations.audit import JournalError  # noqa: PLC0415 - start-up time

    bars = _Bars()
    auditor.progress = bars.show
    try:
        audit = auditor.run(journal)
    except KeyboardInterrupt:
        bars.end()
        _stop("stopped", journal, _INTERRUPTED)
    except JournalError as error:
        raise CommandError(str(error)) from None
    except Exception as error:
        bars.end()
        if is_aws_error(error):
            _stop(aws_message(error), journal, _BLIND)
        raise
    bars.end()
    journal.remove()
    return audit


class _Bars:
    """A progress bar, or lines, for each phase of an audit."""

    def __init__(self) -> None:
        self._what = ""
        self._bar: ProgressBar | None = None

    def show(self, what: str, done: int, total: int) -> None:
        """Show that some steps are done."""
        if what != self._what:
            self.end()
            self._what, self._bar = what, ProgressBar(what, total)
        if self._bar is not None:
            self._bar.advance(done)

    def end(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.__exit__()
            self._bar = None


def _stop(why: str, journal: Journal, status: int) -> NoReturn:
    journal.close()
    arguments = _without_resume(sys.argv[1:])
    again = shlex.join(["failure-destinations", *arguments, "--resume", str(journal.path)])
    said = f"{why}; {journal.written:,} answers are kept, continue with: {again}"
    click.echo(f"failure-destinations: {printable(without_password(said))}", err=True)
    sys.exit(status)


def _without_resume(arguments: list[str]) -> list[str]:
    kept = []
    skip = False
    for argument in arguments:
        if not skip and argument != "--resume" and not argument.startswith("--resume="):
            kept.append(argument)
        skip = argument == "--resume"
    return kept


def _state_file(about: dict[str, Any]) -> Path:
    """Return a file for the answers that only this audit uses."""
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:12]
    return cache_directory() / "audits" / f"{about['account']}-{digest}-{os.getpid()}.jsonl"
