"""Reads the event source mappings whose failed batches go to a channel, or should."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from failure_destinations.deployed.location import Location

from ..facts import (
    KEY_ACTIONS,
    Attributes,
    BatchStore,
    EventSource,
    Permission,
    Queue,
    Topic,
    Unknown,
    failure_destination,
    json_object,
    name_of,
)
from .keys import key_to_grant
from .metrics import Metrics
from .simulation import resource_lets, simulated_decision
from .sources import Sources

_THREADS = 8
_HOUR = 3600
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
_DYNAMODB_RETENTION = 24 * _HOUR


class EventSourceReader:
    """Reads the event source mappings of a channel.

    Args:
        sources: The sources of facts.
        topic: The channel's topic.
        queue: The channel's queue.
        store: The channel's bucket for failed batches, and what belongs to it.
    """

    def __init__(
        self, sources: Sources, topic: Topic, queue: Queue | None, store: BatchStore | None
    ) -> None:
        self._sources = sources
        self._topic = topic
        self._queue = queue
        self._bucket = None if store is None else store.bucket
        self._location = Location.of(topic.arn)

    def gather(self) -> Sequence[EventSource] | Unknown:
        """Return the facts about each mapping.

        Beyond the list of all mappings, it only sends requests about those of this channel.
        """
        listed = self._sources.mappings.all()
        if isinstance(listed, Unknown):
            return listed
        live = {str(mapping.get("UUID")): mapping for mapping in listed}
        declared = {source.uuid: source for source in self._declared(live)}
        destinations = set(self._destinations())
        others = [
            EventSource(uuid, mapping)
            for uuid, mapping in live.items()
            if uuid not in declared and failure_destination(mapping) in destinations
        ]
        found = [*declared.values(), *others]
        if not found:
            return ()
        reading = _Details(self._sources, self._location, self._resources())
        with ThreadPoolExecutor(_THREADS) as pool:
            return sorted(
                pool.map(reading.of, found), key=lambda source: (source.name, source.uuid)
            )

    def _destinations(self) -> dict[str, str]:
        """Return what the template may name as a destination, by its ARN."""
        found = {self._topic.arn: self._topic.arn}
        if self._queue is not None and self._queue.arn is not None:
            found[self._queue.arn] = self._queue.url
        if self._bucket is not None:
            found[self._bucket.arn] = self._bucket.name
        return found

    def _resources(self) -> dict[str, _Destination]:
        topic, queue, bucket = self._topic, self._queue, self._bucket
        found = {
            topic.arn: _Destination(
                [("sns:Publish", topic.arn)],
                KEY_ACTIONS,
                key_to_grant(topic.key),
                json_object(topic.known.get("Policy")),
            )
        }
        if queue is not None and queue.arn is not None:
            found[queue.arn] = _Destination(
                [("sqs:SendMessage", queue.arn)], KEY_ACTIONS, key_to_grant(queue.key), queue.policy
            )
        if bucket is not None:
            found[bucket.arn] = _Destination(
                [("s3:PutObject", f"{bucket.arn}/*"), ("s3:ListBucket", bucket.arn)],
                # https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
                ("kms:GenerateDataKey",),
                key_to_grant(bucket.key),
                bucket.policy if isinstance(bucket.policy, Mapping) else {},
            )
        return found

    def _declared(self, live: Mapping[str, Attributes]) -> Iterator[EventSource]:
        stack = self._sources.stack
        arns = {named: arn for arn, named in self._destinations().items()}
        for id in stack.of_type("AWS::Lambda::EventSourceMapping"):
            properties = stack.properties(id)
            named = stack.resolve(failure_destination(properties))
            destination = named if named in arns.values() else arns.get(str(named))
            if destination is None:
                continue
            uuid = stack.physical_ids[id]
            function = stack.resolve(properties.get("FunctionName"))
            yield EventSource(
                uuid,
                live.get(uuid),
                declared=True,
                declared_enabled=properties.get("Enabled", True) is not False,
                declared_destination=destination,
                declared_function=None if function is None else name_of(function),
            )


@dataclasses.dataclass(frozen=True)
class _Destination:
    """What a role needs to write to a destination, and the destination's own policy."""

    actions: Sequence[tuple[str, str]]
    key_actions: Sequence[str]
    key: str | None
    policy: Attributes

    def needed(self) -> list[Permission]:
        found = [Permission(action, arn, "failed batches") for action, arn in self.actions]
        if self.key is not None:
            found += [Permission(action, self.key, "failed batches") for action in self.key_actions]
        return found


