"""The construct ids that the constructs define and the operators' tools look for.

Each stands here once. An id is part of logical ids: a changed one replaces resources that are
deployed. Standard library only, so that tools without the CDK read the same list.
"""

from __future__ import annotations

# Within a FailureChannel.
TOPIC = "Topic"
QUEUE = "Queue"
DEAD_LETTER_QUEUE = "DeadLetterQueue"
COPY_QUEUE = "CopyQueue"
QUEUE_SUBSCRIPTION = "QueueSubscription"

# A mailbox's subscription, of a channel's topic or an alarm topic: this and the address.
MAILBOX_PREFIX = "Email-"

# The asynchronous configuration of a handler.
EVENT_INVOKE_CONFIG = "EventInvokeConfig"

# Within a FailureReplayer.
PARKED_QUEUE = "ParkedQueue"
REPLAYER_FUNCTION = "Function"
EVENT_SOURCE = "EventSource"

# Within a FailureMonitoring.
ALARM_TOPIC = "AlarmTopic"
DASHBOARD = "Dashboard"

# The child of a handler, construct or schedule group that holds the alarms about it. Where those
# must be defined in the monitoring instead: this, `-` and the path.
FAILURE_ALARMS = "FailureAlarms"
