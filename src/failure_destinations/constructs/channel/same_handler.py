"""Recognises a handler that is attached already, also through another object for it.

Two imports of one ARN, or two singleton functions of one uuid, are one function to Lambda, which
has one asynchronous configuration.
"""

from __future__ import annotations

import json
from typing import Any, cast

from aws_cdk import Stack, Token
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from ..called import Called
from ..refusals import shown
from ..tree import ref
from .wiring import KnownHandler, Wiring, all_wirings


def known_handler(wiring: Wiring | None, called: Called) -> KnownHandler | None:
    """Return the handler as it was attached to a channel before; None if it was not.

    Args:
        wiring: The channel's wiring; None for a channel that is not defined yet.
        called: The handler.

    Raises:
        ValueError: Another object for the same handler is attached to another channel.
    """
    identity = identity_of(called)
    for other in all_wirings():
        known = other.known_handlers.get(identity)
        if known is None:
            continue
        if other is wiring:
            return known
        if known.path != called.node.path and ref(other.channel.node.root) == ref(called.node.root):
            raise ValueError(
                f"handler must be attached to one channel, got {shown(called.node.path)}, which is "
                f"the same function as {shown(known.path)}, attached to "
                f"{shown(other.channel.node.path)}: attach it to that channel only"
            )
    return None


def remember(wiring: Wiring, called: Called, config: Construct, settings: dict[str, Any]) -> None:
    """Note that a handler is attached to a channel.

    Args:
        wiring: The channel's wiring.
        called: The handler.
        config: Its asynchronous configuration.
        settings: Its settings by their parameters; empty if only synthesis knows them.
    """
    known = KnownHandler(config, called.node.path, settings)
    wiring.known_handlers[identity_of(called)] = known


def check_same_settings(called: Called, known: KnownHandler, settings: dict[str, Any]) -> None:
    """Raise ValueError if a handler was attached with other settings before.

    Args:
        called: The handler.
        known: The handler as it was attached before.
        settings: The settings now, by their parameters.
    """
    for name, value in settings.items():
        if name not in known.settings:
            raise ValueError(
                f"handler must have no asynchronous configuration yet, got "
                f"{shown(called.node.path)}, which is the same function as {shown(known.path)}, "
                "with one: attach it once"
            )
        before = known.settings[name]
        if not _is_equal(value, before):
            raise ValueError(
                f"{name} must be the same wherever a handler is attached, got "
                f"{name}={shown(value)} for {shown(called.node.path)}, and {shown(before)} for "
                f"{shown(known.path)}, which is the same function: attach it once, or pass the "
                "same"
            )


def identity_of(called: Called) -> str:
    """Return the same text for all objects that stand for one function, version or alias."""
    handler = called.handler
    if isinstance(handler, lambda_.SingletonFunction):
        # The actual function is a construct elsewhere in the stack.
        return ref(handler if called.resource is None else called.resource.node.scope)
    if isinstance(handler, (lambda_.Function, lambda_.Alias, lambda_.Version)):
        return ref(handler)
    arn = handler.function_arn
    if not Token.is_unresolved(arn):
        return arn
    stack = Stack.of(cast(Construct, handler))
    return f"{ref(stack)} {json.dumps(stack.resolve(arn), sort_keys=True)}"


def _is_equal(one: Any, other: Any) -> bool:
    if hasattr(one, "__jsii_ref__") and hasattr(other, "__jsii_ref__"):
        return ref(one) == ref(other)
    return bool(one == other)
