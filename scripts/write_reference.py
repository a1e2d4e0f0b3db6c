"""Writes the generated parts of the documentation: `make reference`.

`python -m scripts.write_reference --check` fails if a page is stale.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from failure_destinations.check import kinds as check_kinds
from failure_destinations.cli.group import cli
from failure_destinations.doctor import kinds as doctor_kinds

DOCS = Path(__file__).parents[1] / "docs"
NAME = "failure-destinations"
WIDTH = 100
# Between these comments, a page has a generated table.
BEGIN, END = "<!-- written by make reference -->\n", "<!-- end of what is written -->\n"
HEAD = """# The command `failure-destinations`

Install it with `pip install 'failure-destinations[cli]'`. It needs neither the CDK nor Node, and
finds credentials and Region as every AWS tool does. This page is the output of `--help`.

| to | permissions |
|---|---|
| find a queue by its stack | `cloudformation:ListStackResources`, `cloudformation:GetTemplate` |
| … that belongs to another stack than its channel | `sns:GetSubscriptionAttributes` |
| list all channels | these for every stack, `cloudformation:ListStacks`, `sqs:GetQueueAttributes` |
| find any queue | `sqs:GetQueueUrl`, `sqs:GetQueueAttributes` |
| list, groups, show | `sqs:ReceiveMessage`, `sqs:ChangeMessageVisibility` |
| … from a queue with a key of yours | `kms:Decrypt` |
| … records without their payload | the same for the copy queue; `lambda:GetFunctionConfiguration` |
| … dead letters of source queues | `sqs:ListDeadLetterSourceQueues`, \
`lambda:ListEventSourceMappings`, `lambda:GetFunctionConfiguration`; `kms:Decrypt` for the source \
queue's key too |
| … records of failed batches | `s3:GetObject`, `s3:GetObjectVersion` and `s3:ListBucket` for the \
channel's bucket, `kms:Decrypt` if it has a key of yours; for what is still in a stream \
`kinesis:GetShardIterator` and `kinesis:GetRecords`, or `dynamodb:GetShardIterator` and \
`dynamodb:GetRecords`; `lambda:GetFunctionConfiguration`; for a stream, or without a channel, \
`lambda:ListEventSourceMappings` |
| be warned about a function that drains the queue | `lambda:ListEventSourceMappings` |
| … and of what a replayer would park | `lambda:GetFunctionConfiguration` |
| see the log group that a function chose | `lambda:GetFunctionConfiguration` |
| export | the same as list |
| discard | the same, and `sqs:DeleteMessage` |
| replay | all of these, `sqs:DeleteMessage` and `lambda:InvokeFunction` |
| … and wait as long as a function may run | `lambda:GetFunctionConfiguration` |
| … and note who did it | `sts:GetCallerIdentity`, which every identity has |
| … dead letters of a rule | `events:ListTargetsByRule` |
| … batches, with the alias of their mapping | `lambda:ListEventSourceMappings` |
| … with --stack | `lambda:ListFunctionEventInvokeConfigs`, `lambda:GetFunctionConfiguration`, \
`lambda:ListEventSourceMappings` |
| … --to-source | `sqs:ListDeadLetterSourceQueues`, `sqs:StartMessageMoveTask`, \
`sqs:ListMessageMoveTasks`, `sqs:CancelMessageMoveTask`; for what SQS does with your permissions \
`sqs:ReceiveMessage` and `sqs:DeleteMessage`, on the source queue `sqs:SendMessage`, and with keys \
of yours `kms:Decrypt` and `kms:GenerateDataKey` |
| confirm | `sns:ConfirmSubscription` |
| … and see whose subscription it was | `sns:GetSubscriptionAttributes` |
"""


def help_of(command: click.Command, name: str, parent: click.Context | None = None) -> str:
    """Return the output of a command's --help."""
    return command.get_help(_context(command, name, parent)).rstrip()


def command_reference() -> str:
    """Return the page about the command."""
    parent = _context(cli, NAME)
    parts = [HEAD, f"```text\n{help_of(cli, NAME)}\n```\n"]
    for name in cli.list_commands(parent):
        command = cli.get_command(parent, name)
        if command is not None:
            parts.append(f"## {name}\n\n```text\n{help_of(command, name, parent)}\n```\n")
    return "\n".join(parts)


def _context(
    command: click.Command, name: str, parent: click.Context | None = None
) -> click.Context:
    """Return a context with the settings that the command gives it when it runs."""
    settings: dict[str, Any] = {
        **command.context_settings,
        "terminal_width": WIDTH,
        "max_content_width": WIDTH,
    }
    return click.Context(command, info_name=name, parent=parent, **settings)


def with_table(page: str, table: str) -> str:
    """Return a page with a table between its two comments.

    Raises:
        ValueError: The page lacks one of the comments.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page must have {BEGIN.strip()!r} and {END.strip()!r}")
    return f"{before}{begin}\n{table}\n{end}{after}"


# Each page, and what makes the new one of the old one.
PAGES: Mapping[str, Callable[[str], str]] = {
    "check.md": lambda page: with_table(page, check_kinds.kinds_table()),
    "cli.md": lambda _: command_reference(),
    "doctor.md": lambda page: with_table(page, doctor_kinds.as_markdown()),
}


def stale_pages() -> dict[Path, str]:
    """Return the new text of each page that is not current."""
    pages = [(DOCS / name, write) for name, write in PAGES.items()]
    texts = {path: (path.read_text(encoding="utf-8"), write) for path, write in pages}
    return {path: new for path, (old, write) in texts.items() if (new := write(old)) != old}


def main() -> None:
    """Write the pages, or exit with the names of stale ones."""
    stale = stale_pages()
    if "--check" in sys.argv and stale:
        sys.exit(f"stale: {', '.join(path.name for path in stale)}: make reference")
    for path, text in stale.items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
