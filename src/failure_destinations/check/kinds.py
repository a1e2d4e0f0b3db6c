"""The registry of all kinds of findings, for reports, baselines and the documentation."""

from __future__ import annotations

from dataclasses import dataclass

ERROR = "error"
WARNING = "warning"
INFO = "info"
# The most severe first.
SEVERITIES = (ERROR, WARNING, INFO)


@dataclass(frozen=True)
class Kind:
    """A kind of finding.

    Attributes:
        id: Its name in reports, baselines and acknowledgements.
        severity: `error` if an event is lost, `warning` if one may be, else `info`.
        title: What it is, in a few words.
        help: The URL of the AWS documentation about it.
        lost_when: When an event is lost, as Markdown for the documentation.
    """

    id: str
    severity: str
    title: str
    help: str
    lost_when: str


_DOCS = "https://docs.aws.amazon.com"
_SQS = f"{_DOCS}/lambda/latest/dg/services-sqs-configure.html"
_QUEUES = f"{_DOCS}/AWSSimpleQueueService/latest/SQSDeveloperGuide"
_RETAIN = f"{_DOCS}/lambda/latest/dg/invocation-async-retain-records.html"

UNCOVERED = Kind(
    "uncovered",
    ERROR,
    "Asynchronous function without failure destination or dead-letter queue",
    _RETAIN,
    "the last attempt fails: there is neither a failure destination nor a dead-letter queue",
)
OTHER_QUALIFIER = Kind(
    "other-qualifier",
    ERROR,
    "Failure destination on another qualifier than the one called",
    _RETAIN,
    "the last attempt fails: the failure destination belongs to another qualifier than the one "
    "called",
)
DURABLE = Kind(
    "durable",
    ERROR,
    "Durable function without dead-letter queue",
    f"{_DOCS}/lambda/latest/dg/durable-invoking.html",
    "the execution of a durable function fails: Lambda sends its failures to its dead-letter queue "
    "only, and to no failure destination",
)
DURABLE_UNQUALIFIED = Kind(
    "durable-unqualified",
    ERROR,
    "Durable function called without a qualifier",
    f"{_DOCS}/lambda/latest/dg/durable-invoking.html",
    "a rule, schedule, subscription or event source mapping calls a durable function itself: "
    "Lambda rejects every invocation without a version, an alias or `$LATEST`",
)
TENANT_MISSING = Kind(
    "tenant-missing",
    ERROR,
    "Function that isolates tenants, called without a tenant",
    f"{_DOCS}/lambda/latest/dg/tenant-isolation-invoke.html",
    "a rule, schedule, subscription, bucket or event source mapping calls a function that isolates "
    "tenants: Lambda rejects every invocation without a tenant's id, and these name none",
)
LOST_DESTINATION = Kind(
    "lost-destination",
    ERROR,
    "Destination that Lambda cannot send to",
    _RETAIN,
    "Lambda sends it: the destination is FIFO, an S3 bucket for successes, or a Kafka topic for "
    "another source than Kafka; or the event source has no failure destination (SQS, Amazon MQ, "
    "Amazon DocumentDB)",
)
STREAM_UNCOVERED = Kind(
    "stream-uncovered",
    ERROR,
    "Event source mapping of a stream without failure destination",
    f"{_DOCS}/lambda/latest/dg/kinesis-on-failure-destination.html",
    "the last retry of a batch from Kinesis, DynamoDB or Kafka fails, or its records are too old: "
    "Lambda discards the batch",
)
ENDLESS_RETRIES = Kind(
    "endless-retries",
    ERROR,
    "Event source mapping that retries without end, and has no failure destination",
    f"{_DOCS}/lambda/latest/dg/kinesis-on-failure-destination.html",
    "a batch from Kinesis, DynamoDB or Kafka keeps failing: it blocks its shard or partition until "
    "its records expire, and what waits behind it may expire too",
)
NO_REDRIVE = Kind(
    "no-redrive",
    ERROR,
    "Queue of an event source mapping without redrive policy",
    f"{_DOCS}/lambda/latest/dg/services-sqs-errorhandling.html",
    "a message of an SQS queue keeps failing until the queue's retention ends: no redrive policy "
    "moves it to a dead-letter queue",
)
VISIBILITY_TIMEOUT = Kind(
    "visibility-timeout",
    ERROR,
    "Queue whose visibility timeout is shorter than its function's timeout",
    _SQS,
    "(none is lost, but Lambda refuses to create the mapping, and the deployment fails; in an "
    "existing mapping, a message is handled again before its first run has ended, and is moved to "
    "the dead-letter queue although it succeeds)",
)
DELIVERY = Kind(
    "delivery",
    WARNING,
    "Delivery to a function without dead-letter queue",
    f"{_DOCS}/eventbridge/latest/userguide/eb-rule-dlq.html",
    "a rule, schedule or subscription cannot start the function, and has no dead-letter queue",
)
QUEUE_POLICY = Kind(
    "queue-policy",
    WARNING,
    "Dead-letter queue without permission for its sender",
    f"{_DOCS}/eventbridge/latest/userguide/eb-rule-dlq.html",
    "a rule or subscription cannot start the function, and the policy of its dead-letter queue "
    "does not let EventBridge or SNS send to it",
)
QUEUE_KEY = Kind(
    "queue-key",
    WARNING,
    "Dead-letter queue with a key that its sender may not use",
    f"{_DOCS}/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html",
    "a rule or subscription cannot start the function, and EventBridge or SNS may not use the KMS "
    "key of its dead-letter queue: the key's policy does not let it, or it is `alias/aws/sqs`",
)
METADATA_ONLY = Kind(
    "metadata-only",
    WARNING,
    "Failure destination that gets no records, of a stream that forgets them sooner",
    f"{_DOCS}/lambda/latest/dg/kinesis-on-failure-destination.html",
    "nobody fetches a failed batch from the stream in time: a queue or topic gets only the "
    "positions of its records, and the stream keeps them for a shorter time than the queue keeps "
    "the message",
)
DESTINATION_PERMISSION = Kind(
    "destination-permission",
    WARNING,
    "Failure destination that the function's role may not send to",
    f"{_DOCS}/lambda/latest/dg/kinesis-on-failure-destination.html",
    "Lambda sends a failed batch: no policy of the templates lets the function's role send to the "
    "failure destination",
)
BLOCKED_SHARD = Kind(
    "blocked-shard",
    WARNING,
    "Event source mapping that retries until the records expire, before the failure destination",
    f"{_DOCS}/lambda/latest/dg/kinesis-on-failure-destination.html",
    "what waits in the shard behind a batch that keeps failing expires too: there is a failure "
    "destination, but neither retries nor the age of records are limited",
)
DEAD_LETTER_RETENTION = Kind(
    "dead-letter-retention",
    WARNING,
    "Dead-letter queue that keeps messages for a shorter time than its source",
    f"{_QUEUES}/setting-up-dead-letter-queue-retention.html",
    "a message fails for longer than the dead-letter queue keeps messages: its age counts from "
    "when it was sent to the first queue",
)
DELIVERY_RETRIES = Kind(
    "delivery-retries",
    WARNING,
    "Retries set for the delivery, where Lambda's were probably intended",
    f"{_DOCS}/lambda/latest/dg/invocation-async-error-handling.html",
    "(none is lost, but the function runs more often than intended: the retries are set for the "
    "delivery, and Lambda's are not)",
)
NO_SUBSCRIBER = Kind(
    "no-subscriber",
    INFO,
    "Topic for failures without a subscription",
    _RETAIN,
    "the last attempt fails, and nobody has subscribed to the topic outside the templates either",
)
VISIBILITY_MARGIN = Kind(
    "visibility-margin",
    INFO,
    "Queue whose visibility timeout is under six times its function's timeout",
    _SQS,
    "(none is lost, but a throttled message may be handled twice, or moved to the dead-letter "
    "queue without an attempt)",
)
UNWATCHED = Kind(
    "unwatched",
    INFO,
    "Dead-letter queue without alarm or reader",
    f"{_QUEUES}/dead-letter-queues-alarms-cloudwatch.html",
    "nobody looks into the dead-letter queue of an event source before its retention ends",
)
CUSTOM_RESOURCE = Kind(
    "custom-resource",
    INFO,
    "Function whose caller awaits an answer by other means, without failure destination",
    f"{_DOCS}/lambda/latest/dg/services-cloudformation.html",
    "(none goes unnoticed: CloudFormation, CodePipeline or another caller waits for an answer, and "
    "fails after a timeout)",
)
DISABLED = Kind(
    "disabled",
    INFO,
    "Function without failure destination behind a disabled caller",
    _RETAIN,
    "the last attempt fails after somebody enables the rule, schedule or other caller; none is "
    "lost while it is disabled",
)
UNKNOWN = Kind(
    "unknown",
    INFO,
    "Unknown whether failures are lost",
    _RETAIN,
    "(not known: the template does not say)",
)

