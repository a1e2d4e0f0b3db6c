"""`failure-destinations doctor`: is every failed event kept, and is everyone notified?"""

from __future__ import annotations

import json
import shlex
import sys
from collections import Counter
from collections.abc import Sequence

import click

from failure_destinations.deployed.session import Aws
from failure_destinations.doctor import render
from failure_destinations.doctor.examine import Examination, examine
from failure_destinations.doctor.findings import Finding
from failure_destinations.text import plural, printable

from ..options import aws_options
from ..parameters import NameType
from ..progress import ProgressBar

_TO_FIX = 1
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
  failure-destinations doctor --stack Reports --channel Failures --json | jq .fix
  failure-destinations doctor --stack Reports --quick --problems
"""


@click.command("doctor", epilog=_EXAMPLES)
@click.option(
    "--stack",
    type=NameType(),
    metavar="NAME",
    required=True,
    help="Stack of the failure channels, or a stack around theirs.",
)
@click.option(
    "--channel",
    type=NameType(),
    metavar="PATH",
    help="A channel's construct path below the stack.  [default: all]",
)
@click.option(
    "--quick", is_flag=True, help="Only count the messages in the queues, and receive none."
)
@click.option(
    "--max",
    "at_most",
    type=click.IntRange(min=1),
    default=5000,
    show_default=True,
    metavar="N",
    help="Compare no more than N messages of each queue.",
)
@click.option("--problems", is_flag=True, help="Leave out what is ok.")
@click.option("--allow-unknown", is_flag=True, help="Exit with 0 also if something is not known.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Lines as FailureWatchdog sends them, or one JSON object per finding and line.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
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
    format_: str,
    as_json: bool,
) -> None:
    """Check that every failed event of a channel is kept, and everybody is notified.

    It looks at handlers, topic, subscriptions, queues, their policies and keys, at what waits in
    the queues, at copies whose record never reached the queue, and at the alarms of
    FailureMonitoring and who is subscribed to them. It prints each finding with the command that
    fixes it, and changes nothing.

    To compare copies it receives messages, as `list` does, and gives them back. If you do that
    often, SQS stops counting old messages in ApproximateAgeOfOldestMessage: from cron, use --quick.

    What you may not read is reported as unknown, and the command continues. docs/doctor.md lists
    the permissions.

    Exit status: 0 if there is nothing to fix, 1 if there is, 2 if something is not known and there
    is nothing else to fix.
    """
    with ProgressBar("reading from AWS", None) as progress:
        examined = examine(
            aws,
            stack,
            progress,
            channel=channel,
            compare_at_most=None if quick else at_most,
        )
    as_json = as_json or format_ == "json"
    place = shlex.split(aws.options)
    for each in examined:
        shown = [found for found in each.findings if found.severity != "ok" or not problems]
        if as_json:
            for finding in shown:
                click.echo(json.dumps(render.to_json(each.channel, finding, place)))
        else:
            _print_lines(each.channel, shown, place)
    if not as_json:
        _print_end(examined)
    context.exit(_status(examined, allow_unknown=allow_unknown))


def _status(examined: Sequence[Examination], *, allow_unknown: bool) -> int:
    severities = {finding.severity for each in examined for finding in each.findings}
    if severities & {"warning", "error"}:
        return _TO_FIX
    return _NOT_KNOWN if "unknown" in severities and not allow_unknown else 0


def _print_lines(channel: str, findings: Sequence[Finding], place: Sequence[str]) -> None:
    from rich.console import Console  # noqa: PLC0415 - start-up time
    from rich.text import Text  # noqa: PLC0415 - start-up time

    # A command must not be wrapped, so that it can be copied.
    console = Console(soft_wrap=True, highlight=False)
    console.print(Text(printable(channel), style="bold"))
    for finding in findings:
        severity, said, fixes = render.lines(finding, place)
        styled = (severity, _STYLES[finding.severity])
        console.print(Text.assemble("  ", styled, said))
        for fix in fixes:
            console.print(Text(f"{render.FIX_INDENT}{fix}", style="dim"))


def _print_end(examined: Sequence[Examination]) -> None:
    sys.stdout.flush()
    counts = Counter(finding.severity for each in examined for finding in each.findings)
    problems = [plural(counts[name], name) for name in ("error", "warning") if counts[name]]
    line = ", ".join(problems) or "nothing to fix"
    if counts["unknown"]:
        line += f"; {counts['unknown']} not known"
    click.echo(line, err=True)
