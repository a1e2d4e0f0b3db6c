"""Judges the bucket for failed batches, and what announces its objects."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from .. import event_source_kinds as kinds
from ..facts import (
    OFF,
    AnnouncementRule,
    Attributes,
    BatchForwarder,
    BatchStore,
    Bucket,
    Channel,
    EventSource,
    Queue,
    Unknown,
)
from ..findings import Finding, Subject, unreadable
from ..fixes import AwsCall, Fix
from ..policies import denies
from .keys import judge_key
from .queues import announcers, judge_queue

_DAY = 86_400
_HOUR = 3600
# The keys of Lambda's objects begin so.
# https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
_PREFIX = "aws/lambda/"
# S3 takes no location for this Region.
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
_WITHOUT_LOCATION = "us-east-1"


def judge_batch_store(channel: Channel) -> Iterator[Finding]:
    """Judge the bucket for failed batches, the rule, its queue and the forwarder."""
    store = channel.batch_store
    if store is None:
        return
    if store.bucket is not None:
        yield from _judge_bucket(channel, store.bucket)
    found = [*_judge_rule(channel, store), *_judge_forwarder(store)]
    yield from found
    if store.rule is not None and not found:
        yield Finding(kinds.ANNOUNCEMENTS, Subject("announcement rule", store.rule.name))
    if store.queue is not None:
        yield from judge_queue(store.queue, announcers(channel))
        yield from _judge_waiting(store, store.queue)


def _judge_bucket(channel: Channel, bucket: Bucket) -> Iterator[Finding]:
    subject = Subject("bucket", bucket.name)
    if bucket.notifications is None:
        yield Finding(kinds.BUCKET_MISSING, subject, fix=_create(bucket))
        return
    found: list[Finding] = []
    if isinstance(bucket.notifications, Unknown):
        found.append(unreadable(kinds.BUCKET_SILENT, subject, bucket.notifications))
    elif not bucket.is_announcing:
        fix = (_announce(bucket, bucket.notifications),)
        found.append(Finding(kinds.BUCKET_SILENT, subject, fix=fix))
    found += _judge_policy(channel, bucket, subject)
    found += judge_key(bucket.key, subject)
    found += _judge_lifecycle(channel, bucket, subject)
    yield from found or [Finding(kinds.BUCKET, subject, {"days": _days(bucket.lifecycle)})]


def _create(bucket: Bucket) -> Fix:
    parameters: dict[str, Any] = {"Bucket": bucket.name}
    if bucket.region != _WITHOUT_LOCATION:
        parameters["CreateBucketConfiguration"] = {"LocationConstraint": bucket.region}
    return (AwsCall("s3", "CreateBucket", parameters), _announce(bucket, {}))


def _announce(bucket: Bucket, present: Attributes) -> AwsCall:
    # S3 replaces the configuration as a whole.
    configuration = {**present, "EventBridgeConfiguration": {}}
    return AwsCall(
        "s3",
        "PutBucketNotificationConfiguration",
        {"Bucket": bucket.name, "NotificationConfiguration": configuration},
    )


def _judge_policy(channel: Channel, bucket: Bucket, subject: Subject) -> Iterator[Finding]:
    if isinstance(bucket.policy, Unknown):
        yield unreadable(kinds.BUCKET_POLICY, subject, bucket.policy)
        return
    sources = () if isinstance(channel.event_sources, Unknown) else channel.event_sources
    answers = [
        (source.function, _is_denied(bucket, source))
        for source in sources
        if bucket.arn in (source.destination, source.declared_destination)
    ]
    denied = sorted({function for function, answer in answers if answer})
    unsure = sorted({function for function, answer in answers if answer is None})
    if denied:
        yield Finding(kinds.BUCKET_POLICY, subject, {"functions": denied})
    elif unsure:
        facts = {"functions": unsure}
        yield Finding(kinds.BUCKET_POLICY, subject, facts, given_severity="unknown")


def _is_denied(bucket: Bucket, source: EventSource) -> bool | None:
    """Return whether the bucket's policy denies a role to write; None if that is not known."""
    role = source.role_arn
    if role is None or not isinstance(bucket.policy, Mapping):
        return False
    needed = (
        ("s3:PutObject", f"{bucket.arn}/{_PREFIX}{source.uuid}/batch"),
        ("s3:ListBucket", bucket.arn),
    )
    answers = [
        denies(bucket.policy, role=role, action=action, resource=resource)
        for action, resource in needed
    ]
    if True in answers:
        return True
    return None if None in answers else False


