"""Find the outputs of other stacks that `Fn::GetStackOutput` returns.

An export is found by its own name, an output by its stack's name and its logical id, in any Region
and account.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-getstackoutput.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from typing import Any, NamedTuple

from .marks import Marks
from .scope import Scope
from .values import mapping

_ANY = "*"
# The texts of pseudo parameters: the place of the stack that refers to the output.
_OWN = frozenset({"${AccountId}", "${Region}"})
# arn:partition:service:region:account:rest
_ARN_ACCOUNT = 4


class Place(NamedTuple):
    """Where a stack is deployed.

    Attributes:
        account: The account; empty if it is not known.
        region: The Region; empty if it is not known.
    """

    account: str
    region: str


def place_of(region: str | None, role: str | None, referring: Scope, marks: Marks) -> Place:
    """Return where the stack is deployed whose output is referred to.

    Args:
        region: The reference's Region. Default: the referring stack's.
        role: The ARN of the role that reads the output, which is in the account of that stack.
            Default: a role of the referring stack's account.
        referring: The scope that refers to the output.
        marks: The marks in these texts.
    """
    own = referring.outermost
    fields = ["${AccountId}"] * (_ARN_ACCOUNT + 1) if role is None else marks.split(role, ":")
    account = fields[_ARN_ACCOUNT] if len(fields) > _ARN_ACCOUNT else ""
    return Place(
        _known(account, own.account, marks),
        _known("${Region}" if region is None else region, own.region, marks),
    )


def _known(place: str, own: str, marks: Marks) -> str:
    if place in _OWN:
        return own
    return "" if marks.of(place) else place


class StackOutputs:
    """The outputs of all stacks but nested ones, whose names are only known at deployment."""

    def __init__(self, scopes: Iterable[Scope]) -> None:
        """Take the scopes of all stacks."""
        # Found by key, because a hostile app may have many stacks of one name.
        self._outputs: dict[tuple[str, str, str, str], list[tuple[Scope, Any]]] = {}
        for scope in scopes:
            if scope.parent is not None:
                continue
            places = list(product({scope.account, _ANY}, {scope.region, _ANY}))
            for logical_id, output in scope.outputs.items():
                if isinstance(logical_id, str) and "Value" in mapping(output):
                    for place in places:
                        key = (scope.deployed_name, logical_id, *place)
                        self._outputs.setdefault(key, []).append((scope, output["Value"]))

    def find(
        self, stack: str, output: str, place: Place, referring: Scope
    ) -> Iterator[tuple[Scope, Any]]:
        """Yield the values that a reference may return, each with the scope that defines it.

        Stacks of which the account and Region are known go before those that can be deployed
        anywhere. A template that was given without a stack's name may be that of any stack but the
        referring one.

        Args:
            stack: The stack's name.
            output: The output's logical id.
            place: Where the stack is deployed.
            referring: The scope that refers to the output.
        """
        if not stack:
            return
        found = False
        for each in self._in_place(stack, output, place):
            found = True
            yield each
        for there, value in () if found else self._in_place("", output, place):
            if there is not referring.outermost:
                yield there, value

    def _in_place(self, stack: str, output: str, place: Place) -> Iterator[tuple[Scope, Any]]:
        exact = self._outputs.get((stack, output, place.account or _ANY, place.region or _ANY))
        if exact is not None:
            yield from exact
            return
        accounts = (place.account, "") if place.account else (_ANY,)
        regions = (place.region, "") if place.region else (_ANY,)
        for other in product(accounts, regions):
            yield from self._outputs.get((stack, output, *other), ())
