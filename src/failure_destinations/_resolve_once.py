"""Has CDK resolve each token of a value once, however often the value has it.

The ARN of a function is in the rule that calls it, in its permission and in its asynchronous
configuration, and every token costs Node time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# In every token that stands in a text, and in a list of texts.
# https://docs.aws.amazon.com/cdk/v2/guide/tokens.html
_MARK = "Token["


def resolve_once(value: Any, resolve: Callable[[Any], Any]) -> Any:
    """Return a value resolved.

    Args:
        value: The value.
        resolve: Resolves a mapping of values.
    """
    tokens = _Tokens()
    form = tokens.form_of(value)
    found = resolve(tokens.by_number) if tokens.by_number else {}
    return _filled(form, found)


class _Token:
    def __init__(self, number: str) -> None:
        self.number = number


class _Tokens:
    def __init__(self) -> None:
        self.by_number: dict[str, Any] = {}
        self._known: dict[Any, _Token] = {}

    def form_of(self, value: Any) -> Any:
        """Return a value with numbers for what is to be resolved."""
        if isinstance(value, str):
            return self._token(value, value) if _MARK in value else value
        if isinstance(value, dict) and not any(_MARK in key for key in value):
            return {key: self.form_of(item) for key, item in value.items()}
        if isinstance(value, list) and not _stands_for_list(value):
            return [self.form_of(item) for item in value]
        if value is None or isinstance(value, (bool, int)):
            return value
        # What stands for a number is one, too.
        return self._token(value, value if isinstance(value, float) else ("", id(value)))

    def _token(self, value: Any, key: Any) -> _Token:
        if key not in self._known:
            number = str(len(self.by_number))
            self.by_number[number] = value
            self._known[key] = _Token(number)
        return self._known[key]


def _stands_for_list(value: list[Any]) -> bool:
    return len(value) == 1 and isinstance(value[0], str) and _MARK in value[0]


def _filled(form: Any, found: dict[str, Any]) -> Any:
    """Return a form with what was found; as CDK does, without what is nothing."""
    if isinstance(form, _Token):
        return found.get(form.number)
    if isinstance(form, dict):
        return {
            key: item for key, each in form.items() if (item := _filled(each, found)) is not None
        }
    if isinstance(form, list):
        return [item for each in form if (item := _filled(each, found)) is not None]
    return form
