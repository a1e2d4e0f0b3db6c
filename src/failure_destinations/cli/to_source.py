"""`replay --to-source`: have SQS move dead letters back to the queues that they came from."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import click
from click.core import ParameterSource

from failure_destinations.deployed.queues import QueueChoice
from failure_destinations.deployed.session import Aws
from failure_destinations.errors import CommandError
from failure_destinations.replay.move_task import Move, MoveToSource
from failure_destinations.replay.signals import stopping_on_signals
from failure_destinations.text import plural, printable

from .output import note, warn
from .progress import ProgressBar
from .tables import print_table

_TAKEN = frozenset(
    {
        *("to_source", "rate", "yes", "dry_run", "as_json"),
        *("stack", "channel", "queue", "part", "spend_receives"),
        *("profile", "region", "endpoint_url"),
    }
)
_CHOOSING = frozenset(
    {
        *("functions", "error_types", "groups", "search", "where", "expiring", "since", "until"),
        *("ids", "at_most"),
    }
)

_WHY_STAYED = (
    "other consumers have them, or they come later in a FIFO message group; the same command moves "
    "them later"
)


def replay_to_source(
    context: click.Context,
    aws: Aws,
    choice: QueueChoice,
    rate: float | None,
    *,
    yes: bool,
    as_json: bool,
) -> bool:
    """Plan or run the move, print what it does, and return whether all is well.

    Args:
        context: The command's context, whose options are checked.
        aws: The account and Region to work in.
        choice: The options that name the queues.
        rate: The most messages to move a second; None if SQS decides.
        yes: Whether to move them, not only to count.
        as_json: Whether to print one JSON object.

    Raises:
        CommandError: An option is given that does not apply when SQS moves messages, or the move is
            not possible.
    """
    _check_options(context)
    if choice.stack is not None and choice.part == "main":
        choice = dataclasses.replace(choice, part="source-queues")
    elif choice.part not in ("main", "source-queues"):
        raise CommandError(
            f"--to-source moves dead letters of source queues, got --from {choice.part}: pass "
            "--from source-queues, or leave out --to-source"
        )
    moving = MoveToSource(aws, choice, rate)
    if not yes:
        _print_plan(moving, as_json=as_json)
        return True
    if not moving.planned:
        _print_outcome(moving, as_json=as_json)
        return False
    try:
        with (
            stopping_on_signals(moving.stop, moving.last_words),
            ProgressBar(at_once=True) as progress,
        ):
            moving.run(progress)
    except BaseException:
        # However it ends, what SQS does must be shown.
        if any(move.handle is not None for move in moving.moves):
            _print_outcome(moving, as_json=as_json)
        raise
    _print_outcome(moving, as_json=as_json)
    return moving.succeeded


def _check_options(context: click.Context) -> None:
    """Raise CommandError if an option is given that does not apply when SQS moves messages."""
    for parameter in context.command.params:
        name = parameter.name or ""
        if name in _TAKEN or context.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        option = parameter.opts[0]
        if name in _CHOOSING:
            raise CommandError(
                f"--to-source has SQS move all messages of a queue, got {option}: leave it out, "
                "discard first what must not go back, or replay the chosen messages into their "
                "function without --to-source"
            )
        if name == "backup":
            raise CommandError(
                "--to-source has SQS move the messages, got --backup: save them first with "
                "`failure-destinations export FILE.jsonl`"
            )
        raise CommandError(
            f"--to-source has SQS move the messages and invokes nothing: leave out {option}"
        )


def _print_plan(moving: MoveToSource, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"would_move": [_planned(move) for move in moving.moves]}))
        return
    rows = [
        (f"{move.queue.visible + move.queue.hidden:,}", move.queue.name, move.to)
        for move in moving.moves
    ]
    print_table(("MESSAGES", "FROM", "BACK TO"), rows, right=("MESSAGES",))
    click.echo(f"would move {plural(moving.planned, 'message')} back; nothing was moved")
    _warn_of_idle(moving)
    if moving.planned:
        click.echo(
            "SQS moves the oldest first, each as a new message with a new id and retention; its "
            "function gets it as any other message of the queue"
        )
        click.echo("to move them: the same command with --yes")


def _print_outcome(moving: MoveToSource, *, as_json: bool) -> None:
    if moving.problem is not None:
        warn([moving.problem])
    if as_json:
        known: dict[str, Any] = {
            "moved": moving.moved,
            "moves": [
                {
                    **_planned(move),
                    "state": move.state,
                    "moved": move.moved,
                    "problem": move.problem,
                }
                for move in moving.moves
            ],
            "interrupted": moving.interrupted,
            "run": moving.name,
        }
        click.echo(json.dumps(known))
        return
    if not moving.planned:
        click.echo("0 moved: there was no message")
        return
    for move in moving.moves:
        if move.handle is not None or move.problem is not None:
            click.echo(_outcome(move))
    _warn_of_idle(moving)
    if moving.name is not None:
        note(f"the run is {moving.name}: failure-destinations runs {moving.name}")
    if moving.interrupted:
        note("interrupted: what SQS has moved stays moved, the rest is in its dead-letter queue")


def _outcome(move: Move) -> str:
    name, moved = printable(move.queue.name), f"{move.moved:,}"
    problem = f": {printable(move.problem)}" if move.problem else ""
    if move.state == "completed":
        stayed = f"; about {move.stayed:,} stayed: {_WHY_STAYED}" if move.stayed else ""
        return f"{moved} moved from {name} back to {move.to}{stayed}"
    if move.state == "cancelled":
        return f"about {moved} moved from {name} back to {move.to}, then cancelled"
    if move.state == "running":
        return f"about {moved} moved from {name} so far, and SQS goes on{problem}"
    return f"about {moved} moved from {name}{problem}"


def _warn_of_idle(moving: MoveToSource) -> None:
    for move in moving.moves:
        for name in move.idle:
            note(f"warning: no function reads {printable(name)} now: what is moved there waits")


def _planned(move: Move) -> dict[str, Any]:
    return {
        "queue": move.queue.arn,
        "sources": None if move.sources is None else list(move.sources),
        "messages": move.queue.visible + move.queue.hidden,
        "idle": list(move.idle),
    }
