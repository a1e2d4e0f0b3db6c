"""Reads the part of a channel that keeps failed batches: a bucket, and what announces objects."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from failure_destinations.deployed.location import Location
from failure_destinations.names import (
    ANNOUNCEMENT_QUEUE,
    ANNOUNCEMENT_RULE,
    BATCH_BUCKET,
    BATCH_FORWARDER,
    EVENT_SOURCE,
    EVENT_SOURCE_FAILURES,
)

from ..facts import (
    AnnouncementRule,
    Attributes,
    BatchForwarder,
    BatchStore,
    Bucket,
    Key,
    Unknown,
)
from .construct_ids import is_child
from .keys import gather_key
from .queues import gather_queue
from .sources import Sources
from .template_values import TemplateValues


def gather_batch_store(sources: Sources, channel: str, topic_arn: str) -> BatchStore | None:
    """Return what keeps a channel's failed batches; None if the channel keeps none.

    If there is none, it sends no request.

    Args:
        sources: The sources of facts.
        channel: The channel's construct path.
        topic_arn: The channel's topic.
    """
    found = _BatchStore(sources, channel, Location.of(topic_arn))
    return found.gather() if found.exists() else None


class _BatchStore:
    def __init__(self, sources: Sources, channel: str, location: Location) -> None:
        self._sources = sources
        self._stack = sources.stack
        self._read = sources.reader.read
        self._location = location
        # Without the CDK CLI's metadata, paths have no slashes.
        self._paths = (f"{channel}/{EVENT_SOURCE_FAILURES}", f"{channel}{EVENT_SOURCE_FAILURES}")

    def exists(self) -> bool:
        """Return whether the template has any part of it."""
        return any(
            self._id(name, type) is not None
            for name, type in (
                (BATCH_BUCKET, "AWS::S3::Bucket"),
                (ANNOUNCEMENT_QUEUE, "AWS::SQS::Queue"),
            )
        )

    def gather(self) -> BatchStore:
        """Return all facts about it."""
        bucket = self._id(BATCH_BUCKET, "AWS::S3::Bucket")
        queue = self._id(ANNOUNCEMENT_QUEUE, "AWS::SQS::Queue")
        rule = self._id(ANNOUNCEMENT_RULE, "AWS::Events::Rule")
        function = self._id(BATCH_FORWARDER, "AWS::Lambda::Function")
        return BatchStore(
            bucket=None if bucket is None else self._bucket(bucket),
            rule=None if rule is None else self._rule(rule, bucket, queue),
            queue=None
            if queue is None
            else gather_queue(self._sources, "announcement queue", self._stack.physical_ids[queue]),
            forwarder=None if function is None else self._forwarder(function),
        )

    def _id(self, name: str, type: str) -> str | None:
        """Return the logical id of one of its resources."""
        for id in self._stack.of_type(type):
            path = self._stack.path(id)
            if any(is_child(path, around, name) for around in self._paths):
                return id
        return None

    def _bucket(self, id: str) -> Bucket:
        name = self._stack.physical_ids[id]
        s3 = self._sources.aws.client("s3")
        notifications = self._read(
            "s3:GetBucketNotification",
            lambda: _answer(s3.get_bucket_notification_configuration(Bucket=name)),
        )
        lifecycle: Attributes | Unknown | None = None
        policy: Attributes | Unknown | None = None
        key: Key | Unknown | None = None
        if notifications is not None:
            lifecycle = self._read(
                "s3:GetLifecycleConfiguration",
                lambda: _answer(s3.get_bucket_lifecycle_configuration(Bucket=name)),
            )
            policy = self._read(
                "s3:GetBucketPolicy",
                lambda: dict(json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])),
            )
            key = self._bucket_key(name)
        return Bucket(
            name=name,
            arn=f"arn:{self._location.partition}:s3:::{name}",
            region=self._location.region,
            notifications=notifications,
            lifecycle=lifecycle,
            policy=policy,
            key=key,
            declared_days=_declared_days(self._stack.properties(id)),
        )

    def _bucket_key(self, name: str) -> Key | Unknown | None:
        s3 = self._sources.aws.client("s3")
        encryption = self._read(
            "s3:GetEncryptionConfiguration",
            lambda: _answer(s3.get_bucket_encryption(Bucket=name)),
        )
        if isinstance(encryption, Unknown):
            return encryption
        rules = ((encryption or {}).get("ServerSideEncryptionConfiguration") or {}).get("Rules")
        for rule in rules or ():
            default = rule.get("ApplyServerSideEncryptionByDefault") or {}
            if "kms" in str(default.get("SSEAlgorithm", "")):
                return gather_key(self._sources, default.get("KMSMasterKeyID") or "alias/aws/s3")
        return None

    def _rule(self, id: str, bucket: str | None, queue: str | None) -> AnnouncementRule:
        name = self._stack.physical_ids[id].rpartition("|")[2]
        events = self._sources.aws.client("events")
        live = self._read("events:DescribeRule", lambda: _answer(events.describe_rule(Name=name)))
        targets: Sequence[Attributes] | Unknown = ()
        if isinstance(live, dict):
            pages = events.get_paginator("list_targets_by_rule")
            listed = self._read(
                "events:ListTargetsByRule",
                lambda: [
                    dict(target) for page in pages.paginate(Rule=name) for target in page["Targets"]
                ],
            )
            targets = [] if listed is None else listed
        properties = self._stack.properties(id)
        values = TemplateValues(self._stack, self._location.region)
        for other in (bucket, queue):
            if other is not None:
                values.know({"Ref": other}, self._stack.physical_ids[other])
        declared: Mapping[str, Any] = next(iter(properties.get("Targets") or ()), {})
        return AnnouncementRule(
            name=name,
            live=live,
            targets=targets,
            declared_pattern=values.all(properties.get("EventPattern") or {}),
            declared_target={"Id": str(declared["Id"])} if declared.get("Id") else None,
        )

    def _forwarder(self, id: str) -> BatchForwarder:
        name = self._stack.physical_ids[id]
        client = self._sources.aws.client("lambda")
        mapping: Attributes | Unknown | None = None
        uuid = self._id(EVENT_SOURCE, "AWS::Lambda::EventSourceMapping")
        if uuid is not None:
            mapping = self._read(
                "lambda:GetEventSourceMapping",
                lambda: _answer(
                    client.get_event_source_mapping(UUID=self._stack.physical_ids[uuid])
                ),
            )
        return BatchForwarder(name, mapping, self._sources.metrics.errors(name))


def _answer(response: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer without what boto3 adds to it."""
    return {name: value for name, value in response.items() if name != "ResponseMetadata"}


def _declared_days(properties: Mapping[str, Any]) -> int | None:
    rules = (properties.get("LifecycleConfiguration") or {}).get("Rules") or ()
    days = [rule["ExpirationInDays"] for rule in rules if rule.get("ExpirationInDays")]
    return min((int(each) for each in days if isinstance(each, (int, str))), default=None)
