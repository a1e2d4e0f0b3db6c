"""Tells which stack a reference leads to, where several have resources of the same logical id.

CDK resolves a reference to the logical id alone, until it knows at the end of a synthesis which
stacks import from which. The reference itself knows its stack; to ask each is slow, so that only
those are asked whose logical id does not tell.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from aws_cdk import DefaultTokenResolver, Reference, Stack, StringConcat, Tokenization

from ._resolve_once import resolve_once

# Stands in a text for a value that is none, so that CDK can join it with others.
_MARK = re.compile("\x1f([0-9]+)\x1f")


def resolve_references(stack: Stack, value: Any, write: Callable[[Reference], Any]) -> Any:
    """Return a value of a stack resolved, with each reference as somebody wants it written.

    Args:
        stack: The stack.
        value: The value, with tokens.
        write: Returns what a reference is to be; None for what CDK makes of it.
    """
    resolver = _Resolver(write)

    def resolve(value: Any) -> Any:
        return resolver.written(
            Tokenization.resolve(value, scope=stack, resolver=resolver, preparing=False)
        )

    return resolve_once(value, resolve)


class _Resolver(DefaultTokenResolver):
    def __init__(self, write: Callable[[Reference], Any]) -> None:
        super().__init__(StringConcat())
        self._write = write
        self._values: list[Any] = []

    def resolve_token(self, t: Any, context: Any, post_processor: Any) -> Any:
        """Resolve one token; called by CDK."""
        value = self._write(t) if isinstance(t, Reference) else None
        if value is None:
            value = super().resolve_token(t, context, post_processor)
        if not isinstance(value, dict):
            return value
        self._values.append(value)
        return f"\x1f{len(self._values) - 1}\x1f"

    def written(self, value: Any) -> Any:
        """Return a value with what its marks stand for."""
        if isinstance(value, list):
            return [self.written(item) for item in value]
        if isinstance(value, dict):
            return {key: self.written(item) for key, item in value.items()}
        if not isinstance(value, str):
            return value
        # Texts, and between them numbers of values.
        parts: list[Any] = _MARK.split(value)
        parts[1::2] = [self.written(self._values[int(number)]) for number in parts[1::2]]
        parts = [part for part in parts if part != ""]
        return parts[0] if len(parts) == 1 else {"Fn::Join": ["", parts]} if parts else ""
