"""The kinds of findings: the registry that findings, JSON and docs/doctor.md share.

The kinds about streams and source queues are in `event_source_kinds.py`.
"""

from __future__ import annotations

from . import event_source_kinds
from .kind import DOCS as _DOCS
from .kind import SEVERITIES, Kind, Severity

__all__ = ["KINDS", "SEVERITIES", "Kind", "Severity", "as_markdown"]

_DESTINATIONS = f"{_DOCS}/lambda/latest/dg/invocation-async-retain-records.html"
_LAMBDA_SQS = f"{_DOCS}/lambda/latest/dg/services-sqs-configure.html"
_EMAIL = f"{_DOCS}/sns/latest/dg/sns-email-notifications.html"
_SNS_FIFO = f"{_DOCS}/sns/latest/dg/sns-fifo-topics.html"
_SNS_DLQ = f"{_DOCS}/sns/latest/dg/sns-dead-letter-queues.html"
_SNS_TO_SQS = f"{_DOCS}/sns/latest/dg/subscribe-sqs-queue-to-sns-topic.html"
_SNS_KEYS = f"{_DOCS}/sns/latest/dg/sns-key-management.html"
_SQS = f"{_DOCS}/AWSSimpleQueueService/latest/SQSDeveloperGuide"
_QUEUES = f"{_SQS}/sqs-queue-types.html"
_RETENTION = f"{_DOCS}/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html"
_RECEIVED = f"{_DOCS}/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html"
_ALARMS = f"{_DOCS}/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html"
_MUTE_RULES = f"{_DOCS}/AmazonCloudWatch/latest/APIReference/API_PutAlarmMuteRule.html"
_ALARM_TOPIC = f"{_DOCS}/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html"
_SCHEDULES = f"{_DOCS}/scheduler/latest/APIReference/API_GetSchedule.html"
_SECRETS = f"{_DOCS}/secretsmanager/latest/userguide/auth-and-access.html"

