"""Complete the names of a channel's handlers, and of past runs, in a shell."""

from __future__ import annotations

import click

from failure_destinations.deployed.durable_queues import DurableQueues
from failure_destinations.deployed.handlers import find_handlers
from failure_destinations.deployed.queues import QueueChoice
from failure_destinations.deployed.session import Aws
from failure_destinations.errors import FailureDestinationsError, is_aws_error
from failure_destinations.replay.past_runs import list_runs
from failure_destinations.text import printable

_RUNS = 50


def handler_names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of the channel's handlers that begin with a prefix.

    The channel is the one that `--stack` and `--channel` name on the same command line. Without
    `--stack`, or if AWS does not answer, there are none: a shell has no place for an error.

    Args:
        ctx: The options before the cursor.
        incomplete: The beginning of the name.
    """
    options = ctx.params
    if not options.get("stack"):
        return []
    try:
        aws = Aws(*(options.get(name) for name in ("profile", "region", "endpoint_url")))
        channel = QueueChoice(options["stack"], options.get("channel"), None).find_channel(aws)
        if channel is None:
            return []
        topic, copies = channel.topic_arn, channel.copy_queue_arn
        durable = DurableQueues(aws.client("sqs"), channel.dead_letter_queue_arn)
        found = find_handlers(aws, topic, copies, durable_queues=durable, name_prefix=incomplete)
    except Exception as error:
        if isinstance(error, FailureDestinationsError) or is_aws_error(error):
            return []
        raise
    names = {handler.configuration["FunctionName"] for handler in found.handlers}
    return [name for name in sorted(names) if name == printable(name)]


def run_names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of past runs that begin with a prefix, the latest first.

    Args:
        incomplete: The beginning of the name.
    """
    try:
        return [run.name for run in list_runs(_RUNS) if run.name.startswith(incomplete)]
    except FailureDestinationsError:
        return []