def _judge_lifecycle(channel: Channel, bucket: Bucket, subject: Subject) -> Iterator[Finding]:
    lifecycle, queue = bucket.lifecycle, channel.queue
    if isinstance(lifecycle, Unknown):
        yield unreadable(kinds.BUCKET_LIFECYCLE, subject, lifecycle)
        return
    days = _days(lifecycle)
    if days is None or lifecycle is None:
        return
    kept = 0 if queue is None or not queue.known else math.ceil(queue.retention / _DAY)
    wanted = max(kept, bucket.declared_days or 0)
    if days < wanted:
        facts = {"days": days, "kept": kept, "declared": bucket.declared_days}
        fix = (_keep(bucket, lifecycle, wanted),)
        yield Finding(kinds.BUCKET_LIFECYCLE, subject, facts, fix)


def _keep(bucket: Bucket, lifecycle: Attributes, days: int) -> AwsCall:
    """Return the call that has a bucket keep batches for some days."""
    rules = [
        {**rule, "Expiration": {**rule["Expiration"], "Days": days}}
        if _expires(rule) and rule["Expiration"]["Days"] < days
        else rule
        for rule in lifecycle.get("Rules") or ()
    ]
    size = "TransitionDefaultMinimumObjectSize"
    return AwsCall(
        "s3",
        "PutBucketLifecycleConfiguration",
        {
            "Bucket": bucket.name,
            "LifecycleConfiguration": {"Rules": rules},
            **({size: lifecycle[size]} if lifecycle.get(size) else {}),
        },
    )


def _days(lifecycle: Attributes | Unknown | None) -> int | None:
    """Return after how many days a bucket deletes batches; None if it keeps them."""
    known = lifecycle if isinstance(lifecycle, Mapping) else {}
    rules = [rule for rule in known.get("Rules") or () if _expires(rule)]
    return min((int(rule["Expiration"]["Days"]) for rule in rules), default=None)


def _expires(rule: Mapping[str, Any]) -> bool:
    """Return whether a rule deletes batches after a number of days.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-filters.html
    """
    if rule.get("Status") != "Enabled" or not (rule.get("Expiration") or {}).get("Days"):
        return False
    filter = rule.get("Filter") or {}
    both = filter.get("And") or {}
    # Lambda's objects have no tags.
    if "Tag" in filter or both.get("Tags"):
        return False
    prefix = str(rule.get("Prefix") or filter.get("Prefix") or both.get("Prefix") or "")
    return prefix.startswith(_PREFIX) or _PREFIX.startswith(prefix)


def _judge_rule(channel: Channel, store: BatchStore) -> Iterator[Finding]:
    rule = store.rule
    if rule is None:
        return
    subject = Subject("announcement rule", rule.name)
    if isinstance(rule.live, Unknown):
        yield unreadable(kinds.ANNOUNCEMENTS, subject, rule.live)
    elif rule.live is None:
        yield Finding(
            kinds.ANNOUNCEMENTS_MISSING, subject, {"what": "rule"}, _restore(channel, store, rule)
        )
    else:
        if rule.live.get("State") == "DISABLED":
            fix = (AwsCall("events", "EnableRule", {"Name": rule.name}),)
            yield Finding(kinds.ANNOUNCEMENTS_OFF, subject, {"what": "rule"}, fix)
        yield from _judge_pattern(rule, rule.live, subject)
        yield from _judge_targets(channel, store, rule, subject)


def _judge_pattern(rule: AnnouncementRule, live: Attributes, subject: Subject) -> Iterator[Finding]:
    declared = rule.declared_pattern
    if not declared or _pattern(live) == declared:
        return
    parameters = {
        "Name": rule.name,
        "EventPattern": json.dumps(declared),
        # Else PutRule would enable a rule, and forget its description.
        **{name: live[name] for name in ("State", "Description", "RoleArn") if live.get(name)},
    }
    fix = (AwsCall("events", "PutRule", parameters),)
    yield Finding(kinds.ANNOUNCEMENTS_PATTERN, subject, fix=fix)


