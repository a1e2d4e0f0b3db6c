"""One base error for all that runs outside the CDK, and AWS's own errors as one line."""

from __future__ import annotations

import re

from .text import printable

# Ways out that botocore's texts do not name.
_WAYS_OUT = {
    "NoCredentialsError": "set AWS_PROFILE or pass --profile",
    "NoRegionError": "set AWS_REGION or pass --region",
    "EndpointConnectionError": "look at the network, --region and --endpoint-url",
}
# Up to the last @: a password that was not percent-encoded may contain one, or a slash.
_PASSWORD = re.compile(r"(?<=://)[^\s\"']*@")


class FailureDestinationsError(Exception):
    """The base of every error that is raised outside the CDK: one line for a person to read."""


class CommandError(FailureDestinationsError):
    """A user's mistake, or something missing. The command prints it and exits with status 2."""


def is_aws_error(error: Exception) -> bool:
    """Return whether botocore raised an error: no credentials, no permission, no such resource."""
    return any(kind.__module__.startswith("botocore.") for kind in type(error).__mro__)


def aws_message(error: Exception) -> str:
    """Return botocore's error as one printable line, with the way out where one is known."""
    text = " ".join(str(error).split()).rstrip(".")
    text = printable(without_password(text))
    way_out = _WAYS_OUT.get(type(error).__name__)
    return f"{text}: {way_out}" if way_out else text


def os_message(error: OSError) -> str:
    """Return the operating system's error as one printable line, with the file."""
    where = "standard output" if error.filename is None else str(error.filename)
    return printable(f"{where}: {error.strerror or error}")


def without_password(text: str) -> str:
    """Return a text in which no address shows a user name or password.

    Args:
        text: An address such as `https://user:secret@host`, or a text with addresses in it.
    """
    return _PASSWORD.sub("***@", text)
