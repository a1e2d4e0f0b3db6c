"""Event source mappings: Lambda reads a stream or queue, and waits for the function.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
"""

from __future__ import annotations

from collections.abc import Iterator

from ..causes import Cause, Refused
from ..marks import Mark
from ..model import Destination, EventSource, EventSourceMapping, Kept, Seconds, Waits
from ..references import BATCHES, KAFKA, KAFKA_BATCHES
from ..resolver import Texts
from ..resource import Resource
from ..values import leaves, mapping, scalar

_QUEUE = "AWS::SQS::Queue"
_STREAM = "AWS::Kinesis::Stream"
_CONSUMER = "AWS::Kinesis::StreamConsumer"
# The kind of source by the type of the resource that the mapping names.
_TYPES = {
    _STREAM: EventSource.KINESIS,
    _CONSUMER: EventSource.KINESIS,
    "AWS::DynamoDB::Table": EventSource.DYNAMODB,
    "AWS::DynamoDB::GlobalTable": EventSource.DYNAMODB,
    _QUEUE: EventSource.QUEUE,
    "AWS::MSK::Cluster": EventSource.KAFKA,
    "AWS::MSK::ServerlessCluster": EventSource.KAFKA,
    "AWS::AmazonMQ::Broker": EventSource.MQ,
    "AWS::DocDB::DBCluster": EventSource.DOCUMENTDB,
}
# The same by the service in an ARN.
_SERVICES = {
    "kinesis": EventSource.KINESIS,
    "dynamodb": EventSource.DYNAMODB,
    "sqs": EventSource.QUEUE,
    "kafka": EventSource.KAFKA,
    "mq": EventSource.MQ,
    "rds": EventSource.DOCUMENTDB,
}
# The same by a property that only mappings of this kind have.
_PROPERTIES = {
    "SelfManagedEventSource": EventSource.KAFKA,
    "SelfManagedKafkaEventSourceConfig": EventSource.KAFKA,
    "AmazonManagedKafkaEventSourceConfig": EventSource.KAFKA,
    "Topics": EventSource.KAFKA,
    "DocumentDBEventSourceConfig": EventSource.DOCUMENTDB,
    "Queues": EventSource.MQ,
}
# In hours. https://docs.aws.amazon.com/streams/latest/dev/kinesis-extended-retention.html
_DEFAULT_RETENTION = 24
_HOUR = 3_600
# DynamoDB keeps the records of a stream for 24 hours.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
_RETENTION_OF_DYNAMODB = Seconds(24 * _HOUR, 24 * _HOUR)
# What gets only where the records were, and how long SQS keeps a message at most.
_METADATA_ONLY = frozenset({"sqs", "sns"})
_LONGEST_RETENTION = Seconds(1_209_600, 1_209_600)
# arn:partition:service
_SERVICE = 2
_SHOWN = 200


def read_mapping(resource: Resource) -> None:
    """Read an event source mapping.

    https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
    """
    name = resource.properties.get("FunctionName")
    resource.calls(name, "lambda", waits=Waits.YES, is_sure=False)
    sources = list(_sources(resource))
    for text in resource.known_texts(name):
        function, qualifier = resource.key_of(text), resource.qualifier_of(text)
        for source in sources:
            resource.adds(_mapping(resource, function, qualifier, source))


def _sources(resource: Resource) -> Iterator[str]:
    """Yield the texts of the ARN of what a mapping reads; an empty one if it has no ARN."""
    arns = resource.known_texts(resource.properties.get("EventSourceArn"))
    yield from map(resource.referred, arns or [""])


def _mapping(resource: Resource, function: str, qualifier: str, arn: str) -> EventSourceMapping:
    properties = resource.properties
    mark = resource.defined(arn)
    reads = _kind(resource, arn, mark)
    destinations = _shortest_first(resource, _destinations(resource))
    retention = _retention(resource, reads, mark)
    services = KAFKA_BATCHES if reads is EventSource.KAFKA else BATCHES
    return EventSourceMapping(
        function=function,
        qualifier=qualifier,
        source=resource.source,
        reads=reads,
        read=_name(resource, arn),
        queue=_queue(resource, arn),
        retention=retention,
        on_failure=_own_topic(resource, destinations)
        or resource.destination(destinations, services),
        destination=_service(destinations),
        # With several destinations, the role may send to the one that it needs.
        may_send=len(destinations) != 1 or resource.may_send(function, _service(destinations)),
        destination_queue=_queue(resource, (destinations[0] if destinations else "") or ""),
        is_limited=_is_limited(resource, retention),
        window=resource.seconds(properties.get("MaximumBatchingWindowInSeconds"), 0),
        is_disabled=resource.is_certainly(properties.get("Enabled"), "false"),
        acknowledged=resource.acknowledged,
    )


def _kind(resource: Resource, arn: str, mark: Mark | None) -> EventSource:
    """Return what kind of source a mapping reads, by its ARN or else by the mapping's properties.

    Only some kinds take certain properties: a stream, Kafka and Amazon DocumentDB need a starting
    position, and a queue has none; only a queue has a maximum of concurrent invocations.
    """
    properties = resource.properties
    if mark is not None:
        found = _TYPES.get(_type(mark))
        if found is not None:
            return found
    parts = arn.split(":", _SERVICE + 1)
    if parts[0] == "arn" and len(parts) > _SERVICE and parts[_SERVICE] in _SERVICES:
        return _SERVICES[parts[_SERVICE]]
    for name, kind in _PROPERTIES.items():
        if name in properties:
            return kind
    if all(leaf is not None for leaf in leaves(properties.get("StartingPosition"))):
        return EventSource.STREAM
    if "ScalingConfig" in properties and "StartingPosition" not in properties:
        return EventSource.QUEUE
    return EventSource.UNKNOWN