def _pattern(live: Attributes) -> Any:
    try:
        return json.loads(live.get("EventPattern") or "{}")
    except ValueError:
        return None


def _judge_targets(
    channel: Channel, store: BatchStore, rule: AnnouncementRule, subject: Subject
) -> Iterator[Finding]:
    queue = store.queue
    arn = None if queue is None else queue.arn
    if isinstance(rule.targets, Unknown):
        yield unreadable(kinds.ANNOUNCEMENTS_TARGET, subject, rule.targets)
        return
    if arn is None:
        return
    target = next((each for each in rule.targets if each.get("Arn") == arn), None)
    if target is None:
        fix = (_put_target(channel, rule, _id(rule.declared_target), arn),)
        yield Finding(kinds.ANNOUNCEMENTS_TARGET, subject, {"what": "target"}, fix)
    elif not (target.get("DeadLetterConfig") or {}).get("Arn"):
        dead_letters = channel.dead_letter_queue
        has = dead_letters is not None and dead_letters.arn is not None
        yield Finding(
            kinds.ANNOUNCEMENTS_TARGET,
            subject,
            {"what": "dead-letter queue"},
            (_put_target(channel, rule, _id(target), arn, target),) if has else (),
            given_severity="warning",
        )


def _restore(channel: Channel, store: BatchStore, rule: AnnouncementRule) -> Fix:
    """Return the steps that define the rule again; empty if its pattern is not known."""
    arn = None if store.queue is None else store.queue.arn
    if not rule.declared_pattern or arn is None:
        return ()
    pattern = json.dumps(rule.declared_pattern)
    return (
        AwsCall("events", "PutRule", {"Name": rule.name, "EventPattern": pattern}),
        _put_target(channel, rule, _id(rule.declared_target), arn),
    )


def _put_target(
    channel: Channel, rule: AnnouncementRule, id: str, arn: str, present: Attributes | None = None
) -> AwsCall:
    dead_letters = None if channel.dead_letter_queue is None else channel.dead_letter_queue.arn
    config = {} if dead_letters is None else {"DeadLetterConfig": {"Arn": dead_letters}}
    target = {**(present or {}), "Id": id, "Arn": arn, **config}
    return AwsCall("events", "PutTargets", {"Rule": rule.name, "Targets": [target]})


def _id(target: Attributes | None) -> str:
    return str((target or {}).get("Id") or "Target0")


def _judge_forwarder(store: BatchStore) -> Iterator[Finding]:
    forwarder = store.forwarder
    if forwarder is None:
        return
    subject = Subject("batch forwarder", forwarder.name)
    mapping = forwarder.mapping
    if isinstance(mapping, Unknown):
        yield unreadable(kinds.ANNOUNCEMENTS, subject, mapping)
    elif mapping is None:
        facts = {"what": "event source mapping"}
        yield Finding(kinds.ANNOUNCEMENTS_MISSING, subject, facts)
    elif mapping.get("State") in OFF:
        parameters = {"UUID": str(mapping.get("UUID", "")), "Enabled": True}
        fix = (AwsCall("lambda", "UpdateEventSourceMapping", parameters),)
        facts = {"what": "event source mapping"}
        yield Finding(kinds.ANNOUNCEMENTS_OFF, subject, facts, fix)
    yield from _judge_errors(forwarder, subject)


def _judge_errors(forwarder: BatchForwarder, subject: Subject) -> Iterator[Finding]:
    if isinstance(forwarder.errors, Unknown):
        yield unreadable(kinds.FORWARDER_FAILS, subject, forwarder.errors)
    elif forwarder.errors:
        facts = {"count": int(forwarder.errors)}
        yield Finding(kinds.FORWARDER_FAILS, subject, facts)


def _judge_waiting(store: BatchStore, queue: Queue) -> Iterator[Finding]:
    subject = Subject(queue.noun, queue.name)
    age = queue.oldest_seconds
    if isinstance(age, Unknown):
        yield unreadable(kinds.ANNOUNCEMENTS_WAIT, subject, age)
    elif queue.waiting and age is not None and age >= _HOUR:
        function = None if store.forwarder is None else store.forwarder.name
        facts = {"count": queue.waiting, "age": age, "forwarder": function}
        yield Finding(kinds.ANNOUNCEMENTS_WAIT, subject, facts)
