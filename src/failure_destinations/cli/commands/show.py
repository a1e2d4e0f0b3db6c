"""`failure-destinations show`: one failed event in full."""

from __future__ import annotations

import sys

import click

from failure_destinations.deployed.queues import Choice, queue_options
from failure_destinations.deployed.session import Aws, aws_options
from failure_destinations.replay.received_message import Waiting
from failure_destinations.text import age, laid_out, plain, size

from ..parameters import IdType
from .list import find_one, warn_of

_EXAMPLES = """\b
Examples:
  failure-destinations show d3b07384 --stack Reports
  failure-destinations show d3b07384 --stack Reports --raw > payload.json
"""


@click.command("show", epilog=_EXAMPLES)
@click.argument("id", type=IdType())
@queue_options
@click.option("--raw", is_flag=True, help="Only the payload, byte for byte.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@aws_options
def command(*, aws: Aws, choice: Choice, id: str, raw: bool, as_json: bool) -> None:
    """Show one failed event in full.

    ID is the id of its message or request, or the first 8 characters, as `list` shows them. The
    message stays in the queue; looking for it counts as a receive.
    """
    queue = choice.find_to_look(aws)
    warn_of(queue)
    waiting = find_one(aws, queue, id)
    event = waiting.event
    if raw:
        text = str(waiting.message.get("Body", "")) if event is None else event.payload
        sys.stdout.buffer.write(text.encode(errors="replace"))
    elif as_json:
        click.echo(waiting.json())
    else:
        click.echo(_described(waiting))


def _described(waiting: Waiting) -> str:
    event = waiting.event
    when = "?" if waiting.time is None else f"{waiting.time:%Y-%m-%d %H:%M:%S} UTC"
    known: list[tuple[str, object]] = [
        ("message", waiting.id),
        ("failed" if event else "sent", f"{when}, {age(waiting.time)} ago"),
        ("received", f"{waiting.receives} times, this look included"),
    ]
    if event is None:
        known.insert(1, ("is", f"no failed event: {waiting.reason}"))
        text = str(waiting.message.get("Body", ""))
        return f"{_lines(known)}\n\nbody, {size(waiting.size)}:\n{text}"
    known += [
        ("function", event.function_arn or "not named by a function's dead-letter queue"),
        ("sender", event.sender),
        ("request", event.request_id),
        ("source", event.source),
        ("condition", event.condition),
        ("error", event.error_type),
        ("", event.error_message),
        ("attempts", event.attempts),
        ("obstacle", event.obstacle),
    ]
    return f"{_lines(known)}\n\npayload, {size(waiting.size)}:\n{laid_out(event.payload)}"


def _lines(known: list[tuple[str, object]]) -> str:
    return "\n".join(f"{name:10} {plain(str(value))}" for name, value in known if value is not None)
