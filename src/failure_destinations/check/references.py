"""Reads what a resolved text names: a function and its qualifier, or a destination."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .marks import Mark, Marks
from .model import LATEST, NOWHERE, Destination, Kept
from .values import mapping, member, scalar

# arn:partition:service:region:account:rest
_ARN_FIELDS = 6
_SERVICE = 2

# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
FAILURES = frozenset({"sqs", "sns", "lambda", "events", "s3"})
SUCCESSES = FAILURES - {"s3"}
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-dlq
DEAD_LETTERS = frozenset({"sqs", "sns"})
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
DELIVERIES = frozenset({"sqs"})


@dataclass(frozen=True)
class Called:
    """A function as it is called.

    Attributes:
        name: The text of its name: a mark where it is defined in the template.
        qualifier: What is called of it, as text.
    """

    name: str
    qualifier: str = LATEST


def is_arn_of(service: str, text: str) -> bool:
    """Tell whether a text is an ARN of a service."""
    parts = text.split(":", _SERVICE + 1)
    return parts[0] == "arn" and len(parts) > _SERVICE and parts[_SERVICE] == service


def called(text: str) -> Called:
    """Return what a function's name or ARN calls, with or without a qualifier."""
    parts = text.split(":")
    if "function" in parts[:-1]:
        parts = parts[parts.index("function") + 1 :]
    name, qualifier = parts[0], parts[1] if len(parts) > 1 else ""
    return Called(name.strip(), qualifier.strip() or LATEST)


def is_fifo(text: str, marks: Marks) -> bool | None:
    """Tell whether a queue or topic, by the last part of its ARN, is FIFO; None where unknown."""
    mark = marks.only(text)
    if mark is not None and mark.kind == "name":
        properties = mapping(mark.scope.resources.get(mark.what)).get("Properties")
        for name in ("FifoQueue", "FifoTopic"):
            if scalar(member(properties, name)).lower() == "true":
                return True
        for name in ("QueueName", "TopicName"):
            if scalar(member(properties, name)).endswith(".fifo"):
                return True
        return False
    if text.endswith(".fifo"):
        return True
    return None if marks.of(text) else False


def destination(texts: Iterable[str | None], services: frozenset[str], marks: Marks) -> Destination:
    """Judge a destination, given for each branch of its conditions."""
    each = [_one_destination(text, services, marks) for text in texts]
    if not each:
        return NOWHERE
    for one in each:
        if one.kept is Kept.LOST:
            return one
    if all(one.kept is each[0].kept for one in each):
        return each[0]
    unsure = next((one for one in each if one.kept is Kept.PERHAPS), None)
    return unsure or Destination(Kept.PERHAPS, each[0].name, "it is given under a condition only")


def _one_destination(text: str | None, services: frozenset[str], marks: Marks) -> Destination:
    if not text:
        return NOWHERE
    parts = text.split(":", _ARN_FIELDS - 1)
    name = marks.readable(parts[-1])[:200]
    if parts[0] != "arn" or len(parts) < _ARN_FIELDS:
        return Destination(Kept.PERHAPS, name, f"{_described(text, marks)} is not known")
    service, last = parts[_SERVICE], parts[-1]
    if not marks.is_known(service):
        return Destination(Kept.PERHAPS, name, f"{_described(service, marks)} is not known")
    if service not in services:
        return Destination(Kept.LOST, name, _REFUSED.get(service, f"no {service} resource"))
    if service in ("sqs", "sns"):
        return _queue_or_topic(service, last, name, marks)
    return Destination(Kept.YES, name)


def _queue_or_topic(service: str, last: str, name: str, marks: Marks) -> Destination:
    fifo = is_fifo(last, marks)
    if fifo is None:
        return Destination(Kept.PERHAPS, name, f"{_described(last, marks)} is not known")
    return Destination(Kept.LOST, name, _FIFO[service]) if fifo else Destination(Kept.YES, name)


_FIFO = {"sqs": "no FIFO queue", "sns": "no FIFO topic"}
_REFUSED = {"s3": "no S3 bucket", "lambda": "no function", "events": "no event bus"}


def _described(text: str, marks: Marks) -> str:
    marks_in_text = marks.of(text)
    return _what(marks_in_text[0]) if marks_in_text else f"{text[:200]!r}"


def _what(mark: Mark) -> str:
    return f"{mark.what}.{mark.attribute}" if mark.attribute else mark.what