KINDS = {
    kind.id: kind
    for kind in (
        UNCOVERED,
        OTHER_QUALIFIER,
        DURABLE,
        DURABLE_UNQUALIFIED,
        TENANT_MISSING,
        LOST_DESTINATION,
        STREAM_UNCOVERED,
        ENDLESS_RETRIES,
        NO_REDRIVE,
        VISIBILITY_TIMEOUT,
        DELIVERY,
        QUEUE_POLICY,
        QUEUE_KEY,
        METADATA_ONLY,
        DESTINATION_PERMISSION,
        BLOCKED_SHARD,
        DEAD_LETTER_RETENTION,
        DELIVERY_RETRIES,
        NO_SUBSCRIBER,
        VISIBILITY_MARGIN,
        UNWATCHED,
        CUSTOM_RESOURCE,
        DISABLED,
        UNKNOWN,
    )
}
_SHOWN = {INFO: "note"}


def kinds_table() -> str:
    """Return the documentation's table of kinds, in Markdown."""
    rows = [
        f"| `{kind.id}` | {_SHOWN.get(kind.severity, kind.severity)} | {kind.lost_when} |\n"
        for kind in KINDS.values()
    ]
    head = "| kind | severity | an event is lost when |\n|---|---|---|\n"
    return head + "".join(rows)