# In the order in which a failure travels.
HANDLER = Kind(
    "handler",
    "ok",
    "Lambda sends the handler's failed events to the topic",
    _DESTINATIONS,
)
HANDLER_MISSING = Kind(
    "handler-missing",
    "error",
    "the function does not exist",
    _DESTINATIONS,
    fix="deploy",
)
NO_HANDLERS = Kind(
    "no-handlers",
    "info",
    "no function and no event source of the account and Region sends its failures to the channel",
    _DESTINATIONS,
)
HANDLER_DESTINATION = Kind(
    "handler-destination",
    "error",
    "the handler has no failure destination, a different one, or one that does not exist; or it is "
    "a durable function whose dead letters do not reach the channel",
    _DESTINATIONS,
    fix="`aws lambda put-function-event-invoke-config` or `update-function-event-invoke-config`; "
    "for a durable function `update-event-source-mapping`, or deploy",
)
HANDLER_PERMISSION = Kind(
    "handler-permission",
    "error",
    "the function's role may not publish to the topic, or use its key",
    _DESTINATIONS,
    fix="`aws iam put-role-policy`, one policy for the topic and one for the key",
)
HANDLER_COPIES = Kind(
    "handler-copies",
    "warning",
    "the function's own dead-letter queue is missing, or is not the channel's copy queue",
    _DESTINATIONS,
    fix="`aws lambda update-function-configuration`",
    otherwise=("info", "if the template sets a different one"),
)
HANDLER_COPY_PERMISSION = Kind(
    "handler-copy-permission",
    "warning",
    "the function's role may not send to the copy queue, or use its key",
    _DESTINATIONS,
    fix="`aws iam put-role-policy`",
)
TOPIC = Kind(
    "topic",
    "ok",
    "the topic exists; CloudWatch may publish to the alarm topic",
    _DESTINATIONS,
)
TOPIC_MISSING = Kind(
    "topic-missing",
    "error",
    "the topic does not exist: Lambda has nowhere to send records, or alarms notify nobody",
    _DESTINATIONS,
    fix="deploy; for the alarm topic, give the monitoring another id",
)
TOPIC_FIFO = Kind(
    "topic-fifo",
    "error",
    "Lambda cannot send to a FIFO topic, and no mailbox can subscribe to one",
    _SNS_FIFO,
    fix="deploy with another topic",
)
TOPIC_POLICY = Kind(
    "topic-policy",
    "error",
    "the alarm topic's policy does not let CloudWatch publish",
    _ALARM_TOPIC,
    fix="`aws sns set-topic-attributes`: its policy with the missing statement",
)
NOBODY_SUBSCRIBED = Kind(
    "nobody-subscribed",
    "info",
    "only the queue is subscribed to the topic",
    f"{_DOCS}/sns/latest/dg/sns-create-subscribe-endpoint-to-topic.html",
    fix="`aws sns subscribe`",
    otherwise=("warning", "if nobody is subscribed to the topic of existing alarms"),
)
SUBSCRIPTION = Kind(
    "subscription",
    "ok",
    "the subscription exists and is confirmed",
    _EMAIL,
)
SUBSCRIPTION_DELETED = Kind(
    "subscription-deleted",
    "error",
    "in the template but not in SNS: somebody unsubscribed, or SNS deleted it. A deployment does "
    "not restore it",
    _EMAIL,
    fix="`aws sns subscribe`",
)
SUBSCRIPTION_PENDING = Kind(
    "subscription-pending",
    "error",
    "not confirmed, or suspended by SNS after more than 10 messages within a second. SNS deletes "
    "it after 48 hours",
    _EMAIL,
    fix="`aws sns subscribe` sends the e-mail again; `failure-destinations confirm` confirms it",
)
SUBSCRIPTION_BY_LINK = Kind(
    "subscription-by-link",
    "info",
    "confirmed by the link in the e-mail: the link in every later e-mail unsubscribes the mailbox, "
    "for whoever follows it, such as a program that scans links",
    f"{_DOCS}/sns/latest/api/API_ConfirmSubscription.html",
    fix="subscribe again, and confirm with `failure-destinations confirm`",
)
SUBSCRIPTION_FILTER = Kind(
    "subscription-filter",
    "error",
    "a filter policy keeps records from the queue",
    f"{_DOCS}/sns/latest/dg/sns-message-filtering.html",
    fix="`aws sns set-subscription-attributes`",
)
SUBSCRIPTION_NO_DEAD_LETTERS = Kind(
    "subscription-no-dead-letters",
    "error",
    "messages that SNS cannot deliver to the queue are lost",
    _SNS_DLQ,
    fix="`aws sns set-subscription-attributes`",
    otherwise=("warning", "for subscribers other than the queue"),
)
SUBSCRIPTION_NOT_RAW = Kind(
    "subscription-not-raw",
    "warning",
    "the queue gets each record in SNS's envelope",
    f"{_DOCS}/sns/latest/dg/sns-large-payload-raw-message-delivery.html",
    fix="`aws sns set-subscription-attributes`",
)
MAIL_STORM = Kind(
    "mail-storm",
    "warning",
    "over 600 messages within one minute in the last 3 days: SNS suspends mailboxes",
    _EMAIL,
    fix="notify people through `FailureMonitoring`, with its own topic",
    otherwise=("info", "from 11 messages on, because CloudWatch's shortest period is a minute"),
)
QUEUE = Kind(
    "queue",
    "ok",
    "the queue exists, and SNS may send to it",
    _SNS_TO_SQS,
)
QUEUE_MISSING = Kind(
    "queue-missing",
    "error",
    "one of the channel's queues does not exist",
    _QUEUES,
    fix="`aws sqs create-queue`",
)
QUEUE_POLICY = Kind(
    "queue-policy",
    "error",
    "the policy of the queue or the dead-letter queue does not let SNS send for the topic",
    _SNS_TO_SQS,
    fix="`aws sqs set-queue-attributes`: its policy with the missing statement",
)
QUEUE_FIFO = Kind(
    "queue-fifo",
    "error",
    "a standard topic cannot send to a FIFO queue",
    _SNS_FIFO,
    fix="deploy with another queue",
)
KEY = Kind(
    "key",
    "unknown",
    "the KMS key of a queue or topic could not be read",
    _SNS_KEYS,
)
KEY_OF_AWS = Kind(
    "key-of-aws",
    "error",
    "encrypted with `alias/aws/sqs`, which SNS may not use, or with `alias/aws/sns`, which "
    "CloudWatch may not use",
    _SNS_KEYS,
    fix="deploy with a different encryption",
)
KEY_POLICY = Kind(
    "key-policy",
    "error",
    "the KMS key's policy does not let SNS (for the alarm topic: CloudWatch) use it",
    _SNS_KEYS,
    fix="`aws kms put-key-policy`: its policy with the missing statement",
)
KEY_DISABLED = Kind(
    "key-disabled",
    "error",
    "the KMS key of a queue or topic is disabled or scheduled for deletion",
    f"{_DOCS}/kms/latest/developerguide/key-state.html",
    fix="`aws kms cancel-key-deletion`, `aws kms enable-key`",
)
RETENTION_SHORTENED = Kind(
    "retention-shortened",
    "warning",
    "a queue keeps messages for less time than it was deployed with",
    _RETENTION,
    fix="`aws sqs set-queue-attributes`",
)
RETENTION_SHORT = Kind(
    "retention-short",
    "warning",
    "a queue keeps messages for less than SQS's default of 4 days",
    _RETENTION,
    fix="`aws sqs set-queue-attributes`",
    otherwise=("info", "if the template says so"),
)
EVENTS_EXPIRE = Kind(
    "events-expire",
    "warning",
    "the oldest message has waited 80 % of its queue's retention",
    _RETENTION,
    fix="`failure-destinations replay`, `list`",
    otherwise=("info", "in the copy queue"),
)
EVENTS_WAITING = Kind(
    "events-waiting",
    "info",
    "failed events wait for a replay",
    _DESTINATIONS,
    fix="`failure-destinations replay`",
)
DEAD_LETTERS = Kind(
    "dead-letters",
    "warning",
    "messages that SNS, a schedule or an announcement rule could not deliver, or that the "
    "forwarder of failed batches could not read",
    _SNS_DLQ,
    fix="`failure-destinations replay --from dead-letter`",
)
EVENTS_PARKED = Kind(
    "events-parked",
    "warning",
    "events that the replayer gave up on",
    _LAMBDA_SQS,
    fix="`failure-destinations list --queue`",
)
REPLAYER = Kind(
    "replayer",
    "ok",
    "the replayer drains the channel's queue",
    _LAMBDA_SQS,
)
REPLAYER_OFF = Kind(
    "replayer-off",
    "warning",
    "the replayer's event source mapping is disabled",
    _LAMBDA_SQS,
    fix="`aws lambda update-event-source-mapping`",
    otherwise=("info", "if the template says so"),
)
REPLAYER_PARKS_AT_ONCE = Kind(
    "replayer-parks-at-once",
    "warning",
    "messages were received so often that the replayer, once it is switched on, parks them after "
    "one failure; not known with `--quick`",
    _RECEIVED,
    fix="`failure-destinations replay`, or more `max_attempts`",
)
REPLAYER_MISSING = Kind(
    "replayer-missing",
    "error",
    "the replayer's event source mapping does not exist",
    _LAMBDA_SQS,
    fix="deploy",
)
COPIES = Kind(
    "copies",
    "ok",
    "every copy has its record",
    _DESTINATIONS,
)
COPIES_LOST_ON_THE_WAY = Kind(
    "copies-lost-on-the-way",
    "error",
    "a copy whose record never reached the queue: over SNS's limit, of a durable function, or "
    "sent within minutes of deliveries that Lambda counted as failed",
    _DESTINATIONS,
    fix="`failure-destinations replay --from copies`, with the ids",
)
COPIES_NOT_TRUSTED = Kind(
    "copies-not-trusted",
    "warning",
    "a copy that was not sent by the role of any of the channel's handlers: it may be forged",
    _RECEIVED,
    fix="find out who sent it: `failure-destinations list --from copies`",
)
COPIES_WITHOUT_RECORD = Kind(
    "copies-without-record",
    "info",
    "a copy whose record is in none of the channel's queues: replayed, or removed",
    _DESTINATIONS,
)
COPIES_NOT_COMPARED = Kind(
    "copies-not-compared",
    "info",
    "with `--quick`, or where a function drains the queue",
    _DESTINATIONS,
    fix="`failure-destinations doctor` without `--quick`",
)
ALARMS = Kind(
    "alarms",
    "ok",
    "every alarm of the monitoring exists",
    _ALARMS,
)
ALARM_MISSING = Kind(
    "alarm-missing",
    "error",
    "in the template but not in CloudWatch: nobody is notified. A deployment does not restore it",
    _ALARMS,
    fix="`aws cloudwatch put-metric-alarm`, as in the template",
)
ALARM_WITHOUT_ACTION = Kind(
    "alarm-without-action",
    "error",
    "the alarm does not notify the topic that the template names",
    _ALARMS,
    fix="`aws cloudwatch put-metric-alarm`: the same alarm with the topic",
)
ALARM_SILENCED = Kind(
    "alarm-silenced",
    "warning",
    "the alarm's actions are switched off",
    _ALARMS,
    fix="`aws cloudwatch enable-alarm-actions`",
    otherwise=("info", "if the template says so"),
)
ALARM_MUTED = Kind(
    "alarm-muted",
    "warning",
    "a mute rule mutes the alarm: it goes off, and nobody is notified",
    _MUTE_RULES,
    fix="`aws cloudwatch delete-alarm-mute-rule`, if the rule mutes no other alarm",
    otherwise=("info", "if it mutes it later only, or if boto3 or CloudWatch knows no mute rules"),
)
ALARM_RINGING = Kind(
    "alarm-ringing",
    "info",
    "an alarm in state ALARM, since when, and what it means. Alarms without data are fine: most "
    "have none until something fails",
    f"{_DOCS}/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html",
)

