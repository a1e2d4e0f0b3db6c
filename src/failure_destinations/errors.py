"""What the command says when it cannot go on: one line, and never a traceback."""

from __future__ import annotations

import click

# What botocore says does not tell what to do about it.
_WAYS_OUT = {
    "NoCredentialsError": "set AWS_PROFILE or pass --profile",
    "NoRegionError": "set AWS_REGION or pass --region",
    "EndpointConnectionError": "look at the network, --region and --endpoint-url",
}


class CommandError(click.ClickException):
    """A user's mistake, or something missing: one line on stderr, exit status 2."""

    exit_code = 2


def is_of_aws(error: Exception) -> bool:
    """Tell whether botocore raised it: no credentials, no permission, no such thing."""
    return any(kind.__module__.startswith("botocore.") for kind in type(error).__mro__)


def aws_message(error: Exception) -> str:
    """Return botocore's error as one line, with the way out where there is one."""
    text = " ".join(str(error).split()).rstrip(".")
    way_out = _WAYS_OUT.get(type(error).__name__)
    return f"{text}: {way_out}" if way_out else text


def os_message(error: OSError) -> str:
    """Return what the system refused as one line, with the file."""
    where = "standard output" if error.filename is None else str(error.filename)
    return f"{where}: {error.strerror or error}"
