"""Parse the names and ARNs of Lambda functions."""

from __future__ import annotations

import re

# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
_FUNCTION = re.compile(
    r"(?:(?:arn:[\w-]+:lambda:[\w-]+:)?\d{12}:function:)?(?P<name>[\w-]+)"
    r"(?::(?:\$LATEST|[\w-]+))?",
    re.ASCII,
)
_ARN = re.compile(
    r"arn:[\w-]+:lambda:[\w-]+:\d{12}:function:[\w-]+(?::(?:\$LATEST|[\w-]+))?", re.ASCII
)


def bare_name(function: str) -> str | None:
    """Return a function's name without a qualifier; None if the text does not name one.

    Args:
        function: A name, `NAME:QUALIFIER`, or a full or partial ARN.
    """
    match = _FUNCTION.fullmatch(function)
    return None if match is None else match["name"]


def is_function_arn(text: str) -> bool:
    """Return whether text is the ARN of a function, with or without a qualifier."""
    return _ARN.fullmatch(text) is not None