NOTIFIER = Kind(
    "notifier",
    "ok",
    "the notifier reads its queue, and its schedule wakes it",
    _LAMBDA_SQS,
)
NOTIFIER_OFF = Kind(
    "notifier-off",
    "error",
    "the notifier's event source mapping is disabled: nobody is notified",
    _LAMBDA_SQS,
    fix="`aws lambda update-event-source-mapping`",
)
NOTIFIER_ASLEEP = Kind(
    "notifier-asleep",
    "warning",
    "the notifier's schedule is disabled: digests and reminders wait for the next failure",
    _SCHEDULES,
    fix="`aws scheduler update-schedule`",
)
NOTIFIER_MISSING = Kind(
    "notifier-missing",
    "error",
    "the notifier's event source mapping or schedule does not exist",
    _LAMBDA_SQS,
    fix="deploy",
)
NOTICES_UNDELIVERED = Kind(
    "notices-undelivered",
    "warning",
    "records that the notifier could not count, or messages that a mailbox or webhook did not take",
    _SNS_DLQ,
    fix="`failure-destinations list --queue`",
)
WEBHOOK = Kind(
    "webhook",
    "ok",
    "the secret with a webhook's URL exists, and the notifier may read it",
    _SECRETS,
)
WEBHOOK_SECRET = Kind(
    "webhook-secret",
    "error",
    "the secret with a webhook's URL does not exist, is scheduled for deletion, or is not a "
    "SecureString",
    _SECRETS,
    fix="`aws secretsmanager restore-secret`, or store it again",
)
WEBHOOK_PERMISSION = Kind(
    "webhook-permission",
    "error",
    "the notifier's role may not read the secret with a webhook's URL",
    _SECRETS,
    fix="`aws iam put-role-policy`",
)

KINDS = {
    kind.id: kind
    for kind in (*globals().values(), *vars(event_source_kinds).values())
    if isinstance(kind, Kind)
}


def as_markdown() -> str:
    """Return the table of all kinds that docs/doctor.md shows."""
    rows = ["| finding | severity | what it means | fix |", "|---|---|---|---|"]
    for kind in KINDS.values():
        severity: str = kind.severity
        if kind.otherwise is not None:
            severity += f"; {' '.join(kind.otherwise)}"
        rows.append(f"| [`{kind.id}`]({kind.page}) | {severity} | {kind.title} | {kind.fix} |")
    return "\n".join(rows) + "\n"
