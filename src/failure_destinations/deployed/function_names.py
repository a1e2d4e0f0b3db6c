"""The names and ARNs that Lambda knows a function by."""

from __future__ import annotations

import re

# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
_FUNCTION = re.compile(
    r"(?:(?:arn:[\w-]+:lambda:[\w-]+:)?\d{12}:function:)?(?P<name>[\w-]+)"
    r"(?::(?:\$LATEST|[\w-]+))?"
)


def bare_name(function: str) -> str | None:
    """Return the name of a function; None if the text does not name one.

    Args:
        function: A name, `NAME:QUALIFIER`, or an ARN, whole or from the account on.
    """
    match = _FUNCTION.fullmatch(function)
    return None if match is None else match["name"]
