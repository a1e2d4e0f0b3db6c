"""The construct ids that the constructs define and the operators' tools look for.

Each is defined here once. Construct ids are part of logical ids: changing one replaces deployed
resources. The module needs only the standard library, so that tools without the CDK can use it.
"""

from __future__ import annotations

# Within a FailureChannel.
TOPIC = "Topic"
QUEUE = "Queue"
DEAD_LETTER_QUEUE = "DeadLetterQueue"
COPY_QUEUE = "CopyQueue"
QUEUE_SUBSCRIPTION = "QueueSubscription"

# Within a FailureChannel, the dead-letter queue of an SQS queue that feeds functions: this, then
# the path of that queue.
SOURCE_DEAD_LETTER_PREFIX = "SourceDeadLetters-"

# The subscription of a mailbox to a channel's topic or an alarm topic: this, then the address.
MAILBOX_PREFIX = "Email-"

# The asynchronous configuration of a handler.
EVENT_INVOKE_CONFIG = "EventInvokeConfig"

# The child of a durable function that brings its failures to a channel. Within it, `Queue`.
DURABLE_FAILURES = "DurableFailures"

# The child of a FailureChannel that keeps the failed batches of event sources. Within it, the next
# four, and an event source with the replayer's id.
EVENT_SOURCE_FAILURES = "EventSourceFailures"
BATCH_BUCKET = "Batches"
ANNOUNCEMENT_RULE = "Rule"
ANNOUNCEMENT_QUEUE = "Announcements"
BATCH_FORWARDER = "Forwarder"

# Within a FailureReplayer.
PARKED_QUEUE = "ParkedQueue"
REPLAYER_FUNCTION = "Function"
EVENT_SOURCE = "EventSource"

# Within a FailureNotifier; its event source has the replayer's id.
NOTICE_QUEUE = "NoticeQueue"
NOTICE_SUBSCRIPTION = "NoticeSubscription"
NOTIFIER_DEAD_LETTER_QUEUE = "DeadLetterQueue"
NOTIFIER_TOPIC = "Topic"
NOTIFIER_TABLE = "State"
NOTIFIER_FUNCTION = "Function"
NOTIFIER_SCHEDULE = "Schedule"
WEBHOOK_FUNCTION = "WebhookFunction"
# For a webhook: this, its format, `-`, the construct id of its secret, `-` and what it is.
WEBHOOK_PREFIX = "Webhook-"

# Within a FailureMonitoring.
ALARM_TOPIC = "AlarmTopic"
DASHBOARD = "Dashboard"

# The child of a handler, construct or schedule group that holds its alarms. Where the alarms must
# be defined in the monitoring instead, the id is this, `-` and the path.
FAILURE_ALARMS = "FailureAlarms"

# Within a FailureMonitoring, what holds the alarms about the dead-letter queue of a source queue:
# this, then what follows the prefix of that dead-letter queue.
SOURCE_QUEUE_ALARMS_PREFIX = "SourceQueue-"

# Within a FailureWatchdog.
WATCHDOG_TOPIC = "Topic"
WATCHDOG_FUNCTION = "Function"
WATCHDOG_STATE = "State"
