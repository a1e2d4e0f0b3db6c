"""Writes docs/cli.md from the command's own help; with --check, demands that it is fresh."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from failure_destinations.cli.group import cli

TARGET = Path(__file__).parents[1] / "docs" / "cli.md"
NAME = "failure-destinations"
WIDTH = 100
HEAD = """# The command `failure-destinations`

`pip install 'failure-destinations[cli]'` brings it. It needs neither the CDK nor Node; credentials
and Region are found as in every AWS tool. This page is what `--help` says.

| to | permissions |
|---|---|
| find a queue by its stack | `cloudformation:ListStackResources`, `cloudformation:GetTemplate` |
| … that is of another stack than its channel | `sns:GetSubscriptionAttributes` |
| find any queue | `sqs:GetQueueUrl`, `sqs:GetQueueAttributes` |
| list, show | `sqs:ReceiveMessage`, `sqs:ChangeMessageVisibility`, `kms:Decrypt` for a key of yours |
| be warned of a function that drains the queue | `lambda:ListEventSourceMappings` |
| replay | all these, `sqs:DeleteMessage` and `lambda:InvokeFunction` |
| … from a channel's queue | `lambda:ListFunctionEventInvokeConfigs`, `lambda:GetFunctionConfiguration` |
"""


def help_of(command: click.Command, name: str, parent: click.Context | None = None) -> str:
    """Return what a command's --help prints."""
    context = click.Context(
        command, info_name=name, parent=parent, terminal_width=WIDTH, max_content_width=WIDTH
    )
    return command.get_help(context).rstrip()


def reference() -> str:
    """Return the whole page."""
    parent = click.Context(cli, info_name=NAME, terminal_width=WIDTH, max_content_width=WIDTH)
    parts = [HEAD, f"```text\n{help_of(cli, NAME)}\n```\n"]
    for name in cli.list_commands(parent):
        command = cli.get_command(parent, name)
        if command is not None:
            parts.append(f"## {name}\n\n```text\n{help_of(command, name, parent)}\n```\n")
    return "\n".join(parts)


def main() -> None:
    """Write the page, or compare it."""
    if "--check" not in sys.argv:
        TARGET.write_text(reference())
    elif not TARGET.exists() or TARGET.read_text() != reference():
        sys.exit(f"{TARGET.name} is stale: make reference")


if __name__ == "__main__":
    main()
