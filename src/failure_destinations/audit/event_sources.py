"""Read event source mappings, the queues and streams that they read, and alarms on queues."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from failure_destinations.check.json_values import load_json

from .account import Account, RefusedError
from .actions import (
    DESCRIBE_ALARMS,
    DESCRIBE_STREAM,
    GET_QUEUE,
    GET_QUEUE_URL,
    LIST_DEAD_LETTER_SOURCES,
    LIST_MAPPINGS,
)
from .concurrency import Task
from .inventory import Inventory

MAPPING = "AWS::Lambda::EventSourceMapping"
QUEUE = "AWS::SQS::Queue"
STREAM = "AWS::Kinesis::Stream"
_CONSUMER = "/consumer/"
_NAMES = (
    "EventSourceArn",
    "StartingPosition",
    "Topics",
    "Queues",
    "SelfManagedEventSource",
    "AmazonManagedKafkaEventSourceConfig",
    "DocumentDBEventSourceConfig",
    "MaximumRetryAttempts",
    "MaximumRecordAgeInSeconds",
    "MaximumBatchingWindowInSeconds",
)
_TIMES = ("VisibilityTimeout", "MessageRetentionPeriod")
# arn:partition:service:region:account:name
_FIELDS = 6


class _Once:
    """Remembers what was seen. May be used from several threads."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._lock = threading.Lock()

    def is_new(self, one: str) -> bool:
        with self._lock:
            is_new = one not in self._seen
            self._seen.add(one)
            return is_new


def read_mappings(account: Account, inventory: Inventory, region: str) -> Iterator[Task]:
    """Yield tasks that read the queues and streams of the event source mappings of a Region."""
    once = _Once()
    for id, properties in account.pages(LIST_MAPPINGS, region, _mapping):
        inventory.add(region, id, MAPPING, properties)
        source = properties.get("EventSourceArn", "")
        destination = destination_of(properties)
        if _is_queue(inventory, region, source) and once.is_new(source):
            yield partial(_read_source, account, inventory, region, source, once)
        if _is_queue(inventory, region, destination) and once.is_new(destination):
            yield partial(_read_destination, account, inventory, region, destination)
        # Where the destination gets the records themselves, it does not matter how long the stream
        # keeps them.
        stream = stream_of(source)
        if ":kinesis:" in stream and _gets_metadata(destination) and once.is_new(stream):
            yield partial(_read_stream, account, inventory, region, stream)


def _mapping(answer: Any) -> Any:
    if answer.get("State") == "Deleting":
        return None
    properties = {name: answer[name] for name in _NAMES if answer.get(name) is not None}
    properties["FunctionName"] = answer.get("FunctionArn") or ""
    properties["Enabled"] = answer.get("State") not in ("Disabled", "Disabling")
    on_failure = ((answer.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
    if on_failure:
        properties["DestinationConfig"] = {"OnFailure": {"Destination": on_failure}}
    return [answer["UUID"], properties]


def destination_of(properties: Mapping[str, Any]) -> str:
    """Return the ARN of a mapping's failure destination; empty if it has none."""
    config = properties.get("DestinationConfig") or {}
    return str(config.get("OnFailure", {}).get("Destination", ""))


def stream_of(arn: str) -> str:
    """Return the ARN of the stream of a consumer; another ARN as it is."""
    return arn.partition(_CONSUMER)[0] if ":kinesis:" in arn else arn


def _gets_metadata(destination: str) -> bool:
    return ":sqs:" in destination or ":sns:" in destination


def _is_queue(inventory: Inventory, region: str, arn: str) -> bool:
    """Return whether an ARN is a queue's of this account and Region, which can be read."""
    parts = arn.split(":")
    return len(parts) == _FIELDS and parts[2:5] == ["sqs", region, inventory.account]


def _read_destination(account: Account, inventory: Inventory, region: str, arn: str) -> None:
    """Read a queue where failed batches go."""
    _read_queue(account, inventory, region, arn)


def _read_source(
    account: Account, inventory: Inventory, region: str, arn: str, once: _Once
) -> None:
    """Read a queue that a function reads, and the queue where its dead letters go."""
    url, target = _read_queue(account, inventory, region, arn)
    if target and _is_queue(inventory, region, target) and once.is_new(target):
        _read_queue(account, inventory, region, target)
    if url and not target:
        try:
            sources = list(
                account.pages(LIST_DEAD_LETTER_SOURCES, region, lambda one: one, QueueUrl=url)
            )
        except RefusedError as refused:
            inventory.unjudged_queues[arn] = str(refused)
            return
        if sources:
            inventory.dead_letter_queues.add(arn)


def _read_queue(account: Account, inventory: Inventory, region: str, arn: str) -> tuple[str, str]:
    """Read a queue, and return its URL and the ARN of its dead-letter queue; empty for none."""
    name = arn.rpartition(":")[2]
    url = account.ask(GET_QUEUE_URL, region, lambda answer: answer["QueueUrl"], QueueName=name)
    if url is None:
        inventory.missing_queues.add(arn)
        return "", ""
    found = account.ask(
        GET_QUEUE,
        region,
        lambda answer: answer.get("Attributes") or {},
        QueueUrl=url,
        AttributeNames=[*_TIMES, "RedrivePolicy"],
    )
    if found is None:
        inventory.missing_queues.add(arn)
        return "", ""
    properties: dict[str, Any] = {key: found[key] for key in _TIMES if key in found}
    properties |= {"QueueName": name, "FifoQueue": name.endswith(".fifo")}
    target = _target(found.get("RedrivePolicy"))
    if target:
        properties["RedrivePolicy"] = {"deadLetterTargetArn": target}
    inventory.add(region, arn, QUEUE, properties)
    return str(url), target


def _target(policy: Any) -> str:
    try:
        target = load_json(policy or "{}").get("deadLetterTargetArn")
    except (ValueError, AttributeError, RecursionError):
        return ""
    return target if isinstance(target, str) else ""


def _read_stream(account: Account, inventory: Inventory, region: str, arn: str) -> None:
    hours = account.ask(
        DESCRIBE_STREAM,
        region,
        lambda answer: answer["StreamDescriptionSummary"]["RetentionPeriodHours"],
        StreamARN=arn,
    )
    if hours is not None:
        inventory.add(region, arn, STREAM, {"RetentionPeriodHours": hours})


def read_alarms(account: Account, inventory: Inventory, region: str) -> Iterator[Task]:
    """Read what the alarms of a Region watch, as far as that may be queues."""
    for id, properties in account.pages(
        DESCRIBE_ALARMS, region, _alarm, AlarmTypes=["MetricAlarm"]
    ):
        inventory.add(region, id, "AWS::CloudWatch::Alarm", properties)
    yield from ()


def _alarm(alarm: Any) -> Any:
    """Return an alarm's ARN, and its metrics as in a template; None if it is not about queues."""
    dimensions = _queue_names(alarm.get("Dimensions"))
    expressions = []
    for metric in alarm.get("Metrics") or ():
        stat = (metric.get("MetricStat") or {}).get("Metric") or {}
        dimensions += _queue_names(stat.get("Dimensions"))
        if metric.get("Expression"):
            expressions.append({"Expression": metric["Expression"]})
    if not dimensions and not expressions:
        return None
    properties = {"Dimensions": [{"Value": name} for name in dimensions], "Metrics": expressions}
    return [alarm["AlarmArn"], properties]


def _queue_names(dimensions: Any) -> list[str]:
    return [one["Value"] for one in dimensions or () if one.get("Name") == "QueueName"]
