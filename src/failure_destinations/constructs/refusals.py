"""Checks of arguments at definition, before CDK or AWS would raise a later error."""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Container, Iterable, Set
from typing import Any

from aws_cdk import Duration, Reference, Stack, Stage, Token, Tokenization

from failure_destinations.text import printable

# How CDK encodes tokens in strings and numbers.
_ENCODED_TEXT = re.compile(r"\$\{Token\[[a-zA-Z0-9:._-]+\]\}")
_LARGEST_ENCODED_NUMBER = -1e288
_SHOWN_CHARACTERS = 100
_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = _SHOWN_CHARACTERS
# A syntax filter: a match may still not be a mailbox, a non-match never is.
_ADDRESS = re.compile(r"[^\s@,;:<>]+@[^\s@,;:<>]*[^\s@,;:<>.]")


def is_token(value: object) -> bool:
    """Return whether a value is a token, which is only known at deployment.

    Decided in Python where possible, because `Token.is_unresolved` calls Node.
    """
    if isinstance(value, str):
        return _ENCODED_TEXT.search(value) is not None
    if isinstance(value, list):
        return len(value) == 1 and isinstance(value[0], str) and value[0].startswith("#{Token[")
    if isinstance(value, float):
        # Infinity would crash the Node process.
        return -math.inf < value < _LARGEST_ENCODED_NUMBER and bool(Token.is_unresolved(value))
    # `Stack.resolve` handles all other values.
    resolves = has_member(value, "to_string") and has_member(value, "resolve")
    return resolves and not isinstance(value, Stack)


def shown(value: object) -> str:
    """Return a value for an error message: one line of at most about 100 characters."""
    try:
        text = _REPR.repr(value)
    except Exception as error:
        text = f"<{type(value).__name__}, whose repr raises {type(error).__name__}>"
    return printable(text)


def has_member(value: object, member: str) -> bool:
    """Return whether a value is of one of CDK's types, by a member that only that type has.

    The class is checked first, because reading a property of the value calls Node. The proxy of an
    imported resource has the member only on the instance.
    """
    return not isinstance(value, type) and (hasattr(type(value), member) or hasattr(value, member))


def check_scope(scope: Any) -> None:
    """Raise ValueError if resources cannot be defined in a scope."""
    if not has_member(scope, "node") or isinstance(scope, Stage):
        raise ValueError(
            f"scope must be a stack or a construct in one, got {shown(scope)}: "
            "define Stack(app, …) and pass that"
        )


def check_grantee(grantee: Any) -> None:
    """Raise ValueError if nothing can be granted to a grantee."""
    if not has_member(grantee, "grant_principal"):
        raise ValueError(
            f"grantee must be a role, user, group or function, got {shown(grantee)}: "
            "pass the construct, or Role.from_role_name(…) for an existing one"
        )


def fifo_name(arn: str) -> str | None:
    """Return the construct path or ARN of a FIFO queue or topic; None for any other ARN.

    An imported or wrapped construct shows only in its ARN that it is FIFO.
    """
    token: Any = Tokenization.reverse_string(arn).first_token
    target: Any = None
    if token is not None and Reference.is_reference(token):
        target = token.target
    if getattr(target, "fifo_queue", None) or getattr(target, "fifo_topic", None):
        return str(target.node.scope.node.path)
    return arn if arn.endswith(".fifo") else None


def check_one_resource(name: str, construct: Any, arn: str) -> None:
    """Raise ValueError for an imported ARN with wildcards: its permissions would be too broad."""
    if "*" in arn or "?" in arn:
        raise ValueError(
            f"{name} must be one resource, got {shown(construct.node.path)} for {shown(arn)}: "
            "import it by its own name, or permissions would cover every resource that matches"
        )