class _Details:
    """Reads what belongs to a mapping; may be used from several threads."""

    def __init__(
        self, sources: Sources, location: Location, destinations: Mapping[str, _Destination]
    ) -> None:
        aws = sources.aws
        self._reader = sources.reader
        self._location = location
        self._destinations = destinations
        # boto3 can create clients in one thread only.
        self._lambda = aws.client("lambda", connections=_THREADS)
        self._iam = aws.client("iam", connections=_THREADS)
        self._kinesis = aws.client("kinesis", connections=_THREADS)
        self._metrics = Metrics(aws, sources.reader, connections=_THREADS)

    def of(self, source: EventSource) -> EventSource:
        """Return a mapping with everything known about it."""
        if not isinstance(source.live, Mapping):
            return source
        # A function of another account cannot be read.
        settings = self._settings(str(source.live.get("FunctionArn", "")))
        found = dataclasses.replace(source, settings=settings)
        wanted = self._destinations.get(source.declared_destination or source.destination or "")
        needed = [] if wanted is None else wanted.needed()
        lags = found.kind in ("kinesis", "dynamodb") and not found.is_off
        name = found.function.partition(":")[0]
        return dataclasses.replace(
            found,
            needed=needed,
            denied=self._denied(found, wanted, needed),
            lag_seconds=self._metrics.lag(name) if lags else None,
            retention=self._retention(found),
        )

    def _settings(self, function_arn: str) -> Attributes | Unknown | None:
        # By its name, which means the same here: not every emulator knows ARNs.
        _, _, name = function_arn.partition(":function:")
        return self._reader.read(
            "lambda:GetFunctionConfiguration",
            lambda: dict(
                self._lambda.get_function_configuration(FunctionName=name.partition(":")[0])
            ),
        )

    def _denied(
        self, source: EventSource, wanted: _Destination | None, needed: Sequence[Permission]
    ) -> Sequence[Permission] | Unknown:
        role = source.role_arn
        if role is None or wanted is None:
            return ()
        denied = []
        for permission in needed:
            # A policy may cover the keys that Lambda gives objects, and no others.
            resource = permission.resource
            if resource.endswith("/*"):
                resource = f"{resource[:-1]}aws/lambda/{source.uuid}/batch"
            decision = simulated_decision(
                self._reader, self._iam, role, permission.action, resource
            )
            if isinstance(decision, Unknown):
                return decision
            if decision == "implicitDeny" and _lets(wanted, role, permission):
                continue
            if decision != "allowed":
                explicit = decision == "explicitDeny"
                denied.append(dataclasses.replace(permission, explicit=explicit))
        return denied

    def _retention(self, source: EventSource) -> float | Unknown | None:
        """Return for how many seconds a source keeps records; None if AWS does not say."""
        if source.kind == "dynamodb":
            return _DYNAMODB_RETENTION
        arn = source.source_arn
        if source.kind != "kinesis" or arn is None or not self._location.contains(arn):
            return None
        name = source.source or ""
        hours = self._reader.read(
            "kinesis:DescribeStreamSummary",
            lambda: float(
                self._kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"][
                    "RetentionPeriodHours"
                ]
            ),
        )
        return hours if hours is None or isinstance(hours, Unknown) else hours * _HOUR


def _lets(wanted: _Destination, role: str, permission: Permission) -> bool:
    """Return whether the destination's own policy lets a role write, as SNS's default does."""
    return resource_lets(wanted.policy, role, permission.action, permission.resource)
