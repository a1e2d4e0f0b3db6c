"""An expression in JMESPath, the AWS CLI's query language, that chooses failed events."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

from failure_destinations.errors import CommandError

_HINT = "text stands in single quotes and numbers in backticks, as in payload.total > `5`"


class Where:
    """An expression that is true for some events.

    As in JMESPath, null, false and empty text, lists and objects are not true. Where an expression
    cannot be evaluated for an event, such as a length of what has none, it is not true either.

    Args:
        expression: In JMESPath, such as `payload.customer == 'Müller'`.

    Raises:
        CommandError: It is not JMESPath, or calls a function that JMESPath does not have.

    https://jmespath.org/specification.html
    """

    def __init__(self, expression: str) -> None:
        # It comes with boto3, and has no types.
        import jmespath  # type: ignore[import-untyped]  # noqa: PLC0415 - start-up time
        from jmespath.exceptions import (  # type: ignore[import-untyped]  # noqa: PLC0415
            JMESPathError,
        )

        try:
            self._compiled = jmespath.compile(expression)
        except (JMESPathError, RecursionError) as error:
            reason = " ".join(str(error).partition(", for expression")[0].split())
            raise CommandError(
                f"--where must be a JMESPath expression, got {expression!r}: {reason}; {_HINT}"
            ) from None
        self._errors = (JMESPathError, TypeError, ValueError, ArithmeticError, RecursionError)
        _check_functions(self._compiled.parsed, expression)

    def matches(self, facts: Mapping[str, Any]) -> bool:
        """Return whether the expression is true for an event.

        Args:
            facts: What is known of the event, as `json.loads` returns it.
        """
        try:
            result = self._compiled.search(facts)
        except self._errors:
            return False
        # 0 is true in JMESPath.
        return result is not None and result is not False and result not in ("", [], {})


@functools.lru_cache(maxsize=8)
def where(expression: str) -> Where:
    """Return the compiled expression.

    Args:
        expression: In JMESPath.

    Raises:
        CommandError: As `Where`.
    """
    return Where(expression)


def _check_functions(parsed: Mapping[str, Any], expression: str) -> None:
    """Raise CommandError if an expression calls a function in a way that always fails."""
    from jmespath.functions import (  # type: ignore[import-untyped]  # noqa: PLC0415
        Functions,
    )

    known = Functions().FUNCTION_TABLE
    for call in _calls(parsed):
        name, given = call["value"], len(call["children"])
        if name not in known:
            raise CommandError(
                f"--where calls {name}(), which JMESPath does not have, got {expression!r}: it has "
                f"{', '.join(sorted(known))}"
            )
        signature = known[name]["signature"]
        variadic = bool(signature) and signature[-1].get("variadic", False)
        if given < len(signature) or (given > len(signature) and not variadic):
            at_least = "at least " if variadic else ""
            raise CommandError(
                f"--where calls {name}() with {given} arguments, got {expression!r}: it takes "
                f"{at_least}{len(signature)}"
            )


def _calls(node: Any) -> Iterator[Mapping[str, Any]]:
    left = [node]
    while left:
        part = left.pop()
        if isinstance(part, Mapping):
            if part.get("type") == "function_expression":
                yield part
            left += part.get("children", ())
