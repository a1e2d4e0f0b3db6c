"""Reads a queue: its attributes, its key and the age of its oldest message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from failure_destinations.deployed.queues import queue_url
from failure_destinations.deployed.stacks import DeployedStack

from ..facts import Queue, QueueNoun, name_of
from .keys import gather_key
from .sources import Sources

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# The attributes that `CreateQueue` accepts in the template's form.
_DECLARED = (
    "MessageRetentionPeriod",
    "KmsMasterKeyId",
    "SqsManagedSseEnabled",
    "FifoQueue",
    "VisibilityTimeout",
)


def gather_queue(sources: Sources, noun: QueueNoun, id: str) -> Queue:
    """Return the facts about a queue.

    Args:
        sources: The sources of facts.
        noun: Its role in the channel.
        id: Its URL or ARN.
    """
    sqs = sources.aws.client("sqs")
    url = id
    if id.startswith("arn:"):
        found = sources.reader.read("sqs:GetQueueUrl", lambda: queue_url(sqs, id))
        if not isinstance(found, str):
            return Queue(noun, id, found)
        url = found
    attributes = sources.reader.read(
        "sqs:GetQueueAttributes",
        lambda: _attributes(sqs, url),
    )
    known = attributes if isinstance(attributes, dict) else {}
    return Queue(
        noun=noun,
        url=url,
        attributes=attributes,
        key=gather_key(sources, known.get("KmsMasterKeyId")),
        oldest_seconds=sources.metrics.oldest(name_of(url)) if known else None,
        declared=_declared(sources.stack, url),
    )


def _attributes(sqs: SQSClient, url: str) -> dict[str, str]:
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    return {str(name): value for name, value in answer["Attributes"].items()}


def _declared(stack: DeployedStack, url: str) -> Mapping[str, str]:
    id = next((id for id, physical in stack.physical_ids.items() if physical == url), None)
    properties = {} if id is None else stack.properties(id)
    found: dict[str, str] = {}
    for name in _DECLARED:
        value = properties.get(name)
        if isinstance(value, (bool, int)):
            found[name] = str(value).lower()
        elif (text := stack.resolve(value)) is not None:
            found[name] = text
    return found