def check_environment(
    name: str,
    construct: Any,
    stack: Stack,
    whose: str = "the channel",
    way_out: str = "define a channel there too",
) -> None:
    """Raise ValueError if a construct is known to be outside a stack's account or Region."""
    environment = construct.env
    for kind, theirs, ours in (
        ("account", environment.account, stack.account),
        ("Region", environment.region, stack.region),
    ):
        if theirs != ours and not is_token(theirs) and not is_token(ours):
            raise ValueError(
                f"{name} must be in the same {kind} as {whose}, got {shown(construct.node.path)} "
                f"in {theirs} and {whose} in {ours}: {way_out}"
            )


def checked_count(name: str, value: Any, maximum: int, whose: str, minimum: int = 0) -> float:
    """Return a number for CDK, or raise ValueError if it is out of bounds.

    Args:
        name: The parameter.
        value: An int, or a token for one.
        maximum: The largest allowed value.
        whose: Why there are bounds.
        minimum: The smallest allowed value.
    """
    if isinstance(value, float) and is_token(value):
        return value
    if has_member(value, "value_as_number"):
        whose = "pass its value_as_number"
    elif not isinstance(value, (str, list, int)) and is_token(value):
        return Token.as_number(value)
    if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
        raise ValueError(
            f"{name} must be an int from {minimum} to {maximum}, got {shown(value)}: {whose}"
        )
    return value


def check_age(name: str, value: Any, minimum: int, maximum: int) -> None:
    """Raise ValueError if a duration is out of bounds or has a fraction of a second."""
    if value is None:
        return
    bounds = f"a Duration from {minimum} to {maximum} seconds"
    if not isinstance(value, Duration):
        raise ValueError(
            f"{name} must be {bounds}, got {shown(value)}: write for example "
            f"Duration.seconds({minimum})"
        )
    if value.is_unresolved():
        try:
            value.to_seconds()
        except RuntimeError:
            raise ValueError(
                f"{name} must be {bounds}, got a token in another unit: "
                "write Duration.seconds(…), which needs no conversion at deployment"
            ) from None
        return
    milliseconds = value.to_milliseconds(integral=False)
    if milliseconds % 1000 or not minimum <= milliseconds / 1000 <= maximum:
        raise ValueError(
            f"{name} must be {bounds}, got {milliseconds / 1000:g} seconds: "
            "AWS only accepts whole seconds within these bounds"
        )


def checked_emails(emails: Any) -> tuple[str, ...]:
    """Return the addresses, or raise ValueError for the first that is not a mailbox."""
    if isinstance(emails, (str, bytes)):
        raise ValueError(
            f"emails must be a list of addresses, got {shown(emails)}: write [{shown(emails)}]"
        )
    if not isinstance(emails, Iterable):
        raise ValueError(
            f"emails must be a list of addresses, got {shown(emails)}: write ['name@example.com'], "
            "or ()"
        )
    # The order of a set differs in each run, and would change the template.
    addresses = tuple(sorted(emails, key=str) if isinstance(emails, Set) else emails)
    seen: set[str] = set()
    for address in addresses:
        check_address("emails", address, seen)
        seen.add(address.casefold())
    return addresses


def check_address(name: str, address: Any, already: Container[str]) -> None:
    """Raise ValueError if this is not an address or is in `already`, which is in lower case."""
    if not isinstance(address, str):
        raise ValueError(f"{name} must be text, got {shown(address)}: write 'name@example.com'")
    if "#{Token[" in address:
        raise ValueError(
            f"{name} must be given one by one, got a list that is only known at deployment: "
            "write Fn.select(0, parameter.value_as_list) for the first"
        )
    if not is_token(address) and not (_ADDRESS.fullmatch(address) and address.isprintable()):
        raise ValueError(
            f"{name} must be one address like 'name@example.com', got {shown(address)}: "
            "SNS could not deliver to it"
        )
    if address.casefold() in already:
        raise ValueError(
            f"{name} must not repeat a mailbox, got {shown(address)} twice: remove one "
            "(upper and lower case are the same mailbox)"
        )
