"""The command with its subcommands, imported only when they are called."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click
from click.shell_completion import CompletionItem

from failure_destinations import __version__
from failure_destinations.errors import (
    FailureDestinationsError,
    aws_message,
    is_of_aws,
    os_message,
)

# Name: module, and what it does. The help of the group does not import them.
_COMMANDS: dict[str, tuple[str, str]] = {
    "list": (".commands.list", "Show the failed events that wait in a queue."),
    "show": (".commands.show", "Show one failed event in full."),
    "replay": (".commands.replay", "Run failed events again, and delete what succeeds."),
    "doctor": (".commands.doctor", "Look whether every failed event is kept and told."),
    "check": (".commands.check", "Find asynchronous functions whose failures would be lost."),
    "audit": (".commands.audit", "Find the same in an account, without changing anything."),
}


# As shells have it: 128 and the number of SIGINT.
_INTERRUPTED = 130


class _Refusal(click.ClickException):
    """One line on stderr, and exit status 2."""

    exit_code = 2


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(_COMMANDS[cmd_name][0], __package__)
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        # click's own would import every command for the sake of its help.
        commands = [
            CompletionItem(name, help=text)
            for name, (_, text) in _COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return commands + click.Command.shell_complete(self, ctx, incomplete)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except OSError as error:
            # Of a closed pipe click tells nobody, as programs do whose reader has gone.
            _write_no_more(error)
            refusal = _Refusal(os_message(error))
            refusal.show()
            sys.exit(refusal.exit_code)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(_INTERRUPTED)
        except FailureDestinationsError as error:
            raise _Refusal(str(error)) from error
        except Exception as error:
            if is_of_aws(error):
                raise _Refusal(aws_message(error)) from error
            raise


def _write_no_more(error: OSError) -> None:
    """Lose what standard output cannot take, or Python fails once more when it ends."""
    if error.filename is None and sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """See, replay and check what asynchronous Lambda functions failed at."""
