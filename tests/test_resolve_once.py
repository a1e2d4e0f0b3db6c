"""Resolving each token once gives what resolving the whole value gives."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import jsii
from aws_cdk import aws_sqs as sqs

from failure_destinations._resolve_once import resolve_once


@jsii.implements(cdk.IStableAnyProducer)
class _Nothing:
    def produce(self) -> Any:
        return None


@jsii.implements(cdk.IStableStringProducer)
class _Name:
    def produce(self) -> str:
        return "name"


def test_resolves_as_cdk_does(stack: cdk.Stack) -> None:
    """Texts, lists, numbers and keys with tokens, and what is nothing: as if it were not there."""
    queue = sqs.Queue(stack, "Queue")
    names = cdk.CfnParameter(stack, "Names", type="List<String>")
    age = cdk.CfnParameter(stack, "Age", type="Number")
    value: dict[str, Any] = {
        "text": "plain",
        "arn": queue.queue_arn,
        "joined": f"{queue.queue_arn}/{queue.queue_name}",
        "again": [{"arn": queue.queue_arn}, queue.queue_arn, 7, 0.5, True, False],
        "list": names.value_as_list,
        "picked": cdk.Fn.select(0, names.value_as_list),
        "number": age.value_as_number,
        "token": cdk.Fn.condition_equals(queue.queue_name, "x"),
        "empty": {"list": [], "mapping": {}, "text": ""},
        "nothing": None,
        "nothings": [None, cdk.Lazy.any(_Nothing()), "left"],
        "lazy": cdk.Lazy.any(_Nothing()),
        cdk.Lazy.string(_Name()): {"in a key": queue.queue_name},
    }

    assert resolve_once(value, stack.resolve) == stack.resolve(value)


def test_asks_for_each_token_once(stack: cdk.Stack) -> None:
    """However often a value has a token."""
    queue = sqs.Queue(stack, "Queue")
    asked: list[dict[str, Any]] = []

    def resolve(values: dict[str, Any]) -> Any:
        asked.append(values)
        return stack.resolve(values)

    resolved = resolve_once([queue.queue_arn, "plain", {"arn": queue.queue_arn}], resolve)

    arn = stack.resolve(queue.queue_arn)
    assert resolved == [arn, "plain", {"arn": arn}]
    assert [list(values.values()) for values in asked] == [[queue.queue_arn]]


def test_asks_nothing_where_there_is_no_token() -> None:
    """A call to Node takes time."""

    def resolve(values: dict[str, Any]) -> Any:
        raise AssertionError(values)

    assert resolve_once({"a": [1, "b", None]}, resolve) == {"a": [1, "b"]}
