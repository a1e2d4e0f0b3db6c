"""Parse the names and ARNs of Lambda functions."""

from __future__ import annotations

import re
from typing import NamedTuple

# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
_FUNCTION = re.compile(
    r"(?:(?:arn:(?P<partition>[\w-]+):lambda:(?P<region>[\w-]+):)?(?P<account>\d{12}):function:)?"
    r"(?P<name>[\w-]+)(?::(?P<qualifier>\$LATEST(?:\.PUBLISHED)?|[\w-]+))?",
    re.ASCII,
)


class FunctionParts(NamedTuple):
    """The parts of a function's name or ARN.

    Attributes:
        partition: Such as `aws`; None if the text does not say.
        region: Such as `eu-west-1`; None if the text does not say.
        account: Twelve digits; None if the text does not say.
        name: The function's name.
        qualifier: The alias or version; None for `$LATEST` or no qualifier.
    """

    partition: str | None
    region: str | None
    account: str | None
    name: str
    qualifier: str | None


def function_parts(function: str) -> FunctionParts | None:
    """Return the parts of a function's name or ARN; None if the text does not name a function.

    Args:
        function: A name, `NAME:QUALIFIER`, or a full or partial ARN.
    """
    match = _FUNCTION.fullmatch(function)
    if match is None:
        return None
    qualifier = None if match["qualifier"] == "$LATEST" else match["qualifier"]
    return FunctionParts(
        match["partition"], match["region"], match["account"], match["name"], qualifier
    )


def without_latest(function_arn: str) -> str:
    """Return a function's ARN without `$LATEST`, which means the same for most functions.

    Args:
        function_arn: Its ARN, with or without a qualifier.
    """
    return function_arn.removesuffix(":$LATEST")


def bare_name(function: str) -> str | None:
    """Return a function's name without a qualifier; None if the text does not name one.

    Args:
        function: A name, `NAME:QUALIFIER`, or a full or partial ARN.
    """
    parts = function_parts(function)
    return None if parts is None else parts.name


def is_function_arn(text: str) -> bool:
    """Return whether text is the ARN of a function, with or without a qualifier."""
    parts = function_parts(text)
    # Only a full ARN names the partition.
    return parts is not None and parts.partition is not None
