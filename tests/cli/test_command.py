"""The command as a whole: how it starts, and its errors."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from failure_destinations.cli.group import cli
from failure_destinations.cli.sections import SECTIONS, SectionedCommand

from .conftest import clean_environment, run_cli

ROOT = Path(__file__).parents[2]
OWN = ROOT / "tests" / "released" / "0.1.0" / "Own.template.json"
HEAVY = ("boto3", "botocore", "rich", "jsii", "aws_cdk", "yaml")


@pytest.mark.parametrize("arguments", [["--help"], ["list", "--help"], ["replay", "--help"]])
def test_starts_without_what_help_does_not_need(arguments: list[str]) -> None:
    """Help imports neither boto3 nor rich nor the CDK."""
    code = (
        "import sys\n"
        "from failure_destinations.cli.group import cli\n"
        f"cli({arguments!r}, standalone_mode=False)\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    started = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert "Usage: " in started.stdout
    assert started.stderr == "[]\n"


def test_reference_is_fresh() -> None:
    """docs/cli.md is what --help says; `make reference` writes it anew."""
    command = [sys.executable, "-m", "scripts.write_reference", "--check"]
    subprocess.run(command, cwd=ROOT, check=True)


def test_sections_of_the_help_name_options_that_exist() -> None:
    """Each option of a section belongs to a command, and is listed there once."""
    context = click.Context(cli)
    listed: set[str] = set()
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        if isinstance(command, SectionedCommand):
            text = command.get_help(click.Context(command, info_name=name))
            options = [each.opts[-1] for each in command.params if isinstance(each, click.Option)]
            listed.update(options)
            _, *sections = re.split(r"^([A-Z].*):\n", text, flags=re.MULTILINE)
            parts = dict(zip(sections[::2], sections[1::2], strict=True))
            for option in options:
                of = next((title for title in SECTIONS if option in SECTIONS[title]), "Options")
                assert re.search(rf"^  {option}(?![-\w])", parts[of], re.MULTILINE), (name, option)
    assert {option for options in SECTIONS.values() for option in options} <= listed


class _Denying(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = (
            b'{"__type": "com.amazon.coral.service#AccessDeniedException", '
            b'"message": "User: operator is not authorized to perform: sqs:getqueueurl"}'
        )
        self.send_response(403)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Do not log."""


