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

# The subscription of a mailbox to a channel's topic or an alarm topic: this, then the address.
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

# The child of a handler, construct or schedule group that holds its alarms. Where the alarms must
# be defined in the monitoring instead, the id is this, `-` and the path.
FAILURE_ALARMS = "FailureAlarms"
