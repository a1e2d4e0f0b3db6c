"""The command group, whose subcommands are imported only when they are called."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click
from click.shell_completion import CompletionItem

from failure_destinations import __version__
from failure_destinations.errors import (
    FailureDestinationsError,
    aws_message,
    is_aws_error,
    os_message,
)
from failure_destinations.text import printable

# Name: module and summary, so that the group's help does not import the modules.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "list": (".commands.list", "Show the failed events in a queue."),
    "groups": (
        ".commands.groups",
        "Show what failed: one line for each group of similar failures.",
    ),
    "show": (".commands.show", "Show one failed event in full."),
    "replay": (".commands.replay", "Run failed events again, and delete what succeeds."),
    "discard": (".commands.discard", "Save messages to a file, and delete them."),
    "runs": (".commands.runs", "List past runs, and what became of each event."),
    "export": (".commands.export", "Save failed events to a file, and run nothing."),
    "ui": (".commands.ui", "Look at failed events, and act on them, in a browser."),
    "doctor": (
        ".commands.doctor",
        "Check that failed events are kept and people are notified.",
    ),
    "confirm": (
        ".commands.confirm",
        "Confirm a subscription so that no link unsubscribes it.",
    ),
    "check": (".commands.check", "Find functions and event sources whose failures would be lost."),
    "audit": (".commands.audit", "Find the same in an account, without changing anything."),
}

# As in shells: 128 plus the number of SIGINT.
_INTERRUPTED = 130


class _Refusal(click.ClickException):
    """One line on stderr, and exit status 2."""

    exit_code = 2


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called.

    Args:
        lazy_commands: For each command, its module relative to this package and its summary.
        **arguments: For `click.Group`.
    """

    def __init__(self, *, lazy_commands: Mapping[str, tuple[str, str]], **arguments: Any) -> None:
        super().__init__(**arguments)
        self._lazy_commands = lazy_commands

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names of the commands."""
        return list(self._lazy_commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return a command; None if it does not exist."""
        if cmd_name not in self._lazy_commands:
            return None
        module = importlib.import_module(self._lazy_commands[cmd_name][0], __package__)
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the commands' names and summaries, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self._lazy_commands.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands and options that begin with a prefix."""
        # click's own completion would import every command for its help.
        commands = [
            CompletionItem(name, help=text)
            for name, (_, text) in self._lazy_commands.items()
            if name.startswith(incomplete)
        ]
        return commands + click.Command.shell_complete(self, ctx, incomplete)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command, and exit with its status."""
        try:
            return super().main(*args, **kwargs)
        except OSError as error:
            # click exits silently when the reader of its output has closed the pipe.
            _discard_output(error)
            refusal = _Refusal(os_message(error))
            refusal.show()
            sys.exit(refusal.exit_code)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Parse the arguments."""
        with _printable_errors():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; turn its errors into one line on standard error."""
        try:
            with _printable_errors():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(_INTERRUPTED)


@contextmanager
def _printable_errors() -> Iterator[None]:
    try:
        yield
    except click.ClickException as error:
        # An argument may come from a script and contain anything.
        error.message = printable(error.message)  # type: ignore[misc]
        raise
    except FailureDestinationsError as error:
        raise _Refusal(printable(str(error))) from error
    except Exception as error:
        if is_aws_error(error):
            raise _Refusal(aws_message(error)) from error
        raise


def _discard_output(error: OSError) -> None:
    """Discard unwritten standard output, or Python fails again when it exits."""
    if error.filename is None and sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(
    cls=LazyGroup,
    lazy_commands=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """See, replay and check the failures of Lambda functions."""
