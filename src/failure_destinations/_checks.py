"""Refusals: what people pass is checked where they define it, before CDK's or AWS's own error."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from aws_cdk import Duration, Token

# How CDK writes what is only known at deployment into strings, lists and numbers.
_ENCODED_TEXT = re.compile(r"[$#]\{Token\[[a-zA-Z0-9:._-]+\]\}")
_LARGEST_ENCODED_NUMBER = -1e288


def is_token(value: object) -> bool:
    """Tell whether a value is only known at deployment, like a `CfnParameter`'s.

    Decided in Python where that is possible: `Token.is_unresolved` is a call to Node.
    """
    if isinstance(value, str):
        return _ENCODED_TEXT.search(value) is not None
    if isinstance(value, float):
        # Infinity would end the process that CDK runs in.
        return -math.inf < value < _LARGEST_ENCODED_NUMBER and bool(Token.is_unresolved(value))
    return has_member(value, "creation_stack") and has_member(value, "resolve")


def has_member(value: object, member: str) -> bool:
    """Tell whether a value is of a kind of CDK's, by a member that all of its kind have.

    Asked of the class first, since to read a property of the value is a call to Node; proxies of
    what is imported have members of their own only.
    """
    return hasattr(type(value), member) or hasattr(value, member)


def check_count(name: str, value: Any, maximum: int, whose: str) -> None:
    """Refuse a number of attempts that is not an int from 0 to `maximum`."""
    if is_token(value):
        return
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= maximum:
        raise ValueError(f"{name} must be an int from 0 to {maximum}, got {value!r}: {whose}")


def check_age(name: str, value: Any, minimum: int, maximum: int) -> None:
    """Refuse a duration outside `minimum` to `maximum` seconds, or with a fraction of a second."""
    if value is None:
        return
    bounds = f"a Duration from {minimum} to {maximum} seconds"
    if not isinstance(value, Duration):
        raise ValueError(
            f"{name} must be {bounds}, got {value!r}: write for example Duration.seconds({minimum})"
        )
    if value.is_unresolved():
        return
    milliseconds = value.to_milliseconds(integral=False)
    if milliseconds % 1000 or not minimum <= milliseconds / 1000 <= maximum:
        raise ValueError(
            f"{name} must be {bounds}, got {milliseconds / 1000:g} seconds: "
            "AWS accepts whole seconds within these bounds only"
        )


def checked_emails(emails: Any, already: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the addresses, or refuse the first that nobody could be told at."""
    if isinstance(emails, (str, bytes)) or not isinstance(emails, Iterable):
        raise ValueError(f"emails must be a list of addresses, got {emails!r}: write [{emails!r}]")
    addresses = tuple(emails)
    seen = {address.casefold() for address in already}
    for address in addresses:
        _check_address(address)
        if address.casefold() in seen:
            raise ValueError(
                f"emails must name each address once, got {address!r} twice: remove one "
                "(upper and lower case are the same mailbox)"
            )
        seen.add(address.casefold())
    return addresses


def _check_address(address: Any) -> None:
    if not isinstance(address, str):
        raise ValueError(f"emails must hold strings, got {address!r}: write 'name@example.com'")
    if is_token(address):
        return
    mailbox, at, domain = address.rpartition("@")
    if not (mailbox and at and domain and address.isprintable()) or " " in address:
        raise ValueError(
            f"emails must hold addresses like 'name@example.com', got {address!r}: "
            "SNS could not deliver to it"
        )
