"""What the command prints of findings, and its exit status."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from failure_destinations.cli.commands import doctor as doctor_command
from failure_destinations.cli.group import cli
from failure_destinations.doctor import kinds
from failure_destinations.doctor.examine import Examination
from failure_destinations.doctor.facts import Unknown
from failure_destinations.doctor.findings import Finding, Subject, unreadable
from failure_destinations.doctor.fixes import OwnCommand
from failure_destinations.doctor.render import as_text

QUEUE = Subject("queue", "orders")
WELL = Finding(kinds.QUEUE, QUEUE, {"senders": ["SNS"], "retention": 1_209_600})
WAITING = Finding(
    kinds.EVENTS_WAITING, QUEUE, {"count": 1}, (OwnCommand("replay", [("stack", "Reports")]),)
)
MISSING = Finding(kinds.HANDLER_MISSING, Subject("handler", "orders"))
UNKNOWN = unreadable(kinds.QUEUE, QUEUE, Unknown("sqs:GetQueueAttributes"))

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command on findings of a channel."""

    def run(findings: list[Finding], *options: str, channel: str = "Failures") -> Result:
        examined = [Examination(channel, tuple(findings))]
        monkeypatch.setattr(doctor_command, "examine", lambda *_given, **_options: examined)
        arguments = ["doctor", "--stack", "Reports", "--region", "eu-west-1", *options]
        return CliRunner().invoke(cli, arguments, catch_exceptions=False)

    return run


@pytest.mark.parametrize(
    ("findings", "options", "status", "end"),
    [
        ([WELL], [], 0, "nothing to fix"),
        ([WELL, WAITING], [], 0, "nothing to fix"),
        ([WELL, MISSING], [], 1, "1 error"),
        ([MISSING, MISSING, UNKNOWN], [], 1, "2 errors; 1 not known"),
        ([UNKNOWN], [], 2, "nothing to fix; 1 not known"),
        ([UNKNOWN], ["--allow-unknown"], 0, "nothing to fix; 1 not known"),
        ([MISSING, UNKNOWN], ["--allow-unknown"], 1, "1 error; 1 not known"),
    ],
)
def test_exits_as_documented(
    run: Run, findings: list[Finding], options: list[str], status: int, end: str
) -> None:
    """1 for an error or warning; 2 for what is not known, if there is nothing else."""
    result = run(findings, *options)
    assert (result.exit_code, result.stderr.strip()) == (status, end)


def test_prints_findings_and_fixes(run: Run) -> None:
    """The channel, each finding on a line, and what fixes it below."""
    assert run([WELL, WAITING, MISSING]).stdout.splitlines() == [
        "Failures",
        "  ok      orders: the queue exists and keeps a message for 14 days; SNS may send to it",
        "  info    orders: 1 message in the queue to be replayed",
        " " * 10 + "failure-destinations replay --stack Reports --region eu-west-1",
        "  error   orders: the function does not exist",
        " " * 10 + "remove it from the stack and deploy, or deploy it again under another id",
    ]


def test_prints_what_the_watchdog_sends(run: Run) -> None:
    """The text format has one source."""
    found = [WELL, WAITING, MISSING]
    written = as_text(found, ["--region", "eu-west-1"])
    assert run(found, "--format", "text").stdout == f"Failures\n{written}"


def test_prints_json_by_either_name(run: Run) -> None:
    """--json is the shorter one."""
    found = [WELL, WAITING, MISSING]
    assert run(found, "--format", "json").stdout == run(found, "--json").stdout


def test_leaves_out_what_is_well(run: Run) -> None:
    """With --problems."""
    assert len(run([WELL, UNKNOWN], "--problems").stdout.splitlines()) == 2


def test_prints_json_for_programs(run: Run) -> None:
    """One object per finding, with the commands as argument lists."""
    (line,) = run([WAITING], "--json").stdout.splitlines()
    assert json.loads(line) == {
        "channel": "Failures",
        "severity": "info",
        "kind": "events-waiting",
        "resource": "orders",
        "text": "1 message in the queue to be replayed",
        "fix": "failure-destinations replay --stack Reports --region eu-west-1",
        "commands": [
            ["failure-destinations", "replay", "--stack", "Reports", "--region", "eu-west-1"]
        ],
        "action": None,
        "help": kinds.EVENTS_WAITING.page,
        "check": "events-waiting",
        "mend": "failure-destinations replay --stack Reports --region eu-west-1",
    }


def test_works_without_the_command_line() -> None:
    """The library imports neither click nor anything of the command line."""
    program = (
        "import sys, failure_destinations.doctor.examine, failure_destinations.doctor.render\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('click', 'rich', 'aws_cdk')"
        " or m.startswith('failure_destinations.cli')])"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert said.stdout.strip() == "[]"


HOSTILE = "a\n::error::b\x1b[31m\x9b2J\u202e\x85\u2028\x00\r\ud800"


def test_shows_text_from_outside_on_one_line(run: Run) -> None:
    """Names, AWS's errors and the channel's path: no line of their own, nothing to obey."""
    named = Subject("queue", HOSTILE)
    command = OwnCommand("list", [("queue", HOSTILE), ("channel", HOSTILE)])
    findings = [
        Finding(kinds.EVENTS_WAITING, named, {"count": 1}, (command,)),
        unreadable(kinds.QUEUE, named, Unknown("sqs:GetQueueAttributes", HOSTILE)),
        Finding(kinds.REPLAYER_MISSING, Subject("replayer", HOSTILE)),
    ]
    lines = run(findings, channel=HOSTILE).stdout.split("\n")
    assert [line[:2] for line in lines] == ["a\\", "  ", "  ", "  ", "  ", "  ", ""]
    for line in lines:
        assert line.isprintable()
        assert not re.match(r"\s*::", line)


def test_writes_text_from_outside_exactly_in_json(run: Run) -> None:
    """JSON escapes it, and programs get it as it is."""
    finding = Finding(kinds.HANDLER_MISSING, Subject("handler", HOSTILE))
    result = run([finding], "--json", channel=HOSTILE)
    (line,) = result.stdout.splitlines()
    assert line.isascii()
    assert json.loads(line)["resource"] == HOSTILE
