"""`failure-destinations audit`: is there such a function in an account?"""

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
from failure_destinations.errors import CommandError, aws_message, is_aws_error

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
Exit status: 0 nothing found, 1 findings, 2 it could not look, 130 stopped.
"""


@click.command(epilog=_EPILOG)
@click.option(
    "--region",
    "regions",
    multiple=True,
    metavar="NAME",
    help="AWS Region; may be given several times, and `all` means every one that is enabled.",
)
@click.option(
    "--all-versions",
    is_flag=True,
    help="Ask who may call each version of a function, not only the newest and those that "
    "something is known to call.",
)
@click.option(
    "--metrics",
    is_flag=True,
    help="Ask CloudWatch too which functions received asynchronous events in the last two weeks: "
    "it counts those of programs, which leave no other trace.",
)
@click.option(
    "--resume",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Go on with what a stopped audit left in this file; where there is none, leave it there.",
)
@reporting_options
@click.option("--profile", metavar="NAME", help="Profile of the AWS configuration.")
@click.option("--endpoint-url", metavar="URL", help="Where AWS is, if it is elsewhere.")
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
    """Find asynchronous functions of an account whose failures would be lost.

    It asks AWS for every function, its asynchronous configurations and its policies, and for the
    rules, schedules, subscriptions, buckets, pipes, pipelines and state machines that call
    functions; the findings are those of `check`. It changes nothing. docs/audit.md has the IAM
    policy that it needs, and what an account cannot tell.
    """
    from failure_destinations.audit import ALL, Auditor, JournalError  # noqa: PLC0415 - slow

    accepted = reporting.accepted()
    chosen = next((one for one in regions if one != ALL), None)
    session = Aws(profile, chosen).session
    if not regions and session.region_name is None:
        raise CommandError("there is no Region: set AWS_REGION or pass --region")
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
        click.echo(f"going on after {journal.found:,} answers in {journal.path}", err=True)
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
    from failure_destinations.audit import JournalError  # noqa: PLC0415

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
    """A bar, or lines, for each part of an audit."""

    def __init__(self) -> None:
        self._what = ""
        self._bar: ProgressBar | None = None

    def show(self, what: str, done: int, total: int) -> None:
        """Show that more is done."""
        if what != self._what:
            self.end()
            self._what, self._bar = what, ProgressBar(what, total)
        if self._bar is not None:
            self._bar.advance(done)

    def end(self) -> None:
        """Show no more."""
        if self._bar is not None:
            self._bar.__exit__()
            self._bar = None


def _stop(why: str, journal: Journal, status: int) -> NoReturn:
    journal.close()
    arguments = _without_resume(sys.argv[1:])
    again = shlex.join(["failure-destinations", *arguments, "--resume", str(journal.path)])
    click.echo(
        f"failure-destinations: {why}; {journal.written:,} answers are kept, go on with: {again}",
        err=True,
    )
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
    """Return where this audit keeps its answers, and no other at the same time."""
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:12]
    return cache_directory() / "audits" / f"{about['account']}-{digest}-{os.getpid()}.jsonl"
