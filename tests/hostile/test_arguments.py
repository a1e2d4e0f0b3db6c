"""Arguments and surroundings that no operator would choose."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from failure_destinations.cli.group import cli
from failure_destinations.deployed.session import Aws

from ..cli.conftest import CLI, Orders, clean_environment, run_cli
from ..runtime import messages
from ..waiting import PATIENCE, eventually

# What a shell can pass: no NUL, and bytes that are not UTF-8 as lone surrogates.
ARGUMENTS = st.text(
    st.one_of(
        st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
        st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF),
    ),
    max_size=40,
)
OPTIONS = [
    ["list", "--stack"],
    ["list", "--queue"],
    ["list", "--queue", "q", "--channel"],
    ["list", "--queue", "q", "--function"],
    ["list", "--queue", "q", "--error-type"],
    ["list", "--queue", "q", "--since"],
    ["list", "--queue", "q", "--until"],
    ["list", "--queue", "q", "--id"],
    ["list", "--queue", "q", "--max"],
    ["list", "--queue", "q", "--from"],
    ["list", "--queue", "q", "--region"],
    ["list", "--queue", "q", "--endpoint-url"],
    ["list"],
    ["show", "--queue", "q"],
    ["replay", "--queue", "q", "--rate"],
    ["replay", "--queue", "q", "--concurrency"],
    ["replay", "--queue", "q", "--function-name"],
    ["replay", "--queue", "q", "--to"],
    ["replay", "--queue", "q", "--tenant-id"],
    ["replay", "--stack", "s", "--allow-function"],
    ["replay", "--from-backup"],
    ["replay", "--queue", "q", "--backup"],
    ["replay", "--queue", "q", "--stop-at"],
    ["export", "--queue", "q"],
    ["export", "events.jsonl", "--queue"],
    ["discard", "--queue", "q", "--everything", "--yes", "--backup"],
    ["discard", "--yes", "--backup", "events.jsonl", "--queue", "q", "--id"],
    ["runs"],
    [],
]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder."""
    monkeypatch.chdir(tmp_path)


def invoke(arguments: Sequence[str], error: Exception) -> Result:
    """Run the command in this process, with an AWS that answers every request with an error."""

    def client(*_arguments: Any, **_options: Any) -> NoReturn:
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Aws, "client", client)
        patch.setattr(Aws, "lambda_client", client)
        return CliRunner().invoke(cli, list(arguments))


def assert_harmless(result: Result) -> None:
    """Assert a documented status, no traceback, and nothing that a terminal would obey."""
    assert result.exit_code in (0, 1, 2)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    kinds = {unicodedata.category(char) for char in result.output if char != "\n"}
    assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert not any(line.strip().startswith("::") for line in result.output.splitlines())
    assert "##[" not in result.output


DENIED = ClientError(
    {"Error": {"Code": "AccessDenied", "Message": "\n::error::\x1b[31m\x9b\x85\u202e\u2028no"}},
    "GetQueueUrl\n::add-mask::x",
)


GENERATED = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.soak
@settings(GENERATED, max_examples=100)
@given(option=st.sampled_from(OPTIONS), value=ARGUMENTS)
def test_any_argument_is_harmless(option: list[str], value: str) -> None:
    """A value is refused in one printable line, or reaches AWS."""
    assert_harmless(invoke([*option, value], DENIED))


@pytest.mark.soak
@settings(GENERATED, max_examples=10_000)
@given(option=st.sampled_from(OPTIONS), value=ARGUMENTS)
def test_many_arguments_are_harmless(option: list[str], value: str) -> None:
    """The same for 10,000 of them."""
    assert_harmless(invoke([*option, value], DENIED))


HOSTILE = (
    *("\x1b]0;title\x07", "a\n::error::b", "\n::stop-commands::x", "\x9b31m", "\x85", "\u202e"),
    *(
        "\u2028::error::",
        "##[error]x",
        "::error::x",
        "\udcff",
        "../../etc/passwd",
        "/dev/null",
        ".",
        "",
        " ",
        "-",
    ),
    *("x" * 70_000, "9" * 5000, "-" * 5000, "arn:", "https://", "'; rm -rf ~; '", "%s{0}"),
)


@pytest.mark.parametrize("option", OPTIONS, ids=" ".join)
def test_hostile_arguments_are_harmless(option: list[str]) -> None:
    """In every option."""
    for value in HOSTILE:
        assert_harmless(invoke([*option, value], DENIED))


