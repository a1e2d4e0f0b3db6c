"""Every command that docs, help, alarms and messages name is one that this program takes."""

from __future__ import annotations

from pathlib import Path

import aws_cdk as cdk
import click
import pytest
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs

from failure_destinations import (
    FailureChannel,
    FailureMonitoring,
    FailureNotifiedFunction,
    FailureReplayer,
)
from failure_destinations.cli.group import cli

from .conftest import define_handler
from .templates import template_of
from .written_commands import NAME, PLACEHOLDER, Written, in_alarms, in_pages, in_source


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder."""
    monkeypatch.chdir(tmp_path)


PAGES = list(in_pages())
SOURCE = list(in_source())


def refusal(written: Written) -> str | None:
    """Return why the program would not take a command; None if it would.

    Where only a part is written, what is missing is no reason.
    """
    name, *arguments = written.arguments
    parent = click.Context(cli, info_name=NAME)
    command = cli.get_command(parent, "list" if name == PLACEHOLDER else name)
    if command is None:
        return f"{name} is not a command"
    for word in arguments:
        path = Path(word)
        if not word.startswith("-") and not path.is_absolute() and "://" not in word:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    try:
        command.make_context(name, arguments, parent=parent)
    except click.MissingParameter as error:
        return error.format_message() if written.whole else None
    except click.BadOptionUsage as error:
        said = error.format_message()
        return None if "requires an argument" in said and not written.whole else said
    except click.ClickException as error:
        return error.format_message()
    return None


def test_finds_the_commands() -> None:
    """The pages, the source and the help have many, in every form."""
    texts = {written.text for written in PAGES + SOURCE}
    assert f"{NAME} export incident.jsonl --stack Reports" in texts
    assert f"{NAME} list --from copies" in texts
    assert f"{NAME} check cdk.out --format github" in texts
    assert len([one for one in PAGES if one.whole]) > 60
    assert len(SOURCE) > 40
    assert {Path(one.place).name for one in PAGES} >= {"README.md", "cli.md", "limits.md"}


@pytest.mark.parametrize("written", sorted(set(PAGES)), ids=lambda one: f"{one.place}: {one.text}")
def test_takes_every_command_of_the_docs(written: Written) -> None:
    """As it is written there."""
    assert refusal(written) is None


@pytest.mark.parametrize("written", sorted(set(SOURCE)), ids=lambda one: f"{one.place}: {one.text}")
def test_takes_every_command_of_its_own_messages(written: Written) -> None:
    """Errors, hints, advice and the examples of the help."""
    assert refusal(written) is None


def test_takes_every_command_of_the_alarms(stack: cdk.Stack) -> None:
    """The descriptions of all alarms, as e-mails show them."""
    channel = FailureChannel(stack, "Channel")
    FailureNotifiedFunction(
        stack,
        "Nightly",
        handler=define_handler(stack),
        channel=channel,
        schedule=scheduler.ScheduleExpression.rate(cdk.Duration.days(1)),
    )
    FailureReplayer(stack, "Replayer", channel=channel)
    channel.dead_letter_queue_for(sqs.Queue(stack, "Orders"))
    FailureMonitoring(stack, "Monitoring", channel=channel)
    found = list(in_alarms(template_of(stack)))
    assert {one.arguments[0] for one in found} == {"list", "replay", "export"}
    assert len(found) >= 10
    options = {word for one in found for word in one.arguments if word.startswith("--")}
    assert {"--from", "--to-source"} <= options
    assert {one.text: refusal(one) for one in found} == dict.fromkeys([one.text for one in found])
