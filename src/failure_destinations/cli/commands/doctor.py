"""`failure-destinations doctor`: is every failed event of a channel kept, and are people told?"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence

import click

from failure_destinations.deployed.session import Aws
from failure_destinations.doctor.findings import Finding
from failure_destinations.doctor.gather.aws_reader import Looks
from failure_destinations.doctor.gather.channel import Gatherer
from failure_destinations.doctor.gather.copies import compare
from failure_destinations.doctor.judge.channel import judge
from failure_destinations.text import plural, printable

from ..options import aws_options
from ..parameters import NameType
from ..progress import ProgressBar

_MEND = 1
_NOT_KNOWN = 2
_STYLES = {
    "ok": "green",
    "info": "blue",
    "warning": "yellow",
    "error": "bold red",
    "unknown": "magenta",
}

_EXAMPLES = """\b
Examples:
  failure-destinations doctor --stack Reports
  failure-destinations doctor --stack Reports --channel Failures --json | jq .mend
  failure-destinations doctor --stack Reports --quick --problems
"""


@click.command("doctor", epilog=_EXAMPLES)
@click.option(
    "--stack",
    type=NameType(),
    metavar="NAME",
    required=True,
    help="Stack of the failure channels.",
)
@click.option(
    "--channel",
    type=NameType(),
    metavar="PATH",
    help="A channel's construct path below the stack.  [default: all]",
)
@click.option(
    "--quick", is_flag=True, help="Only count what is in the queues, and receive no message."
)
@click.option(
    "--max",
    "at_most",
    type=click.IntRange(min=1),
    default=5000,
    show_default=True,
    metavar="N",
    help="Compare no more messages of each queue.",
)
@click.option("--problems", is_flag=True, help="Leave out what is well.")
@click.option(
    "--allow-unknown", is_flag=True, help="Exit with 0 also if something could not be looked at."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a finding and line.")
@aws_options
@click.pass_context
def command(
    context: click.Context,
    *,
    aws: Aws,
    stack: str,
    channel: str | None,
    quick: bool,
    at_most: int,
    problems: bool,
    allow_unknown: bool,
    as_json: bool,
) -> None:
    """Look whether every failed event of a channel is kept, and people are told.

    Handlers, topic, subscriptions, queues, their policies and keys, what waits in the queues, and
    whether the copy queue holds what the queue never got; the alarms of FailureMonitoring, and who
    hears them. Each finding comes with the command that mends it; nothing is changed.

    To compare copies it receives messages, as `list` does, and gives them back; often repeated,
    that hides old messages from SQS's own age of the oldest. From cron use --quick.

    A look that is not permitted is not known, and the others go on. docs/doctor.md lists the
    permissions.

    Exit status: 0 if there is nothing to mend, 1 if there is, 2 if something could not be looked
    at and nothing else is to mend.
    """
    findings: list[Finding] = []
    with ProgressBar("asking AWS", None) as progress:
        looks = Looks(progress)
        for found in Gatherer(aws, stack, looks).channels(channel):
            seen = found if quick else compare(aws, found, looks, at_most)
            judged = list(judge(seen))
            findings += judged
            shown = [each for each in judged if each.severity != "ok" or not problems]
            if as_json:
                _print_json(found.path, shown, aws)
            else:
                _print_lines(found.path, shown, aws)
    if not as_json:
        _print_end(findings)
    context.exit(_status(findings, allow_unknown=allow_unknown))


def _status(findings: Sequence[Finding], *, allow_unknown: bool) -> int:
    severities = {finding.severity for finding in findings}
    if severities & {"warning", "error"}:
        return _MEND
    return _NOT_KNOWN if "unknown" in severities and not allow_unknown else 0


def _print_json(path: str, findings: Sequence[Finding], aws: Aws) -> None:
    for finding in findings:
        known = {
            "channel": path,
            "severity": finding.severity,
            "check": finding.check,
            "resource": finding.resource,
            "text": finding.text,
            "mend": _completed(finding.mend, aws),
            "action": finding.action,
        }
        click.echo(json.dumps(known))


def _print_lines(path: str, findings: Sequence[Finding], aws: Aws) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    # A command is only of use in one piece.
    console = Console(soft_wrap=True, highlight=False)
    console.print(Text(path, style="bold"))
    for finding in findings:
        console.print(
            Text.assemble(
                "  ",
                (f"{finding.severity:8}", _STYLES[finding.severity]),
                printable(f"{finding.resource}: {finding.text}"),
            )
        )
        mend = _completed(finding.mend, aws)
        if mend is not None:
            console.print(Text(f"          {printable(mend)}", style="dim"))


def _completed(mend: str | None, aws: Aws) -> str | None:
    """Return a command with the options that lead to the same account and Region."""
    if mend is None or not mend.startswith(("aws ", "failure-destinations ")):
        return mend
    return f"{mend} {aws.options}"


def _print_end(findings: Sequence[Finding]) -> None:
    sys.stdout.flush()
    counts = Counter(finding.severity for finding in findings)
    told = [plural(counts[name], name) for name in ("error", "warning") if counts[name]]
    line = ", ".join(told) or "nothing to mend"
    if counts["unknown"]:
        line += f"; {counts['unknown']} not known"
    click.echo(line, err=True)