@pytest.mark.parametrize(
    "url",
    [
        "https://user:secret@host",
        "https://user:secret@host:port",
        "https://user:se/secret@host",
        "https://user:secret@@host",
        "ftp://user:secret@host",
        "http://user:secret@[",
        "http://:secret@",
    ],
)
def test_never_prints_the_password_of_an_endpoint(url: str) -> None:
    """Neither in a refusal nor in botocore's own error."""
    error = EndpointConnectionError(endpoint_url=f"{url}/")
    result = invoke(["list", "--queue", "q", "--endpoint-url", url], error)
    assert_harmless(result)
    assert "secret" not in result.output
    assert result.exit_code == 2


def test_options_for_another_command_hold_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """A printed command can be pasted anywhere."""
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert "secret" not in Aws(endpoint_url="https://user:secret@host").options


@pytest.mark.parametrize("url", ["https://under_score", "https://" + "a" * 300])
def test_an_endpoint_that_botocore_refuses_is_one_line(url: str) -> None:
    """Botocore raises a ValueError for it."""
    environment = clean_environment(
        AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b", AWS_REGION="eu-west-1"
    )
    answer = run_cli(["list", "--queue", "q", "--endpoint-url", url], environment)
    assert (answer.returncode, answer.stderr.count("\n")) == (2, 1)
    assert "Traceback" not in answer.stderr


def test_a_closed_standard_error_changes_nothing() -> None:
    """Its messages are lost, and do not get into a file or standard output."""
    command = f"exec 2>&-; exec {sys.executable} -m failure_destinations list"
    ended = subprocess.run(
        ["bash", "-c", command], env=clean_environment(), stdout=subprocess.PIPE, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, b"")


def test_a_backup_without_failed_events_is_not_a_success(tmp_path: Path) -> None:
    """Nothing that was asked for was done."""
    path = tmp_path / "backup.jsonl"
    path.write_text(json.dumps(messages.message("hello")) + "\n")
    environment = clean_environment(
        AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b", AWS_REGION="eu-west-1"
    )
    ended = run_cli(["replay", "--from-backup", str(path), "--yes"], environment)
    assert "1 message is not a failed event" in ended.stdout
    assert "nothing was replayed" in ended.stderr
    assert ended.returncode == 1


@pytest.mark.parametrize("name", ["backup.jsonl", "backup.jsonl.done"])
def test_a_backup_that_is_a_pipe_is_refused(tmp_path: Path, name: str) -> None:
    """It would wait for ever."""
    path = tmp_path / "backup.jsonl"
    path.touch()
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    environment = clean_environment(
        AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b", AWS_REGION="eu-west-1"
    )
    ended = run_cli(["replay", "--from-backup", str(path), "--yes"], environment)
    assert "is not a regular file" in ended.stderr
    assert ended.returncode == 2


@pytest.mark.integration
def test_a_function_that_no_event_names_is_not_a_success(orders: Orders) -> None:
    """A typing error must not look like a replay."""
    orders.send("{}")
    ended = orders.cli("replay", "--function", "jbos", "--yes")
    assert "0 succeeded" in ended.stdout
    assert "nothing was replayed" in ended.stderr
    assert ended.returncode == 1
    assert len(orders.bodies()) == 1


@pytest.mark.integration
def test_a_full_disk_is_named_and_the_tally_printed(orders: Orders, tmp_path: Path) -> None:
    """The file that cannot be written is named, and every message is in the queue again."""
    orders.send("{}", "{}")
    backup = tmp_path / "backup.jsonl"

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))

    ended = subprocess.run(
        [*CLI, "replay", "--yes", "--backup", str(backup), "--queue", orders.name],
        env={**orders.environment, "PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=limit,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.stdout.startswith("0 succeeded")
    assert f"stopped: cannot write {backup}: File too large" in ended.stderr
    assert ended.returncode == 1
    assert len(orders.bodies()) == 2


@pytest.mark.integration
def test_a_closed_terminal_gives_listed_messages_back(orders: Orders) -> None:
    """SIGHUP, even twice, ends `list` like Ctrl-C does."""
    orders.send("1", "2", "3")
    sqs: Any = orders.cloud.client("sqs")
    name = "ApproximateNumberOfMessagesNotVisible"

    def hidden() -> list[int]:
        known = sqs.get_queue_attributes(QueueUrl=orders.url, AttributeNames=[name])["Attributes"]
        return [0] * int(known[name])

    process = subprocess.Popen(
        [*CLI, "list", "--queue", orders.name],
        env=orders.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    eventually(hidden, lambda seen: len(seen) == 3)
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert hidden() == []
