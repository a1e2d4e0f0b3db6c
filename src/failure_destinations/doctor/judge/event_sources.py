"""Judges each event source mapping, its role and its stream: whether failed batches arrive.

https://docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingConfiguration.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from .. import event_source_kinds as kinds
from ..facts import Bucket, Channel, EventSource, Permission, Unknown
from ..findings import Finding, Subject, unreadable
from ..fixes import AwsCall, Fix, grant_to_role
from ..kind import Severity
from .messages import NEAR_EXPIRY

# What Lambda says of a batch that the function could not handle.
_FUNCTION_FAILED = "PROBLEM: Function call failed"
_PROBLEM = "PROBLEM"
# Of a Kafka cluster, AWS documents these without that word.
# https://docs.aws.amazon.com/lambda/latest/dg/with-kafka-troubleshoot.html
_KAFKA_PROBLEMS = (
    "cluster failed to authorize lambda",
    "sasl authentication failed",
    "server failed to authenticate lambda",
    "lambda failed to authenticate server",
    "provided certificate or private key is invalid",
)
_INFINITE = -1
# As many as Lambda itself allows a Kafka mapping that has a destination and no limit.
# https://docs.aws.amazon.com/lambda/latest/dg/kafka-on-failure-destination.html
_RETRIES = 10


def judge_event_sources(channel: Channel) -> Iterator[Finding]:
    """Judge each event source mapping whose failed batches go to the channel, or should."""
    if isinstance(channel.event_sources, Unknown):
        subject = Subject("channel", channel.path)
        yield unreadable(kinds.EVENT_SOURCE, subject, channel.event_sources)
        return
    names = Counter(source.name for source in channel.event_sources)
    for source in channel.event_sources:
        # Two consumers of a stream may have the same function.
        more = f" ({source.uuid})" if names[source.name] > 1 else ""
        subject = Subject("event source", f"{source.name}{more}")
        if isinstance(source.live, Unknown):
            yield unreadable(kinds.EVENT_SOURCE, subject, source.live)
        elif source.live is None:
            yield Finding(kinds.EVENT_SOURCE_MISSING, subject)
        else:
            found = list(_judge(channel, source, subject))
            yield from found
            if not any(finding.severity != "info" for finding in found):
                yield Finding(kinds.EVENT_SOURCE, subject)


def judge_reading(source: EventSource, subject: Subject) -> Iterator[Finding]:
    """Judge whether a mapping reads its source and can start its function.

    Args:
        source: The mapping.
        subject: The subject of the findings.
    """
    if source.is_off:
        yield Finding(
            kinds.EVENT_SOURCE_OFF,
            subject,
            {"reason": str(source.known.get("StateTransitionReason") or "")},
            (_update(source, Enabled=True),),
            given_severity=None if source.declared_enabled else "info",
        )
        return
    result = str(source.known.get("LastProcessingResult") or "")
    filter_error = source.known.get("FilterCriteriaError") or {}
    if filter_error:
        result = f"{_PROBLEM}: {filter_error.get('Message') or filter_error.get('ErrorCode')}"
    if not (result.startswith(_PROBLEM) or result.lower().startswith(_KAFKA_PROBLEMS)):
        return
    failed = result.startswith(_FUNCTION_FAILED)
    facts = {"result": result, "function": source.function, "kind": source.kind}
    severity: Severity | None = "info" if failed else None
    yield Finding(kinds.EVENT_SOURCE_PROBLEM, subject, facts, given_severity=severity)


def _judge(channel: Channel, source: EventSource, subject: Subject) -> Iterator[Finding]:
    yield from judge_reading(source, subject)
    declared = source.declared_destination
    if declared is not None and source.destination != declared:
        facts = {"destination": source.destination, "declared": declared}
        yield Finding(kinds.EVENT_SOURCE_DESTINATION, subject, facts, (_send_to(source, declared),))
    else:
        yield from _judge_metadata(channel, source, subject)
    yield from _judge_role(source, subject)
    yield from _judge_limits(source, subject)
    yield from _judge_lag(channel, source, subject)


def _judge_role(source: EventSource, subject: Subject) -> Iterator[Finding]:
    if isinstance(source.settings, Unknown):
        yield unreadable(kinds.EVENT_SOURCE_PERMISSION, subject, source.settings)
    elif isinstance(source.denied, Unknown):
        yield unreadable(kinds.EVENT_SOURCE_PERMISSION, subject, source.denied)
    elif source.denied:
        facts = {
            "actions": [permission.action for permission in source.denied],
            "destination": source.declared_destination or source.destination,
        }
        fix = _grant(source, list(source.denied))
        yield Finding(kinds.EVENT_SOURCE_PERMISSION, subject, facts, fix)


def _judge_limits(source: EventSource, subject: Subject) -> Iterator[Finding]:
    # Lambda limits the retries of a Kafka mapping with a destination itself.
    if source.kind not in ("kinesis", "dynamodb"):
        return
    limits = ("MaximumRetryAttempts", "MaximumRecordAgeInSeconds")
    if all(source.known.get(limit) in (None, _INFINITE) for limit in limits):
        facts = {"retention": _known(source.retention)}
        fix = (_update(source, MaximumRetryAttempts=_RETRIES),)
        yield Finding(kinds.EVENT_SOURCE_RETRIES_FOREVER, subject, facts, fix)


def _judge_metadata(channel: Channel, source: EventSource, subject: Subject) -> Iterator[Finding]:
    """Judge a mapping whose failed batches come without their records."""
    queue, bucket = channel.queue, _bucket(channel)
    if source.destination is None:
        return
    if bucket is not None and source.destination == bucket.arn:
        return
    retention = _known(source.retention)
    kept = None if queue is None or not queue.known else queue.retention
    if retention is not None and kept is not None and retention >= kept:
        return
    facts = {"destination": source.destination, "retention": retention, "kept": kept}
    fix: Fix = ()
    if bucket is not None and bucket.notifications is not None:
        fix = (*_let_write(source, bucket), _send_to(source, bucket.arn))
    severity: Severity | None = "info" if retention is None else None
    yield Finding(kinds.EVENT_SOURCE_METADATA_ONLY, subject, facts, fix, given_severity=severity)


def _judge_lag(channel: Channel, source: EventSource, subject: Subject) -> Iterator[Finding]:
    lag, retention = source.lag_seconds, source.retention
    if lag is None or retention is None:
        return
    if isinstance(lag, Unknown):
        yield unreadable(kinds.EVENT_SOURCE_LAGS, subject, lag)
    elif isinstance(retention, Unknown):
        # The watchdog may read streams once the channel has a bucket for their batches.
        if _bucket(channel) is not None:
            yield unreadable(kinds.EVENT_SOURCE_LAGS, subject, retention)
    elif lag >= NEAR_EXPIRY * retention:
        facts = {"lag": lag, "retention": retention, "function": source.function}
        yield Finding(kinds.EVENT_SOURCE_LAGS, subject, facts)


def _bucket(channel: Channel) -> Bucket | None:
    return None if channel.batch_store is None else channel.batch_store.bucket


def _known(value: float | Unknown | None) -> float | None:
    return None if isinstance(value, Unknown) else value


def _update(source: EventSource, **parameters: object) -> AwsCall:
    return AwsCall("lambda", "UpdateEventSourceMapping", {"UUID": source.uuid, **parameters})


def _send_to(source: EventSource, arn: str) -> AwsCall:
    return _update(source, DestinationConfig={"OnFailure": {"Destination": arn}})


def _grant(source: EventSource, denied: list[Permission]) -> Fix:
    """Return the steps that grant the role its missing permissions, one for each resource.

    Empty if a policy explicitly denies one of them, because a grant would not help.
    """
    role = _role_name(source)
    if role is None or any(permission.explicit for permission in denied):
        return ()
    resources = dict.fromkeys(permission.resource for permission in denied)
    return tuple(
        grant_to_role(role, [p.action for p in source.needed if p.resource == each], each)
        for each in resources
    )


def _let_write(source: EventSource, bucket: Bucket) -> Fix:
    """Return the steps that let a function's role write to the bucket."""
    role = _role_name(source)
    if role is None:
        return ()
    return (
        grant_to_role(role, ["s3:PutObject"], f"{bucket.arn}/*"),
        grant_to_role(role, ["s3:ListBucket"], bucket.arn),
    )


def _role_name(source: EventSource) -> str | None:
    return (source.role_arn or "").rpartition("/")[2] or None