def _name(resource: Resource, arn: str) -> str:
    mark = resource.defined(arn)
    if mark is not None:
        # A consumer keeps nothing: its stream does.
        stream = _stream_of_consumer(resource, mark) or mark
        return resource.marks.clean(stream.what)[:_SHOWN]
    name = arn.split(":", 5)[-1] if arn.startswith("arn:") else arn
    return resource.marks.readable(name)[:_SHOWN]


def _queue(resource: Resource, arn: str) -> str:
    """Return the key of the queue that an ARN names; empty for another one."""
    mark = resource.marks.only(arn.rpartition(":")[2])
    if mark is None or mark.kind != "name":
        return ""
    return resource.marks.text(mark) if _type(mark) == _QUEUE else ""


def _retention(resource: Resource, reads: EventSource, mark: Mark | None) -> Seconds | None:
    """Return how long a stream keeps its records."""
    if reads is EventSource.DYNAMODB:
        return _RETENTION_OF_DYNAMODB
    if reads is not EventSource.KINESIS or mark is None:
        return None
    properties = mapping(mapping(mark.scope.resources.get(mark.what)).get("Properties"))
    if _type(mark) == _CONSUMER:
        stream = _stream_of_consumer(resource, mark)
        return None if stream is None else _retention(resource, reads, stream)
    hours = properties.get("RetentionPeriodHours")
    return resource.seconds(hours, _DEFAULT_RETENTION, _HOUR, scope=mark.scope)


def _stream_of_consumer(resource: Resource, mark: Mark) -> Mark | None:
    """Return the stream of a Kinesis consumer; None for another resource, or if it is not here."""
    if _type(mark) != _CONSUMER:
        return None
    properties = mapping(mapping(mark.scope.resources.get(mark.what)).get("Properties"))
    for text in resource.texts_in(mark.scope, properties.get("StreamARN")):
        stream = resource.defined(resource.referred(text, mark.scope))
        if stream is not None and _type(stream) == _STREAM:
            return stream
    return None


def _type(mark: Mark) -> str:
    return scalar(mapping(mark.scope.resources.get(mark.what)).get("Type"))


def _destinations(resource: Resource) -> Texts:
    """Return what the ARN of the failure destination may be; None where there is none."""
    texts: list[str | None] = []
    for config in leaves(resource.properties.get("DestinationConfig")):
        for outcome in leaves(mapping(config).get("OnFailure")):
            found = resource.texts(mapping(outcome).get("Destination"))
            texts += [text and resource.referred(text) for text in found]
    return tuple(dict.fromkeys(texts)) if any(texts) else ()


def _shortest_first(resource: Resource, destinations: Texts) -> Texts:
    """Return destinations with the one first that keeps for the shortest time.

    What a stream forgets earlier than that one, it forgets earlier than all of them.
    """
    if not _METADATA_ONLY.issuperset(map(_service_of, destinations)):
        return destinations
    kept = [
        resource.retention_of(_queue(resource, text or ""))
        if _service_of(text) == "sqs"
        else _LONGEST_RETENTION
        for text in destinations
    ]
    # One that is not known may be the shortest.
    order = sorted(
        zip(kept, destinations, strict=True), key=lambda one: one[0].least if one[0] else 0
    )
    return tuple(text for _, text in order)


def _own_topic(resource: Resource, destinations: Texts) -> Destination | None:
    """Return the destination if it is the topic that the mapping reads, which Lambda refuses.

    https://docs.aws.amazon.com/lambda/latest/dg/kafka-on-failure-destination.html
    """
    name = destinations[0] if len(destinations) == 1 else None
    topics = resource.properties.get("Topics")
    for topic in topics if isinstance(topics, list) else [topics]:
        texts = resource.texts(topic)
        if name and len(texts) == 1 and name == f"{KAFKA}{texts[0]}":
            shown = resource.marks.readable(name)[:_SHOWN]
            return Destination(Kept.LOST, shown, Cause(Refused.OWN_TOPIC))
    return None


def _service(destinations: Texts) -> str:
    """Return the service of the first destination; empty if it is not known.

    It is also empty if there are several that keep different things.
    """
    if len(destinations) > 1 and not _METADATA_ONLY.issuperset(map(_service_of, destinations)):
        return ""
    return _service_of(destinations[0]) if destinations else ""


def _service_of(text: str | None) -> str:
    if text is None:
        return ""
    if text.startswith(KAFKA):
        return "kafka"
    parts = text.split(":", _SERVICE + 1)
    return parts[_SERVICE] if parts[0] == "arn" and len(parts) > _SERVICE else ""


def _is_limited(resource: Resource, retention: Seconds | None) -> bool | None:
    """Return whether a mapping limits its retries or the age of its records.

    Both are -1 by default: Lambda retries until the records expire. An age that the stream does not
    keep them for limits nothing either.
    """
    retries, age = (
        resource.seconds(resource.properties.get(name), -1)
        for name in ("MaximumRetryAttempts", "MaximumRecordAgeInSeconds")
    )
    if age is not None and retention is not None and age.least > retention.most:
        age = Seconds(-1, -1)
    limits = (retries, age)
    if any(limit is not None and limit.least >= 0 for limit in limits):
        return True
    return False if all(limit is not None and limit.most < 0 for limit in limits) else None


CALLERS = {"AWS::Lambda::EventSourceMapping": read_mapping}
