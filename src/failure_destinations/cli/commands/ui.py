"""`failure-destinations ui`: the operator's page."""

from __future__ import annotations

import click

from failure_destinations.deployed.session import Aws
from failure_destinations.errors import CommandError

from ..options import aws_options
from ..output import note
from ..parameters import NameType

_MAX_PORT = 65_535

_EXAMPLES = """\b
Examples:
  failure-destinations ui --stack Orders
  failure-destinations ui --stack Orders --stack Billing --read-only
  failure-destinations ui --queue my-queue --no-browser
"""


@click.command("ui", epilog=_EXAMPLES)
@click.option(
    "--stack",
    "stacks",
    multiple=True,
    type=NameType(),
    metavar="NAME",
    help="Stack of failure channels: all of them are shown. Repeatable.",
)
@click.option(
    "--channel",
    type=NameType(),
    metavar="PATH",
    help="Only the channel with this construct path below the stack.",
)
@click.option(
    "--queue",
    "queues",
    multiple=True,
    type=NameType(),
    metavar="QUEUE",
    help="Name, URL or ARN of another queue. Repeatable.",
)
@click.option("--read-only", is_flag=True, help="Show everything, and offer no action.")
@click.option(
    "--spend-receives",
    is_flag=True,
    help="Look also into queues that move a message away after a number of receives.",
)
@click.option(
    "--port",
    type=click.IntRange(0, _MAX_PORT),
    default=0,
    metavar="N",
    help="Port on 127.0.0.1. Default: a free one.",
)
@click.option("--no-browser", is_flag=True, help="Only print the page's address.")
@aws_options
def command(
    *,
    aws: Aws,
    stacks: tuple[str, ...],
    channel: str | None,
    queues: tuple[str, ...],
    read_only: bool,
    spend_receives: bool,
    port: int,
    no_browser: bool,
) -> None:
    """Look at failed events in a browser, and replay, export or discard them there.

    The page is served on 127.0.0.1 only, by this command, until Ctrl-C. The address that it prints
    lets one browser in, once. The page asks no other machine for anything; everything that it
    shows comes from your account, with your permissions.

    It looks into the queues of each channel as `list` does: nothing is deleted, each message is
    given back at the end of the look, and each look counts as a receive. Every action shows first
    what it would do.

    It needs `pip install 'failure-destinations[ui]'`.
    """
    try:
        from failure_destinations.ui.connection import Connection  # noqa: PLC0415 - start-up time
        from failure_destinations.ui.desk import Desk  # noqa: PLC0415
        from failure_destinations.ui.places import find_places  # noqa: PLC0415
        from failure_destinations.ui.server import serve  # noqa: PLC0415
    except ImportError as error:
        raise CommandError(
            f"the page needs {error.name}: pip install 'failure-destinations[ui]'"
        ) from None
    places = find_places(aws, stacks, channel, queues)
    desk = Desk(Connection(aws.again, spend_receives), places, read_only=read_only)
    serve(desk, note, port=port, open_browser=not no_browser)
