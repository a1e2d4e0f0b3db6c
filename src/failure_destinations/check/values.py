"""Read a template's values of any type, in each branch of their conditions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

# A hostile template may branch endlessly.
_MAX_LEAVES = 100
_MAX_BITS = 4_096


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping unchanged, and an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def scalar(value: Any) -> str:
    """Return text, numbers and booleans as text, and an empty text for anything else."""
    if isinstance(value, int):
        return number(value)
    return str(value) if isinstance(value, (str, float)) else ""


def number(value: int) -> str:
    """Return an integer or boolean as text; a very long integer in hexadecimal.

    Decimal digits take quadratic time, and Python refuses more than 4,300.
    """
    return str(value) if value.bit_length() <= _MAX_BITS else hex(value)


def intrinsic(value: Any) -> tuple[str, Any] | None:
    """Return the name and argument of an intrinsic function, or None for anything else."""
    if isinstance(value, Mapping) and len(value) == 1:
        ((name, argument),) = value.items()
        if isinstance(name, str) and (name == "Ref" or name.startswith("Fn::")):
            return name, argument
    return None


def leaves(value: Any) -> Iterable[Any]:
    """Return a value's content in each branch of its conditions; None where it is left out."""
    # A fast path: this runs for each value, and few are intrinsic functions.
    if not isinstance(value, Mapping) or len(value) != 1:
        return (value,)
    return _leaves(value)


def _leaves(value: Any) -> Iterator[Any]:
    waiting, steps = [value], 0
    while waiting and steps < _MAX_LEAVES:
        steps += 1
        one = waiting.pop()
        call = intrinsic(one)
        if call is not None and call[0] == "Fn::If" and isinstance(call[1], list):
            waiting += reversed(call[1][1:3])
        else:
            yield None if call == ("Ref", "AWS::NoValue") else one


def branches(value: Any) -> list[Any]:
    """Return a value's content in each branch of its conditions that does not leave it out."""
    return [leaf for leaf in leaves(value) if leaf is not None]


def items(value: Any) -> Iterator[Any]:
    """Yield the items of a list in each branch; a single item counts as a list of one."""
    for branch in branches(value):
        for item in branch if isinstance(branch, list) else (branch,):
            yield from branches(item)


def members(value: Any, *names: str) -> Iterator[Any]:
    """Yield what nested names lead to, in each branch and list item."""
    if not names:
        yield from items(value)
        return
    for item in items(value):
        if isinstance(item, Mapping) and names[0] in item:
            yield from members(item[names[0]], *names[1:])


def member(value: Any, *names: str) -> Any:
    """Return the first of `members`, or None."""
    return next(members(value, *names), None)
