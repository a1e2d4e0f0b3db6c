"""Parse resolved texts: a function and its qualifier, or a destination."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .attributes import ARNS
from .causes import Cause, Doubt, Refused
from .marks import Marks
from .model import LATEST, NOWHERE, Destination, Kept
from .values import mapping, member, scalar

# arn:partition:service:region:account:rest
_ARN_FIELDS = 6
_SERVICE = 2
# The maximum length of a displayed name, in characters.
_SHOWN = 200

# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
FAILURES = frozenset({"sqs", "sns", "lambda", "events", "s3"})
SUCCESSES = FAILURES - {"s3"}
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-dlq
DEAD_LETTERS = frozenset({"sqs", "sns"})
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
DELIVERIES = frozenset({"sqs"})

# A topic of the cluster that an event source mapping reads, and what it sends failed batches to.
# https://docs.aws.amazon.com/lambda/latest/api/API_OnFailure.html
KAFKA = "kafka://"
BATCHES = frozenset({"sqs", "sns", "s3"})
KAFKA_BATCHES = BATCHES | {"kafka"}


@dataclass(frozen=True)
class Called:
    """A reference to a function.

    Attributes:
        name: The text of its name; a mark if the template defines the function.
        qualifier: The text of the called qualifier.
        is_qualified: Whether the reference has a qualifier, which may be `$LATEST`.
        arn: Its ARN without the qualifier; its name if only that is known.
    """

    name: str
    qualifier: str = LATEST
    arn: str = ""
    is_qualified: bool = False


def is_arn_of(service: str, text: str) -> bool:
    """Return whether a text is an ARN of a service."""
    parts = text.split(":", _SERVICE + 1)
    return parts[0] == "arn" and len(parts) > _SERVICE and parts[_SERVICE] == service


def called(text: str) -> Called:
    """Parse a function's name or ARN, with or without a qualifier."""
    parts = text.split(":")
    at = parts.index("function") + 1 if "function" in parts[:-1] else 0
    name, qualifier = parts[at].strip(), parts[at + 1] if len(parts) > at + 1 else ""
    qualifier = qualifier.strip()
    return Called(name, qualifier or LATEST, ":".join([*parts[:at], name]), bool(qualifier))


def is_fifo(text: str, marks: Marks) -> bool | None:
    """Return whether the ARN of a queue or topic is a FIFO one's; None if that is not known."""
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
    """Judge a destination from its texts, one for each branch of its conditions."""
    each = [
        _kafka_topic(text, services, marks)
        if text is not None and text.startswith(KAFKA)
        else _one_destination(text, services, marks)
        for text in texts
    ]
    if not each:
        return NOWHERE
    for one in each:
        if one.kept is Kept.LOST:
            return one
    if all(one.kept is each[0].kept for one in each):
        return each[0]
    unsure = next((one for one in each if one.kept is Kept.PERHAPS), None)
    return unsure or Destination(Kept.PERHAPS, each[0].name, Cause(Doubt.CONDITIONAL_VALUE))


def _kafka_topic(text: str, services: frozenset[str], marks: Marks) -> Destination:
    topic = marks.readable(text)[:_SHOWN]
    if "kafka" in services:
        return Destination(Kept.YES, topic)
    return Destination(Kept.LOST, topic, Cause(Refused.KAFKA_TOPIC))


def _one_destination(text: str | None, services: frozenset[str], marks: Marks) -> Destination:
    if not text:
        return NOWHERE
    parts = text.split(":", _ARN_FIELDS - 1)
    name = marks.readable(parts[-1])[:_SHOWN]
    if parts[0] != "arn" or len(parts) < _ARN_FIELDS:
        return Destination(Kept.PERHAPS, name, _not_an_arn(text, marks) or _not_known(text, marks))
    service, last = parts[_SERVICE], parts[-1]
    if not marks.is_known(service):
        return Destination(Kept.PERHAPS, name, _not_known(service, marks))
    if service not in services:
        known = _REFUSED.get(service)
        shown = marks.readable(service)[:_SHOWN]
        return Destination(Kept.LOST, name, known or Cause(Refused.OTHER_SERVICE, (shown,)))
    if service in ("sqs", "sns"):
        return _queue_or_topic(service, last, name, marks)
    return Destination(Kept.YES, name)


def _queue_or_topic(service: str, last: str, name: str, marks: Marks) -> Destination:
    fifo = is_fifo(last, marks)
    if fifo is None:
        return Destination(Kept.PERHAPS, name, _not_known(last, marks))
    return Destination(Kept.LOST, name, _FIFO[service]) if fifo else Destination(Kept.YES, name)


_FIFO = {"sqs": Cause(Refused.FIFO_QUEUE), "sns": Cause(Refused.FIFO_TOPIC)}
_REFUSED = {
    "s3": Cause(Refused.S3_BUCKET),
    "lambda": Cause(Refused.FUNCTION),
    "events": Cause(Refused.EVENT_BUS),
}


def _not_an_arn(text: str, marks: Marks) -> Cause | None:
    """Return the doubt about a text that is the name or URL of a resource of the templates."""
    mark = marks.only(text)
    if mark is None or mark.kind == "unknown" or (mark.kind == "attribute" and mark.attribute):
        return None
    type = scalar(mapping(mark.scope.resources.get(mark.what)).get("Type"))
    if (type, "Arn") not in ARNS:
        return None
    return Cause(Doubt.NOT_AN_ARN, (marks.shown(mark),))


def _not_known(text: str, marks: Marks) -> Cause:
    found = marks.of(text)
    shown = marks.shown(found[0]) if found else repr(marks.clean(text)[:_SHOWN])
    return Cause(Doubt.VALUE_NOT_KNOWN, (shown,))