@pytest.fixture
def denying() -> Iterator[str]:
    """An AWS endpoint that denies every request."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Denying) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_reports_a_missing_permission_in_one_line(denying: str) -> None:
    """The line names the permission."""
    environment = clean_environment(
        AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b", AWS_REGION="eu-west-1"
    )
    listed = run_cli(["list", "--queue", "q", "--endpoint-url", denying], environment)
    assert "not authorized to perform: sqs:getqueueurl" in listed.stderr
    assert listed.stderr.count("\n") == 1
    assert listed.returncode == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["list", "--queue", "q", "--region", "eu-west-1"], "set AWS_PROFILE or pass --profile"),
        (["list", "--queue", "q"], "set AWS_REGION or pass --region"),
        (["list", "--queue", "q", "--profile", "nobody"], "The config profile (nobody)"),
        (["list", "--since", "1h"], "which queue? name it with --stack NAME or --queue NAME"),
        (["list", "--from", "copies"], "which queue? name it with --stack NAME or --queue NAME"),
        (["groups"], "which queue? name it with --stack NAME or --queue NAME"),
        (["show", "--queue", "q"], "which event? write its id"),
        (["list", "--queue", "q", "--group", "xyz"], "'xyz' is not a group"),
        (["list", "--queue", "q", "--group", "3f2"], "'3f2' is not a group"),
        (["list", "--queue", "q", "--group", "3f2a91c0d4e"], "is not a group: write the id"),
        (["list", "--queue", "q", "--search", ""], "'--search': is empty"),
        (["list", "--queue", "q", "--expiring", "soon"], "'soon' is not a length of time"),
        (["list", "--queue", "q", "--expiring", "9e9d"], "is not a length of time"),
        (["list", "--queue", "q", "--expiring", "999999999999d"], "is not a length of time"),
        (["list", "--queue", "q", "--where", "payload.n > 5"], "numbers in backticks"),
        (["list", "--queue", "q", "--where", "payload["], "must be a JMESPath expression"),
        (["replay", "--queue", "q", "--where", "lower(payload)"], "which JMESPath does not have"),
        (["groups", "--queue", "q", "--where", "length(a, b)"], "it takes 1"),
        (["list", "--queue", "q", "--stack", "s", "--region", "r"], "leave out --stack"),
        (["list", "--queue", "q", "--since", "gestern"], "'gestern' is not a time"),
        (["show", "abc", "--queue", "q"], "'abc' is too short"),
        (["replay", "--queue", "q", "--yes", "--dry-run"], "exclude each other"),
        (["replay", "--stack", "s", "--from", "copies", "--yes"], "choose those that never"),
        (["replay", "--queue", "q", "--from-backup", __file__], "leave out --stack, --queue"),
        (["replay", "--queue", "q", "--rate", "nan"], "'nan' is not a rate"),
        (["replay", "--queue", "q", "--rate", "inf"], "'inf' is not a rate"),
        (["replay", "--queue", "q", "--rate", "fast"], "'fast' is not a rate"),
        (["replay", "--queue", "q", "--rate", "0"], "'0' is not a rate"),
        (
            ["replay", "--queue", "q", "--function-name", "arn:aws:sqs:eu-west-1:1:f"],
            "not a function",
        ),
        (["replay", "--queue", "q", "--tenant-id", "blue;"], "'blue;' is not a tenant's id"),
        (["replay", "--queue", "q", "--tenant-id", ""], "'' is not a tenant's id"),
        (["replay", "--queue", "q", "--to", "a b"], "'a b' is not a function"),
        (["replay", "--queue", "q", "--to", "a", "--any-sender"], "leave out --function-name"),
        (["replay", "--queue", "q", "--to", "a", "--function-name", "b"], "leave out --function"),
        (["replay", "--queue", "q", "--function-name", "a b"], "'a b' is not a function"),
        (["replay", "--queue", "q", "--backup", "/dev/null"], "--backup must name a file"),
        (["list", "--stack", ""], "'--stack': is empty"),
        (["doctor", "--stack", " "], "'--stack': is empty"),
        (["list", "--queue", "q", "--function", ""], "'--function': is empty"),
        (["list", "--queue", "q", "--since", "1h", "--until", "2h"], "must be before --until"),
    ],
)
def test_reports_a_mistake_in_one_line(arguments: list[str], said: str) -> None:
    """Missing credentials or Region, a wrong option: the way out, and never a traceback."""
    result = CliRunner().invoke(cli, arguments, env=clean_environment())
    assert said in result.stderr
    assert (result.exit_code, type(result.exception)) == (2, SystemExit)


@pytest.mark.parametrize(
    ("arn", "said"),
    [
        ("arn:aws:sns:eu-west-1:111122223333:topic", "--queue must be a queue"),
        ("arn:aws:sqs:eu-west-1", "--queue must be a queue"),
        ("arn:aws:sqs:eu-west-2:111122223333:queue", "pass --region eu-west-2"),
    ],
)
def test_rejects_an_arn_that_is_not_a_queue_in_the_region(arn: str, said: str) -> None:
    """Before any request: in this Region another queue may have the same name."""
    environment = clean_environment(AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b")
    answer = run_cli(["list", "--queue", arn, "--region", "eu-west-1"], environment)
    assert said in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert answer.returncode == 2


@pytest.mark.parametrize("arguments", [["check", str(OWN)], ["--version"], ["list", "--help"]])
@pytest.mark.parametrize("device", list(Path("/dev").glob("full")), ids=str)
def test_reports_a_full_disk(device: Path, arguments: list[str]) -> None:
    """Output that cannot be written is one line on stderr, and exit status 2."""
    with device.open("w") as full:
        said = subprocess.run(
            [sys.executable, "-m", "failure_destinations", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            text=True,
        )
    assert said.returncode == 2
    assert said.stderr == "Error: standard output: No space left on device\n"


def test_reports_a_backup_that_a_dry_run_cannot_read(tmp_path: Path) -> None:
    """A file of something else is not a backup."""
    path = tmp_path / "notes.jsonl"
    path.write_text("buy milk\n")
    said = run_cli(["replay", "--from-backup", str(path)])
    assert said.stderr == "warning: 1 line of the backup cannot be read: 1\n"
    assert said.returncode == 1


@pytest.mark.parametrize("url", ["nonsense", "", "ftp://host", "https://"])
def test_rejects_an_endpoint_that_is_not_an_address(url: str) -> None:
    """A mistyped address is one line, not a traceback of botocore."""
    said = run_cli(["list", "--queue", "failures", "--endpoint-url", url])
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr == f"Error: --endpoint-url must be like https://host:port, got {url!r}\n"


def test_rejects_a_region_without_a_name() -> None:
    """An empty variable in a script is a mistake."""
    said = run_cli(["list", "--queue", "failures", "--region", ""])
    assert (said.returncode, said.stderr[:34]) == (2, "Error: --region must name a Region")
