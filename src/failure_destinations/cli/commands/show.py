"""`failure-destinations show`: one failed event in full."""

from __future__ import annotations

import sys

import click

from failure_destinations.deployed.queues import QueueChoice
from failure_destinations.deployed.session import Aws
from failure_destinations.replay.find import find_message
from failure_destinations.replay.received_message import ReceivedMessage
from failure_destinations.runtime.json_text import is_json
from failure_destinations.text import age, indented, printable, printable_lines, size

from ..options import aws_options, queue_options
from ..output import warn
from ..parameters import IdType
from ..progress import ProgressBar
from .list import warn_of_consumers

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
def command(*, aws: Aws, choice: QueueChoice, id: str, raw: bool, as_json: bool) -> None:
    r"""Show one failed event in full.

    ID is the id of its message or request, or the first 8 characters, as `list` shows them. The
    message stays in the queue; finding it counts as a receive.

    Characters that a terminal would obey are shown escaped, such as \x1b; --raw and --json give
    the payload as it is.
    """
    queue = choice.find_to_peek(aws)
    warn_of_consumers(queue)
    warnings: list[str] = []
    with ProgressBar() as progress:
        message = find_message(aws.client("sqs"), queue, id, warnings, progress=progress)
    warn(warnings)
    if raw:
        text = message.body if message.event is None else message.event.payload
        sys.stdout.buffer.write(text.encode(errors="replace"))
    elif as_json:
        click.echo(message.to_json())
    else:
        click.echo(_described(message))


def _described(message: ReceivedMessage) -> str:
    event = message.event
    when = "?" if message.time is None else f"{message.time:%Y-%m-%d %H:%M:%S} UTC"
    known: list[tuple[str, object]] = [
        ("message", message.id),
        ("failed" if event else "sent", f"{when}, {age(message.time)} ago"),
        ("received", f"{message.receives} times, this one included"),
    ]
    if event is None:
        known.insert(1, ("is", f"not a failed event: {message.reason}"))
        return _with_text(known, f"body, {size(message.size)}", message.body)
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
    payload = indented(event.payload) if is_json(event.payload) else event.payload
    return _with_text(known, f"payload, {size(message.size)}", payload)


def _with_text(known: list[tuple[str, object]], heading: str, text: str) -> str:
    lines = [f"{name:10} {printable(str(value))}" for name, value in known if value is not None]
    return "\n".join([*lines, "", f"{heading}:", printable_lines(text)])
