"""Channels for event sources as facts: healthy, and with each thing that can be wrong.

The shapes are those of AWS's API reference for ListEventSourceMappings,
GetBucketNotificationConfiguration, GetBucketLifecycleConfiguration, GetBucketPolicy, DescribeRule,
ListTargetsByRule and GetQueueAttributes.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from failure_destinations.doctor.facts import (
    AnnouncementRule,
    BatchForwarder,
    BatchStore,
    Bucket,
    EventSource,
    Permission,
    Queue,
    QueueNoun,
    SourceDeadLetters,
    SourceQueue,
)

from .paper import (
    ACCOUNT,
    DAY,
    DEAD_LETTERS,
    DENIED,
    KEY_ARN,
    OWNERS_POLICY,
    QUEUE,
    SAME_ACCOUNT,
    TOPIC,
    UUID,
    Case,
    Facts,
    key,
    key_policy,
    queue,
)

BUCKET_ARN = "arn:aws:s3:::failures-batches-1a2b3c"
FUNCTION_ROLE = f"arn:aws:iam::{ACCOUNT}:role/service-role/orders-role"
STREAM = f"arn:aws:kinesis:eu-west-1:{ACCOUNT}:stream/clicks"
RULE_ARN = f"arn:aws:events:eu-west-1:{ACCOUNT}:rule/Failures-Rule"
PATTERN = {
    "source": ["aws.s3"],
    "detail-type": ["Object Created"],
    "detail": {"bucket": {"name": ["failures-batches-1a2b3c"]}},
}
LIFECYCLE = {
    "Rules": [
        {
            "ID": "keep",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "Expiration": {"Days": 28},
        }
    ]
}


def statement(effect: str, action: str, **more: Any) -> dict[str, Any]:
    """Return a policy with one statement about the bucket and its objects."""
    resources = [BUCKET_ARN, f"{BUCKET_ARN}/*"]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": effect, "Principal": "*", "Action": action, "Resource": resources, **more}
        ],
    }


TLS_ONLY = statement("Deny", "s3:*", Condition={"Bool": {"aws:SecureTransport": "false"}})
BUCKET = Bucket(
    name="failures-batches-1a2b3c",
    arn=BUCKET_ARN,
    region="eu-west-1",
    notifications={"EventBridgeConfiguration": {}},
    lifecycle=LIFECYCLE,
    policy=TLS_ONLY,
    declared_days=28,
)
MAPPING = {
    "UUID": UUID,
    "EventSourceArn": STREAM,
    "FunctionArn": f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:orders:live",
    "State": "Enabled",
    "StateTransitionReason": "USER_INITIATED",
    "LastProcessingResult": "OK",
    "MaximumRetryAttempts": 3,
    "MaximumRecordAgeInSeconds": -1,
    "DestinationConfig": {"OnFailure": {"Destination": BUCKET_ARN}},
}
WRITE = [
    Permission("s3:PutObject", f"{BUCKET_ARN}/*", "failed batches"),
    Permission("s3:ListBucket", BUCKET_ARN, "failed batches"),
    Permission("kms:GenerateDataKey", KEY_ARN, "failed batches"),
]
EVENT_SOURCE = EventSource(
    uuid=UUID,
    live=MAPPING,
    declared=True,
    declared_destination=BUCKET_ARN,
    settings={"Role": FUNCTION_ROLE, "Timeout": 30},
    needed=WRITE,
    lag_seconds=60.0,
    retention=DAY,
)


def sent_by_rule(noun: QueueNoun, name: str, **changed: Any) -> Queue:
    """Return a queue to which SNS and EventBridge may send."""
    arn = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:{name}"
    statements = [
        {
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": source}},
        }
        for service, source in (("sns.amazonaws.com", TOPIC), ("events.amazonaws.com", RULE_ARN))
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    return queue(noun, name, **{"Policy": policy, **changed})


ANNOUNCED = sent_by_rule("announcement queue", "Failures-Announcements")
TARGET = {
    "Id": "Target0",
    "Arn": ANNOUNCED.arn,
    "DeadLetterConfig": {"Arn": DEAD_LETTERS.arn},
}
RULE = AnnouncementRule(
    name="Failures-Rule",
    live={
        "Name": "Failures-Rule",
        "Arn": RULE_ARN,
        "State": "ENABLED",
        "EventPattern": json.dumps(PATTERN),
        "Description": "Failed batches",
    },
    targets=[TARGET],
    declared_pattern=PATTERN,
    declared_target={"Id": "Target0"},
)
FORWARDER_FUNCTION = BatchForwarder("Failures-Forwarder", {"UUID": UUID, "State": "Enabled"})
STORE = BatchStore(BUCKET, RULE, ANNOUNCED, FORWARDER_FUNCTION)
OF_BATCHES = {"dead_letter_queue": sent_by_rule("dead-letter queue", "Failures-DeadLetterQueue")}

ORDERS_ARN = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:orders"
ORDERS_DEAD = queue("source dead-letter queue", "Failures-SourceDeadLetters-Orders")
READER = EventSource(
    uuid=UUID,
    live={**MAPPING, "EventSourceArn": ORDERS_ARN, "DestinationConfig": {}},
    settings={"Role": FUNCTION_ROLE, "Timeout": 30},
)
ORDERS_URL = f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/orders"
ORDERS = {
    "QueueArn": ORDERS_ARN,
    "MessageRetentionPeriod": "345600",
    "VisibilityTimeout": "180",
    "RedrivePolicy": json.dumps({"deadLetterTargetArn": ORDERS_DEAD.arn, "maxReceiveCount": 5}),
}


def event_source(*, live: Any = None, **changed: Any) -> Facts:
    """Return a channel with an event source, healthy but for some facts."""
    facts = {"live": {**MAPPING, **(live or {})}, **changed}
    return {
        **OF_BATCHES,
        "event_sources": [dataclasses.replace(EVENT_SOURCE, **facts)],
        "batch_store": STORE,
    }


def by_hand(destination: str | None = TOPIC, **changed: Any) -> Facts:
    """Return a channel without a bucket, to which somebody had a stream send failed batches."""
    live = {**MAPPING, "DestinationConfig": {"OnFailure": {"Destination": destination}}}
    facts = {"live": live, "declared": False, "declared_destination": None, **changed}
    return {"event_sources": [dataclasses.replace(EVENT_SOURCE, **facts)]}


def store(**changed: Any) -> Facts:
    """Return a channel whose part for failed batches has other facts."""
    return {**event_source(), "batch_store": dataclasses.replace(STORE, **changed)}


def bucket(**changed: Any) -> Facts:
    """Return a channel whose bucket has other facts."""
    return store(bucket=dataclasses.replace(BUCKET, **changed))


def expiring(days: int, **rule: Any) -> Facts:
    """Return a channel whose bucket deletes objects after some days."""
    rules = [{**LIFECYCLE["Rules"][0], "Expiration": {"Days": days}, **rule}]
    return bucket(lifecycle={"Rules": rules})


def rule(*, live: Any = None, **changed: Any) -> Facts:
    """Return a channel whose rule has other facts."""
    assert isinstance(RULE.live, dict)
    facts = {"live": {**RULE.live, **(live or {})}, **changed}
    return store(rule=dataclasses.replace(RULE, **facts))


def forwarder(**changed: Any) -> Facts:
    """Return a channel whose forwarder has other facts."""
    return store(forwarder=dataclasses.replace(FORWARDER_FUNCTION, **changed))


def source_queue(
    *, dead: Queue = ORDERS_DEAD, readers: Any = (READER,), unlisted: Any = None, **changed: Any
) -> Facts:
    """Return a channel with a source queue, healthy but for some attributes."""
    source = SourceQueue(ORDERS_URL, {**ORDERS, **changed}, readers, declared_receives=3)
    return {"source_dead_letters": [SourceDeadLetters(dead, [source], unlisted)]}


def keyed_source_queue(state: str) -> Facts:
    """Return a channel with a source queue that has a key."""
    (dead,) = source_queue()["source_dead_letters"]
    source = dataclasses.replace(dead.sources[0], key=key(OWNERS_POLICY, state))
    return {"source_dead_letters": [dataclasses.replace(dead, sources=[source])]}


def read_by(**changed: Any) -> Facts:
    """Return a channel with a source queue whose mapping has other attributes."""
    live = {**READER.live, **changed}  # type: ignore[dict-item]
    return source_queue(readers=[dataclasses.replace(READER, live=live)])


def dead_orders(**changed: Any) -> Queue:
    """Return the dead-letter queue of the source queue with other attributes."""
    return queue("source dead-letter queue", "Failures-SourceDeadLetters-Orders", **changed)


CASES = [
    Case("unknown", "event-source", {"event_sources": DENIED}),
    Case(
        "error",
        "event-source-missing",
        {**event_source(), "event_sources": [dataclasses.replace(EVENT_SOURCE, live=None)]},
    ),
    Case(
        "unknown",
        "event-source",
        {**event_source(), "event_sources": [dataclasses.replace(EVENT_SOURCE, live=DENIED)]},
    ),
    Case("warning", "event-source-off", event_source(live={"State": "Disabled"})),
    Case("warning", "event-source-off", event_source(live={"State": "Disabling"})),
    Case(
        "info", "event-source-off", event_source(live={"State": "Disabled"}, declared_enabled=False)
    ),
    Case(
        "info",
        "event-source-problem",
        event_source(live={"LastProcessingResult": "PROBLEM: Function call failed"}),
    ),
    Case(
        "error",
        "event-source-problem",
        event_source(live={"LastProcessingResult": "PROBLEM: Cluster failed to authorize Lambda."}),
    ),
    Case(
        "error",
        "event-source-problem",
        event_source(live={"LastProcessingResult": "SASL authentication failed."}),
    ),
    Case(
        "error",
        "event-source-problem",
        event_source(
            live={"FilterCriteriaError": {"ErrorCode": "KMSAccessDeniedException", "Message": "no"}}
        ),
    ),
    Case(
        "error",
        "event-source-destination",
        event_source(live={"DestinationConfig": {"OnFailure": {}}}),
    ),
    Case(
        "error",
        "event-source-destination",
        event_source(live={"DestinationConfig": {"OnFailure": {"Destination": STREAM}}}),
    ),
    Case("error", "event-source-permission", event_source(denied=WRITE[:1])),
    Case("error", "event-source-permission", event_source(denied=WRITE)),
    Case("unknown", "event-source-permission", event_source(denied=DENIED)),
    Case("unknown", "event-source-permission", event_source(settings=DENIED)),
    Case(
        "warning", "event-source-retries-forever", event_source(live={"MaximumRetryAttempts": -1})
    ),
    Case(
        "warning",
        "event-source-retries-forever",
        event_source(live={"MaximumRetryAttempts": -1}, retention=None, lag_seconds=None),
    ),
    Case("warning", "event-source-metadata-only", by_hand()),
    Case("warning", "event-source-metadata-only", by_hand(QUEUE.arn)),
    Case("warning", "event-source-metadata-only", {**event_source(), **by_hand()}),
    Case("info", "event-source-metadata-only", by_hand(retention=None)),
    Case("info", "event-source-metadata-only", by_hand(retention=DENIED)),
    Case("warning", "event-source-lags", event_source(lag_seconds=0.8 * DAY)),
    Case("unknown", "event-source-lags", event_source(lag_seconds=DENIED)),
    Case("unknown", "event-source-lags", event_source(retention=DENIED)),
    Case("error", "bucket-missing", bucket(notifications=None)),
    Case("error", "bucket-silent", bucket(notifications={})),
    Case("unknown", "bucket-silent", bucket(notifications=DENIED)),
    Case("error", "bucket-policy", bucket(policy=statement("Deny", "s3:PutObject"))),
    Case(
        "error",
        "bucket-policy",
        bucket(policy=statement("Deny", "s3:List*", Principal={"AWS": FUNCTION_ROLE})),
    ),
    Case(
        "unknown",
        "bucket-policy",
        bucket(
            policy=statement(
                "Deny", "s3:*", Condition={"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}
            )
        ),
    ),
    Case("unknown", "bucket-policy", bucket(policy=DENIED)),
    Case("error", "key-disabled", bucket(key=key(OWNERS_POLICY, "Disabled"))),
    Case("warning", "bucket-lifecycle", expiring(7)),
    Case("warning", "bucket-lifecycle", expiring(20)),
    Case("unknown", "bucket-lifecycle", bucket(lifecycle=DENIED)),
    Case("error", "announcements-missing", store(rule=dataclasses.replace(RULE, live=None))),
    Case(
        "error",
        "announcements-missing",
        store(rule=dataclasses.replace(RULE, live=None, declared_pattern=None)),
    ),
    Case("unknown", "announcements", store(rule=dataclasses.replace(RULE, live=DENIED))),
    Case("error", "announcements-off", rule(live={"State": "DISABLED"})),
    Case("error", "announcements-pattern", rule(live={"EventPattern": "{}"})),
    Case("error", "announcements-target", rule(targets=[])),
    Case(
        "warning", "announcements-target", rule(targets=[{"Id": "Target0", "Arn": ANNOUNCED.arn}])
    ),
    Case("unknown", "announcements-target", rule(targets=DENIED)),
    Case("error", "announcements-missing", forwarder(mapping=None)),
    Case("unknown", "announcements", forwarder(mapping=DENIED)),
    Case("error", "announcements-off", forwarder(mapping={"UUID": UUID, "State": "Disabled"})),
    Case("warning", "forwarder-fails", forwarder(errors=3.0)),
    Case("unknown", "forwarder-fails", forwarder(errors=DENIED)),
    Case("error", "queue-missing", store(queue=Queue("announcement queue", ANNOUNCED.url, None))),
    Case(
        "error", "queue-policy", store(queue=queue("announcement queue", "Failures-Announcements"))
    ),
    Case(
        "error",
        "key-policy",
        store(queue=dataclasses.replace(ANNOUNCED, key=key(key_policy(**SAME_ACCOUNT)))),
    ),
    Case("error", "queue-policy", {**event_source(), "dead_letter_queue": DEAD_LETTERS}),
    Case(
        "warning",
        "announcements-wait",
        store(
            queue=sent_by_rule(
                "announcement queue",
                "Failures-Announcements",
                ApproximateNumberOfMessages="2",
                oldest_seconds=3600.0,
            )
        ),
    ),
    Case(
        "unknown",
        "announcements-wait",
        store(queue=dataclasses.replace(ANNOUNCED, oldest_seconds=DENIED)),
    ),
    Case("error", "source-queue-redrive", source_queue(RedrivePolicy="")),
    Case(
        "error",
        "source-queue-redrive",
        source_queue(
            RedrivePolicy=json.dumps({"deadLetterTargetArn": QUEUE.arn, "maxReceiveCount": 2})
        ),
    ),
    Case(
        "error", "source-queue-redrive", {"source_dead_letters": [SourceDeadLetters(ORDERS_DEAD)]}
    ),
    Case("unknown", "source-queue-redrive", source_queue(unlisted=DENIED)),
    Case(
        "unknown",
        "source-queue",
        {
            "source_dead_letters": [
                SourceDeadLetters(ORDERS_DEAD, [SourceQueue(ORDERS_URL, DENIED)])
            ]
        },
    ),
    Case(
        "error",
        "queue-missing",
        {"source_dead_letters": [SourceDeadLetters(ORDERS_DEAD, [SourceQueue(ORDERS_URL, None)])]},
    ),
    Case(
        "error",
        "source-queue-denied",
        source_queue(dead=dead_orders(RedriveAllowPolicy='{"redrivePermission": "denyAll"}')),
    ),
    Case(
        "error",
        "source-queue-denied",
        source_queue(
            dead=dead_orders(
                RedriveAllowPolicy=json.dumps(
                    {"redrivePermission": "byQueue", "sourceQueueArns": [QUEUE.arn]}
                )
            )
        ),
    ),
    Case("warning", "source-queue-unread", source_queue(readers=())),
    Case("error", "key-disabled", keyed_source_queue("Disabled")),
    Case("unknown", "source-queue-unread", source_queue(readers=DENIED)),
    Case("warning", "event-source-off", read_by(State="Disabled")),
    Case("error", "event-source-problem", read_by(LastProcessingResult="PROBLEM: access denied")),
    Case("error", "source-queue-visibility", source_queue(VisibilityTimeout="29")),
    Case("info", "source-queue-visibility", source_queue(VisibilityTimeout="30")),
    Case("info", "source-queue-visibility", read_by(MaximumBatchingWindowInSeconds=60)),
    Case(
        "unknown",
        "source-queue-visibility",
        source_queue(readers=[dataclasses.replace(READER, settings=DENIED)]),
    ),
    Case(
        "warning",
        "source-dead-letters-retention",
        source_queue(
            dead=dead_orders(MessageRetentionPeriod="345600", declared={}),
            MessageRetentionPeriod="691200",
        ),
    ),
    Case(
        "warning",
        "source-dead-letters",
        source_queue(dead=dead_orders(ApproximateNumberOfMessages="2")),
    ),
    Case(
        "error",
        "queue-missing",
        source_queue(
            dead=Queue("source dead-letter queue", ORDERS_DEAD.url, None), RedrivePolicy=""
        ),
    ),
    Case(
        "error",
        "queue-missing",
        {
            "source_dead_letters": [
                SourceDeadLetters(Queue("source dead-letter queue", ORDERS_DEAD.url, None))
            ]
        },
    ),
]
