"""The kinds of findings about event source mappings, their failed batches and source queues."""

from __future__ import annotations

from .kind import DOCS as _DOCS
from .kind import Kind

_LAMBDA = f"{_DOCS}/lambda/latest/dg"
_LAMBDA_API = f"{_DOCS}/lambda/latest/api"
_SQS = f"{_DOCS}/AWSSimpleQueueService/latest"
_S3 = f"{_DOCS}/AmazonS3/latest"
_EVENTS = f"{_DOCS}/eventbridge/latest/userguide"
_MAPPING = f"{_LAMBDA_API}/API_EventSourceMappingConfiguration.html"
_KINESIS = f"{_LAMBDA}/kinesis-on-failure-destination.html"
_SQS_SOURCE = f"{_LAMBDA}/services-sqs-configure.html"
_DEAD_LETTER_QUEUES = f"{_SQS}/SQSDeveloperGuide/sqs-dead-letter-queues.html"
_ANNOUNCED = f"{_S3}/userguide/EventBridge.html"
_RULE_TARGETS = f"{_EVENTS}/eb-rule-dlq.html"

# In the order in which a failure travels: of a stream, then of a queue.
EVENT_SOURCE = Kind(
    "event-source",
    "ok",
    "the event source mapping reads its source, and Lambda may write its failed batches to the "
    "channel",
    _KINESIS,
)
EVENT_SOURCE_MISSING = Kind(
    "event-source-missing",
    "error",
    "the event source mapping does not exist",
    _MAPPING,
    fix="deploy",
)
EVENT_SOURCE_OFF = Kind(
    "event-source-off",
    "warning",
    "the event source mapping is disabled: its source forgets what is not read in time",
    _MAPPING,
    fix="`aws lambda update-event-source-mapping`",
    otherwise=("info", "if the template says so"),
)
EVENT_SOURCE_PROBLEM = Kind(
    "event-source-problem",
    "error",
    "the event source mapping cannot read its source or start its function, as its "
    "`LastProcessingResult` says",
    _MAPPING,
    fix="what the message says",
    otherwise=("info", "if only the function failed, which Lambda retries"),
)
EVENT_SOURCE_DESTINATION = Kind(
    "event-source-destination",
    "error",
    "the template has the mapping send failed batches to the channel, and it does not",
    _KINESIS,
    fix="`aws lambda update-event-source-mapping`",
)
EVENT_SOURCE_PERMISSION = Kind(
    "event-source-permission",
    "error",
    "the function's role may not write failed batches to the bucket, topic or queue, or use its "
    "key",
    _KINESIS,
    fix="`aws iam put-role-policy`",
)
EVENT_SOURCE_RETRIES_FOREVER = Kind(
    "event-source-retries-forever",
    "warning",
    "neither retries nor age of records are limited: a batch that fails blocks its shard until "
    "the stream forgets it",
    _KINESIS,
    fix="`aws lambda update-event-source-mapping`",
)
EVENT_SOURCE_METADATA_ONLY = Kind(
    "event-source-metadata-only",
    "warning",
    "failed batches go straight to the channel's topic or queue, without their records, and the "
    "stream forgets the records before the queue deletes the message",
    _KINESIS,
    fix="`aws lambda update-event-source-mapping`, or `channel.event_source_destination`",
    otherwise=("info", "if it is not known how long the source keeps records"),
)
EVENT_SOURCE_LAGS = Kind(
    "event-source-lags",
    "warning",
    "the function is behind by 80 % of the time for which the stream keeps records",
    f"{_LAMBDA}/monitoring-metrics-types.html",
    fix="more concurrency, or a longer retention",
)
BUCKET = Kind(
    "bucket",
    "ok",
    "the bucket for failed batches exists, and announces its objects",
    _KINESIS,
)
BUCKET_MISSING = Kind(
    "bucket-missing",
    "error",
    "the bucket for failed batches does not exist",
    _KINESIS,
    fix="`aws s3api create-bucket`, `put-bucket-notification-configuration`",
)
BUCKET_SILENT = Kind(
    "bucket-silent",
    "error",
    "the bucket does not send its events to EventBridge: failed batches do not reach the queue",
    _ANNOUNCED,
    fix="`aws s3api put-bucket-notification-configuration`",
)
BUCKET_POLICY = Kind(
    "bucket-policy",
    "error",
    "the bucket's policy denies a function's role to write failed batches",
    f"{_S3}/userguide/bucket-policies.html",
    fix="remove the statement",
)
BUCKET_LIFECYCLE = Kind(
    "bucket-lifecycle",
    "warning",
    "the bucket deletes failed batches before the queue deletes their messages, or sooner than "
    "it was deployed with",
    f"{_S3}/API/API_PutBucketLifecycleConfiguration.html",
    fix="`aws s3api put-bucket-lifecycle-configuration`",
)
ANNOUNCEMENTS = Kind(
    "announcements",
    "ok",
    "each object reaches the topic: the rule is enabled, and the forwarder reads its queue",
    _ANNOUNCED,
)
ANNOUNCEMENTS_MISSING = Kind(
    "announcements-missing",
    "error",
    "the rule or the forwarder's event source mapping does not exist",
    _ANNOUNCED,
    fix="`aws events put-rule` and `put-targets`, or deploy",
)
ANNOUNCEMENTS_OFF = Kind(
    "announcements-off",
    "error",
    "the rule or the forwarder's event source mapping is disabled",
    f"{_DOCS}/eventbridge/latest/APIReference/API_EnableRule.html",
    fix="`aws events enable-rule`, `aws lambda update-event-source-mapping`",
)
ANNOUNCEMENTS_PATTERN = Kind(
    "announcements-pattern",
    "error",
    "the rule has another event pattern than in the template",
    f"{_DOCS}/eventbridge/latest/APIReference/API_PutRule.html",
    fix="`aws events put-rule`",
)
ANNOUNCEMENTS_TARGET = Kind(
    "announcements-target",
    "error",
    "the rule does not send to the announcement queue",
    _RULE_TARGETS,
    fix="`aws events put-targets`",
    otherwise=("warning", "if only the target's dead-letter queue is missing"),
)
ANNOUNCEMENTS_WAIT = Kind(
    "announcements-wait",
    "warning",
    "an announcement has waited for an hour: the forwarder does not read it",
    _SQS_SOURCE,
    fix="read the forwarder's log",
)
FORWARDER_FAILS = Kind(
    "forwarder-fails",
    "warning",
    "the forwarder failed within the last hour; after 5 tries an announcement is in the "
    "dead-letter queue",
    f"{_LAMBDA}/monitoring-metrics-types.html",
    fix="read the forwarder's log",
)
SOURCE_QUEUE = Kind(
    "source-queue",
    "ok",
    "a function reads the source queue, and what keeps failing goes to its dead-letter queue",
    _SQS_SOURCE,
)
SOURCE_QUEUE_REDRIVE = Kind(
    "source-queue-redrive",
    "error",
    "the source queue does not move messages that keep failing to its dead-letter queue",
    _DEAD_LETTER_QUEUES,
    fix="`aws sqs set-queue-attributes`",
)
SOURCE_QUEUE_DENIED = Kind(
    "source-queue-denied",
    "error",
    "the dead-letter queue's `RedriveAllowPolicy` does not let the source queue use it",
    f"{_SQS}/APIReference/API_SetQueueAttributes.html",
    fix="`aws sqs set-queue-attributes`",
)
SOURCE_QUEUE_UNREAD = Kind(
    "source-queue-unread",
    "warning",
    "no function reads the source queue",
    _SQS_SOURCE,
    fix="deploy the function's event source",
)
SOURCE_QUEUE_VISIBILITY = Kind(
    "source-queue-visibility",
    "error",
    "the source queue's visibility timeout is shorter than the function's timeout: a message is "
    "handled again while the function still works on it",
    _SQS_SOURCE,
    fix="`aws sqs set-queue-attributes`",
    otherwise=("info", "if it is shorter than six times that, plus the batching window"),
)
SOURCE_DEAD_LETTERS_RETENTION = Kind(
    "source-dead-letters-retention",
    "warning",
    "the dead-letter queue keeps messages for less time than the source queue, and their age "
    "counts from the source queue on",
    f"{_SQS}/SQSDeveloperGuide/setting-up-dead-letter-queue-retention.html",
    fix="`aws sqs set-queue-attributes`",
)
SOURCE_DEAD_LETTERS = Kind(
    "source-dead-letters",
    "warning",
    "messages of a source queue that the function could not handle",
    _DEAD_LETTER_QUEUES,
    fix="`failure-destinations replay --from source-queues`",
)
