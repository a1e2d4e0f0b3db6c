"""The base of all errors raised outside the CDK, and AWS and OS errors as one line."""

from __future__ import annotations

import re

from .text import printable

# What to do about errors whose botocore message does not say it.
_WAYS_OUT = {
    "NoCredentialsError": "set AWS_PROFILE or pass --profile",
    "NoRegionError": "set AWS_REGION or pass --region",
    "EndpointConnectionError": "check the network, --region and --endpoint-url",
}
# Up to the last @: a password that was not percent-encoded may contain one, or a slash.
_PASSWORD = re.compile(r"(?<=://)[^\s\"']*@")


class FailureDestinationsError(Exception):
    """The base of every error that is raised outside the CDK: one line for a person to read."""


class CommandError(FailureDestinationsError):
    """A mistake of the user, or a missing prerequisite: the command prints it and exits with 2."""


def is_aws_error(error: Exception) -> bool:
    """Return whether an error is botocore's, such as missing credentials or permissions."""
    return any(kind.__module__.startswith("botocore.") for kind in type(error).__mro__)


def aws_message(error: Exception) -> str:
    """Return a botocore error as one printable line, with what to do about it where known."""
    text = " ".join(str(error).split()).rstrip(".")
    text = printable(without_password(text))
    way_out = _WAYS_OUT.get(type(error).__name__)
    return f"{text}: {way_out}" if way_out else text


def os_message(error: OSError) -> str:
    """Return an operating system error as one printable line that names the file."""
    where = "standard output" if error.filename is None else str(error.filename)
    return printable(f"{where}: {error.strerror or error}")


def without_password(text: str) -> str:
    """Return text with the user names and passwords removed from its URLs.

    Args:
        text: A URL such as `https://user:secret@host`, or text that contains URLs.
    """
    return _PASSWORD.sub("***@", text)
